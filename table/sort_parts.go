package table

import (
	"context"
	"sync"
	"sync/atomic"
)

// inParts gives out rows that are all in memory as several workers put them in order: each cuts a block out of
// all sequences, as a merging alone does one after the other, and makes chunks of it. They reserve memory and
// give out in turn, so that the first chunk that was not given out yet has its memory before any behind it: see inTurn.
type inParts struct {
	*merging
	give func(context.Context, *Chunk) error

	mu struct {
		sync.Mutex
		block int // the next
		links
	}
}

// runInParts gives out all rows and leaves them where they are. give is called by one worker at a time.
func runInParts(ctx context.Context, m *merging, workers int, give func(context.Context, *Chunk) error) error {
	if err := m.prepare(ctx, workers); err != nil {
		return err
	}
	r := &inParts{merging: m, give: give}
	r.mu.links = newLinks()
	close(r.mu.reserve)
	close(r.mu.send)
	return inParallel(ctx, workers, func(ctx context.Context, _ int) error {
		var space sortSpace
		for {
			block, t, more := r.begin()
			if !more {
				return nil
			}
			if err := r.one(ctx, &space, block, t); err != nil {
				return err
			}
		}
	})
}

// begin returns the next block to work on, and its turn.
func (r *inParts) begin() (block int, t turn, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	block = r.mu.block
	if block > len(r.cuts) {
		return 0, turn{}, false
	}
	t = turn{wait: r.mu.links, done: newLinks()}
	r.mu.block, r.mu.links = block+1, t.done
	return block, t, true
}

func (r *inParts) one(ctx context.Context, space *sortSpace, block int, t turn) error {
	space.empty()
	for i := range r.sequences {
		s := &r.sequences[i]
		from, to := 0, len(s.words)
		if block > 0 {
			from = r.before(s, 0, r.cuts[block-1])
		}
		if block < len(r.cuts) {
			to = r.before(s, from, r.cuts[block])
		}
		space.add(s, from, to)
	}
	if err := space.sort(ctx, r.kept, r.packing.exact); err != nil {
		return err
	}
	if err := await(ctx, t.wait.reserve); err != nil {
		return err
	}
	for places := space.places; len(places) > 0; {
		size := r.sizer(chunkRows, r.chunk())
		n := size.take(places)
		chunk, err := r.chunkOf(ctx, places[:n], func() {
			if n == len(places) {
				close(t.done.reserve)
			}
		})
		if err != nil {
			return err
		}
		if err := await(ctx, t.wait.send); err != nil {
			chunk.Release()
			return err
		}
		if err := r.give(ctx, chunk); err != nil {
			return err
		}
		places = places[n:]
	}
	if len(space.places) == 0 {
		close(t.done.reserve)
		if err := await(ctx, t.wait.send); err != nil {
			return err
		}
	}
	close(t.done.send)
	return nil
}

// chunkOf makes a chunk of some rows. It calls reserved when it has the memory for that.
func (r *inParts) chunkOf(ctx context.Context, places []place, reserved func()) (*Chunk, error) {
	need, texts := gatherNeed(r.schema, r.columns, places)
	res, err := r.reserve(ctx, need)
	if err != nil {
		return nil, err
	}
	defer res.Release()
	reserved()
	own := newAllocator(ctx, res)
	batch, err := gatherBatch(own, r.schema, r.columns, places, texts)
	if err != nil {
		return nil, err
	}
	return own.Chunk(batch), nil
}

// wordsOfAll makes the words of all sequences, several at once.
func (m *merging) wordsOfAll(ctx context.Context, workers int) error {
	var next atomic.Int64
	return inParallel(ctx, workers, func(ctx context.Context, _ int) error {
		var ranks []uint64
		for {
			i := int(next.Add(1)) - 1
			if i >= len(m.sequences) {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			s := &m.sequences[i]
			s.words, ranks = m.words(&m.packing, int(s.batch), ranks)
		}
	})
}
