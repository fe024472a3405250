package mem

import (
	"context"

	"github.com/seed14ed4225/sluice/device"
)

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
	a.moved(from.kind, to.kind, to.n)
}
