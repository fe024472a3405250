package table

import (
	"context"
	"fmt"
	"sync"

	"github.com/seed14ed4225/sluice/shuffle"
)

// A spillway is where groups go that do not fit into tables. It is a shuffle by their keys that is
// only made when the first of them comes.
type spillway struct {
	ctx   context.Context // of the node: longer than that of any worker
	opts  shuffle.Options
	limit budget
	keys  int
	mu    struct {
		sync.Mutex
		shuffle *shuffle.Shuffle // nil as long as all groups fit
	}
}

func newSpillway(ctx context.Context, name string, plan *groupPlan, from budget, level int) *spillway {
	return &spillway{
		ctx: ctx, limit: from, keys: len(plan.layouts),
		opts: shuffle.Options{Name: name, Level: level, Parts: from.parts(), PieceBytes: from.piece()},
	}
}

// parts is how many partitions there are: so many that one of them is likely to fit, but not more
// than have pieces of a useful size.
func (b budget) parts() int { return int(min(max(b.limit>>20, 8), 64)) }

func (s *spillway) insert(ctx context.Context, chunk *Chunk) error {
	to, err := s.open()
	if err == nil {
		err = to.Insert(ctx, chunk)
	}
	if err != nil {
		chunk.Release()
	}
	return err
}

func (s *spillway) open() (*shuffle.Shuffle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.shuffle == nil {
		names := make([]string, s.keys)
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

// below is the spillway for groups of a partition that do not fit either.
func (s *spillway) below(plan *groupPlan, part *shuffle.Partition) *spillway {
	name := fmt.Sprintf("%s/%d", s.opts.Name, part.Index())
	return newSpillway(s.ctx, name, plan, s.limit, part.Level()+1)
}
