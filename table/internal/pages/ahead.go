package pages

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A Shared is the pages of a row group that several of its pieces need, and that nobody has unpacked
// yet.
type Shared struct {
	group *RowGroup
	pages []sharedEntry
	bound int64
}

type sharedEntry struct {
	*entry
	chunk *chunk
}

// Shared returns those that several pieces need, if these are the pieces. They are in the order in
// which pieces come to need them.
func (g *RowGroup) Shared(pieces []Rows) *Shared {
	s := &Shared{group: g}
	if len(pieces) < 2 {
		return s
	}
	seen := make(map[*entry]bool)
	var window int64
	for _, piece := range pieces {
		for _, p := range g.plan(piece.From, piece.To-piece.From) {
			p.eachShared(func(e *entry) {
				if seen[e] {
					return
				}
				seen[e] = true
				s.pages = append(s.pages, sharedEntry{e, p.chunk})
				s.bound += bytesFor(e.unpacked, 1)
				window = max(window, bytesFor(e.packed, 1))
			})
		}
	}
	s.bound += window
	return s
}

// Bound returns how much memory Unpack takes at most.
func (s *Shared) Bound() int64 { return s.bound }

// Unpack unpacks the pages, but for those that somebody has unpacked by then, or is about to. They stay until
// no piece will need them, or [RowGroup.Trim] is called. It stops when ctx ends, at a page in which
// something is wrong, which whoever needs it finds again, and when the row group is closed.
func (s *Shared) Unpack(ctx context.Context, mem memory.Allocator) {
	r := newPageReader(mem)
	defer r.release()
	for _, e := range s.pages {
		if ctx.Err() != nil || !s.group.unpack(r, e) {
			return
		}
	}
}

// unpack unpacks a page if nobody else does, and reports whether to go on.
func (g *RowGroup) unpack(r *pageReader, e sharedEntry) bool {
	g.mu.Lock()
	if g.mu.closed {
		g.mu.Unlock()
		return false
	}
	if e.shared.plain != nil || e.shared.loading != nil || !e.dictionary && e.end() <= g.mu.planned && e.shared.users == 0 {
		g.mu.Unlock()
		return true
	}
	e.shared.loading = make(chan struct{})
	g.mu.Unlock()
	r.reset(e.chunk, e.body+int64(e.packed))
	return g.load(r, e.entry) == nil
}
