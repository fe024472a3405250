package main

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/plan"
	"github.com/seed14ed4225/sluice/table"
)

// A job is a job of Sluice as anybody could write it, except that it ends in a node of
// kind answer, which takes the place of print.
type job struct {
	text    string
	params  map[string]string
	memory  plan.Memory // zero for no limits
	ordered bool
}

func (j job) contender() contender { return contender{"Sluice", j.run} }

// run parses the job and runs it: that is part of the work, as parsing SQL is.
func (j job) run(ctx context.Context) (answer, error) {
	found := digest{ordered: j.ordered}
	kinds := append(plan.Builtin(), plan.Kind{
		Name:     "answer",
		Summary:  "digest the rows",
		Reads:    plan.One,
		Settings: func() plan.Step { return &sink{into: &found} },
	})
	parsed, err := kinds.Parse("job.yaml", []byte(j.text), j.params)
	if err != nil {
		return answer{}, err
	}
	memory, err := parsed.Memory(j.memory)
	if err != nil {
		return answer{}, err
	}
	err = parsed.Run(ctx, plan.Env{Memory: memory})
	if memory != nil {
		if closing := memory.Close(context.WithoutCancel(ctx)); err == nil {
			err = closing
		}
	}
	return found.answer, err
}

// sink is the step of a node of kind answer.
type sink struct{ into *digest }

func (s *sink) Schema([]*arrow.Schema) ([]*arrow.Schema, error) { return nil, nil }

func (s *sink) Add(to *sluice.Network, at plan.Place) error {
	in := at.In[0]
	to.Node(at.Name, func(ctx context.Context) error {
		for m, err := range in.All(ctx) {
			if err != nil {
				return err
			}
			chunk, err := sluice.Peek[*table.Chunk](&m)
			if err == nil {
				err = s.into.batch(chunk.Batch())
			}
			if m.Release(); err != nil {
				return err
			}
		}
		return nil
	}, sluice.Reads(in).At(mem.Host))
	return nil
}

// batch adds a batch of rows.
func (d *digest) batch(rows arrow.RecordBatch) error {
	d.begin(int(rows.NumRows()))
	for i, column := range rows.Columns() {
		valid := validity{offset: column.Data().Offset()}
		if column.NullN() > 0 {
			valid.bits = column.NullBitmapBytes()
		}
		switch column := column.(type) {
		case *array.Int64:
			d.ints(column.Int64Values(), 1, valid)
		case *array.Float64:
			d.floats(column.Float64Values(), valid)
		case *array.Timestamp:
			scale, err := toMicroseconds(column.DataType())
			if err != nil {
				return fmt.Errorf("column %q: %w", rows.ColumnName(i), err)
			}
			values := column.TimestampValues()
			d.ints(arrow.Int64Traits.CastFromBytes(arrow.TimestampTraits.CastToBytes(values)), scale, valid)
		case *array.String:
			offsets, bytes := column.ValueOffsets(), column.ValueBytes()
			first := offsets[0] // the bytes begin with those of the first value
			d.texts(func(i int) []byte { return bytes[offsets[i]-first : offsets[i+1]-first] }, valid)
		case *array.Dictionary:
			words, ok := column.Dictionary().(*array.String)
			if !ok {
				return fmt.Errorf("column %q: the digest does not know %s", rows.ColumnName(i), column.DataType())
			}
			d.texts(func(i int) []byte { return []byte(words.Value(column.GetValueIndex(i))) }, valid)
		default:
			return fmt.Errorf("column %q: the digest does not know %s", rows.ColumnName(i), column.DataType())
		}
	}
	d.end()
	return nil
}

// toMicroseconds returns by what a timestamp is multiplied to be in DuckDB's unit.
func toMicroseconds(t arrow.DataType) (int64, error) {
	switch unit := t.(*arrow.TimestampType).Unit; unit {
	case arrow.Microsecond:
		return 1, nil
	case arrow.Millisecond:
		return 1e3, nil
	case arrow.Second:
		return 1e6, nil
	default:
		return 0, fmt.Errorf("timestamps in %s cannot be compared with DuckDB's", unit)
	}
}
