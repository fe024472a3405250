package shuffle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed14ed4225/sluice/mem"
)

// Shares of the limit, of which a split takes at most three together: for what it reads, what it
// makes, and the way from one to the other. So it is content with what a resource sets aside for
// whoever has waited longest, which is an eighth.
const shareOfLimit = 32

// wantedPiece is how many bytes a piece should have: enough that the cost of each does not
// count.
const wantedPiece = 256 << 10

// A splitter splits items that wait on a shelf.
type splitter struct {
	name   string
	by     Partitioner
	parts  Parts
	memory *mem.Resource
	shelf  *shelf
}

// newSplitter returns a splitter with a shelf of its own: row 0 is for what is to be split,
// row i+1 for pieces of partition i.
func newSplitter(ctx context.Context, name string, by Partitioner, parts Parts, packing *packing) *splitter {
	memory := mem.FromContext(ctx)
	return &splitter{name: name, by: by, parts: parts, memory: memory, shelf: newShelf(ctx, memory, name, parts.N+1, packing)}
}

// batch returns how many bytes to collect and split together, so that pieces have so many.
func (p *splitter) batch(piece int64) int64 {
	if int64(p.parts.N) > math.MaxInt64/piece {
		piece = math.MaxInt64 / int64(p.parts.N)
	}
	return max(1, min(piece*int64(p.parts.N), p.memory.Limit(p.by.At())/shareOfLimit))
}

// split splits all items, those together that memory can be had for, and calls settle with what
// comes of some of them, which have been released then, and whose order the pieces have. It
// returns the items that are left, which are on the shelf; none, if there is no error.
func (p *splitter) split(ctx context.Context, items []*item, settle func(done, pieces []*item)) (left []*item, err error) {
	left = items
	for n := len(left); len(left) > 0; n = min(n, len(left)) {
		pieces, err := p.together(ctx, left[:n])
		if errors.Is(err, mem.ErrNoMemory) && n > 1 { // others keep much, too
			n /= 2
			continue
		}
		if err != nil {
			return left, fmt.Errorf("shuffle %q: %w", p.name, err)
		}
		done := left[:n]
		left = left[n:]
		settle(done, pieces)
	}
	return nil, nil
}

// together splits items together, and releases them; on an error they are on the shelf.
func (p *splitter) together(ctx context.Context, items []*item) (pieces []*item, err error) {
	res, err := p.take(ctx, items)
	if err != nil {
		return nil, err
	}
	defer res.Release()
	split := false
	defer func() { // also when a method of a payload or of the partitioner panics
		if !split {
			p.shelf.put(items...)
		}
	}()
	payloads := make([]any, len(items))
	for i, it := range items {
		if away(it.content, p.by.At()) > 0 {
			if err := restore(ctx, it.payload, res); err != nil {
				return nil, fmt.Errorf("bringing back what is to be split: %w", err)
			}
		}
		payloads[i] = it.payload
	}
	made, err := p.by.Split(ctx, payloads, p.parts, res)
	if err != nil {
		return nil, err
	}
	if pieces, err = p.pieces(made, items[0].order); err != nil {
		return nil, err
	}
	split = true
	for _, payload := range payloads {
		release(payload)
	}
	return pieces, nil
}

// pieces makes items of what Split has returned.
func (p *splitter) pieces(made []any, order uint64) (pieces []*item, err error) {
	defer func() {
		if err != nil {
			for _, payload := range made {
				release(payload)
			}
		}
	}()
	if len(made) != p.parts.N {
		return nil, fmt.Errorf("the partitioner %T made %d partitions, not %d", p.by, len(made), p.parts.N)
	}
	for part, payload := range made {
		if payload == nil {
			continue
		}
		size, err := p.by.Measure(payload)
		if err != nil {
			return nil, fmt.Errorf("measuring what it was split into: %w", err)
		}
		piece := newItem(payload, size)
		piece.order, piece.row = order, part+1
		pieces = append(pieces, piece)
	}
	return pieces, nil
}

// take takes items off the shelf, together with the memory that it takes to split them.
//
// Where that has to be waited for, they stay on the shelf meanwhile: what is to be split could be
// the very thing that has to be spilled, and many who wait like this must not hold up each
// other. That is why the reservation counts them as if all of them had to be brought back.
func (p *splitter) take(ctx context.Context, items []*item) (*mem.Reservation, error) {
	if err := p.shelf.take(ctx, items...); err != nil {
		return nil, err
	}
	need := p.need(items)
	if res, ok := p.memory.TryReserve(ctx, p.home(need+p.toRestore(items))); ok {
		return res, nil
	}
	all := need
	for _, it := range items {
		all += it.content.Total()
	}
	p.shelf.put(items...)
	res, err := p.memory.ReserveAll(ctx, p.home(all))
	if err != nil {
		return nil, err
	}
	if err := p.shelf.take(ctx, items...); err != nil {
		res.Release()
		return nil, err
	}
	if spare := all - need - p.toRestore(items); spare > 0 {
		if err := res.GiveBack(p.by.At(), spare); err != nil {
			panic(fmt.Errorf("shuffle: giving back memory that was not needed: %w", err))
		}
	}
	return res, nil
}

func (p *splitter) home(n int64) mem.Amount { return mem.Of(p.by.At(), n) }

// need returns what it takes to split items together that are at home.
func (p *splitter) need(items []*item) (bytes int64) {
	var rows, perPart int64
	for _, it := range items {
		rows += it.size.Rows
		bytes += it.size.Bytes
		perPart = max(perPart, it.size.PerPart)
	}
	return bytes + perPart*min(rows, int64(p.parts.N))
}

// toRestore returns what it takes to bring items home.
func (p *splitter) toRestore(items []*item) (bytes int64) {
	for _, it := range items {
		bytes += away(it.content, p.by.At())
	}
	return bytes
}

// bytesOf adds up what it takes to split items.
func bytesOf(items []*item) (bytes int64) {
	for _, it := range items {
		bytes += it.size.Bytes
	}
	return bytes
}

// sortPieces puts pieces in the order in which they were inserted.
func sortPieces(pieces []*item) {
	slices.SortStableFunc(pieces, func(a, b *item) int { return cmp.Compare(a.order, b.order) })
}
