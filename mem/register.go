package mem

import (
	"context"
	"math"
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
	ctx    context.Context
	cancel context.CancelFunc

	// Guarded by the lock of the pool.
	uses int           // by the spiller, now
	idle chan struct{} // closed when uses comes to 0, once removed
}

// Register makes state that waits in no channel known to the spiller: partitions of
// a hash table, runs of a sort, a cache. Its methods may be called at any time from
// then on, by a goroutine of the resource, until Remove has returned; to use the
// state, remove it first. When ctx ends, spills in progress are cancelled, and no more
// begin. The name is for reports. On a nil resource, Register returns nil, on which
// Remove does nothing.
func (r *Resource) Register(ctx context.Context, name string, s Spillable) *Registration {
	return r.RegisterSource(ctx, name, single{s})
}

// RegisterSource is Register for several things that are needed at different times.
func (r *Resource) RegisterSource(ctx context.Context, name string, s Source) *Registration {
	if r == nil {
		return nil
	}
	g := &Registration{name: name, pool: r.pool, source: s}
	g.ctx, g.cancel = context.WithCancel(ctx)
	p := r.pool
	p.mu.Lock()
	p.mu.sources[g] = struct{}{}
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
	delete(p.mu.sources, g)
	if g.uses > 0 && g.idle == nil {
		g.idle = make(chan struct{})
	}
	idle := g.idle
	p.mu.Unlock()
	g.cancel()
	if idle != nil {
		<-idle
	}
}

// Offer tells the spiller that something can be spilled now that could not before. It
// is cheap when nobody waits for memory.
func (g *Registration) Offer() {
	if g != nil && g.pool.demanded.Load() {
		g.pool.nudge()
	}
}

// begin keeps the registration from going away, unless it has.
func (g *Registration) begin() bool {
	p := g.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.mu.sources[g]; !ok || g.ctx.Err() != nil {
		return false
	}
	g.uses++
	return true
}

func (g *Registration) end() {
	p := g.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if g.uses--; g.uses == 0 && g.idle != nil {
		close(g.idle)
	}
}

// single is a source of one thing that is needed after all that waits in channels.
type single struct{ Spillable }

func (a single) Victims(_ Kind, yield func(Victim) bool) { yield(a) }

func (a single) NeededIn() time.Duration { return Never }
