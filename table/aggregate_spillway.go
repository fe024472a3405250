package table

import (
	"context"
	"fmt"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/shuffle"
)

// A spillway is where groups go that do not fit into tables. It is a shuffle by their keys that is
// only made when the first of them comes.
type spillway struct {
	ctx   context.Context // of the node: longer than that of any worker
	opts  shuffle.Options
	limit budget
	keys  int
	outer int // keys that go together if there are many of them; 0 if all do always
	mu    struct {
		sync.Mutex
		shuffle *shuffle.Shuffle // nil as long as all groups fit
	}
}

func newSpillway(ctx context.Context, name string, plan *groupPlan, from budget, level int) *spillway {
	s := &spillway{
		ctx: ctx, limit: from, keys: len(plan.layouts),
		opts: shuffle.Options{Name: name, Level: level, Parts: from.parts(), PieceBytes: min(from.piece(), splitPiece)},
	}
	if plan.counted && level == 0 {
		s.outer = s.keys - 1
	}
	return s
}

// splitPiece is the most bytes of what a split makes for a partition. What all partitions get at a time is still
// in the processor's cache while it is dealt out, and there is enough of it, one after the other, that workers
// take turns and the last of them is not left alone with much.
const splitPiece = 128 << 10

// parts is how many partitions there are where nothing is known of how many groups there will be.
func (b budget) parts() int { return int(min(max(b.limit>>20, 8), 128)) }

// leastPiece is the least bytes of what a split makes for a partition: there are no more partitions
// than get so much.
const leastPiece = 16 << 10

// partsFor is how many partitions are made of one that takes need bytes in a table that may have
// fits: so many that each of them fits, if that can be.
func (b budget) partsFor(need, fits int64) int {
	const spare = 5 // one more for so many, because partitions are not equally large
	n := need/max(fits, 1) + 1
	return int(min(max(n+n/spare, 2), max(b.limit/32/leastPiece, 8), 256))
}

func (s *spillway) insert(ctx context.Context, chunk *Chunk) error {
	to, err := s.open(chunk)
	if err == nil {
		err = to.Insert(ctx, chunk)
	}
	if err != nil {
		chunk.Release()
	}
	return err
}

func (s *spillway) open(first *Chunk) (*shuffle.Shuffle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.shuffle == nil {
		names := make([]string, s.keys)
		if s.outer > 0 && manyKeys(first.Batch(), s.outer) {
			names = names[:s.outer]
		}
		for i := range names {
			names[i] = keyName(i)
		}
		s.opts.By = ByKey(names...)
		made, err := shuffle.New(s.ctx, s.opts)
		if err != nil {
			return nil, err
		}
		s.mu.shuffle = made
	}
	return s.mu.shuffle, nil
}

// used returns the shuffle if there is anything in it, nil if not.
func (s *spillway) used() *shuffle.Shuffle {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.shuffle
}

func (s *spillway) close() {
	if made := s.used(); made != nil {
		made.Close()
	}
}

// below is the spillway for groups of a partition that do not fit into a table either.
func (s *spillway) below(t *groupTable, part *shuffle.Partition) *spillway {
	name := fmt.Sprintf("%s/%d", s.opts.Name, part.Index())
	own := newSpillway(s.ctx, name, t.groupPlan, s.limit, part.Level()+1)
	own.opts.Parts = s.limit.partsFor(t.needFor(part), t.bound)
	return own
}

// Rows are taken to be of many keys if among so many of them there are so many.
const (
	keysLookedAt = 1024
	keysWanted   = 512
)

// manyKeys reports whether rows are of so many different keys, the first columns, that these are
// well spread over partitions.
func manyKeys(rows arrow.RecordBatch, columns int) bool {
	n := int(rows.NumRows())
	step := max(1, n/keysLookedAt) | 1 // odd, so that it is not that of keys which come in turns
	views := make([]view, columns)
	for i := range views {
		views[i] = newView(rows.Column(i))
	}
	hashes := make([]uint16, n)
	newKeyHash(columns).partitions(views, shuffle.Parts{N: 1 << 16}, hashes)
	seen := make(map[uint16]bool)
	for row := 0; row < n; row += step {
		seen[hashes[row]] = true
	}
	return len(seen) >= min(keysWanted, n/2)
}
