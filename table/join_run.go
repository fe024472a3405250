package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// joining is one run of a join.
//
// It begins by collecting: what comes from both inputs is kept. That ends when it is known which side to
// build a table of, or that neither fits: see decide.
type joining struct {
	join    Join
	name    string
	in      [2]*sluice.Channel
	out     *sluice.Channel
	budget  budget
	keeper  keeper
	workers int
	share   int64 // the most bytes of a table and its chunks
	piece   int64 // of a chunk of the result
	most    int   // rows of a chunk of the result

	schemas [2]*arrow.Schema
	plan    *joinPlan // once both schemas are known
	kept    [2]keptChunks
	sieves  [2]sync.Pool // of what is not in use

	undecided atomic.Bool // there are rows that have no value for their own part of the condition

	mu struct { // held while a chunk is sent, so that numbers rise
		sync.Mutex
		seq sluice.SeqNum
	}
}

func newJoining(ctx context.Context, join Join, name string, in [2]*sluice.Channel, out *sluice.Channel) *joining {
	j := &joining{join: join, name: name, in: in, out: out, budget: budgetOf(ctx)}
	j.keeper = keeper{ctx: ctx, from: j.budget.from, name: fmt.Sprintf("rows of node %q", name)}
	j.workers = j.budget.workersFor(join.Workers)
	j.share = j.budget.limit / 8
	j.piece = max(1, j.budget.chunk()/int64(j.workers))
	j.most = int(max(1, min(chunkRows, j.piece/16)))
	return j
}

func (j *joining) release() {
	j.kept[leftSide].release()
	j.kept[rightSide].release()
}

func (j *joining) run(ctx context.Context) error {
	if err := j.join.check(); err != nil {
		return err
	}
	build, fits, err := j.collect(ctx)
	if err != nil || j.plan == nil {
		return err
	}
	if fits {
		fits, err = j.stream(ctx, build)
	}
	if err == nil && !fits {
		err = j.partitioned(ctx)
	}
	if err != nil {
		return err
	}
	if j.mu.seq == 0 {
		return j.send(ctx, NewChunk(emptyBatch(ctx, j.plan.schema)))
	}
	return nil
}

// collect reads both inputs until a side can be built, if fits, or both are too large for
// that. Without a plan, there was nothing at all.
func (j *joining) collect(ctx context.Context) (build side, fits bool, err error) {
	for {
		i, m, err := sluice.RecvAny(ctx, j.in[:]...)
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return 0, false, err
		}
		if !ended {
			known := j.plan != nil
			chunk, err := j.take(side(i), &m)
			m.Release()
			if err != nil {
				return 0, false, err
			}
			if !known && j.plan != nil {
				if err := j.siftKept(ctx); err != nil {
					chunk.Release()
					return 0, false, err
				}
			}
			if err := j.keep(ctx, side(i), chunk); err != nil {
				return 0, false, err
			}
		}
		if j.plan == nil {
			if ended {
				return 0, false, j.missing()
			}
			continue
		}
		if build, decided, fits := j.decide(ended); decided {
			return build, fits, nil
		}
	}
}

// missing says which input told no columns, if it was only one.
func (j *joining) missing() error {
	for s := leftSide; s <= rightSide; s++ {
		if j.schemas[s] == nil && j.schemas[s.other()] != nil {
			return fmt.Errorf("%v input (channel %q) has ended without a single chunk, so that its columns are not known; "+
				"whoever has no rows is to send a chunk without any", s, j.in[s].Name())
		}
	}
	return nil
}

// keep takes a chunk over, and keeps what may match something, as far as that is known.
func (j *joining) keep(ctx context.Context, s side, chunk *Chunk) (err error) {
	if j.plan != nil {
		if chunk, err = j.sift(ctx, s, chunk); err != nil || chunk == nil {
			return err
		}
	}
	if chunk.Rows() == 0 {
		chunk.Release()
		return nil
	}
	j.kept[s].add(j.keeper.keep(chunk))
	return nil
}

// siftKept sifts what came of one input before the first chunk of the other told what
// the condition refers to.
func (j *joining) siftKept(ctx context.Context) error {
	for s := range j.kept {
		if j.plan.where.own[s] == nil {
			continue
		}
		for range j.kept[s].count() {
			c := j.kept[s].pop()
			if err := j.keeper.take(ctx, c); err != nil {
				c.release()
				return err
			}
			if err := j.keep(ctx, side(s), c.chunk); err != nil {
				return err
			}
		}
	}
	return nil
}

// take takes the chunk out of a message, and makes sure that it has the columns of its input.
func (j *joining) take(s side, m *sluice.Message) (*Chunk, error) {
	chunk, err := sluice.Peek[*Chunk](m)
	if err == nil && j.schemas[s] != nil {
		if err = sameColumns(j.schemas[s], chunk.Schema()); err != nil {
			err = fmt.Errorf("chunk %d: %w", m.Seq(), err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%v input: %w", s, err)
	}
	if j.schemas[s] == nil {
		if err := j.begin(s, chunk.Schema()); err != nil {
			return nil, err
		}
	}
	return sluice.Take[*Chunk](m)
}

// begin learns the columns of an input.
func (j *joining) begin(s side, schema *arrow.Schema) (err error) {
	j.schemas[s] = schema
	if j.schemas[s.other()] != nil {
		j.plan, err = j.join.compile(j.schemas[leftSide], j.schemas[rightSide])
	}
	return err
}

// ended reports whether an input has ended, and all of it was received.
func (j *joining) ended(s side) bool {
	stats := j.in[s].Stats()
	return stats.State != sluice.ChannelOpen && stats.Len == 0
}

// decide says which side to build a table of.
//
// It is the first that has ended and fits; but if the other has had fewer bytes until then, that is waited
// for: until it has ended, too, or is no longer the smaller one. What has come of it by then can wait
// on disk, so this costs no memory. If both are too large, there is nothing to wait for.
func (j *joining) decide(all bool) (build side, decided, fits bool) {
	var bytes, rows [2]int64
	var large, ended [2]bool
	for s := leftSide; s <= rightSide; s++ {
		rows[s], bytes[s] = j.kept[s].size()
		large[s] = !j.fits(s, rows[s], bytes[s])
		ended[s] = all || j.ended(s)
	}
	if large[leftSide] && large[rightSide] {
		return 0, true, false
	}
	for s := leftSide; s <= rightSide; s++ {
		o := s.other()
		if ended[s] && !large[s] && (bytes[s] <= bytes[o] || ended[o] && large[o]) {
			return s, true, true
		}
	}
	return 0, false, false
}

// fits reports whether a table of so many rows fits its share.
func (j *joining) fits(s side, rows, bytes int64) bool {
	return rows <= mostTableRows && bytes+j.plan.tableBytes(s, rows) <= j.share
}

// stream builds a table of a side that has ended, and leads the other past it. If there is no memory
// for the table after all, since others keep much, too, built is false, and nothing has happened.
func (j *joining) stream(ctx context.Context, build side) (built bool, err error) {
	chunks := j.kept[build].popAll()
	defer func() {
		for _, c := range chunks {
			if built {
				c.release()
			} else {
				j.kept[build].add(c)
			}
		}
	}()
	table, err := j.build(ctx, build, chunks)
	if errors.Is(err, mem.ErrNoMemory) {
		j.lower()
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer table.release()
	probe := build.other()
	return true, j.lead(ctx, table, true, func(ctx context.Context) (*keptChunk, error) {
		if c := j.kept[probe].pop(); c != nil {
			if err := j.keeper.take(ctx, c); err != nil {
				c.release()
				return nil, err
			}
			return c, nil
		}
		return j.receive(ctx, probe)
	}, (*keptChunk).release)
}

// lower makes do with smaller tables, since there was no memory for one; not with so small ones that there
// would be too many of them.
func (j *joining) lower() { j.share = max(j.share/2, min(j.share, j.budget.limit/64)) }

// receive receives the next chunk of an input of which a row may match something; io.EOF after the last.
func (j *joining) receive(ctx context.Context, s side) (*keptChunk, error) {
	for {
		m, err := j.in[s].Recv(ctx)
		if err != nil {
			return nil, err
		}
		chunk, err := j.take(s, &m)
		m.Release()
		if err == nil {
			chunk, err = j.sift(ctx, s, chunk)
		}
		if err != nil {
			return nil, err
		}
		if chunk != nil {
			return &keptChunk{chunk: chunk}, nil
		}
	}
}

// build makes a table of chunks, for which it reserves everything at once. If there is no memory for it, they can be
// spilled again.
func (j *joining) build(ctx context.Context, s side, chunks []*keptChunk) (*joinTable, error) {
	var rows int64
	for _, c := range chunks {
		rows += int64(c.chunk.Rows())
	}
	heap := j.plan.tableBytes(s, rows)
	res, err := j.keeper.takeAll(ctx, chunks, heap)
	if err != nil {
		return nil, err
	}
	defer res.Release()
	charge, err := res.Charge(mem.Host, heap)
	if err != nil {
		return nil, err
	}
	table, err := newJoinTable(ctx, j.plan, s, chunks, charge)
	if err != nil {
		charge.Release()
	}
	return table, err
}

// lead leads chunks past a table, on all workers: those that next returns until io.EOF, in host memory,
// each of which is given to done. If they are the last to pass this table, what they matched
// nothing of is sent. If this is the last table for them, so is what matched nothing of it.
func (j *joining) lead(
	ctx context.Context, table *joinTable, last bool,
	next func(context.Context) (*keptChunk, error), done func(*keptChunk),
) error {
	err := inParallel(ctx, j.workers, func(ctx context.Context, _ int) error {
		p := newProber(j, table)
		for {
			c, err := next(ctx)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			err = p.probe(ctx, c, last)
			done(c)
			if err != nil {
				return err
			}
		}
	})
	if err != nil {
		return err
	}
	return table.rest(ctx, j)
}
