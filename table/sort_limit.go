package table

import (
	"context"
	"errors"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/mem"
)

// limitedSort gives out the first rows in order. As long as those are few it keeps them; when they
// take more than a sort may hold without being able to spill it, it goes over to sorting
// everything, and what was kept is the first run of that.
type limitedSort struct {
	top  *topRows // nil once it has gone over
	full *fullSort
}

func (l *limitedSort) add(ctx context.Context, batch arrow.RecordBatch) error {
	if l.top == nil {
		return l.full.add(ctx, batch)
	}
	err := l.top.add(ctx, batch)
	switch {
	case err == nil:
		return l.restrain(ctx)
	case !errors.Is(err, mem.ErrNoMemory):
		return err
	}
	if err := l.goOver(ctx); err != nil {
		return err
	}
	return l.full.add(ctx, batch)
}

// restrain drops the rows that are not wanted if they are many, and goes over to a full sort
// if those that are wanted are. They may take half of what is held after that, so that
// it is not done for every batch.
func (l *limitedSort) restrain(ctx context.Context) error {
	t := l.top
	much := t.bytes > t.held()
	if !much && t.rows-2*t.limit <= compactAt {
		return nil
	}
	if t.rows > t.limit {
		err := t.compact(ctx)
		if err == nil && (!much || t.bytes <= t.held()/2) {
			return nil
		}
		if err != nil && !errors.Is(err, mem.ErrNoMemory) && !errors.Is(err, errTooMuchText) {
			return err
		}
	}
	return l.goOver(ctx)
}

// goOver makes a run of the rows kept so far, which came before all that are still to come.
func (l *limitedSort) goOver(ctx context.Context) error {
	t := l.top
	if len(t.space.places) > 0 {
		if err := t.cut(ctx); err != nil {
			return err
		}
		for at := range t.batches {
			l.full.collected.look(t.kept, at, nil)
		}
		m := &merging{kept: t.kept, ready: true, block: t.space.places}
		run, err := m.write(ctx, l.full.name, l.full.left)
		if err != nil {
			return err
		}
		l.full.runs = append(l.full.runs, run)
	}
	t.release()
	l.top = nil
	return nil
}

func (l *limitedSort) next(ctx context.Context) (*Chunk, error) {
	if l.top != nil {
		return l.top.next(ctx)
	}
	return l.full.next(ctx)
}

func (l *limitedSort) each(ctx context.Context, give func(context.Context, *Chunk) error) error {
	if l.top != nil {
		return giveOut(ctx, l, give)
	}
	return l.full.each(ctx, give)
}

func (l *limitedSort) release() {
	if l.top != nil {
		l.top.release()
	}
	l.full.release()
}
