package table

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/mem"
)

// fullSort sorts everything. Each batch is sorted for itself as it comes, so that sorting goes
// on while the input is read, and no step is longer than a batch takes. If they become too
// many to be kept, they are merged into a run that can be spilled, and all runs in the end.
type fullSort struct {
	budget
	name      string // of what is spilled, in reports
	left      int    // rows that may still be given out; no run needs to be longer
	workers   int    // as asked for
	fresh     func() *kept
	collected *merging
	runs      []*sortedRun // in the order in which their rows came
	last      *merging     // of everything, once the input has ended
}

func newFullSort(from budget, node string, limit, workers int, fresh func() *kept) *fullSort {
	if limit == 0 {
		limit = math.MaxInt
	}
	return &fullSort{
		budget: from, name: fmt.Sprintf("a run of node %q", node), left: limit, workers: workers, fresh: fresh,
		collected: &merging{kept: fresh()},
	}
}

func (a *fullSort) add(ctx context.Context, batch arrow.RecordBatch) error {
	// A batch so large that what goes with it is too much is several, and so is one that takes long to put in order.
	most := max(1, min(chunkRows, a.held()/2/(keptRow+spaceRow)))
	for from := int64(0); from < batch.NumRows(); from += most {
		part := batch.NewSlice(from, min(from+most, batch.NumRows()))
		err := a.collect(ctx, part)
		part.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *fullSort) collect(ctx context.Context, batch arrow.RecordBatch) error {
	c := a.collected
	need := batch.NumRows()*(keptRow+spaceRow) + batchHeldBytes(batch)
	if len(c.sequences) > 0 && c.bytes+need > a.held() {
		if err := a.flush(ctx); err != nil {
			return err
		}
	}
	err := c.add(ctx, batch)
	if errors.Is(err, mem.ErrNoMemory) && len(c.sequences) > 0 { // others keep much, too
		if err = a.flush(ctx); err == nil {
			err = c.add(ctx, batch)
		}
	}
	if err != nil {
		return err
	}
	at := len(c.batches) - 1
	c.sequences = append(c.sequences, sequence{batch: uint32(at), turn: at})
	return nil
}

// flush makes a run of what was collected.
func (a *fullSort) flush(ctx context.Context) error {
	run, err := a.collected.write(ctx, a.name, a.left)
	if err != nil {
		return err
	}
	a.runs = append(a.runs, run)
	a.collected.release()
	*a.collected = merging{kept: a.collected.kept, places: a.collected.places}
	return nil
}

func (a *fullSort) next(ctx context.Context) (*Chunk, error) {
	if a.last == nil {
		if err := a.finish(ctx); err != nil {
			return nil, err
		}
	}
	if a.left == 0 {
		return nil, nil
	}
	chunk, err := a.last.next(ctx, min(chunkRows, a.left), a.chunk())
	if chunk != nil {
		a.left -= chunk.Rows()
	}
	return chunk, err
}

// each gives out all rows: with several workers if they are all in memory, and enough.
func (a *fullSort) each(ctx context.Context, give func(context.Context, *Chunk) error) error {
	if workers := a.parts(); workers > 1 {
		return runInParts(ctx, a.collected, workers, give)
	}
	return giveOut(ctx, a, give)
}

// parts is how many workers give out the rows.
func (a *fullSort) parts() int {
	if len(a.runs) > 0 || a.collected.rows < 2*chunkRows || a.left < a.collected.rows {
		return 1
	}
	return a.workersFor(a.workers)
}

// finish comes to where one merge gives out everything.
func (a *fullSort) finish(ctx context.Context) error {
	if len(a.runs) == 0 {
		a.last = a.collected
		return nil
	}
	if len(a.collected.sequences) > 0 {
		if err := a.flush(ctx); err != nil {
			return err
		}
	}
	// Passes go over the runs from the first to the last, so that none is merged again
	// while others are waiting for it, and merge neighbours, so that the order stays in which
	// rows came. They merge no more than needed.
	for at := 0; ; at++ {
		fan := a.fan()
		if len(a.runs)-at < 2 || len(a.runs) <= fan {
			at = 0
		}
		n := len(a.runs)
		if n > fan {
			n = min(fan, n-fan+1, n-at)
		}
		m, opened, err := a.open(ctx, a.runs[at:at+n])
		if err != nil {
			return err
		}
		if opened == len(a.runs) {
			a.last = m
			return nil
		}
		merged, err := m.write(ctx, a.name, a.left)
		m.release()
		if err != nil {
			return err
		}
		for _, run := range a.runs[at : at+opened] {
			run.release() // of more than can be given out, there are rows left
		}
		a.runs = slices.Replace(a.runs, at, at+opened, merged)
	}
}

// fan is how many runs are merged at a time.
func (a *fullSort) fan() int {
	most := int64(1)
	for _, run := range a.runs {
		most = max(most, run.need())
	}
	return int(max(2, min(a.held()/most, int64(len(a.runs)))))
}

// open begins to merge runs: all of them, or as many of the first as memory can be had for, two
// at least. They stay the caller's to release.
func (a *fullSort) open(ctx context.Context, runs []*sortedRun) (m *merging, opened int, err error) {
	m = &merging{kept: a.fresh()}
	m.spreads = a.collected.spreads // of all rows
	m.more = func(ctx context.Context, turn int) (sequence, error) { return runs[turn].take(ctx, m, turn) }
	for turn, run := range runs {
		rows, err := run.take(ctx, m, turn)
		if errors.Is(err, mem.ErrNoMemory) && opened >= 2 { // others keep much, too
			break
		}
		if err != nil {
			m.release()
			return nil, 0, err
		}
		m.sequences = append(m.sequences, rows)
		opened++
	}
	return m, opened, nil
}

func (a *fullSort) release() {
	a.collected.release()
	if a.last != nil {
		a.last.release()
	}
	for _, run := range a.runs {
		run.release()
	}
	a.runs = nil
}
