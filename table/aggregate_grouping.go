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
