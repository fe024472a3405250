package table

import (
	"context"

	"github.com/seed14ed4225/sluice/mem"
)

// A sortedRun is rows in order, cut into pieces, each of which the resource may spill until it is
// taken back.
type sortedRun struct {
	pieces []piece
	taken  int // of the pieces
}

type piece struct {
	chunk        *Chunk
	registration *mem.Registration
}

// fewest is how many bytes a row of a piece counts at least: what goes with it on the Go heap
// does not depend on how wide it is.
const fewest = 16

// write makes a run of all rows that are to be given out. It waits for memory for one
// piece after the other, and needs no more than that at a time to go on.
func (m *merging) write(ctx context.Context, name string) (run *sortedRun, err error) {
	run = &sortedRun{}
	defer func() {
		if err != nil {
			run.release()
		}
	}()
	rows := int(min(max(1, m.piece()/fewest), chunkRows))
	for {
		chunk, err := m.next(ctx, rows, m.piece())
		if chunk == nil || err != nil {
			return run, err
		}
		run.pieces = append(run.pieces, piece{chunk, m.from.Register(ctx, name, chunk)})
	}
}

// need returns what it takes to take the next piece, the ranks and entries of its rows included;
// 0 if there is none.
func (r *sortedRun) need(k *kept) int64 {
	if r.taken == len(r.pieces) {
		return 0
	}
	chunk := r.pieces[r.taken].chunk
	return chunk.Content().Total() + k.heapBytes(chunk.Rows())
}

// take takes the next piece back, and returns its rows; nil if there is none. It waits for the
// memory, and for the disk. turn is that of the run.
func (r *sortedRun) take(ctx context.Context, m *merging, turn int) ([]entry, error) {
	if r.taken == len(r.pieces) {
		return nil, nil
	}
	p := r.pieces[r.taken]
	p.registration.Remove()
	content := p.chunk.Content()
	away := content.Total() - content.In(mem.Host) - content.In(mem.Pinned)
	heap := m.heapBytes(p.chunk.Rows())
	res, err := m.reserve(ctx, away+heap)
	if err != nil {
		return nil, err
	}
	defer res.Release()
	if away > 0 {
		if _, err := p.chunk.Restore(ctx, res); err != nil {
			return nil, err
		}
	}
	charge, err := res.Charge(mem.Host, heap)
	if err != nil {
		return nil, err
	}
	r.pieces[r.taken] = piece{}
	r.taken++
	batch := p.chunk.Batch()
	batch.Retain()
	p.chunk.Release()
	return m.keep(keptBatch{RecordBatch: batch, turn: turn, bytes: content.Total() + heap, charge: charge}), nil
}

func (r *sortedRun) release() {
	for _, p := range r.pieces[r.taken:] {
		p.registration.Remove()
		p.chunk.Release()
	}
	r.pieces, r.taken = nil, 0
}
