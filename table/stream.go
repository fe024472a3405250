package table

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// reads is how all nodes of this package read: they work on what is in host memory.
func reads(in ...*sluice.Channel) sluice.Port { return sluice.Reads(in...).At(mem.Host) }

// eachChunk calls do for every chunk of a stream and looks after what every node
// must: the message is released, unless do passed it on; all chunks have the
// schema of the first, and are in host memory. do borrows the chunk: it is in m, which do
// may send on, with another payload or as it is.
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
	chunk, err := checkedChunk(m, schema)
	if err != nil {
		return err
	}
	return do(m, chunk)
}

// checkedChunk lends the chunk of a message, if it has the schema of the first, which it is if there is
// none yet, and is in host memory.
func checkedChunk(m *sluice.Message, schema **arrow.Schema) (*Chunk, error) {
	chunk, err := sluice.Peek[*Chunk](m)
	if err != nil {
		return nil, err
	}
	if *schema == nil {
		*schema = chunk.Schema()
	}
	if err := sameColumns(*schema, chunk.Schema()); err != nil {
		return nil, fmt.Errorf("chunk %d: %w", m.Seq(), err)
	}
	if err := chunk.Resident(); err != nil {
		return nil, fmt.Errorf("chunk %d: %w", m.Seq(), err)
	}
	return chunk, nil
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

// send sends a chunk, which is the message's from then on.
func send(ctx context.Context, out *sluice.Channel, seq sluice.SeqNum, chunk *Chunk) error {
	m := sluice.NewMessage(seq, chunk)
	defer m.Release()
	return out.Send(ctx, &m)
}
