package shuffle

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/seed14ed4225/sluice/internal/wait"
	"github.com/seed14ed4225/sluice/mem"
)

// A shelf is where payloads wait, and may be spilled meanwhile. Everybody but the spiller
// takes an item off the shelf before touching its payload, and then nobody else does.
//
// Items stand in rows by when they are needed, those of row 0 first. The spiller starts
// with the last row.
type shelf struct {
	name    string
	rows    int
	packing *packing          // of all rows but 0; nil if items are spilled by themselves
	spill   *mem.Registration // nil without memory

	mu struct {
		sync.Mutex
		rows []row
	}
}

// A row is what the spiller may have.
type row struct {
	items   []*item  // in no order
	bytes   int64    // of host memory that they own
	largest int64    // the most that one of them owned
	apart   []uint64 // orders between which nothing is packed
}

// An item is a payload that waits.
type item struct {
	payload any
	size    Size
	bytes   int64  // that it owned when it was made
	order   uint64 // among those that were inserted
	row     int    // of the shelf
	listed  bool   // its partition has it; guarded by the lock of the shuffle
	merged  bool   // it is in a pack that has taken another item's place, and there is no payload

	// Guarded by the lock of the shelf.
	at      int           // in its row; -1 if it is not there
	taken   bool          // somebody has the payload; written by who does, or takes it, only
	moving  chan struct{} // closed when the spiller has done with the payload; nil if it has not begun
	content mem.Content
}

// newShelf returns a shelf that the spiller sees. Without a packing pieces are spilled one by one.
func newShelf(ctx context.Context, memory *mem.Resource, name string, rows int, packing *packing) *shelf {
	s := &shelf{name: name, rows: rows, packing: packing}
	s.mu.rows = make([]row, rows)
	s.spill = memory.RegisterSource(ctx, name, s)
	return s
}

// close ends spilling, and waits for what is being spilled.
func (s *shelf) close() { s.spill.Remove() }

// Name is for reports of who waits for what.
func (s *shelf) Name() string { return s.name }

// newItem returns an item that is not on a shelf, for row 0.
func newItem(payload any, size Size) *item {
	return &item{payload: payload, size: size, bytes: contentOf(payload).Total(), at: -1, taken: true}
}

// put gives items to the shelf that are new or were taken. Others are there.
func (s *shelf) put(items ...*item) {
	some := false
	for _, it := range items {
		if it.taken {
			some = s.putOne(it, contentOf(it.payload)) || some
		}
	}
	if some {
		s.spill.Offer()
	}
}

func (s *shelf) putOne(it *item, content mem.Content) (spillable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it.content, it.taken = content, false
	if shown := s.show(it); shown || content.In(mem.Host) == 0 {
		return shown
	}
	s.mu.rows[it.row].setApart(it)
	return false
}

// takeBack is take for who has to have the payloads, whatever has ended meanwhile.
func (s *shelf) takeBack(items ...*item) {
	_ = s.take(context.Background(), items...) // which does not fail without a context that ends
}

// discard releases payloads, on the shelf or not.
func (s *shelf) discard(items ...*item) {
	s.takeBack(items...)
	for _, it := range items {
		release(it.payload)
	}
}

// take takes items off the shelf, and waits until the spiller has done with them. On an
// error, which is that of ctx, they are where they were.
func (s *shelf) take(ctx context.Context, items ...*item) error {
	var moving []chan struct{}
	s.mu.Lock()
	for _, it := range items {
		it.taken = true
		s.hide(it)
		if it.moving != nil {
			moving = append(moving, it.moving)
		}
	}
	s.mu.Unlock()
	for _, moved := range moving {
		if err := await(ctx, moved, wait.Wait{On: s, Reason: wait.ForSpill}); err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, it := range items {
				it.taken = false
				s.show(it)
			}
			return err
		}
	}
	return nil
}

// show lets the spiller see an item, if there is something to spill and nobody has it. Callers
// hold the lock.
func (s *shelf) show(it *item) bool {
	if it.at >= 0 || it.taken || it.moving != nil || !it.content.Spillable || it.content.Total() == it.content.In(mem.Disk) {
		return false
	}
	r := &s.mu.rows[it.row]
	it.at = len(r.items)
	r.items = append(r.items, it)
	r.bytes += it.content.In(mem.Host)
	r.largest = max(r.largest, it.content.In(mem.Host))
	return true
}

// hide is the opposite of show. Callers hold the lock.
func (s *shelf) hide(it *item) {
	if it.at < 0 {
		return
	}
	r := &s.mu.rows[it.row]
	last := len(r.items) - 1
	r.items[it.at] = r.items[last]
	r.items[it.at].at = it.at
	r.items[last] = nil
	r.items = r.items[:last]
	r.bytes -= it.content.In(mem.Host)
	it.at = -1
}

// Victims yields what waits, that needed last first.
func (s *shelf) Victims(k mem.Kind, yield func(mem.Victim) bool) {
	const atOnce = 64
	found := make([]victim, 0, atOnce)
	for row, end := s.rows-1, math.MaxInt; row >= 0; {
		if row > 0 && s.packing != nil && k == mem.Host {
			if !s.packs(row, yield) {
				return
			}
			row--
			continue
		}
		found = found[:0]
		s.mu.Lock()
		items := s.mu.rows[row].items
		end = min(end, len(items))
		for end > 0 && len(found) < atOnce {
			end--
			if it := items[end]; it.content.In(k) > 0 {
				found = append(found, victim{s, it, it.content})
			}
		}
		s.mu.Unlock()
		for i := range found {
			if v := found[i]; !yield(&v) {
				return
			}
		}
		if end == 0 {
			row, end = row-1, math.MaxInt
		}
	}
}

// A victim is an item as the spiller sees it.
type victim struct {
	shelf   *shelf
	item    *item
	content mem.Content
}

// Content returns what the payload owned when it was found.
func (v *victim) Content() mem.Content { return v.content }

// NeededIn says that what is on a shelf is needed after all that waits in channels.
func (v *victim) NeededIn() time.Duration { return v.shelf.neededIn(v.item.row) }

// neededIn says that the last row is needed last, and row 0 before all others.
func (s *shelf) neededIn(row int) time.Duration {
	if row == 0 {
		return mem.Never - time.Duration(s.rows+1)
	}
	return mem.Never - time.Duration(s.rows-1-row)
}

// Spill spills the payload, unless somebody has taken it or another spill has come first.
func (v *victim) Spill(ctx context.Context, res *mem.Reservation) (freed int64, err error) {
	s, it := v.shelf, v.item
	s.mu.Lock()
	if it.at < 0 {
		s.mu.Unlock()
		return 0, nil
	}
	s.hide(it)
	it.moving = make(chan struct{})
	content := it.content
	s.mu.Unlock()

	left := true // by a panic, and is not tried again
	defer func() {
		content.Spillable = content.Spillable && !left
		s.mu.Lock()
		defer s.mu.Unlock()
		it.content = content
		close(it.moving)
		it.moving = nil
		s.show(it)
	}()
	p, ok := it.payload.(spiller)
	if !ok {
		return 0, fmt.Errorf("payload %T says that it can be spilled, but has no method Spill", it.payload)
	}
	freed, err = p.Spill(ctx, res)
	content = contentOf(it.payload)
	left = err == nil && freed == 0 // it is shared after all; trying again would not help
	return freed, err
}
