package table

import (
	"context"
	"sync/atomic"

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
	group.Trim()
	reserved, err := resource.ReserveAll(r.ctx, bytesOf(group.Bound(from, n)))
	if err != nil {
		return nil, nil, err
	}
	return group.Piece(from, n), reserved, nil
}

func bytesOf(b pages.Bound) mem.Amount { return mem.Of(mem.Host, b.Kept+b.Scratch) }

// pageCache is the pages of a row group that are unpacked for several pieces, as
// something to spill: it costs nothing to give them up but the time to unpack them
// again. It holds those of the row group last entered.
type pageCache struct {
	group      atomic.Pointer[pages.RowGroup]
	registered *mem.Registration
	keep       bool // between pieces
}

// register makes the pages known to the spiller. Where that could not reach them, since
// it takes only what there is a slower kind of memory for, they are not kept, for
// others may be waiting for memory.
func (c *pageCache) register(ctx context.Context) {
	resource := mem.FromContext(ctx)
	switch {
	case resource == nil:
		c.keep = true
	case resource.Limit(mem.Disk) > 0:
		c.keep = true
		c.registered = resource.Register(ctx, "unpacked pages", c)
	}
}

func (c *pageCache) remove() { c.registered.Remove() }

// enter makes a row group the one whose pages are kept.
func (c *pageCache) enter(group *pages.RowGroup) { c.group.Store(group) }

// leave says that there will be no more pieces of it.
func (c *pageCache) leave(group *pages.RowGroup) {
	c.group.CompareAndSwap(group, nil)
	group.Close()
}

// offer is called when pages are no longer in use.
func (c *pageCache) offer() {
	if c.keep {
		c.registered.Offer()
	} else if group := c.group.Load(); group != nil {
		group.Trim()
	}
}

// Content is for the spiller.
func (c *pageCache) Content() (content mem.Content) {
	if group := c.group.Load(); group != nil {
		content.Bytes[mem.Host] = group.Idle()
		content.Spillable = true
	}
	return content
}

// Spill is for the spiller. Nothing needs to be moved.
func (c *pageCache) Spill(context.Context, *mem.Reservation) (freed int64, err error) {
	if group := c.group.Load(); group != nil {
		freed = group.Trim()
	}
	return freed, nil
}
