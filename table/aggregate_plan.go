package table

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/internal/suggest"
)

// aggregatePlan is an Aggregate that was found to fit a schema: groups with their
// measures, and for each column of which different values are counted, groups of the keys and it.
type aggregatePlan struct {
	*groupPlan
	distinct []*groupPlan
	feeds    []intake // how the groups of each of those are read
	onlyFed  bool     // from those the groups learn all that there is to know; rows have nothing for them
}

// A groupPlan is what groups are made of.
type groupPlan struct {
	names    []string // of the measures, for errors
	layouts  []layout // of the keys
	counted  bool     // the last key is a value to count, the others are those of who counts it
	measures []function
	schema   *arrow.Schema // of the result: keys, then measures
	ordered  *arrow.Schema // in another order, unless nil, which is this:
	order    []int
	states   *arrow.Schema // of groups that are not complete: keys, then the states of the measures
	raw      intake        // how rows are read
	written  intake        // how states are
}

// An intake says which columns are what.
type intake struct {
	keys     []int
	measures []int // the column of each, or the first of its states; or one of those:
	states   bool  // they are states
}

const (
	eachRow = -1 // rows are counted
	notRead = -2 // the measure learns nothing here
)

func (m Measure) name() string {
	switch {
	case m.As != "":
		return m.As
	case m.Column == "":
		return string(m.Func)
	default:
		return strings.ReplaceAll(string(m.Func), " ", "_") + "_" + m.Column
	}
}

// sent is the schema of what is sent.
func (p *groupPlan) sent() *arrow.Schema {
	if p.ordered != nil {
		return p.ordered
	}
	return p.schema
}

func (a Aggregate) compile(in *arrow.Schema) (*aggregatePlan, error) {
	if err := checkWorkers(a.Workers); err != nil {
		return nil, err
	}
	if len(a.By) == 0 && len(a.Measures) == 0 {
		return nil, errors.New("nothing to compute: no measures and no columns to group by")
	}
	if err := supported(in); err != nil {
		return nil, err
	}
	var keys []arrow.Field
	plan := &aggregatePlan{groupPlan: &groupPlan{}}
	for _, name := range a.By {
		column, err := columnIndex(in, name)
		if err != nil {
			return nil, err
		}
		plan.raw.keys = append(plan.raw.keys, column)
		keys = append(keys, in.Field(column))
	}
	var fields []arrow.Field
	counted := map[int]int{} // which of plan.distinct is of a column
	for i, m := range a.Measures {
		column, f, err := m.compile(in)
		if err != nil {
			return nil, fmt.Errorf("measure %q: %w", m.name(), err)
		}
		if m.Func == CountDistinct {
			of, ok := counted[column]
			if !ok {
				of = len(plan.distinct)
				counted[column] = of
				inner := &groupPlan{raw: intake{keys: append(slices.Clone(plan.raw.keys), column)}, counted: true}
				inner.finish(append(slices.Clone(keys), in.Field(column)), nil)
				plan.distinct = append(plan.distinct, inner)
				plan.feeds = append(plan.feeds, intake{keys: upTo(len(keys)), measures: slices.Repeat([]int{notRead}, len(a.Measures))})
			}
			plan.feeds[of].measures[i] = len(keys)
			column = notRead
		}
		plan.raw.measures = append(plan.raw.measures, column)
		plan.measures = append(plan.measures, f)
		plan.names = append(plan.names, fmt.Sprintf("%s of column %q", m.Func, m.Column))
		fields = append(fields, arrow.Field{Name: m.name(), Type: f.result, Nullable: m.Func != Count && m.Func != CountDistinct})
	}
	plan.onlyFed = len(plan.distinct) > 0 && !slices.ContainsFunc(plan.raw.measures, func(column int) bool { return column != notRead })
	plan.finish(keys, fields)
	for _, f := range plan.schema.Fields() {
		if len(plan.schema.FieldIndices(f.Name)) > 1 {
			return nil, fmt.Errorf("two columns of the result are called %q; give a measure another name", f.Name)
		}
	}
	return plan, nil
}

// finish derives the schemas.
func (p *groupPlan) finish(keys, measures []arrow.Field) {
	var states []arrow.Field
	for i, key := range keys {
		of, _ := layoutOf(key.Type)
		p.layouts = append(p.layouts, of)
		keys[i] = arrow.Field{Name: key.Name, Type: plain(key.Type), Nullable: key.Nullable}
		states = append(states, arrow.Field{Name: keyName(i), Type: keys[i].Type, Nullable: true})
	}
	p.written = intake{keys: upTo(len(keys)), states: true}
	for _, f := range p.measures {
		p.written.measures = append(p.written.measures, len(states))
		for _, typ := range f.states {
			states = append(states, arrow.Field{Name: fmt.Sprintf("state %d", len(states)), Type: typ, Nullable: true})
		}
	}
	p.states = arrow.NewSchema(states, nil)
	if p.counted { // it only matters whether there is one
		last := &keys[len(keys)-1]
		*last = arrow.Field{Name: last.Name, Type: arrow.FixedWidthTypes.Boolean, Nullable: true}
	}
	p.schema = arrow.NewSchema(append(slices.Clone(keys), measures...), nil)
}

func keyName(i int) string { return fmt.Sprintf("key %d", i) }

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func (m Measure) compile(in *arrow.Schema) (column int, f function, err error) {
	if m.Func != firstRow && !slices.Contains(Funcs(), m.Func) {
		var names []string
		for _, f := range Funcs() {
			names = append(names, string(f))
		}
		return 0, f, fmt.Errorf("unknown function %q%s", string(m.Func), suggest.Phrase(string(m.Func), names))
	}
	if m.Column == "" {
		if m.Func != Count {
			return 0, f, fmt.Errorf("%s of which column?", m.Func)
		}
		return eachRow, function{int64s, []arrow.DataType{int64s}, func() accumulator { return new(rowCounts) }}, nil
	}
	if column, err = columnIndex(in, m.Column); err != nil {
		return 0, f, err
	}
	f, ok := functionOf(m.Func, in.Field(column).Type)
	if !ok {
		return 0, f, fmt.Errorf("there is no %s of column %q of type %s", m.Func, m.Column, typeName(in.Field(column).Type))
	}
	return column, f, nil
}

// schemaWithout makes up the columns of an input that had no chunk and so no schema; nil if no
// result is due.
func (a Aggregate) schemaWithout() *arrow.Schema {
	if len(a.By) > 0 {
		return nil
	}
	var fields []arrow.Field
	named := map[string]bool{"": true}
	for _, m := range a.Measures {
		if !named[m.Column] {
			named[m.Column] = true
			fields = append(fields, arrow.Field{Name: m.Column, Type: arrow.Null, Nullable: true})
		}
	}
	return arrow.NewSchema(fields, nil)
}
