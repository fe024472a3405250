package mem

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// Spillable is something whose memory can be moved to a slower kind.
type Spillable interface {
	// Content says what it owns now, and whether that can be spilled now.
	Content() Content

	// Spill moves what it owns to a kind of memory of which res has enough left, and
	// returns how many bytes it freed. If somebody else uses it meanwhile, it frees nothing
	// and returns 0 and no error. On an error everything is where it was.
	Spill(ctx context.Context, res *Reservation) (freed int64, err error)
}

// A Source has many things to spill, such as the messages of a channel.
type Source interface {
	// Victims yields what owns bytes of a kind and can be spilled, that needed last
	// first, until yield returns false.
	Victims(k Kind, yield func(Victim) bool)
}

// A Victim is something a source could do without for a while. It may be gone when
// Spill is called; then that returns 0 and no error.
type Victim interface {
	Spillable

	// NeededIn estimates when it will be needed. [Never] is for what is needed after
	// everything that waits now.
	NeededIn() time.Duration
}

// Never is the longest time.
const Never = time.Duration(math.MaxInt64)

// A Registration makes memory known to the spiller.
type Registration struct {
	name   string
	pool   *pool
	source Source
	parent context.Context

	offers  atomic.Uint64 // how often Offer was called
	resting atomic.Bool   // it had nothing to spill, and is not looked at until offered

	// Guarded by the lock of the pool.
	next, prev *Registration // in the list of those that are looked at
	removed    bool
	uses       int                // by the spiller, now
	ctx        context.Context    // of these uses
	cancel     context.CancelFunc // of ctx
	idle       chan struct{}      // closed when uses comes to 0, once removed
}

// Register makes state that waits in no channel known to the spiller: partitions of
// a hash table, runs of a sort. Its methods may be called at any time from
// then on, by a goroutine of the resource, until Remove has returned; to use the
// state, remove it first. When ctx ends, spills in progress are cancelled, and no more
// begin. The name is for reports. On a nil resource, Register returns nil, on which
// Remove and Offer do nothing.
//
// State that has nothing to spill when the spiller looks at it is not looked at again
// until [Registration.Offer] says that it has. So what was spilled to disk costs
// nothing while it is there.
func (r *Resource) Register(ctx context.Context, name string, s Spillable) *Registration {
	return r.RegisterSource(ctx, name, single{s})
}

// Cache is something whose memory can be given up, since what is in it can be had again.
type Cache interface {
	// Content says what it owns now, and whether any of it can be dropped now: that is Spillable.
	Content() Content

	// Drop gives up what nobody uses, and returns how many bytes that freed.
	Drop() (freed int64)
}

// RegisterCache is Register for a cache. It is dropped for those who wait for memory, also where there is
// no slower kind to move anything to.
func (r *Resource) RegisterCache(ctx context.Context, name string, c Cache) *Registration {
	return r.Register(ctx, name, cached{c})
}

// cached is a cache as something to spill, which takes nothing of the reservation.
type cached struct{ Cache }

func (c cached) Spill(context.Context, *Reservation) (freed int64, err error) { return c.Drop(), nil }

// RegisterSource is Register for several things that are needed at different times. A
// source is always looked at.
func (r *Resource) RegisterSource(ctx context.Context, name string, s Source) *Registration {
	if r == nil {
		return nil
	}
	g := &Registration{name: name, pool: r.pool, source: s, parent: ctx}
	p := r.pool
	p.mu.Lock()
	p.mu.sources.add(g)
	p.mu.Unlock()
	p.nudge()
	return g
}

// Remove takes the state out of the spiller's reach. It waits for a spill of it
// that is in progress, whose context it cancels; so hold no lock that Spill
// takes. Once is enough.
func (g *Registration) Remove() {
	if g == nil {
		return
	}
	p := g.pool
	p.mu.Lock()
	if !g.removed {
		g.removed = true
		p.mu.sources.remove(g)
	}
	if g.uses > 0 {
		g.cancel()
		if g.idle == nil {
			g.idle = make(chan struct{})
		}
	}
	idle := g.idle
	p.mu.Unlock()
	if idle != nil {
		<-idle
	}
}

// Offer tells the spiller that something can be spilled now that could not before. It
// is cheap when nobody waits for memory.
func (g *Registration) Offer() {
	if g == nil {
		return
	}
	g.offers.Add(1)
	if g.resting.Load() {
		g.pool.mu.Lock()
		if g.resting.Swap(false) && !g.removed {
			g.pool.mu.sources.add(g)
		}
		g.pool.mu.Unlock()
	}
	if g.pool.demanded.Load() {
		g.pool.nudge()
	}
}

// rest leaves a registration alone that had nothing to spill, unless it was offered
// since it was looked at: whoever offers it counts that first and looks whether it rests
// then, so that one of the two notices the other.
func (g *Registration) rest(seen uint64) {
	p := g.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if g.removed || g.resting.Load() {
		return
	}
	g.resting.Store(true)
	if g.offers.Load() != seen {
		g.resting.Store(false)
		return
	}
	p.mu.sources.remove(g)
}

// begin keeps the registration from going away, unless it has.
func (g *Registration) begin() bool {
	p := g.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if g.removed || g.parent.Err() != nil {
		return false
	}
	if g.uses++; g.uses == 1 {
		g.ctx, g.cancel = context.WithCancel(g.parent)
	}
	return true
}

func (g *Registration) end() {
	p := g.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if g.uses--; g.uses == 0 {
		g.cancel()
		g.ctx, g.cancel = nil, nil
		if g.idle != nil {
			close(g.idle)
		}
	}
}

// registrations is a list of those that are looked at.
type registrations struct {
	first  *Registration
	length int
}

func (l *registrations) add(g *Registration) {
	g.prev, g.next = nil, l.first
	if l.first != nil {
		l.first.prev = g
	}
	l.first = g
	l.length++
}

// remove takes one out, or does nothing if it is not in the list.
func (l *registrations) remove(g *Registration) {
	switch {
	case g.prev != nil:
		g.prev.next = g.next
	case l.first == g:
		l.first = g.next
	default:
		return
	}
	if g.next != nil {
		g.next.prev = g.prev
	}
	g.next, g.prev = nil, nil
	l.length--
}

// single is a source of one thing that is needed after all that waits in channels.
type single struct{ Spillable }

func (a single) Victims(_ Kind, yield func(Victim) bool) { yield(a) }

func (a single) NeededIn() time.Duration { return Never }
