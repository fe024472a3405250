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
// same names and types in the same order, but for dictionaries, which text comes out of. A column is
// nullable if it is in some input.
func (u Union) Schema(in ...*arrow.Schema) (*arrow.Schema, error) {
	if len(in) == 0 {
		return nil, errors.New("a union of nothing has no columns")
	}
	first := plainSchema(in[0])
	fields := first.Fields()
	for i, other := range in {
		if err := supported(other); err != nil {
			return nil, err
		}
		if err := sameColumns(first, plainSchema(other)); err != nil {
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
// For a chunk of which text comes out of its dictionary, the node reserves the exact bytes while it has the chunk.
func (u Union) Node(
	name string, in []*sluice.Channel, out *sluice.Channel,
) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	in = slices.Clone(in)
	run := func(ctx context.Context) error { return u.run(ctx, in, out) }
	return name, run, reads(in...), sluice.Writes(out).Unordered()
}

func (u Union) run(ctx context.Context, in []*sluice.Channel, out *sluice.Channel) error {
	var schema *arrow.Schema // of the result
	var sent bool
	var last sluice.SeqNum
	each := make([]*arrow.Schema, len(in))
	pass := func(i int, m *sluice.Message) error {
		defer m.Release()
		known := each[i] != nil
		chunk, err := checkedChunk(m, &each[i])
		if err == nil && !known {
			err = agree(&schema, each[i])
		}
		if err != nil {
			return fmt.Errorf("channel %q: %w", in[i].Name(), err)
		}
		if last = m.Seq(); chunk.Rows() == 0 {
			return nil
		}
		if err := withoutDictionaries(ctx, m, chunk, schema); err != nil {
			return err
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
		if err := pass(i, &m); err != nil {
			return err
		}
	}
}

// agree compares the columns of an input with those of the result, which are those of the first
// input without dictionaries: not every input need have them, and who reads on wants one type.
func agree(result **arrow.Schema, input *arrow.Schema) error {
	input = plainSchema(input)
	if *result == nil {
		*result = input
	}
	return sameColumns(*result, input)
}

// withoutDictionaries replaces the chunk of a message by one whose text is not in dictionaries, if
// any of it is.
func withoutDictionaries(ctx context.Context, m *sluice.Message, chunk *Chunk, schema *arrow.Schema) error {
	if sameColumns(schema, chunk.Schema()) == nil {
		return nil
	}
	return gatherRows(ctx, m, chunk, schema, 0, chunk.Rows())
}
