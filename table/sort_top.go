package table

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// compactAt is how many rows more than wanted are kept before those that will not
// be given out are dropped.
const compactAt = chunkRows

// topRows keeps the first rows in order: a heap of as many as are wanted, with the
// last of them on top, which is the one to beat. The batches they are in are kept with them, and
// nothing of that can be spilled.
type topRows struct {
	*kept
	limit  int
	heap   []entry
	sorted bool // whether heap is sorted instead
}

// add takes in a batch. If there is no memory for it, it is as before.
func (t *topRows) add(ctx context.Context, batch arrow.RecordBatch) error {
	if err := t.kept.add(ctx, batch); err != nil {
		return err
	}
	used := false
	for i, e := range t.entries(len(t.batches) - 1) {
		if i%chunkRows == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		switch {
		case len(t.heap) < t.limit:
			t.heap = append(t.heap, e)
			t.rise(len(t.heap) - 1)
		case t.compare(e, t.heap[0]) < 0:
			t.heap[0] = e
			t.sink(0)
		default:
			continue
		}
		used = true
	}
	if !used {
		t.dropLast()
	}
	return nil
}

// dropLast forgets the batch added last, of which no row is wanted.
func (k *kept) dropLast() {
	last := len(k.batches) - 1
	k.clear(last)
	k.batches = k.batches[:last]
	for i := range k.columns {
		k.columns[i] = k.columns[i][:last]
	}
	for i := range k.keys {
		k.keys[i].ranks = k.keys[i].ranks[:last]
	}
}

// compact copies the wanted rows into one batch, in order, and lets go of the
// others. Order keeps those that are equal as they came. If there is no memory for it, all of
// them are still there.
func (t *topRows) compact(ctx context.Context) error {
	if err := t.sort(ctx, t.heap); err != nil {
		return err
	}
	chunk, err := t.gather(ctx, placesOf(t.heap))
	if err != nil {
		return err
	}
	defer chunk.Release()
	heap, charge, err := t.accompany(ctx, chunk.Rows())
	if err != nil {
		return err
	}
	t.release()
	batch := chunk.Batch()
	batch.Retain()
	t.place(0, keptBatch{RecordBatch: batch, bytes: heap + batchBytes(batch), charge: charge})
	t.heap = t.entries(0)
	slices.Reverse(t.heap) // the last on top: a heap
	return nil
}

func placesOf(entries []entry) []place {
	places := make([]place, len(entries))
	for i, e := range entries {
		places[i] = e.place
	}
	return places
}

func (t *topRows) next(ctx context.Context) (*Chunk, error) {
	if !t.sorted {
		t.sorted = true
		if err := t.sort(ctx, t.heap); err != nil {
			return nil, err
		}
	}
	if len(t.heap) == 0 {
		return nil, nil
	}
	size := t.sizer(chunkRows, t.chunk())
	n := 0
	for n < len(t.heap) && size.takes(t.heap[n].place) {
		n++
	}
	places := placesOf(t.heap[:n])
	t.heap = t.heap[n:]
	return t.gather(ctx, places)
}

func (t *topRows) rise(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if t.compare(t.heap[i], t.heap[parent]) <= 0 {
			return
		}
		t.heap[i], t.heap[parent] = t.heap[parent], t.heap[i]
		i = parent
	}
}

func (t *topRows) sink(i int) {
	for {
		last := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(t.heap); child++ {
			if t.compare(t.heap[child], t.heap[last]) > 0 {
				last = child
			}
		}
		if last == i {
			return
		}
		t.heap[i], t.heap[last] = t.heap[last], t.heap[i]
		i = last
	}
}
