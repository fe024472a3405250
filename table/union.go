package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
)

// Union passes on the rows of several inputs, as they come, also those that are there twice: SQL's UNION
// ALL. With a [Distinct] behind it, it is SQL's UNION.
//
// The order along each input is kept; how the inputs mix is not promised. To read one to its end
// and then the next would be to wait for ever, if both come from one node that cannot go on before each has
// taken its part.
type Union struct{}

// Schema returns the columns of the result: those of the inputs, which must be the same, of the
// same names and types in the same order. A column is nullable if it is in some input.
func (u Union) Schema(in ...*arrow.Schema) (*arrow.Schema, error) {
	if len(in) == 0 {
		return nil, errors.New("a union of nothing has no columns")
	}
	fields := in[0].Fields()
	for i, other := range in {
		if err := supported(other); err != nil {
			return nil, err
		}
		if err := sameColumns(in[0], other); err != nil {
			return nil, fmt.Errorf("input %d: %w; a project can choose, rename and cast columns", i+1, err)
		}
		for c := range fields {
			fields[c].Nullable = fields[c].Nullable || other.Field(c).Nullable
		}
	}
	return arrow.NewSchema(fields, nil), nil
}

// Node returns a node that reads all inputs at once, and passes chunks on with their receipts and the
// numbers they came with, which therefore need not rise: nodes that pass numbers on and come after it
// write to a [sluice.Port.Unordered]. Of chunks without rows it passes on the last, if there are no others.
func (u Union) Node(
	name string, in []*sluice.Channel, out *sluice.Channel,
) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	in = slices.Clone(in)
	run := func(ctx context.Context) error { return u.run(ctx, in, out) }
	return name, run, reads(in...), sluice.Writes(out).Unordered()
}

func (u Union) run(ctx context.Context, in []*sluice.Channel, out *sluice.Channel) error {
	var schema *arrow.Schema
	var sent bool
	var last sluice.SeqNum
	pass := func(from *sluice.Channel, m *sluice.Message) error {
		defer m.Release()
		chunk, err := checkedChunk(m, &schema)
		if err != nil {
			return fmt.Errorf("channel %q: %w", from.Name(), err)
		}
		if last = m.Seq(); chunk.Rows() == 0 {
			return nil
		}
		sent = true
		return out.Send(ctx, m)
	}
	for {
		i, m, err := sluice.RecvAny(ctx, in...)
		switch {
		case errors.Is(err, io.EOF) && !sent && schema != nil:
			return send(ctx, out, last, NewChunk(emptyBatch(ctx, schema)))
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := pass(in[i], &m); err != nil {
			return err
		}
	}
}
