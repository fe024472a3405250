package table

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table/expr"
)

// Filter passes on the rows for which a condition is true, in the order in which they come. As in SQL
// it is not true where it is null, and no comparison with a null is anything else.
type Filter struct {
	// Where is an expression that is true or false, as package expr reads it:
	//
	//	delay > 60 and origin in ('ORD', 'SFO')
	//
	// A row for which it has no value, such as one that divides by zero, ends the network with an
	// [*expr.RowError]. Put a text of which you do not know what is in it into quotes with
	// [expr.Quote].
	Where string

	// Workers is how many chunks are worked on at a time. 0 means one for each processor (GOMAXPROCS).
	// There are never more than the limit of host memory has 8 MiB for.
	Workers int
}

// Schema returns in, if the filter can work on it. What is wrong with the condition is an
// [*expr.Error]; of a column with a type that no node works on, the error names the column.
func (f Filter) Schema(in *arrow.Schema) (*arrow.Schema, error) {
	if _, err := compileCondition(f.Where, in); err != nil {
		return nil, err
	}
	return in, nil
}

// Node returns a node that passes rows from in to out, with the sequence numbers
// and receipts of the chunks they came in. A chunk of which nothing is left is
// released; if nothing at all passes, the last chunk is followed by one without
// rows. A chunk of which everything is left is passed on as it is; for the rest of another,
// the node reserves its exact bytes while it has the chunk, and waits for them if need be.
func (f Filter) Node(
	name string, in, out *sluice.Channel,
) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	run := func(ctx context.Context) error { return runInTurn(ctx, &filtering{filter: f}, f.Workers, in, out) }
	return name, run, reads(in), sluice.Writes(out)
}

// compileCondition compiles an expression that is true or false.
func compileCondition(where string, in *arrow.Schema) (*expr.Program, error) {
	if err := supported(in); err != nil {
		return nil, err
	}
	return expr.CompileCondition(where, in)
}

// filtering is one run of a filter.
type filtering struct {
	filter  Filter
	columns *arrow.Schema
	passes  *expr.Program
}

func (f *filtering) schema(in *arrow.Schema) (_ *arrow.Schema, err error) {
	f.columns = in
	f.passes, err = compileCondition(f.filter.Where, in)
	return in, err
}

func (f *filtering) hand() chunkhand {
	return &picking{schema: f.columns, passes: f.passes.NewEvaluator()}
}

// picking picks the rows of chunks that pass.
type picking struct {
	schema *arrow.Schema
	passes *expr.Evaluator

	// Of the chunk last looked at.
	rows    []uint32
	places  []place
	columns [][]view
	texts   []int64
}

func (p *picking) look(chunk *Chunk) (left left, need int64, err error) {
	batch := chunk.Batch()
	if p.rows, err = p.passes.Select(batch, p.rows[:0]); err != nil {
		return 0, 0, err
	}
	switch len(p.rows) {
	case 0:
		return leftNone, 0, nil
	case chunk.Rows():
		return leftAll, 0, nil
	}
	p.places = slices.Grow(p.places[:0], len(p.rows))[:len(p.rows)]
	for i, row := range p.rows {
		p.places[i] = place{row: row}
	}
	p.columns = columnsOf(batch)
	need, p.texts = gatherNeed(p.schema, p.columns, p.places)
	return leftMade, need, nil
}

func (p *picking) make(_ *Chunk, from *Allocator) (*Chunk, error) {
	batch, err := gatherBatch(from, p.schema, p.columns, p.places, p.texts)
	if err != nil {
		return nil, err
	}
	return from.Chunk(batch), nil
}

// columnsOf opens the columns of one batch.
func columnsOf(batch arrow.RecordBatch) [][]view {
	columns := make([][]view, batch.NumCols())
	for i, a := range batch.Columns() {
		columns[i] = []view{newView(a)}
	}
	return columns
}
