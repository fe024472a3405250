package mem

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/internal/extent"
	"github.com/seed14ed4225/sluice/internal/size"
)

// Moving bodies from one kind of memory to another.
//
// Whoever moves bodies has them to itself meanwhile, so that every other call is refused. What
// has been written is waited for first, so a move begins and ends with nothing queued but
// reads. The old memory is let go of only when the new one holds everything, under the
// locks of all bodies that move together, and only if nobody has taken a reference
// meanwhile that must not see them move. Until then an error changes nothing.

// A share is a body with how many references to it somebody holds.
type share struct {
	body *body
	refs int
	sole bool // there must be no others
}

// shares returns the bodies of buffers, each once.
func shares(buffers []*Buffer) []share {
	list := make([]share, 0, len(buffers))
next:
	for _, b := range buffers {
		o := b.lock()
		o.mu.Unlock()
		for i := range list {
			if list[i].body == o {
				list[i].refs++
				continue next
			}
		}
		list = append(list, share{body: o, refs: 1})
	}
	return list
}

// bytesOf returns the bytes of bodies.
func bytesOf(list []share) (n int64) {
	for _, s := range list {
		n += s.body.n
	}
	return n
}

// movable returns nil if a body may be moved by who holds so many references to it. From
// disk and device memory it may be although others refer to it, too: there is no way
// they could be looking at it. Callers hold the lock.
func (s share) movable() error {
	at := s.body.mu.at.kind
	if s.body.mu.refs != s.refs && (s.sole || at == Pinned || at == Host) {
		return ErrShared
	}
	return nil
}

// claim makes the caller the only user of the bodies, or of none. Who restores them gives a
// channel, which it closes in the end, for others who would restore them, too.
func claim(list []share, restoring chan struct{}) error {
	for i, s := range list {
		s.body.mu.Lock()
		err := s.movable()
		if err == nil {
			err = s.body.enter(true)
		}
		if err == nil {
			s.body.mu.restoring = restoring
		} else if over := s.body.mu.restoring; over != nil {
			err = &restoringError{over}
		}
		s.body.mu.Unlock()
		if err != nil {
			unclaim(list[:i])
			return err
		}
	}
	return nil
}

func unclaim(list []share) {
	for _, s := range list {
		s.body.mu.Lock()
		s.body.mu.restoring = nil
		s.body.leave()
	}
}

// A restoringError is the [ErrPending] of a body that somebody restores.
type restoringError struct{ over <-chan struct{} }

func (e *restoringError) Error() string { return ErrPending.Error() + ": it is being restored" }

func (e *restoringError) Is(target error) bool { return target == ErrPending }

// commit puts all bodies into their new memory, on which nothing is queued any more, or
// none of them. s becomes the stream of those that have none that is fit for it.
func commit(ctx context.Context, list []share, to []holding, s device.Stream) error {
	// Nobody else holds the locks of two bodies, but who moves others.
	for _, l := range list {
		l.body.mu.Lock()
	}
	var err error
	for _, l := range list {
		if err = l.movable(); err != nil {
			break
		}
	}
	old := make([]outgoing, len(list))
	for i, l := range list {
		if err == nil {
			old[i] = l.body.replace(to[i])
			if to[i].block != nil && (l.body.mu.stream == nil || l.body.mu.stream.Device() != s.Device()) {
				l.body.mu.stream = s
			}
		}
		l.body.mu.Unlock()
	}
	if err != nil {
		return err
	}
	for i, l := range list {
		if to[i].account != nil {
			to[i].account.allocations.add(l.body)
		}
		count(old[i].at, to[i])
		old[i].hurry()
		if old[i].at.account != to[i].account {
			old[i].free(l.body)
		} else {
			old[i].at.free(old[i].stream, old[i].after)
		}
	}
	for i := range old {
		old[i].freed(ctx)
	}
	return nil
}

// hurry makes a block be freed on a stream of the resource instead of its own, where other
// work may be before it, if nobody reads it any more: who moves it wants the room now.
func (old *outgoing) hurry() {
	p := old.at.pool
	if old.at.block == nil || p == nil || old.at.block.Device() != p.device {
		return
	}
	if done, _ := settled(old.after); !done {
		return
	}
	if s, err := p.streams.stream(p.device); err == nil {
		old.stream, old.hurried = s, true
	}
}

// freed waits until what hurry was called for is free. Nothing is before it on the
// stream but other moves; if one of those hangs, whoever waits for the room finds it later.
func (old *outgoing) freed(ctx context.Context) {
	if old.hurried && old.stream.Record().Wait(ctx) == nil {
		old.at.pool.sweepFrees()
	}
}

// count adds a move to the statistics.
func count(from, to holding) {
	a := to.account
	if to.kind > from.kind && from.account != nil {
		a = from.account
	}
	if a == nil {
		return
	}
	p := a.scope.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moved(a, from.kind, to.kind, to.n)
}

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
	} else if event != nil {
		for _, l := range list {
			l.body.mu.Lock()
			l.body.addRead(s, event)
			l.body.mu.Unlock()
		}
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

// toDisk writes bodies to disk, as one extent.
func toDisk(ctx context.Context, res *Reservation, label string, list []share) error {
	p, err := res.disk()
	if err != nil {
		return err
	}
	bound := extent.Bound(bytesOf(list))
	a, err := res.chargeTo(list[0].body.mu.at.account, Disk, bound)
	if err != nil {
		return err
	}
	var e *extent.Extent
	err = p.onHost(ctx, list, func(views []holding) error {
		parts := make([][]byte, len(views))
		for i := range views {
			parts[i] = views[i].bytes
		}
		var err error
		e, err = p.store.Write(ctx, label, parts...)
		return err
	})
	if err != nil {
		res.unchargeFrom(a, Disk, bound)
		return err
	}
	in := &stored{extent: e, account: a, charged: e.Stored()}
	in.mu.bodies = len(list)
	to := make([]holding, len(list))
	var off int64
	for i, l := range list {
		to[i] = holding{kind: Disk, n: l.body.n, pool: p, account: a, stored: in, off: off}
		off += l.body.n
	}
	res.unchargeFrom(a, Disk, bound-in.charged)
	if err := commit(ctx, list, to, nil); err != nil {
		for range list {
			in.release()
		}
		return err
	}
	return nil
}

// disk returns the pool whose disk the reservation is of.
func (res *Reservation) disk() (*pool, error) {
	if res == nil || res.account.scope.store == nil {
		return nil, errors.New("mem: there is no spill directory: name one in Options.SpillDir")
	}
	return res.account.scope.pool, nil
}

// fromDisk reads the bodies of an extent back. The extent is used up by reading it. So if
// they cannot be taken on to device memory after that, they stay in host memory, even if
// that is beyond the limit.
func fromDisk(ctx context.Context, res *Reservation, to Kind, in *stored, list []share) error {
	slices.SortStableFunc(list, func(s, t share) int { return cmp.Compare(s.body.mu.at.off, t.body.mu.at.off) })
	s, err := mover(res.pool(), to, list)
	if err != nil {
		return err
	}
	into, err := allocateAll(res, to, list, s)
	if err != nil {
		return err
	}
	if to != Device {
		err := in.read(ctx, into)
		if err == nil {
			err = commit(ctx, list, into, s)
		}
		if err != nil {
			takeBack(res, into, s, nil)
		}
		return err
	}
	p := res.pool() // device memory is allocated only from a reservation
	if err := p.staging.lock(ctx); err != nil {
		takeBack(res, into, s, nil)
		return err
	}
	defer p.staging.unlock()
	staged, err := p.stage(list)
	if err == nil {
		if err = in.read(ctx, staged); err != nil {
			takeBack(nil, staged, nil, nil)
		}
	}
	if err != nil {
		takeBack(res, into, s, nil)
		return err
	}
	event, err := transfer(ctx, s, into, staged)
	if err == nil {
		err = commit(ctx, list, into, s)
		takeBack(nil, staged, nil, nil)
		return err
	}
	takeBack(res, into, s, event)
	for i := range staged {
		staged[i].account = in.account
		in.account.overcharge(Host, staged[i].n)
	}
	if err := commit(ctx, list, staged, nil); err != nil {
		return err
	}
	if event != nil { // it may read on for a while
		for _, l := range list {
			l.body.mu.Lock()
			l.body.addRead(s, event)
			l.body.mu.Unlock()
		}
	}
	return err
}

func (in *stored) read(ctx context.Context, into []holding) error {
	parts := make([][]byte, len(into))
	for i := range into {
		parts[i] = into[i].bytes
	}
	return in.extent.Read(ctx, parts...)
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
