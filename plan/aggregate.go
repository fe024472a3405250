package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table"
)

var aggregateKind = Kind{
	Name:     "aggregate",
	Summary:  "compute one row per group of rows with equal keys",
	Reads:    One,
	Writes:   One,
	Settings: func() Step { return &aggregate{} },
}

type aggregate struct {
	By      []At[string]     `job:"by" doc:"key columns, one or a list; without any, all rows are one group" also:"group_by groupby group keys columns"`
	Compute Mapping[measure] `job:"compute" doc:"names of new columns, each with what is in it: count, count(column), count(distinct column), or a function of a column: sum, mean, min, max, variance, stddev (both of a sample), variance_pop, stddev_pop, first (in the order of the input) or any" also:"aggregates aggs measures"`
	Workers int              `job:"workers,min=1" doc:"how many compute at once; what the job says if not given"`
}

// A measure is one thing to compute: count, or mean(delay).
type measure struct {
	function table.Func
	column   columnName // its name is empty for count alone
}

// functions are those that are called by their name; different values are counted by
// count(distinct column).
var functions = func() (names []string) {
	for _, f := range table.Funcs() {
		if f != table.CountDistinct {
			names = append(names, string(f))
		}
	}
	return names
}()

// calledElsewhere is how other tools call what we have.
var calledElsewhere = map[string]string{
	"avg": "mean(column)", "average": "mean(column)", "std": "stddev(column)", "stdev": "stddev(column)",
	"var": "variance(column)", "count_distinct": "count(distinct column)", "nunique": "count(distinct column)",
	"n_unique": "count(distinct column)", "any_value": "any(column)", "size": "count", "len": "count", "total": "sum(column)",
}

// UnmarshalText reads a measure; its errors know the character they are about.
func (m *measure) UnmarshalText(text []byte) error {
	p, err := newPhrase(string(text))
	if err != nil {
		return err
	}
	name := p.take()
	if !slices.Contains(functions, name.text) || name.kind != bareword {
		advice := instead(name.text, functions)
		if ours := calledElsewhere[strings.ToLower(name.text)]; ours != "" {
			advice = fmt.Sprintf("; did you mean %s?", ours)
		}
		return &phraseError{name.offset, fmt.Sprintf("unknown function %q%s", shorten(name.text), advice)}
	}
	m.function, m.column = table.Func(name.text), columnName{}
	switch {
	case p.accept("("):
		if name.text == "count" && (p.accept("*") || p.peek().is(")")) {
			break // SQL's count(*) is our count
		}
		if name.text == "count" && p.acceptDistinct() {
			m.function = table.CountDistinct
		}
		if m.column, err = p.column(); err != nil {
			return err
		}
	case name.text == "count":
		return p.done()
	default:
		return &phraseError{p.peek().offset, fmt.Sprintf("write %s(column) with the column it is of", name.text)}
	}
	if closing := p.take(); closing.kind != end && !closing.is(")") {
		return &phraseError{closing.offset, fmt.Sprintf(
			"expected ), got %v; a measure is of one column, so compute that in a project before", closing)}
	} else if closing.kind == end {
		return expectedWord(")", closing)
	}
	return p.done()
}

// acceptDistinct takes the word distinct, unless that is the column.
func (p *phrase) acceptDistinct() bool {
	if w := p.peek(); w.kind != bareword || w.text != "distinct" || p.words[p.next+1].is(")") {
		return false
	}
	p.take()
	return true
}

func (a *aggregate) settings() table.Aggregate {
	s := table.Aggregate{Workers: a.Workers}
	for _, key := range a.By {
		s.By = append(s.By, key.Value)
	}
	for _, m := range a.Compute {
		s.Measures = append(s.Measures, table.Measure{As: m.Name.Value, Func: m.Value.Value.function, Column: m.Value.Value.column.name})
	}
	return s
}

// Schema checks every key and every measure on its own first, so that each
// error has its place.
func (a *aggregate) Schema(in []*arrow.Schema) ([]*arrow.Schema, error) {
	whole := a.settings()
	var errs []error
	for _, key := range a.By {
		_, err := table.Aggregate{By: []string{key.Value}}.Schema(in[0])
		errs = append(errs, key.Wrong(err))
	}
	for i, m := range a.Compute {
		_, err := table.Aggregate{Measures: whole.Measures[i : i+1]}.Schema(in[0])
		errs = append(errs, m.Value.wrongIn(m.Value.Value.column.offset, err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	out, err := whole.Schema(in[0])
	if err != nil {
		return nil, err
	}
	return []*arrow.Schema{out}, nil
}

func (a *aggregate) Add(to *sluice.Network, at Place) error {
	s := a.settings()
	s.Workers = at.workers(s.Workers)
	to.Node(s.Node(at.Name, at.In[0], at.Out[0]))
	return nil
}
