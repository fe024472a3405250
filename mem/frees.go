package mem

import (
	"context"
	"errors"
	"sync"

	"github.com/seed14ed4225/sluice/device"
)

// Frees in stream order.
//
// A buffer may be released while work on it is still queued. Its memory comes back once
// that is done, and counts as used until then. Blocks of a device are freed by the
// stream; ordinary memory has nobody who would, and is kept in a list together with
// the events it waits for, as is what must be refunded. Nothing is called when an event
// completes: the list is looked through when it matters, which is when somebody asks for
// figures or waits for memory.
type frees struct {
	sweep sync.Mutex // held while what is done is given back, so that who waits for that sees all of it

	mu struct {
		sync.Mutex
		pending []pendingFree // the oldest first
	}
}

type pendingFree struct {
	at    holding
	after []use
}

// done reports whether all events have completed, and whether somebody out of reach
// may still touch the memory all the same.
func (f *pendingFree) done() (done, lost bool) { return settled(f.after) }

func settled(uses []use) (done, lost bool) {
	for _, u := range uses {
		over, out := u.over()
		if !over {
			return false, false
		}
		lost = lost || out
	}
	return true, lost
}

// over reports whether the use has completed, and whether it did because its device
// ended: nobody has waited for operations that were in progress then, see
// [device.Event.Wait]. The error alone does not tell, because an operation may fail with one of
// another stream or device.
func (u use) over() (done, lost bool) {
	done, err := u.event.Query()
	if err == nil {
		return done, false
	}
	var failed *device.FailedError
	ended := errors.Is(err, device.ErrClosed) || errors.As(err, &failed)
	return done, ended && u.stream.Device().Err() != nil
}

// free gives memory back once the events have completed, and what was queued on the
// stream is done, on which a block is freed.
func (h *holding) free(s device.Stream, after []use) {
	switch {
	case h.stored != nil:
		h.stored.release()
		return
	case h.block != nil:
		for _, u := range after {
			if done, _ := u.event.Query(); !done {
				_ = s.WaitFor(u.event) // a stream that has failed or is closed frees all the same
			}
		}
		_ = s.Free(h.block) // only a closed device refuses, which has freed everything
		if h.account == nil {
			return
		}
		after = []use{{s, s.Record()}}
	case h.pool == nil:
		return // the collector does it
	}
	done, lost := settled(after)
	if done {
		h.returned(lost)
		return
	}
	p := h.pool
	p.frees.mu.Lock()
	p.frees.mu.pending = append(p.frees.mu.pending, pendingFree{*h, after})
	p.frees.mu.Unlock()
	p.nudge() // somebody who waits for memory knows now what to wait for
}

// returned gives memory back that nobody uses any more.
func (h *holding) returned(lost bool) {
	if lost {
		h.pool.host.Abandon(h.piece)
	} else {
		h.pool.host.Free(h.piece)
	}
	if h.account != nil {
		h.account.refund(h.kind, h.n)
	}
}

// sweepFrees gives back what has become free, and returns whether anything has.
func (p *pool) sweepFrees() bool {
	p.frees.sweep.Lock()
	defer p.frees.sweep.Unlock()
	p.frees.mu.Lock()
	var done []pendingFree
	kept := p.frees.mu.pending[:0]
	for _, f := range p.frees.mu.pending {
		if ok, _ := f.done(); ok {
			done = append(done, f)
		} else {
			kept = append(kept, f)
		}
	}
	clear(p.frees.mu.pending[len(kept):])
	p.frees.mu.pending = kept
	p.frees.mu.Unlock()
	for _, f := range done {
		_, lost := f.done()
		f.at.returned(lost)
	}
	return len(done) > 0
}

// freeing reports whether memory will become free by itself.
func (p *pool) freeing() bool { return p.oldestFree() != nil }

// oldestFree returns an event to wait for until the memory comes back that was freed
// first; nil if there is none.
func (p *pool) oldestFree() *device.Event {
	p.frees.mu.Lock()
	defer p.frees.mu.Unlock()
	for _, f := range p.frees.mu.pending {
		for _, u := range f.after {
			if done, _ := u.event.Query(); !done {
				return u.event
			}
		}
	}
	return nil
}

// total returns what was freed, but is not back yet.
func (f *frees) total() Amount {
	f.mu.Lock()
	defer f.mu.Unlock()
	var sum Amount
	for _, p := range f.mu.pending {
		if p.at.account != nil {
			sum = sum.Plus(Of(p.at.kind, p.at.n))
		}
	}
	return sum
}

// queued returns what of accounts was freed, but is not back yet.
func (f *frees) queued() map[*account]Amount {
	f.mu.Lock()
	defer f.mu.Unlock()
	queued := map[*account]Amount{}
	for _, p := range f.mu.pending {
		if a := p.at.account; a != nil {
			queued[a] = queued[a].Plus(Of(p.at.kind, p.at.n))
		}
	}
	return queued
}

// settleFrees waits until what was freed in a scope has come back, or ctx has ended.
func (r *Resource) settleFrees(ctx context.Context) {
	p := r.pool
	p.frees.mu.Lock()
	var uses []use
	for _, f := range p.frees.mu.pending {
		if r.parent == nil || f.at.account != nil && f.at.account.scope == r {
			uses = append(uses, f.after...)
		}
	}
	p.frees.mu.Unlock()
	for _, u := range uses {
		_ = u.event.Wait(ctx) // however the work ended, it has
	}
	p.sweepFrees()
}
