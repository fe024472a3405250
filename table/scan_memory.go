package table

import (
	"context"
	"slices"
	"sync"

	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/table/internal/pages"
)

// reserve gets all the memory at once that it takes to read n rows, and plans the piece.
// What the chunk does not keep goes back when it is read.
//
// A piece that is planned holds the unpacked pages that it shares with those before it,
// and then needs less. That is right only if its memory is there: who waits holds
// nothing.
func (r *reading) reserve(group *pages.RowGroup, from, n int) (*pages.Piece, *mem.Reservation, error) {
	resource := mem.FromContext(r.ctx)
	piece := group.Piece(from, n)
	need := bytesOf(piece.Bound())
	if reserved, there := resource.TryReserve(r.ctx, need); there {
		return piece, reserved, nil
	}
	piece.Release()
	r.pages.Drop()
	reserved, err := resource.ReserveAll(r.ctx, bytesOf(group.Bound(from, n)))
	if err != nil {
		return nil, nil, err
	}
	return group.Piece(from, n), reserved, nil
}

func bytesOf(b pages.Bound) mem.Amount { return mem.Of(mem.Host, b.Kept+b.Scratch) }

// pageCache is the pages of row groups that are unpacked for several pieces, as something to
// drop: it costs nothing to give them up but the time to unpack them again. It holds those of the
// row groups that are open.
type pageCache struct {
	registered *mem.Registration
	ahead      int64 // bytes of a row group that are unpacked before its turn, at most

	mu struct {
		sync.Mutex
		groups []*pages.RowGroup
	}
}

// mostAhead is how much is unpacked ahead by all readers where there is no limit.
const mostAhead = 256 << 20

// register makes the pages known to the spiller, which drops them for those who wait for memory.
func (c *pageCache) register(ctx context.Context, readers int) {
	c.ahead = min(mostAhead, budgetOf(ctx).chunk()) / int64(readers)
	c.registered = mem.FromContext(ctx).RegisterCache(ctx, "unpacked pages", c)
}

func (c *pageCache) remove() { c.registered.Remove() }

// enter makes a row group one whose pages are kept.
func (c *pageCache) enter(group *pages.RowGroup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.groups = append(c.mu.groups, group)
}

// leave says that there will be no more pieces of it.
func (c *pageCache) leave(group *pages.RowGroup) {
	c.mu.Lock()
	c.mu.groups = slices.DeleteFunc(c.mu.groups, func(g *pages.RowGroup) bool { return g == group })
	c.mu.Unlock()
	group.Close()
}

// open returns the row groups whose pages are kept.
func (c *pageCache) open() []*pages.RowGroup {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.mu.groups)
}

// offer is called when pages are no longer in use.
func (c *pageCache) offer() { c.registered.Offer() }

// Drop is for the spiller. It gives up all pages that no piece needs at the moment.
func (c *pageCache) Drop() (freed int64) {
	for _, group := range c.open() {
		freed += group.Trim()
	}
	return freed
}

// Content is for the spiller.
func (c *pageCache) Content() (content mem.Content) {
	for _, group := range c.open() {
		content.Bytes[mem.Host] += group.Idle()
		content.Spillable = true
	}
	return content
}
