package table

import (
	"cmp"

	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/table/internal/pages"
)

// A rowGroup is one that is going to be read, cut into pieces.
type rowGroup struct {
	*pages.RowGroup
	file   *sharedFile
	pieces []pages.Rows
	err    error // or why there is none
}

// rowGroups goes through the row groups of a scan in order, and opens some before their
// turn has come, so that their pages can be unpacked by who has nothing else to do.
//
// Pages that several pieces need are what makes that worth while. Writers often put a whole
// row group into one page for each column, and the pieces can do nothing until that is unpacked, which is
// most of the work: with two columns and more readers than two, some would always wait.
type rowGroups struct {
	r     *reading
	paths []string // still to be opened

	file   *sharedFile // whose row groups come next; nil if it has to be opened
	fields []int
	next   int
	rows   []pages.Rows // of that row group that are wanted

	ahead []*rowGroup // opened before their turn
}

// find reports whether there is another row group, for take.
func (w *rowGroups) find() (bool, error) {
	if len(w.ahead) > 0 {
		return true, nil
	}
	return w.advance()
}

// take returns the row group that find has found. The caller leaves it.
func (w *rowGroups) take() (*rowGroup, error) {
	if len(w.ahead) > 0 {
		g := w.ahead[0]
		w.ahead = w.ahead[1:]
		return g, g.err
	}
	return w.open()
}

// advance goes to the next row group that is to be read and has rows, and reports whether there is
// one. It opens files, but no row group.
func (w *rowGroups) advance() (bool, error) {
	for {
		if w.file == nil {
			if len(w.paths) == 0 {
				return false, nil
			}
			file, fields, err := w.r.open(w.paths[0])
			if err != nil {
				return false, err
			}
			w.paths, w.file, w.fields, w.next = w.paths[1:], file, fields, 0
		}
		for ; w.next < w.file.RowGroups(); w.next++ {
			w.rows = w.r.prune.wanted(w.file.File, w.next, w.fields)
			if len(w.rows) > 0 {
				return true, nil
			}
		}
		w.file.release()
		w.file = nil
	}
}

// open opens the row group that advance has come to.
func (w *rowGroups) open() (*rowGroup, error) {
	group, err := w.file.RowGroupPart(w.r.ctx, w.next, w.r.schema, w.fields, w.rows)
	if err != nil {
		return nil, cmp.Or(w.file.Unchanged(), err)
	}
	w.next++
	w.r.pages.enter(group)
	return &rowGroup{RowGroup: group, file: w.file.retain(), pieces: inPieces(w.rows, w.r.rows)}, nil
}

// close gives up what was not taken.
func (w *rowGroups) close() {
	for _, g := range w.ahead {
		if g.err == nil {
			w.leave(g)
		}
	}
	w.ahead = nil
	if w.file != nil {
		w.file.release()
		w.file = nil
	}
}

// leave says that there will be no more pieces of a row group.
func (w *rowGroups) leave(g *rowGroup) {
	w.r.pages.leave(g.RowGroup)
	g.file.release()
}

// inPieces cuts rows into pieces of at most so many, each stretch as evenly as can be.
func inPieces(wanted []pages.Rows, most int) (pieces []pages.Rows) {
	for _, rows := range wanted {
		n := rows.To - rows.From
		parts := (n-1)/most + 1
		for i := range parts { // 64 bits, because a row group may have 2^31 rows
			from, to := int64(i)*int64(n)/int64(parts), int64(i+1)*int64(n)/int64(parts)
			pieces = append(pieces, pages.Rows{From: rows.From + int(from), To: rows.From + int(to)})
		}
	}
	return pieces
}

// lookAhead opens row groups whose turn has not come, no more than there are readers, and has the pages
// unpacked that pieces of them share, in memory that is free. It waits for none: that would be taken from pieces
// whose turn comes before.
func (w *rowGroups) lookAhead() {
	readers := cap(w.r.readers)
	if readers == 1 {
		return
	}
	for len(w.ahead) < readers && (len(w.ahead) == 0 || w.ahead[len(w.ahead)-1].err == nil) {
		more, err := w.advance()
		var g *rowGroup
		if more {
			g, err = w.open()
		}
		switch {
		case err != nil:
			g = &rowGroup{err: err} // when its turn comes
		case !more:
			return
		default:
			w.r.unpackAhead(g)
		}
		w.ahead = append(w.ahead, g)
	}
}

// unpackAhead starts to unpack what several pieces of a row group need. Whoever reads them goes on where this has not
// come to.
func (r *reading) unpackAhead(g *rowGroup) {
	shared := g.Shared(g.pieces)
	need := shared.Bound()
	if need == 0 || need > r.pages.ahead {
		return
	}
	reserved, there := mem.FromContext(r.ctx).TryReserve(r.ctx, mem.Of(mem.Host, need))
	if !there {
		return
	}
	g.file.retain()
	r.all.Go(func() {
		defer g.file.release()
		defer r.pages.offer()
		defer reserved.Release()
		shared.Unpack(r.ctx, newAllocator(r.ctx, reserved))
	})
}
