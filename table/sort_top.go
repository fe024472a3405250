package table

import (
	"context"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/mem"
)

// compactAt is how many rows more than wanted are kept before those that will not
// be given out are dropped.
const compactAt = chunkRows

// topRows keeps the first rows in order. It collects rows that may be among them until they are as many
// as are wanted, and later twice as many and some, puts them in order and drops the others. The last one that is wanted
// is the one to beat from then on, and a row that its first key keeps from that is not looked at any further. The batches that
// the rows are in are kept with them, and nothing of that can be spilled.
//
// The rows are in the space of what is kept; the word of each is the rank of its first key.
type topRows struct {
	*kept
	limit  int
	nulls  bool // whether some word may be of a null
	full   bool // whether there is a row to beat, at limit-1
	sorted bool // whether the rows are in order, and no more than are wanted
}

// topRow is what goes with a row that is kept: itself, and room to sort it.
const topRow = spaceRow - 8

// topLook is how many rows are looked at at once: so many that it is done quickly, so few that their ranks
// stay in the cache, and need not be counted.
const topLook = 2048

// add takes in a batch. If there is no memory for it, it is as before.
func (t *topRows) add(ctx context.Context, batch arrow.RecordBatch) error {
	key := &t.keys[0]
	v := newView(batch.Column(key.column))
	at, keeps := len(t.batches), false
	for from := 0; from < v.rows; from += topLook {
		if err := ctx.Err(); err != nil {
			return err
		}
		t.space.ranks = key.prefixes(&v, from, min(from+topLook, v.rows), t.space.ranks[:0])
		for i, prefix := range t.space.ranks {
			if t.full && prefix > t.space.words[t.limit-1] {
				continue
			}
			if !keeps {
				if err := t.keep(ctx, batch); err != nil {
					return err
				}
				keeps = true
				t.nulls = t.nulls || v.valid != nil
			}
			row := place{uint32(at), uint32(from + i)}
			if t.full && t.compare(0, row, t.space.places[t.limit-1]) > 0 {
				continue
			}
			t.sorted = false
			t.space.words, t.space.places = append(t.space.words, prefix), append(t.space.places, row)
			if len(t.space.words) < 2*t.limit+topLook {
				continue
			}
			if err := t.cut(ctx); err != nil {
				return err
			}
		}
	}
	if keeps && !t.full && len(t.space.words) >= t.limit {
		if err := t.cut(ctx); err != nil {
			return err
		}
	}
	if keeps && !slices.ContainsFunc(t.space.places, func(p place) bool { return int(p.batch) == at }) {
		t.dropLast()
	}
	return nil
}

// keep keeps a batch. It waits for what goes with it.
func (t *topRows) keep(ctx context.Context, batch arrow.RecordBatch) error {
	heap, charge, err := t.accompany(ctx, int(batch.NumRows()))
	if err != nil {
		return err
	}
	batch.Retain()
	at := len(t.batches)
	t.place(at, keptBatch{RecordBatch: batch, turn: at, bytes: heap + batchHeldBytes(batch), charge: charge})
	return nil
}

// accompany waits for what goes with so many rows on the Go heap, and counts it.
func (t *topRows) accompany(ctx context.Context, rows int) (bytes int64, charge *mem.Charge, err error) {
	bytes = int64(rows) * topRow
	res, err := t.reserve(ctx, bytes)
	if err != nil {
		return 0, nil, err
	}
	defer res.Release()
	charge, err = res.Charge(mem.Host, bytes)
	return bytes, charge, err
}

// prefixes appends those of the rows from one on and before another: the rank of the key, such that what comes first is
// lower, and nulls at one end.
func (c *sortColumn) prefixes(v *view, from, to int, into []uint64) []uint64 {
	into = ranksIn(v, from, to, into)
	if c.Descending {
		for i := range into {
			into[i] = ^into[i]
		}
	}
	if v.valid == nil {
		return into
	}
	null := uint64(math.MaxUint64)
	if c.Nulls == NullsFirst {
		null = 0
	}
	for i := range into {
		if v.null(from + i) {
			into[i] = null
		}
	}
	return into
}

// cut puts the rows in order and drops those that are beaten.
func (t *topRows) cut(ctx context.Context) error {
	if t.sorted {
		return nil
	}
	decided := 0
	if exactRanks(t.keys[0].layout) && !t.nulls {
		decided = 1
	}
	s := &t.space
	if err := s.sort(ctx, t.kept, decided); err != nil {
		return err
	}
	n := min(t.limit, len(s.words))
	s.words, s.places = s.words[:n], s.places[:n]
	t.sorted, t.full = true, n == t.limit
	return nil
}

// compact copies the wanted rows into one batch, in order, and lets go of the
// others. If there is no memory for it, all of them are still there.
func (t *topRows) compact(ctx context.Context) error {
	if err := t.cut(ctx); err != nil {
		return err
	}
	chunk, err := t.gather(ctx, t.space.places)
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
	t.place(0, keptBatch{RecordBatch: batch, bytes: heap + batchHeldBytes(batch), charge: charge})
	for i := range t.space.places {
		t.space.places[i] = place{row: uint32(i)}
	}
	return nil
}

func (t *topRows) next(ctx context.Context) (*Chunk, error) {
	if err := t.cut(ctx); err != nil {
		return nil, err
	}
	s := &t.space
	if len(s.places) == 0 {
		return nil, nil
	}
	size := t.sizer(chunkRows, t.chunk())
	n := size.take(s.places)
	places := s.places[:n]
	s.words, s.places = s.words[n:], s.places[n:]
	return t.gather(ctx, places)
}
