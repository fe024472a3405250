package table

import "context"

// A grouping is one set of groups: tables, one for each worker, and what does not fit them.
type grouping struct {
	plan    *groupPlan
	away    *spillway
	workers []*groupWorker
}

func newGrouping(ctx context.Context, name string, plan *groupPlan, from budget, workers int, bound int64) *grouping {
	g := &grouping{plan: plan, away: newSpillway(ctx, name, plan, from, 0)}
	for range workers {
		g.workers = append(g.workers, &groupWorker{table: newGroupTable(plan, from, bound), away: g.away})
	}
	return g
}

// What a worker must have room for in a table, besides text: so many groups, or so many bytes of them, but no fewer
// than the least. With less, what each piece of rows costs by itself, on its way to disk and back, is more
// than what comes of it, and a job would seem to stand still.
const (
	usefulGroups = 256
	usefulBytes  = 32 << 10
	leastGroups  = 64
)

// least returns the smallest bound for a table that makes progress. One group, without keys, has none.
func (g *grouping) least() int64 {
	if len(g.plan.layouts) == 0 {
		return 0
	}
	t := newGroupTable(g.plan, budget{limit: 1}, 1) // with as little scratch as can be
	size := func(groups int) int64 {
		s := tableSize{groups: groups, text: make([]int, len(t.size.text))}
		for i := range s.text {
			if t.textAt(i) {
				s.text[i] = 8 * groups
			}
		}
		return t.bytes(s) - t.scratch()
	}
	groups := usefulGroups
	for groups > leastGroups && size(groups) > usefulBytes {
		groups /= 2
	}
	return size(groups) + max(t.scratch(), size(groups)/3+1) // a table takes up to a quarter for scratch
}

func (g *grouping) close() {
	g.away.close()
	for _, w := range g.workers {
		w.table.release()
	}
}

// finish completes the groups and calls do with some of them at a time, from several
// goroutines, one for each worker.
func (g *grouping) finish(ctx context.Context, do func(ctx context.Context, worker int, done *groupTable) error) error {
	if g.away.used() == nil && g.few() {
		if err := g.merge(ctx); err != nil {
			return err
		}
		if g.away.used() == nil {
			return do(ctx, 0, g.workers[0].table)
		}
	}
	err := inParallel(ctx, len(g.workers), func(ctx context.Context, i int) error {
		w := g.workers[i]
		if w.table.size.groups == 0 {
			return nil
		}
		defer w.table.release()
		return w.flush(ctx)
	})
	if err != nil {
		return err
	}
	parts := g.away.used()
	if parts == nil {
		return nil
	}
	if err := parts.Finish(ctx); err != nil {
		return err
	}
	return inParallel(ctx, len(g.workers), func(ctx context.Context, i int) error {
		defer g.workers[i].table.release()
		return g.workers[i].parts(ctx, parts, g.away, func(ctx context.Context, done *groupTable) error { return do(ctx, i, done) })
	})
}

// few reports whether the groups of all workers are best put into one table.
func (g *grouping) few() bool {
	sum := 0
	for _, w := range g.workers {
		if w.table.size.groups > 0 {
			sum += w.table.len()
		}
	}
	return len(g.workers) == 1 || sum <= min(judgedGroups, g.workers[0].table.fitting(g.workers[0].table.bound/3))
}

// merge puts the groups of all workers into the table of the first.
func (g *grouping) merge(ctx context.Context) error {
	into := g.workers[0]
	if err := into.table.start(ctx); err != nil {
		return err
	}
	for _, w := range g.workers[1:] {
		if w.table.size.groups == 0 {
			continue
		}
		err := w.table.each(ctx, g.plan.states, w.table.piece(), func(chunk *Chunk) error {
			defer chunk.Release()
			return into.take(ctx, chunk.Batch(), &g.plan.written, 0)
		})
		if err != nil {
			return err
		}
		w.table.release()
	}
	return nil
}
