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

// fewest is how many bytes a row of a piece counts at least: what goes with it on the Go heap
// does not depend on how wide it is.
const fewest = 16

// write makes a run of the rows that are to be given out, or of the first so many. It waits for
// memory for one piece after the other, and needs no more than that at a time to go on.
func (m *merging) write(ctx context.Context, name string, first int) (run *sortedRun, err error) {
	run = &sortedRun{}
	defer func() {
		if err != nil {
			run.release()
		}
	}()
	rows := int(min(max(1, m.piece()/fewest), chunkRows))
	for first > 0 {
		p, err := m.nextPiece(ctx, min(rows, first), m.piece())
		if p.rows == 0 || err != nil {
			return run, err
		}
		first -= p.rows
		p.registration = m.from.Register(ctx, name, p.buffer)
		run.pieces = append(run.pieces, p)
	}
	return run, nil
}

// need returns what it takes to take the next piece, the ranks and entries of its rows included;
// 0 if there is none.
func (r *sortedRun) need() int64 {
	if r.taken == len(r.pieces) {
		return 0
	}
	p := &r.pieces[r.taken]
	return p.buffer.Size() + int64(p.rows)*takenRow
}

// takenRow is what goes with a row of a piece that was taken back, on the Go heap: its word, and room to put it in order
// with those of the other runs.
const takenRow = 8 + spaceRow

// take takes the next piece back, and returns its rows; none if there is none. It waits for the
// memory, and for the disk. turn is that of the run.
func (r *sortedRun) take(ctx context.Context, m *merging, turn int) (sequence, error) {
	if r.taken == len(r.pieces) {
		return sequence{}, nil
	}
	p := &r.pieces[r.taken]
	p.registration.Remove()
	var away int64
	if kind := p.buffer.Kind(); kind != mem.Host && kind != mem.Pinned {
		away = p.buffer.Size()
	}
	heap := int64(p.rows) * takenRow
	res, err := m.reserve(ctx, away+heap)
	if err != nil {
		return sequence{}, err
	}
	defer res.Release()
	if away > 0 {
		if _, err := p.buffer.Restore(ctx, res); err != nil {
			return sequence{}, err
		}
	}
	charge, err := res.Charge(mem.Host, heap)
	if err != nil {
		return sequence{}, err
	}
	bytes := p.buffer.Size() + heap
	batch, err := p.batch(m.schema)
	if err != nil {
		charge.Release()
		return sequence{}, err
	}
	r.pieces[r.taken] = piece{}
	r.taken++
	return m.keep(keptBatch{RecordBatch: batch, turn: turn, bytes: bytes, charge: charge}), nil
}

func (r *sortedRun) release() {
	for i := r.taken; i < len(r.pieces); i++ {
		r.pieces[i].release()
	}
	r.pieces, r.taken = nil, 0
}
