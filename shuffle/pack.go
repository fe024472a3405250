package shuffle

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/seed14ed4225/sluice/mem"
)

// Spilling pieces together.
//
// A split makes a piece of each partition, and under a small limit these are small: written
// one by one they would keep the disk busy with starts, and memory with what has to be
// remembered of each. So pieces of a partition that wait for each other anyway go to disk
// as one, and come back as one, where the partitioner is a Packer.
//
// The order of rows stays what it was. A pack takes the place of its first piece, and has those that
// follow that one and nothing that does not: it begins with the first piece that can be spilled,
// and ends where a split is still going on that may add a piece in between, and before a piece that
// is apart: one that could not be spilled, or was by itself because of such a split. What is
// taken off the shelf are the first ones, too.

// A packing is how a shelf spills pieces together.
type packing struct {
	by   Packer
	most int64 // bytes of a pack, unless one piece has more
	full int64 // bytes that are worth a write

	settled func() (before uint64)           // pieces ordered before that are all there
	merge   func(items []*item, payload any) // makes the first item one of all of them
}

// packShare is the part of what pieces of all partitions may take together before the least of them
// is worth a write.
const packShare = 4

// mostPacked is the most bytes of a pack: what the disk takes at a time.
const mostPacked = 1 << 20

// newPacking returns how to pack for a shuffle under a limit; nil if its partitioner does not, or works
// elsewhere than in host memory.
func newPacking(s *Shuffle, limit int64) *packing {
	by, ok := s.opts.By.(Packer)
	if !ok || by.At() != mem.Host {
		return nil
	}
	most := max(1, min(mostPacked, limit/shareOfLimit))
	return &packing{
		by: by, most: most, full: min(most, max(1, limit/packShare/int64(s.opts.Parts))),
		settled: s.settled, merge: s.merge,
	}
}

// settled returns the order of the first payload that is being split, or is to be tried again:
// all pieces ordered before it have been delivered.
func (s *Shuffle) settled() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := uint64(math.MaxUint64)
	for _, order := range s.mu.splits {
		before = min(before, order)
	}
	for _, items := range s.mu.again {
		before = min(before, items[0].order)
	}
	return before
}

// merge makes the first of some pieces of a partition one of all of them.
func (s *Shuffle) merge(items []*item, payload any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first, p := items[0], s.mu.partitions[items[0].row-1]
	var size Size
	bytes := int64(0)
	for _, it := range items {
		if it.listed {
			p.count(it, -1)
		}
		size.Rows += it.size.Rows
		size.Bytes += it.size.Bytes
		size.PerPart = max(size.PerPart, it.size.PerPart)
		bytes += it.bytes
	}
	for _, it := range items[1:] {
		it.payload, it.listed, it.merged = nil, false, true
	}
	first.payload, first.size, first.bytes = payload, size, bytes
	if first.listed {
		p.count(first, 1)
	}
	p.pieces = slices.DeleteFunc(p.pieces, func(it *item) bool { return it.merged })
}

// packs yields packs of a row.
func (s *shelf) packs(row int, yield func(mem.Victim) bool) bool {
	s.mu.Lock()
	bytes, most := s.mu.rows[row].bytes, max(s.packing.most, s.mu.rows[row].largest)
	s.mu.Unlock()
	for bytes > 0 {
		n := min(bytes, most)
		if !yield(&pack{s, row, n}) {
			return false
		}
		bytes -= n
	}
	return true
}

// A pack is some pieces of a row, as the spiller sees them: which ones turns out when it spills them.
type pack struct {
	shelf *shelf
	row   int
	bytes int64
}

// Content returns what about will be spilled.
func (v *pack) Content() mem.Content {
	return mem.Content{Bytes: mem.Of(mem.Host, v.bytes), Spillable: true}
}

// NeededIn puts what is worth a write first, and of that the last row; then comes what is less than
// that, whatever row it is of, because a write costs more than to bring back what is needed sooner.
func (v *pack) NeededIn() time.Duration {
	if v.bytes < v.shelf.packing.full {
		return mem.Never - time.Duration(v.shelf.rows)
	}
	return v.shelf.neededIn(v.row)
}

// Spill spills pieces together.
func (v *pack) Spill(ctx context.Context, res *mem.Reservation) (freed int64, err error) {
	s := v.shelf
	items := s.hideFirst(v.row, v.bytes, s.packing.settled())
	if len(items) == 0 {
		return 0, nil
	}
	left := true // by a panic, and is not tried again
	defer func() { s.showAgain(items, !left) }()
	payloads := make([]any, len(items))
	for i, it := range items {
		payloads[i] = it.payload
	}
	packed, n, err := s.packing.by.Pack(ctx, s.name, payloads, res)
	if left = false; err != nil {
		return 0, err
	}
	for _, it := range items[:n] {
		freed += it.content.In(mem.Host)
	}
	s.packing.merge(items[:n], packed)
	return freed, nil
}

// hideFirst hides the first pieces of a row, of so many bytes, that make one pack, where all that
// are ordered before before are there.
func (s *shelf) hideFirst(row int, bytes int64, before uint64) []*item {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.mu.rows[row]
	items := slices.Clone(r.items)
	slices.SortFunc(items, func(a, b *item) int { return cmp.Compare(a.order, b.order) })
	n := 0
	for i, it := range items {
		if bytes -= it.content.In(mem.Host); i > 0 && (bytes < 0 || it.order >= before || r.parted(items[i-1].order, it.order)) {
			break
		}
		n++
	}
	if n == 0 {
		return nil
	}
	items = items[:n]
	if items[0].order >= before {
		r.setApart(items[0])
	}
	moving := make(chan struct{})
	for _, it := range items {
		s.hide(it)
		it.moving = moving
	}
	return items
}

// showAgain ends what hideFirst began.
func (s *shelf) showAgain(items []*item, spillable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	moving := items[0].moving
	for _, it := range items {
		it.moving = nil
		it.content = contentOf(it.payload)
		it.content.Spillable = it.content.Spillable && spillable
		s.show(it)
	}
	close(moving) // last: who takes one of them reads what is written above
}

// parted reports whether a piece that is apart is ordered between two others.
func (r *row) parted(from, to uint64) bool {
	return slices.ContainsFunc(r.apart, func(order uint64) bool { return from < order && order < to })
}

func (r *row) setApart(it *item) {
	if !slices.Contains(r.apart, it.order) {
		r.apart = append(r.apart, it.order)
	}
}
