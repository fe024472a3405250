package table

import (
	"context"
	"errors"
	"io"
	"math"

	"github.com/seed14ed4225/sluice/shuffle"
)

// parts puts partitions together as long as there are any, and calls do with each.
func (w *groupWorker) parts(
	ctx context.Context, from *shuffle.Shuffle, above *spillway, do func(context.Context, *groupTable) error,
) error {
	for {
		part, err := from.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if part.Len() == 0 {
			continue
		}
		if err := w.part(ctx, part, above, do); err != nil {
			return err
		}
	}
}

// part puts one partition together.
func (w *groupWorker) part(
	ctx context.Context, part *shuffle.Partition, above *spillway, do func(context.Context, *groupTable) error,
) error {
	defer part.Release()
	own := above.below(w.table, part)
	defer own.close()
	one := &groupWorker{table: w.table, away: own}
	w.table.clear()
	if err := w.table.startWith(ctx, part.Rows()); err != nil {
		return err
	}
	for {
		payload, err := part.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := one.takeStates(ctx, payload.(*Chunk)); err != nil {
			return err
		}
	}
	if own.used() == nil {
		return do(ctx, w.table)
	}
	if err := one.flush(ctx); err != nil {
		return err
	}
	w.table.release()
	if err := own.used().Finish(ctx); err != nil {
		return err
	}
	return w.parts(ctx, own.used(), own, do)
}

// takeStates takes a chunk of states, which is its to release.
func (w *groupWorker) takeStates(ctx context.Context, chunk *Chunk) error {
	if w.passing > 0 {
		w.passing -= chunk.Rows()
		return w.away.insert(ctx, chunk)
	}
	defer chunk.Release()
	return w.take(ctx, chunk.Batch(), &w.table.written, 0)
}

// needFor returns what a table takes at most for all that is in a partition.
func (t *groupTable) needFor(part *shuffle.Partition) int64 {
	rows := part.Rows()
	text := max(0, part.Bytes()-schemaBytes(t.groupPlan.states, rows))
	return t.bytes(tableSize{groups: int(min(rows, math.MaxInt32)), nulls: true, text: make([]int, len(t.size.text))}) + text
}

// startWith makes a table without groups large enough for so many, if it may be, or else
// as small as it usefully is.
func (t *groupTable) startWith(ctx context.Context, groups int64) error {
	if len(t.layouts) == 0 || groups <= int64(t.size.groups) || groups > int64(t.fitting(t.bound)) || groups > math.MaxInt32 {
		return t.start(ctx)
	}
	if t.size.groups > 0 {
		t.release()
	}
	spare := groups / 8 // so that it does for the next one, which is about as large
	size := tableSize{groups: int(min(groups+spare, int64(t.fitting(t.bound)), math.MaxInt32)), text: make([]int, len(t.size.text))}
	for i := range size.text {
		if t.textAt(i) {
			size.text[i] = int(min(8*groups, t.bound/16))
		}
	}
	if t.bytes(size) > t.bound {
		return t.start(ctx)
	}
	return t.resize(ctx, size)
}
