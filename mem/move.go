package mem

import (
	"context"
	"fmt"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/internal/size"
)

// Moving bodies from one kind of memory to another.
//
// Whoever moves bodies has them to itself meanwhile, so that every other call is refused. What
// has been written is waited for first, so a move begins and ends with nothing queued but
// reads. The old memory is let go of only when the new one holds everything, under the
// locks of all bodies that move together, and only if nobody has taken a reference
// meanwhile that must not see them move. Until then an error changes nothing.

// settle waits until what was written into bodies is there.
func settle(ctx context.Context, list []share) error {
	for _, s := range list {
		s.body.mu.Lock()
		e := s.body.since()
		s.body.mu.Unlock()
		if e == nil {
			continue
		}
		if err := e.Wait(ctx); err != nil {
			if done, _ := e.Query(); !done {
				return err // that of ctx
			}
			s.body.mu.Lock()
			defer s.body.mu.Unlock()
			return s.body.lost()
		}
	}
	return ctx.Err()
}

// lost returns an error if the bytes of a body are gone for good: what should have written
// them has failed, or the device whose memory they are in. Callers hold the lock.
func (o *body) lost() error {
	err := o.mu.written.failure()
	if err == nil && o.mu.at.kind == Device {
		err = o.mu.at.block.Device().Err()
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("mem: a buffer of %s in %v memory is lost, and can only be released: its latest write, or the device, has failed: %w",
		size.Format(o.n), o.mu.at.kind, err)
}

// move moves bodies, which the caller has claimed, to another kind of memory, of which
// the reservation has enough left. On an error those that have not been moved are as they
// were: all of them, except where bodies come back from more than one extent.
func move(ctx context.Context, res *Reservation, to Kind, label string, list []share) error {
	if len(list) == 0 {
		return nil
	}
	if err := settle(ctx, list); err != nil {
		return err
	}
	if to == Disk {
		return toDisk(ctx, res, label, list)
	}
	var resident []share
	extents := map[*stored][]share{}
	var order []*stored
	for _, s := range list {
		in := s.body.mu.at.stored // claimed: nobody changes it
		if in == nil {
			resident = append(resident, s)
			continue
		}
		if extents[in] == nil {
			order = append(order, in)
		}
		extents[in] = append(extents[in], s)
	}
	for _, in := range order {
		if err := fromDisk(ctx, res, to, in, extents[in]); err != nil {
			return err
		}
	}
	return across(ctx, res, to, resident)
}

// across moves bodies from memory to memory.
func across(ctx context.Context, res *Reservation, to Kind, list []share) error {
	if len(list) == 0 {
		return nil
	}
	s, err := mover(res.pool(), to, list)
	if err != nil {
		return err
	}
	into, err := allocateAll(res, to, list, s)
	if err != nil {
		return err
	}
	var from []holding
	for _, l := range list {
		from = append(from, l.body.mu.at)
	}
	event, err := transfer(ctx, s, into, from)
	if err == nil {
		err = commit(ctx, list, into, s)
	} else {
		stillRead(list, s, event)
	}
	if err != nil {
		takeBack(res, into, s, event)
	}
	return err
}

// transfer copies the bytes of holdings, by way of the stream where one is of a device, and
// waits until that is done. If it fails, the event is that behind what was queued; nil if
// nothing was.
func transfer(ctx context.Context, s device.Stream, to, from []holding) (event *device.Event, err error) {
	queued := false
	for i := range to {
		dst, src := &to[i], &from[i]
		if dst.kind != Device && src.kind != Device {
			if err = ctx.Err(); err == nil {
				copy(dst.bytes, src.bytes)
			}
		} else {
			queued = true
			err = s.Copy(dst.span(0, dst.n), src.span(0, src.n))
		}
		if err != nil {
			break
		}
	}
	if !queued {
		return nil, err
	}
	event = s.Record()
	if err == nil {
		err = event.Wait(ctx)
	}
	return event, err
}

// stillRead notes that a transfer which failed may read on for a while, until the event, if
// anything was queued.
func stillRead(list []share, s device.Stream, event *device.Event) {
	if event == nil {
		return
	}
	for _, l := range list {
		l.body.mu.Lock()
		l.body.addRead(s, event)
		l.body.mu.Unlock()
	}
}

// allocateAll allocates memory for bodies. What is spilled stays with whom it was charged to,
// what is restored becomes the reservation's.
func allocateAll(res *Reservation, to Kind, list []share, s device.Stream) ([]holding, error) {
	made := make([]holding, 0, len(list))
	for _, l := range list {
		var a *account
		if l.body.mu.at.kind < to {
			a = l.body.mu.at.account
		}
		h, err := res.allocate(to, l.body.n, s, a)
		if err != nil {
			takeBack(res, made, s, nil)
			return nil, err
		}
		made = append(made, h)
	}
	return made, nil
}

// takeBack gives allocations back into the reservation. Those that a stream uses until
// the event, if there is one that has not completed, go back to the resource then.
func takeBack(res *Reservation, made []holding, s device.Stream, event *device.Event) {
	var after []use
	if event != nil {
		after = append(after, use{s, event})
	}
	done, _ := settled(after)
	for _, h := range made {
		a := h.account
		if done {
			h.account = nil // so that it is not refunded
		}
		h.free(s, after)
		if done && a != nil {
			res.unchargeFrom(a, h.kind, h.n)
		}
	}
}

// mover returns the stream to move bodies on, if one is needed: the resource's own, which
// nobody else holds up, or for memory that no resource has that of one of the bodies.
func mover(p *pool, to Kind, list []share) (device.Stream, error) {
	needed := to == Device || to == Pinned
	var own device.Stream
	for _, l := range list {
		at := &l.body.mu.at
		needed = needed || at.kind == Device
		if at.block != nil && p != nil && at.block.Device() != p.device {
			p = nil
		}
		if own == nil || at.block != nil {
			own = l.body.mu.stream
		}
	}
	switch {
	case !needed:
		return nil, nil
	case p != nil:
		return p.streams.stream(p.device)
	case own != nil:
		return own, nil
	}
	return nil, fmt.Errorf("mem: moving a buffer to %v memory: %w", to, ErrNoStream)
}

// pool returns the pool of a reservation; nil for nil.
func (res *Reservation) pool() *pool {
	if res == nil {
		return nil
	}
	return res.account.scope.pool
}
