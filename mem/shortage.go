package mem

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/internal/size"
)

// When a device has less than its limit allows.
//
// A limit is a promise about memory that others may take, too: another process, another
// network with limits of its own, or whoever else uses the device. They are noticed when the
// device refuses an allocation that was paid for. What it turned out not to have is taken off
// the limit then, so that everything that is there for want of memory does its work: the
// request lines up, the spiller makes room, and what is queued is waited for. It is tried
// again when there is more, and once more when nothing moves any longer. Only then does
// whoever allocates get the error of the device.

// A shortage is what a limit promises of a kind and the device does not have.
type shortage struct {
	absent int64 // of the limit; 0 if there is no shortage
	spare  int64 // that the device says are free, but in vain
	since  time.Time
}

// room returns how many bytes of a kind can be had: the limit, less what the device turned
// out not to have. Callers hold the lock.
func (p *pool) room(k Kind) int64 { return p.limits[k] - p.mu.short[k].absent }

// short notes that the device has refused n bytes of a kind, and returns whether
// waiting may help. Where no network runs nobody would be told when to stop waiting.
func (p *pool) short(k Kind, n int64) bool {
	info, err := p.device.Memory(place(k))
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil || len(p.mu.members) == 0 {
		return false
	}
	p.mu.short[k] = shortage{spare: max(0, info.Free-(n-1)), since: time.Now()}
	p.measured(k, info.Free)
	return true
}

// measured works out how much is absent. Callers hold the lock.
func (p *pool) measured(k Kind, free int64) {
	s := &p.mu.short[k]
	s.absent = max(0, p.limits[k]-p.mu.used[k]-max(0, free-s.spare))
}

// measure looks whether the device has more than it had, and serves those who waited for
// that. It returns whether it has.
func (p *pool) measure() (more bool) {
	for k := Device; k <= Pinned; k++ {
		p.mu.Lock()
		absent := p.mu.short[k].absent
		p.mu.Unlock()
		if absent == 0 {
			continue
		}
		info, err := p.device.Memory(place(k))
		p.mu.Lock()
		s := &p.mu.short[k]
		switch {
		case err != nil: // the next allocation will say so
			*s = shortage{}
		case time.Since(s.since) > standstill: // that something is free in vain is not for ever
			s.spare = 0
			fallthrough
		default:
			p.measured(k, info.Free)
		}
		if s.absent >= absent {
			p.mu.Unlock()
			continue
		}
		more = true
		p.mu.turns++
		p.serve() // unlocks
	}
	return more
}

func place(k Kind) device.Place {
	if k == Pinned {
		return device.InPinned
	}
	return device.InDevice
}

// lastTry grants a request that only the device keeps waiting, so that it has the last
// word, and returns whether it is one. It is called with the lock held, which it releases if so.
func (p *pool) lastTry(q *request) bool {
	short := false
	for k, n := range q.need {
		if n > p.limits[k]-p.taken(Kind(k)) {
			return false
		}
		short = short || n > 0 && p.mu.short[k].absent > 0
	}
	if short {
		q.lastTry = true
		p.let(q, nil)
	}
	return short
}

// tries is how often an allocation that the device refuses is tried again.
const tries = 4

// allocBlock allocates memory of a device that has been charged to an account. Where others
// have taken what the limit allows, it gives back what was charged and waits for it anew,
// if whoever made the reservation may wait.
func (res *Reservation) allocBlock(k Kind, n int64, on device.Stream, a *account) (*device.Block, error) {
	for try := 1; ; try++ {
		var block *device.Block
		var err error
		if k == Device {
			block, err = on.Alloc(n)
		} else {
			block, err = on.Device().AllocPinned(n)
		}
		if res == nil {
			return block, err
		}
		p := res.account.scope.pool
		if err == nil {
			if try > 1 || res.tryingLast() {
				p.over(k)
			}
			return block, nil
		}
		res.unchargeFrom(a, k, n)
		if full := (*device.OutOfMemoryError)(nil); errors.As(err, &full) && n > full.Total {
			return nil, p.refused(k, err) // whatever comes free
		}
		if !errors.Is(err, device.ErrOutOfMemory) || !p.short(k, n) || res.ctx == nil || res.ctx.Err() != nil {
			return nil, err
		}
		if res.tryingLast() || try == tries {
			return nil, p.refused(k, err)
		}
		switch why := res.await(k, n); {
		case errors.As(why, new(*NoMemoryError)):
			return nil, fmt.Errorf("mem: %w; waiting for it: %w", err, why)
		case why != nil:
			return nil, why
		}
		if _, err := res.chargeTo(a, k, n); err != nil {
			return nil, err
		}
	}
}

// refused returns what to do about an allocation that the limit allows and the device refuses
// to the end.
func (p *pool) refused(k Kind, err error) error {
	p.mu.Lock()
	used := p.mu.used[k]
	p.mu.Unlock()
	limit := size.Readable(p.limits[k])
	var full *device.OutOfMemoryError
	switch {
	case !errors.As(err, &full): // nothing more is known
	case full.Asked > full.Total:
		return fmt.Errorf("mem: %w; the limit of %s allows it, but the device has %s in all: ask for less at a time, and lower the limit to that at most",
			err, limit, size.Readable(full.Total))
	case full.Others > 0 || full.Total-full.Free > used:
		return fmt.Errorf("mem: %w; the limit of %s allows it, but others use the device, and nothing came free: stop them, or lower the limit", err, limit)
	case p.limits[k] > full.Total:
		return fmt.Errorf("mem: %w; the limit of %s allows it, but the device has less, and nothing came free: lower the limit to %s at most",
			err, limit, size.Readable(full.Total))
	}
	return fmt.Errorf("mem: %w; the limit of %s allows it, but there is no such room in one piece, and nothing came free: ask for less at a time, or lower the limit", err, limit)
}

func (res *Reservation) tryingLast() bool {
	p := res.account.scope.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	return res.lastTry
}

// over notes that the device has given what it had refused.
func (p *pool) over(k Kind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.short[k].spare = 0 // absent is looked at again by the next who waits
}

// await gives back what is left for an allocation, and waits until it is there again.
func (res *Reservation) await(k Kind, n int64) error {
	if err := res.GiveBack(k, n); err != nil {
		return err
	}
	again, err := res.account.scope.Reserve(res.ctx, k, n)
	if err != nil {
		return err
	}
	defer again.Release() // of what it has not been relieved of
	p := res.account.scope.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if res.released {
		return &OverdrawnError{Kind: k, Need: n}
	}
	again.left[k] -= n
	p.untake(again.account, Of(k, n))
	p.reassign(res.account, k, n)
	res.left[k] += n
	res.lastTry = again.lastTry
	return nil
}
