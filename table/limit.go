package table

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
)

// Limit passes on some rows in the order in which they come, and wants no more once it has them.
type Limit struct {
	Rows   int64 // the most to pass on; 0 means all from Offset on
	Offset int64 // how many to leave out before
}

// Schema returns in, if the nodes of this package can work on it and the settings make sense.
func (l Limit) Schema(in *arrow.Schema) (*arrow.Schema, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	return in, supported(in)
}

func (l Limit) check() error {
	switch {
	case l.Rows < 0:
		return fmt.Errorf("limit of %d rows; it cannot be negative (0 means all)", l.Rows)
	case l.Offset < 0:
		return fmt.Errorf("offset of %d rows; it cannot be negative", l.Offset)
	}
	return nil
}

// Node returns a node that passes rows from in to out, with the sequence numbers and receipts of the chunks
// they came in. When it has passed on all that are wanted it ends, so that what feeds it stops: a scan
// reads no further. A chunk of which all is wanted is passed on as it is; for a part of one, the node
// reserves its exact bytes while it has the chunk. If no row is passed on, the last chunk is followed by one
// without rows.
func (l Limit) Node(
	name string, in, out *sluice.Channel,
) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	run := func(ctx context.Context) error { return l.run(ctx, in, out) }
	return name, run, reads(in), sluice.Writes(out)
}

// errEnough ends the reading of a limit's input.
var errEnough = errors.New("enough rows")

func (l Limit) run(ctx context.Context, in, out *sluice.Channel) error {
	if err := l.check(); err != nil {
		return err
	}
	skip, left := l.Offset, l.Rows
	if left == 0 {
		left = math.MaxInt64
	}
	var schema *arrow.Schema
	var sent bool
	var last sluice.SeqNum
	err := eachChunk(ctx, in, func(m *sluice.Message, chunk *Chunk) error {
		schema, last = chunk.Schema(), m.Seq()
		rows := int64(chunk.Rows())
		from := min(skip, rows)
		to := min(rows, from+min(left, rows-from))
		skip -= from
		left -= to - from
		if to == from {
			return nil
		}
		if err := keepRows(ctx, m, chunk, int(from), int(to)); err != nil {
			return err
		}
		sent = true
		if err := out.Send(ctx, m); err != nil {
			return err
		}
		if left == 0 {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	if err != nil || sent || schema == nil {
		return err
	}
	return send(ctx, out, last, NewChunk(emptyBatch(ctx, schema))) // tells the schema
}

// keepRows replaces the chunk of a message by one of its rows, unless these are all.
func keepRows(ctx context.Context, m *sluice.Message, chunk *Chunk, from, to int) error {
	if from == 0 && to == chunk.Rows() {
		return nil
	}
	return gatherRows(ctx, m, chunk, chunk.Schema(), from, to)
}

// gatherRows replaces the chunk of a message by a copy of its rows, of a schema that has its
// columns, with or without their dictionaries.
func gatherRows(ctx context.Context, m *sluice.Message, chunk *Chunk, schema *arrow.Schema, from, to int) error {
	places := make([]place, to-from)
	for i := range places {
		places[i] = place{row: uint32(from + i)}
	}
	part, err := gatherChunk(ctx, budgetOf(ctx), schema, columnsOf(chunk.Batch()), places)
	if err != nil {
		return err
	}
	m.Replace(part)
	return nil
}
