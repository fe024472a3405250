package table

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table/expr"
)

// AllColumns stands in [Project.Columns] for all columns of the input but those whose names are those
// of new ones.
const AllColumns = "*"

// Project gives some columns of its input, and new ones that are computed from them. Rows stay as
// many and in the order in which they come.
type Project struct {
	// Columns are the columns to keep, in this order. They come before the new ones. They are passed on
	// as they lie in memory, not copied.
	Columns []string

	// Compute are the new columns. Each is computed from the columns of the input, not from other new
	// ones.
	Compute []Computed

	// Workers is as in [Filter].
	Workers int
}

// Computed is a new column.
type Computed struct {
	As   string // its name
	Expr string // its value, as package expr reads it: "delay * 60", "upper(origin)"
}

// A ComputeError says that an expression of a [Project] is wrong, or has no value for a row. It wraps an
// [*expr.Error], or an [*expr.RowError].
type ComputeError struct {
	Index int // in Compute
	As    string
	Err   error
}

func (e *ComputeError) Error() string { return fmt.Sprintf("column %q: %v", e.As, e.Err) }

// Unwrap returns Err.
func (e *ComputeError) Unwrap() error { return e.Err }

// Schema returns the columns of the result. A column that is not there is a [*ColumnError], what is
// wrong with expressions a [*ComputeError] of each, joined.
func (p Project) Schema(in *arrow.Schema) (*arrow.Schema, error) {
	made, err := p.compile(in)
	if err != nil {
		return nil, err
	}
	return made.out, nil
}

// Node returns a node that reads chunks from in and sends them to out with other columns, with the
// sequence numbers and receipts of the chunks they came in. What the new columns take is reserved before it
// is computed, while the node has the chunk. A row for which an expression has no value ends the network
// with a [*ComputeError].
func (p Project) Node(
	name string, in, out *sluice.Channel,
) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	run := func(ctx context.Context) error { return runInTurn(ctx, &projecting{project: p}, p.Workers, in, out) }
	return name, run, reads(in), sluice.Writes(out)
}

// A projection is a project compiled for a schema.
type projection struct {
	out     *arrow.Schema
	columns []int           // those of the output that are of the input, or -1
	compute []*expr.Program // nil for those
	kept    int             // how many of the input come before the new ones
}

func (p Project) compile(in *arrow.Schema) (*projection, error) {
	if err := supported(in); err != nil {
		return nil, err
	}
	if len(p.Columns)+len(p.Compute) == 0 {
		return nil, errors.New("nothing to give: no columns, and none to compute")
	}
	var made projection
	var fields []arrow.Field
	kept, err := p.kept(in)
	if err != nil {
		return nil, err
	}
	made.kept = len(kept)
	for _, column := range kept {
		fields = append(fields, in.Field(column))
		made.columns, made.compute = append(made.columns, column), append(made.compute, nil)
	}
	var wrong []error
	for i, c := range p.Compute {
		field, column, program, err := c.compile(in)
		if err == nil && slices.ContainsFunc(fields, func(f arrow.Field) bool { return f.Name == c.As }) {
			err = errors.New("there would be two columns of that name; give one of them another")
		}
		if err != nil {
			wrong = append(wrong, &ComputeError{Index: i, As: c.As, Err: err})
			continue
		}
		fields = append(fields, field)
		made.columns, made.compute = append(made.columns, column), append(made.compute, program)
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	made.out = arrow.NewSchema(fields, nil)
	return &made, nil
}

// kept returns the columns of the input that are kept.
func (p Project) kept(in *arrow.Schema) (kept []int, err error) {
	for i, name := range p.Columns {
		if slices.Contains(p.Columns[:i], name) {
			return nil, fmt.Errorf("column %q is here twice", name)
		}
		if name != AllColumns {
			column, err := columnIndex(in, name)
			if err != nil {
				return nil, err
			}
			kept = append(kept, column)
			continue
		}
		for column, f := range in.Fields() {
			listed := slices.Contains(p.Columns, f.Name)
			computed := slices.ContainsFunc(p.Compute, func(c Computed) bool { return c.As == f.Name })
			if !listed && !computed {
				kept = append(kept, column)
			}
		}
	}
	return kept, nil
}

// compile returns the new column, and which of the input it is if it is only renamed, or else what
// computes it.
func (c Computed) compile(in *arrow.Schema) (field arrow.Field, column int, program *expr.Program, err error) {
	if c.As == "" {
		return field, 0, nil, errors.New("has no name")
	}
	program, err = expr.Compile(c.Expr, in)
	if err != nil {
		return field, 0, nil, err
	}
	if column, ok := program.Column(); ok {
		field = in.Field(column)
		field.Name = c.As
		return field, column, nil, nil
	}
	return arrow.Field{Name: c.As, Type: program.Type(), Nullable: true}, -1, program, nil
}

// projecting is one run of a project.
type projecting struct {
	project Project
	made    *projection
}

func (p *projecting) schema(in *arrow.Schema) (_ *arrow.Schema, err error) {
	if p.made, err = p.project.compile(in); err != nil {
		return nil, err
	}
	return p.made.out, nil
}

func (p *projecting) hand() chunkhand {
	c := &computing{projection: p.made}
	for _, program := range p.made.compute {
		var e *expr.Evaluator
		if program != nil {
			e = program.NewEvaluator()
		}
		c.evaluators = append(c.evaluators, e)
	}
	return c
}

// computing computes the columns of chunks.
type computing struct {
	*projection
	evaluators []*expr.Evaluator // nil for columns of the input
}

func (c *computing) look(chunk *Chunk) (left left, need int64, err error) {
	for i, e := range c.evaluators {
		if e == nil {
			continue
		}
		bytes, err := e.Bytes(chunk.Batch())
		if err != nil {
			return 0, 0, c.wrong(i, err)
		}
		need += bytes
	}
	return leftMade, need, nil
}

func (c *computing) make(chunk *Chunk, from *Allocator) (*Chunk, error) {
	batch := chunk.Batch()
	shared := chunk.share(from)
	defer shared.release()
	arrays := make([]arrow.Array, 0, len(c.columns))
	defer func() {
		for _, a := range arrays {
			a.Release()
		}
	}()
	for i, column := range c.columns {
		if column >= 0 {
			arrays = append(arrays, shared.column(column))
			continue
		}
		a, err := c.evaluators[i].Eval(batch, from)
		if err != nil {
			return nil, c.wrong(i, err)
		}
		arrays = append(arrays, a)
	}
	return from.Chunk(array.NewRecordBatch(c.out, arrays, batch.NumRows())), nil
}

// wrong names the column that could not be computed.
func (c *computing) wrong(i int, err error) error {
	return &ComputeError{Index: i - c.kept, As: c.out.Field(i).Name, Err: err}
}
