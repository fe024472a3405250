package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// How an aggregate runs.
//
// Workers receive from the one input, each with a table of its own for the groups of the rows
// that it happens to get. When a table is full its groups go into the spillway,
// as states, and it begins anew. In the end, if none ever was full, the tables are merged
// into one and that is the result. Otherwise what is left goes the same way, and then
// each partition of the spillway is put together in a table, by whichever worker is free. If that
// table gets full as well, the partition has a spillway of its own, by other bits of
// the hash: the same again one level down. A partition of one group fits, so this ends.
//
// Different values are counted with a second set of tables, of groups of the keys and the value.
// Once they are complete, each is a row for the first set, which is shown no others if counting
// different values is all that is asked for. The spillway of the second set is by the keys alone if there
// are many of them: then those of a partition come one after the other, and the first set need not have room for
// all at once. One level down it is by the value, too, because a partition that does not fit may be of one key.

// An aggregation is one run of an Aggregate.
type aggregation struct {
	budget
	plan     *aggregatePlan
	groups   *grouping
	distinct []*grouping // as in the plan
	out      *sluice.Channel
	mu       struct {
		sync.Mutex
		seq sluice.SeqNum // of the next chunk
	}
}

// largestTable bounds tables where nothing else does: beyond that, the processor waits for memory
// for nearly every row.
const largestTable = 256 << 20

// A groupingJob is what a node is asked for.
type groupingJob struct {
	name    string
	workers int
	compile func(*arrow.Schema) (*aggregatePlan, error)
	without *arrow.Schema // of an input that has no chunk; nil if nothing is due then
}

func (j groupingJob) start(ctx context.Context, in *arrow.Schema, out *sluice.Channel) (*aggregation, error) {
	plan, err := j.compile(in)
	if err != nil {
		return nil, err
	}
	run := &aggregation{budget: budgetOf(ctx), plan: plan, out: out}
	workers := run.workersFor(j.workers)
	bound := min(run.held()/int64(workers*(1+len(plan.distinct))), largestTable)
	run.groups = newGrouping(ctx, j.name, plan.groupPlan, run.budget, workers, bound)
	for i, inner := range plan.distinct {
		run.distinct = append(run.distinct, newGrouping(ctx, fmt.Sprintf("%s: distinct %d", j.name, i), inner, run.budget, workers, bound))
	}
	return run, run.enough(j.name)
}

// enough returns a [*mem.NoMemoryError] if the share of the limit that a worker may have is too small
// to make progress.
func (r *aggregation) enough(node string) error {
	least := r.groups.least()
	for _, g := range r.distinct {
		least = max(least, g.least())
	}
	workers := int64(len(r.groups.workers))
	if least <= r.held()/workers {
		return nil
	}
	smallest := least * workers * (r.limit / max(1, r.held()))
	return fmt.Errorf("making groups: %w", &mem.NoMemoryError{
		Kind: mem.Host, Need: smallest, Limit: r.limit, Smallest: smallest, Node: node, DiskLimit: r.from.Limit(mem.Disk),
	})
}

func (r *aggregation) close() {
	r.groups.close()
	for _, g := range r.distinct {
		g.close()
	}
}

func (j groupingJob) run(ctx context.Context, in, out *sluice.Channel) error {
	first, err := in.Recv(ctx)
	if errors.Is(err, io.EOF) {
		return j.runWithout(ctx, out)
	}
	if err != nil {
		return err
	}
	defer first.Release()
	chunk, err := sluice.Peek[*Chunk](&first)
	if err != nil {
		return err
	}
	run, err := j.start(ctx, chunk.Schema(), out)
	if err != nil {
		return err
	}
	defer run.close()
	if err := run.receive(ctx, in, &first, chunk.Schema()); err != nil {
		return err
	}
	return run.finish(ctx)
}

// receive takes in the first message, which was received before, and what comes after it.
func (r *aggregation) receive(ctx context.Context, in *sluice.Channel, first *sluice.Message, schema *arrow.Schema) error {
	return inParallel(ctx, len(r.groups.workers), func(ctx context.Context, worker int) error {
		schema := schema
		take := func(m *sluice.Message, chunk *Chunk) error {
			return r.take(ctx, worker, chunk.Batch(), uint64(m.Seq()))
		}
		if worker == 0 {
			if err := oneChunk(first, &schema, take); err != nil {
				return err
			}
		}
		for m, err := range in.All(ctx) {
			if err != nil {
				return err
			}
			if err := oneChunk(&m, &schema, take); err != nil {
				return err
			}
		}
		return nil
	})
}

// runWithout runs without input.
func (j groupingJob) runWithout(ctx context.Context, out *sluice.Channel) error {
	if j.without == nil {
		return nil
	}
	run, err := j.start(ctx, j.without, out)
	if err != nil {
		return err
	}
	defer run.close()
	return run.finish(ctx)
}

// take takes a batch of the input in, as one of the workers.
func (r *aggregation) take(ctx context.Context, worker int, batch arrow.RecordBatch, seq uint64) error {
	for i, g := range r.distinct {
		if err := g.workers[worker].take(ctx, batch, &r.plan.distinct[i].raw, seq); err != nil {
			return err
		}
	}
	if r.plan.onlyFed {
		return nil
	}
	return r.groups.workers[worker].take(ctx, batch, &r.plan.raw, seq)
}

// finish completes all groups and sends them.
func (r *aggregation) finish(ctx context.Context) error {
	for i, g := range r.distinct {
		err := g.finish(ctx, func(ctx context.Context, worker int, done *groupTable) error {
			return r.count(ctx, worker, done, &r.plan.feeds[i])
		})
		if err != nil {
			return err
		}
		g.close()
	}
	if err := r.groups.finish(ctx, func(ctx context.Context, _ int, done *groupTable) error { return r.send(ctx, done) }); err != nil {
		return err
	}
	if r.mu.seq > 0 {
		return nil
	}
	return send(ctx, r.out, 0, NewChunk(emptyBatch(ctx, r.plan.sent())))
}

// count has different values counted: each group is a key and one of them.
func (r *aggregation) count(ctx context.Context, worker int, values *groupTable, read *intake) error {
	return values.each(ctx, values.schema, values.chunk(), func(chunk *Chunk) error {
		defer chunk.Release()
		return r.groups.workers[worker].take(ctx, chunk.Batch(), read, 0)
	})
}

// send sends groups that are complete.
func (r *aggregation) send(ctx context.Context, groups *groupTable) error {
	return groups.each(ctx, groups.schema, groups.chunk(), func(chunk *Chunk) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if err := send(ctx, r.out, r.mu.seq, chunk); err != nil {
			return err
		}
		r.mu.seq++
		return nil
	})
}
