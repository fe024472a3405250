package mem

import (
	"context"
	"fmt"
	"math"

	"github.com/seed14ed4225/sluice/internal/wait"
)

// A Reservation is a promise of bytes, taken before they are allocated. Whoever
// asked for it allocates from it, and releases it when nothing more will be: what is
// left goes back then. What was allocated stays charged until it is freed itself.
//
// All methods work on a nil *Reservation, which means unaccounted: what is allocated
// under it counts against no limit. Methods are safe for concurrent use and do not wait, except
// that Alloc does where a device has less than its limit allows.
type Reservation struct {
	account *account
	left    Amount // guarded by the lock of the pool

	// ctx is that of the node that reserved, which may be made to wait by an allocation
	// that the device refuses; nil if nobody may.
	ctx context.Context

	released bool // guarded by the lock of the pool
	lastTry  bool // the device may not have it, see lastTry; guarded as well
}

// Reserve waits until n bytes of a kind are there and promises them to the caller, who
// releases the reservation. Requests are served in the order in which they came; see
// the rules in the documentation of the package, above all the first. The errors:
//
//   - a [*NoMemoryError] that matches [ErrNoMemory]: at once, if n is more than the
//     limit; else once everybody waits, nothing can be spilled, and not even what was
//     set aside is enough
//   - ctx.Err(): ctx ended while Reserve waited. It is looked at only then.
//   - [ErrClosed]
//
// On a nil resource, Reserve returns a nil reservation at once.
func (r *Resource) Reserve(ctx context.Context, k Kind, n int64) (*Reservation, error) {
	return r.ReserveAll(ctx, Of(k, n))
}

// ReserveAll is Reserve for bytes of several kinds, all of which are promised at once.
func (r *Resource) ReserveAll(ctx context.Context, need Amount) (*Reservation, error) {
	res, _, err := r.reserve(ctx, need, false)
	return res.waiting(ctx), err
}

// Overbook is ReserveAll for who must go on: where ReserveAll would return a
// [*NoMemoryError], it promises bytes that are not there, and reports how many.
func (r *Resource) Overbook(ctx context.Context, need Amount) (res *Reservation, over Amount, err error) {
	res, over, err = r.reserve(ctx, need, true)
	return res.waiting(ctx), over, err
}

// waiting lets allocations wait, if they are those of a node.
func (res *Reservation) waiting(ctx context.Context) *Reservation {
	if res != nil && !res.account.outside {
		res.ctx = ctx
	}
	return res
}

// TryReserve is ReserveAll for who would rather do without than wait. It does not
// overtake those who wait.
func (r *Resource) TryReserve(ctx context.Context, need Amount) (*Reservation, bool) {
	if r == nil {
		return nil, true
	}
	p := r.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if !valid(need) || p.mu.closed || r.closed || p.mu.queue.wants(need) || !p.fits(need) {
		return nil, false
	}
	return p.grant(r.account(wait.FromContext(ctx)), need), true
}

func (r *Resource) reserve(ctx context.Context, need Amount, over bool) (*Reservation, Amount, error) {
	if r == nil {
		return nil, Amount{}, nil
	}
	node := wait.FromContext(ctx)
	p := r.pool
	p.mu.Lock()
	a := r.account(node)
	if !valid(need) || p.mu.closed || r.closed || p.mu.queue.first != nil || !p.fits(need) {
		return p.reserveLater(ctx, a, node, need, over)
	}
	res := p.grant(a, need)
	p.mu.Unlock()
	return res, Amount{}, nil
}

func valid(need Amount) bool { return need[0]|need[1]|need[2]|need[3] >= 0 }

// grant promises bytes that are there. Callers hold the lock.
func (p *pool) grant(a *account, need Amount) *Reservation {
	p.take(a, need)
	p.turn(a)
	return &Reservation{account: a, left: need}
}

// fits reports whether so much is there. What is set aside is not, except for a
// request that has the kind for itself. Callers hold the lock.
func (p *pool) fits(need Amount) bool {
	for k, n := range need {
		if n == 0 {
			continue
		}
		taken := p.taken(Kind(k))
		free := p.room(Kind(k)) - taken
		if taken != 0 {
			free -= p.setAside[k]
		}
		if n > free {
			return false
		}
	}
	return true
}

// Left returns how many bytes of a kind the reservation still has; 0 for nil.
func (res *Reservation) Left(k Kind) int64 {
	if res == nil {
		return 0
	}
	p := res.account.scope.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	return res.left[k]
}

// Resource returns what the reservation was taken from; nil for nil.
func (res *Reservation) Resource() *Resource {
	if res == nil {
		return nil
	}
	return res.account.scope
}

// Release gives back what is left. Once is enough; more are harmless.
func (res *Reservation) Release() {
	if res == nil {
		return
	}
	p := res.account.scope.pool
	p.mu.Lock()
	left := res.left
	res.left, res.released = Amount{}, true
	p.untake(res.account, left)
	p.turn(res.account)
	if res.account == p.own {
		p.serve() // unlocks
	} else {
		p.served() // unlocks
	}
}

// GiveBack returns n bytes of a kind early, for who finds that it needs less. It
// returns an [*OverdrawnError] if there are not so many left.
func (res *Reservation) GiveBack(k Kind, n int64) error {
	if res == nil {
		return nil
	}
	p := res.account.scope.pool
	p.mu.Lock()
	if err := res.lacks(k, n); err != nil {
		p.mu.Unlock()
		return err
	}
	res.left[k] -= n
	p.untake(res.account, Of(k, n))
	p.turn(res.account)
	p.served()
	return nil
}

// Grow adds n bytes of a kind without waiting, be they there or not, and reports by
// how many bytes the limit is exceeded now. It is for the rest that an estimate left
// out, where stopping half-way would be worse; everything else reserves before.
func (res *Reservation) Grow(k Kind, n int64) (over int64) {
	if res == nil || n <= 0 {
		return 0
	}
	p := res.account.scope.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	n = min(n, math.MaxInt64-p.taken(k))
	p.take(res.account, Of(k, n))
	res.left[k] += n
	return p.overbooked(k)
}

// overbooked returns by how much more is taken of a kind than its limit, and
// remembers it. Callers hold the lock.
func (p *pool) overbooked(k Kind) int64 {
	over := max(0, p.taken(k)-p.limits[k])
	p.mu.overbooked[k] = max(p.mu.overbooked[k], over)
	return over
}

// A Charge is memory that counts as used although the resource did not allocate it,
// such as a map on the Go heap. Release it when the memory is garbage. A nil *Charge
// counts nothing.
type Charge struct {
	account *account
	kind    Kind
	bytes   int64 // guarded by the lock of the pool
}

// Charge counts n bytes of the reservation as used. The error is an [*OverdrawnError].
// On a nil reservation it returns a nil Charge.
func (res *Reservation) Charge(k Kind, n int64) (*Charge, error) {
	if res == nil {
		return nil, nil
	}
	if err := res.charge(k, n); err != nil {
		return nil, err
	}
	return &Charge{account: res.account, kind: k, bytes: n}, nil
}

// Release stops counting. Once is enough.
func (c *Charge) Release() {
	if c == nil {
		return
	}
	p := c.account.scope.pool
	p.mu.Lock()
	n := c.bytes
	c.bytes = 0
	p.unuse(c.account, c.kind, n)
	p.turn(c.account)
	p.served()
}

// charge turns n bytes of what is left into used ones. Whoever holds them calls
// account.refund with as many in the end.
func (res *Reservation) charge(k Kind, n int64) error {
	p := res.account.scope.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := res.lacks(k, n); err != nil {
		return err
	}
	res.left[k] -= n
	p.use(res.account, k, n)
	return nil
}

// refund gives used bytes back.
func (a *account) refund(k Kind, n int64) {
	p := a.scope.pool
	p.mu.Lock()
	p.unuse(a, k, n)
	p.served()
}

func (res *Reservation) lacks(k Kind, n int64) error {
	if n < 0 {
		return fmt.Errorf("mem: %d bytes of %v memory: a size cannot be negative", n, k)
	}
	if n > res.left[k] {
		return &OverdrawnError{Kind: k, Need: n, Left: res.left[k]}
	}
	return nil
}
