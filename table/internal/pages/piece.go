package pages

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A Piece is some consecutive rows of a row group, about to be read. It shares pages
// with its neighbours while it is read, but no memory once it has been. Pieces may
// be read at the same time, each by one goroutine.
type Piece struct {
	group    *RowGroup
	plans    []plan
	rows     int
	bound    Bound
	released bool
}

// Piece returns the n rows from one on. The caller reads it once and releases it, in any
// case. Pages that a piece and one planned before share stay unpacked between them,
// unless [RowGroup.Trim] is called; those before it are given up: so pieces are best
// planned in order.
func (g *RowGroup) Piece(from, n int) *Piece {
	p := &Piece{group: g, rows: n, plans: g.plan(from, n)}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.closed {
		panic("pages: a piece of a row group that was closed")
	}
	g.mu.planned = from + n
	p.bound = bound(p.plans, true)
	for i := range p.plans {
		p.plans[i].eachShared(func(e *entry) { e.shared.users++ })
	}
	return p
}

// Bound returns how much memory it takes at most to read the n rows from one on, if no
// page is unpacked yet. It is for who must wait for memory: a piece would hold pages
// meanwhile.
func (g *RowGroup) Bound(from, n int) Bound { return bound(g.plan(from, n), false) }

func (g *RowGroup) plan(from, n int) []plan {
	if from < 0 || n < 0 || n > g.rows-from {
		panic(fmt.Sprintf("pages: %d rows from %d on, of %d", n, from, g.rows))
	}
	plans := make([]plan, len(g.chunks))
	for i, c := range g.chunks {
		plans[i] = c.plan(from, n)
	}
	return plans
}

// eachShared calls do with the pages that are unpacked for several pieces: those at
// the edges, and the dictionary.
func (p *plan) eachShared(do func(*entry)) {
	for _, part := range p.parts {
		if part.shared {
			do(part.entry)
		}
	}
	if p.coded && p.dict != nil {
		do(p.dict)
	}
}

// Rows returns how many rows the piece has.
func (p *Piece) Rows() int { return p.rows }

// Bound returns how much memory Read will take at most. Pages that were unpacked
// for another piece before are not counted again.
func (p *Piece) Bound() Bound { return p.bound }

// Read reads the piece. The caller releases the batch, whose memory comes from mem, as
// does what is needed meanwhile. ctx is looked at between pages. Errors name the
// file, the row group and the column.
//
// It may wait for another piece that is unpacking a page both need, but only while
// that one is at it.
func (p *Piece) Read(ctx context.Context, mem memory.Allocator) (arrow.RecordBatch, error) {
	columns := make([]arrow.Array, len(p.plans))
	defer func() {
		for _, c := range columns {
			if c != nil {
				c.Release()
			}
		}
	}()
	r := newPageReader(mem)
	defer r.release()
	for range columns {
		i := p.next(columns)
		var err error
		if columns[i], err = p.column(ctx, mem, r, &p.plans[i]); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			g := p.group
			return nil, fmt.Errorf("%s: row group %d: column %q: %w", g.path, g.group, p.plans[i].name, err)
		}
	}
	return array.NewRecordBatch(p.group.schema, columns, int64(p.rows)), nil
}

// next picks a column still to be read: one for which nobody has to be waited for, if
// there is one. So pieces read at the same time unpack different pages.
func (p *Piece) next(columns []arrow.Array) int {
	first := -1
	for i := range columns {
		if columns[i] != nil {
			continue
		}
		if !p.group.busy(&p.plans[i]) {
			return i
		}
		if first < 0 {
			first = i
		}
	}
	return first
}

func (p *Piece) column(ctx context.Context, mem memory.Allocator, r *pageReader, plan *plan) (_ arrow.Array, err error) {
	into, err := newColumn(mem, plan.typ, plan.stored, plan.rows, plan.entries)
	if err != nil {
		return nil, err
	}
	defer into.release()
	defer recoverInto(&err)
	r.reset(plan.chunk, plan.until)
	if plan.coded && plan.dict != nil {
		if err := p.dictionary(ctx, r, plan, into); err != nil {
			return nil, plan.dict.fail(err)
		}
	}
	for i := range plan.parts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := p.part(ctx, r, &plan.parts[i], into); err != nil {
			return nil, plan.parts[i].fail(err)
		}
	}
	return into.array(), nil
}

func (p *Piece) dictionary(ctx context.Context, r *pageReader, plan *plan, into column) (err error) {
	defer recoverInto(&err)
	found, err := p.group.fetch(ctx, r, plan.dict)
	if err != nil {
		return err
	}
	found.moreText = plan.text
	return into.dictionary(found)
}

func (p *Piece) part(ctx context.Context, r *pageReader, part *part, into column) (err error) {
	defer recoverInto(&err)
	var found page
	if part.shared {
		found, err = p.group.fetch(ctx, r, part.entry)
	} else {
		found, err = r.read(part.entry)
	}
	if err != nil {
		return err
	}
	found.skip, found.take, found.moreText = part.skip, part.take, part.moreText
	return into.append(found)
}

// Release says that the piece is not going to be read any more, or has been. The batch
// stays good.
func (p *Piece) Release() {
	g := p.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.released {
		return
	}
	p.released = true
	for i := range p.plans {
		p.plans[i].eachShared(func(e *entry) { e.shared.users-- })
	}
	g.trim(false)
}
