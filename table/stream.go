package table

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
)

// eachChunk calls do for every chunk of a stream and looks after what every node
// must: the message is released, unless do passed it on; all chunks have the
// schema of the first. do borrows the chunk and finds it in m no longer: to send
// m on, it gives it a payload with Replace first.
func eachChunk(
	ctx context.Context, in *sluice.Channel, do func(m *sluice.Message, chunk *Chunk) error,
) error {
	var schema *arrow.Schema
	for m, err := range in.All(ctx) {
		if err != nil {
			return err
		}
		if err := oneChunk(&m, &schema, do); err != nil {
			return err
		}
	}
	return nil
}

func oneChunk(m *sluice.Message, schema **arrow.Schema, do func(*sluice.Message, *Chunk) error) error {
	defer m.Release()
	chunk, err := sluice.Take[*Chunk](m)
	if err != nil {
		return err
	}
	defer chunk.Release()
	if *schema == nil {
		*schema = chunk.Schema()
	}
	if err := sameColumns(*schema, chunk.Schema()); err != nil {
		return fmt.Errorf("chunk %d: %w", m.Seq(), err)
	}
	return do(m, chunk)
}

// sameColumns compares names and types; whether a column may be null and what its
// metadata say does not matter.
func sameColumns(want, got *arrow.Schema) error {
	if want == got {
		return nil
	}
	if want.NumFields() != got.NumFields() {
		return fmt.Errorf("has %d columns, the ones before had %d", got.NumFields(), want.NumFields())
	}
	for i, w := range want.Fields() {
		if g := got.Field(i); w.Name != g.Name || !arrow.TypeEqual(w.Type, g.Type) {
			now, before := typeNames(g.Type, w.Type)
			return fmt.Errorf("column %d is %q of type %s, in the ones before %q of type %s", i, g.Name, now, w.Name, before)
		}
	}
	return nil
}

// send sends a batch, which is the message's from then on.
func send(ctx context.Context, out *sluice.Channel, seq sluice.SeqNum, batch arrow.RecordBatch) error {
	m := sluice.NewMessage(seq, NewChunk(batch))
	defer m.Release()
	return out.Send(ctx, &m)
}
