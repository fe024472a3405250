package table

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/internal/suggest"
)

// chunkRows is how many rows the chunks have that a node makes up itself.
const chunkRows = 64 << 10

// A Func is an aggregate function. Its text is how job files spell it.
type Func string

const (
	// Count counts the rows in which the column is not null, or all rows if no
	// column is named. int64, never null.
	Count Func = "count"
	// Sum adds up: int64 for signed integers, uint64 for unsigned ones, float64 for
	// floating-point numbers, whose last digits depend on the order of the rows, a
	// decimal of 38 digits and the same scale for decimals, a duration for durations.
	// A sum that does not fit is an error, and only that: what goes over on the way and
	// comes back is right.
	Sum Func = "sum"
	// Mean is the sum divided by the count: float64, also of decimals (as in DuckDB),
	// of which it is the float64 nearest to the exact mean. The sum of integers is exact
	// before that, however large. The mean of durations is a duration, rounded to the
	// nearest of the column's unit, halves away from zero.
	Mean Func = "mean"
	// Min gives the least value, of the column's own type (of text that is a
	// dictionary, the text).
	Min Func = "min"
	// Max gives the greatest, which for numbers is NaN if there is one.
	Max Func = "max"
)

var funcs = []string{"count", "sum", "mean", "min", "max"}

// A Measure is a column of the result of an [Aggregate].
type Measure struct {
	As     string // its name; "" gives count, mean_delay, and so on
	Func   Func
	Column string // of the input; "" only for Count, which then counts rows
}

func (m Measure) name() string {
	switch {
	case m.As != "":
		return m.As
	case m.Column == "":
		return string(m.Func)
	default:
		return string(m.Func) + "_" + m.Column
	}
}

// Aggregate computes measures for each group of rows that are equal in the columns
// By; without any, for all rows together, and then there is one row of result also
// when there is no input. The result has the columns By, with text out of its
// dictionary, and then one for each measure.
//
// Nulls are skipped by all functions; the sum, mean, min or max of no values is
// null. In By, null is a value like any other: all nulls are one group. So are all
// NaN, and -0 with 0.
//
// Groups come in the order in which they were first seen. All of them are kept in
// memory, about 40 bytes each and more for each further key, measure and text. They
// count as host memory, by the capacity of the tables, which are up to four times as long as there are
// groups. That cannot be spilled: a limit must have room for it, and while a table
// grows for the old and the new one; if it has not, the node ends with a
// [*mem.NoMemoryError]. Before rows are taken in, the node reserves what would be needed if each
// were a group, and waits for that, some thousand rows at a time.
type Aggregate struct {
	By       []string
	Measures []Measure
}

// Schema returns the columns of the result. Errors name the measure or column; one
// that is not there is a [*ColumnError].
func (a Aggregate) Schema(in *arrow.Schema) (*arrow.Schema, error) {
	plan, err := a.compile(in)
	if err != nil {
		return nil, err
	}
	return plan.schema, nil
}

// Node returns a node that reads in to its end, and then sends the groups to out
// in chunks of up to 65,536 rows, and of up to a sixteenth of the limit of host memory, numbered
// from 0. It releases the messages that it reads, and their receipts, as it reads them.
//
// If in ends without a single chunk, there is no schema: then the result is empty,
// or without By one row of counts and nulls.
func (a Aggregate) Node(
	name string, in, out *sluice.Channel,
) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	run := func(ctx context.Context) error { return a.run(ctx, in, out) }
	return name, run, reads(in), sluice.Writes(out)
}

func (a Aggregate) run(ctx context.Context, in, out *sluice.Channel) error {
	var groups *aggregation
	defer func() {
		if groups != nil {
			groups.heap.release()
		}
	}()
	err := eachChunk(ctx, in, func(_ *sluice.Message, chunk *Chunk) (err error) {
		if groups == nil {
			if groups, err = a.start(budgetOf(ctx), chunk.Schema()); err != nil {
				return err
			}
		}
		return groups.add(ctx, chunk.Batch())
	})
	if err != nil {
		return err
	}
	if groups == nil {
		if groups, err = a.startWithout(budgetOf(ctx)); groups == nil || err != nil {
			return err
		}
	}
	return groups.send(ctx, out)
}

// aggregatePlan is an Aggregate that was found to fit a schema.
type aggregatePlan struct {
	schema   *arrow.Schema // of the result
	keys     []int         // columns of the input
	measures []int         // also, -1 for none
	make     []func() accumulator
}

func (a Aggregate) compile(in *arrow.Schema) (*aggregatePlan, error) {
	if len(a.By) == 0 && len(a.Measures) == 0 {
		return nil, errors.New("nothing to compute: no measures and no columns to group by")
	}
	if err := supported(in); err != nil {
		return nil, err
	}
	plan := &aggregatePlan{}
	var fields []arrow.Field
	for _, name := range a.By {
		column, err := columnIndex(in, name)
		if err != nil {
			return nil, err
		}
		plan.keys = append(plan.keys, column)
		field := in.Field(column)
		fields = append(fields, arrow.Field{Name: name, Type: plain(field.Type), Nullable: field.Nullable})
	}
	for _, m := range a.Measures {
		column, typ, maker, err := m.compile(in)
		if err != nil {
			return nil, fmt.Errorf("measure %q: %w", m.name(), err)
		}
		plan.measures = append(plan.measures, column)
		plan.make = append(plan.make, maker)
		fields = append(fields, arrow.Field{Name: m.name(), Type: typ, Nullable: m.Func != Count})
	}
	plan.schema = arrow.NewSchema(fields, nil)
	for _, f := range fields {
		if len(plan.schema.FieldIndices(f.Name)) > 1 {
			return nil, fmt.Errorf("two columns of the result are called %q; give a measure another name", f.Name)
		}
	}
	return plan, nil
}

func (m Measure) compile(in *arrow.Schema) (column int, typ arrow.DataType, maker func() accumulator, err error) {
	if !slices.Contains(funcs, string(m.Func)) {
		return 0, nil, nil, fmt.Errorf("unknown function %q%s", string(m.Func), suggest.Phrase(string(m.Func), funcs))
	}
	if m.Column == "" {
		if m.Func != Count {
			return 0, nil, nil, fmt.Errorf("%s of which column?", m.Func)
		}
		return -1, arrow.PrimitiveTypes.Int64, func() accumulator { return new(rowCounts) }, nil
	}
	if column, err = columnIndex(in, m.Column); err != nil {
		return 0, nil, nil, err
	}
	typ, maker = accumulatorFor(m.Func, in.Field(column).Type)
	if maker == nil {
		return 0, nil, nil, fmt.Errorf("there is no %s of column %q of type %s", m.Func, m.Column, typeName(in.Field(column).Type))
	}
	return column, typ, maker, nil
}

// aggregation is one run of an Aggregate.
type aggregation struct {
	*aggregatePlan
	budget
	settings Aggregate
	grouping *grouping
	measured []accumulator
	heap     heap     // of both
	groups   []uint32 // scratch
	keyViews []view   // scratch
}

func (a Aggregate) start(from budget, in *arrow.Schema) (*aggregation, error) {
	plan, err := a.compile(in)
	if err != nil {
		return nil, err
	}
	g := &aggregation{aggregatePlan: plan, budget: from, settings: a}
	var layouts []layout
	for _, column := range plan.keys {
		of, _ := layoutOf(in.Field(column).Type)
		layouts = append(layouts, of)
	}
	g.grouping = newGrouping(layouts)
	for _, maker := range plan.make {
		g.measured = append(g.measured, maker())
	}
	return g, nil
}

// startWithout starts on an input that had no chunk and so no schema. It returns
// nil if no result is due.
func (a Aggregate) startWithout(from budget) (*aggregation, error) {
	if len(a.By) > 0 {
		return nil, nil
	}
	var fields []arrow.Field
	named := map[string]bool{"": true}
	for _, m := range a.Measures {
		if !named[m.Column] {
			named[m.Column] = true
			fields = append(fields, arrow.Field{Name: m.Column, Type: arrow.Null, Nullable: true})
		}
	}
	return a.start(from, arrow.NewSchema(fields, nil))
}

// add takes in a batch piece by piece: however large it is, the node ends soon
// after ctx does, and the scratch stays small.
func (g *aggregation) add(ctx context.Context, batch arrow.RecordBatch) error {
	atOnce := g.rowsAtOnce()
	for from := int64(0); from < batch.NumRows(); from += atOnce {
		if err := ctx.Err(); err != nil {
			return err
		}
		piece := batch.NewSlice(from, min(from+atOnce, batch.NumRows()))
		var err error
		if g.from == nil {
			err = g.addPiece(piece)
		} else {
			err = g.addCounted(ctx, piece)
		}
		piece.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *aggregation) addPiece(batch arrow.RecordBatch) error {
	rows := int(batch.NumRows())
	g.groups = slices.Grow(g.groups[:0], rows)[:rows]
	g.keyViews = g.keyViews[:0]
	for _, column := range g.keys {
		g.keyViews = append(g.keyViews, newView(batch.Column(column)))
	}
	g.grouping.groups(g.keyViews, g.groups)
	if g.grouping.len() > math.MaxInt32 {
		return errors.New("more than 2,147,483,647 groups")
	}
	for i, measured := range g.measured {
		var v view
		if column := g.measures[i]; column >= 0 {
			v = newView(batch.Column(column))
		}
		measured.add(&v, g.groups, g.grouping.len())
	}
	return nil
}

func (g *aggregation) send(ctx context.Context, out *sluice.Channel) error {
	for _, measured := range g.measured {
		measured.add(&view{}, nil, g.grouping.len()) // the one group of no rows
	}
	groups := g.grouping.len()
	seq := sluice.SeqNum(0)
	for from := 0; from < groups || seq == 0; {
		to := min(from+chunkRows, groups)
		chunk, err := g.chunkOf(ctx, from, &to)
		if err != nil {
			return err
		}
		if err := send(ctx, out, seq, chunk); err != nil {
			return err
		}
		from = to
		seq++
	}
	return nil
}

// chunkOf makes a chunk of the groups from up to to, or up to fewer, which it says, if those
// are too much for one. It waits for the memory.
func (g *aggregation) chunkOf(ctx context.Context, from int, to *int) (*Chunk, error) {
	var need int64
	if g.from != nil {
		for need = g.resultBytes(from, *to); need > g.chunk() && *to-from > 1; need = g.resultBytes(from, *to) {
			*to = from + (*to-from)/2
		}
	}
	res, err := g.reserve(ctx, need)
	if err != nil {
		return nil, err
	}
	defer res.Release()
	own := newAllocator(ctx, res)
	batch, err := g.batch(own, from, *to)
	if err != nil {
		return nil, err
	}
	return own.Chunk(batch), nil
}

func (g *aggregation) batch(mem memory.Allocator, from, to int) (arrow.RecordBatch, error) {
	columns := make([]arrow.Array, 0, g.schema.NumFields())
	defer func() {
		for _, c := range columns {
			c.Release()
		}
	}()
	for i := range g.keys {
		c, err := g.keyArray(mem, i, from, to)
		if err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	for i, measured := range g.measured {
		c, err := measured.array(mem, g.schema.Field(len(g.keys)+i).Type, from, to)
		if err != nil {
			return nil, fmt.Errorf("%s of column %q: %w", g.settings.Measures[i].Func, g.settings.Measures[i].Column, err)
		}
		columns = append(columns, c)
	}
	return array.NewRecordBatch(g.schema, columns, int64(to-from)), nil
}

// keyArray makes the column of one of the keys, for groups from up to to.
func (g *aggregation) keyArray(mem memory.Allocator, key, from, to int) (arrow.Array, error) {
	ids := g.keyIDs(key, from, to)
	column, typ := g.grouping.keys[key], g.schema.Field(key).Type
	isNull := func(i int) bool { return ids[i] == column.null }
	if column.of == layoutDecimal {
		return decimalArray(mem, typ, len(ids), isNull, func(i int) decimal128.Num {
			var value [1]decimal128.Num
			copy(arrow.GetBytes(value[:]), column.strings.at(ids[i]))
			return value[0]
		}), nil
	}
	if column.of == layoutText {
		return textArray(mem, typ, len(ids), isNull, func(i int) []byte { return column.strings.at(ids[i]) })
	}
	values := make([]uint64, len(ids))
	for i, id := range ids {
		values[i] = column.numbers.keys[id]
	}
	return rankedArray(mem, typ, values, isNull), nil
}

// keyIDs returns the numbers that groups have in one of the keys.
func (g *aggregation) keyIDs(key, from, to int) []uint32 {
	ids := make([]uint32, to-from)
	for i := range ids {
		ids[i] = uint32(from + i)
	}
	g.grouping.key(key, ids)
	return ids
}
