package mem

import (
	"context"
	"fmt"
	"slices"

	"github.com/seed14ed4225/sluice/device"
)

// usable returns why no work can be queued on the body. Callers hold the lock.
func (o *body) usable(call string) error {
	if o.mu.at.kind == Disk {
		return &ResidencyError{Call: call, Kind: Disk, Want: Host, Size: o.n}
	}
	return nil
}

// since returns the event behind which other streams may use the body, or nil if they may
// at once. Device memory that nobody has written is there for others behind its allocation,
// which counts as the first write then. Callers hold the lock.
func (o *body) since() *device.Event {
	if s := o.mu.fresh; s != nil {
		o.mu.fresh = nil
		o.mu.written = use{s, s.Record()}
	}
	return o.mu.written.event
}

// after makes a stream wait for an event, unless it is done: one that has failed already
// would make the stream fail for nothing.
func after(s device.Stream, e *device.Event) error {
	if e == nil {
		return nil
	}
	if done, err := e.Query(); done {
		return err
	}
	return s.WaitFor(e)
}

// Read makes on wait for the latest write, and calls f to queue work on it that reads
// src; later writes, and the free, wait for that work. A nil on is the buffer's own stream.
// The work may read until f returns; src must not be used in what is queued later. Read
// does not wait itself.
//
// The errors: that of f; [ErrPending] while a call of Write is going on or the buffer
// is being moved; [ErrNoStream]; a [*ResidencyError] if it is on disk; the error of the device if
// the latest write has failed.
func (b *Buffer) Read(on device.Stream, f func(src device.Span) error) error {
	o := b.lock()
	if on == nil {
		on = o.mu.stream
	}
	err := o.usable("Read")
	if err == nil && on == nil {
		err = ErrNoStream
	}
	if err == nil {
		if on == o.mu.stream {
			err = o.mu.written.failure()
		} else {
			err = after(on, o.since())
		}
	}
	if err == nil {
		err = o.enter(false)
	}
	if err != nil {
		o.mu.Unlock()
		return err
	}
	src := o.mu.at.span(b.off, b.n)
	o.mu.Unlock()

	defer func() { // also if f panics: it may have queued something
		event := on.Record()
		o.mu.Lock()
		o.addRead(on, event)
		o.leave()
	}()
	return f(src)
}

// addRead remembers that a stream reads the body until the event. Callers hold the lock.
func (o *body) addRead(on device.Stream, event *device.Event) {
	o.mu.reads = slices.DeleteFunc(o.mu.reads, func(r use) bool {
		done, lost := r.over()
		return r.stream == on || done && !lost
	})
	o.mu.reads = append(o.mu.reads, use{on, event})
}

// Write makes the buffer's stream wait for all that reads it elsewhere, and calls f to
// queue work on that stream which writes dst. [Buffer.Written] returns the event behind
// it then. If f fails or panics after it queued something, that is remembered all the same.
// Write does not wait itself.
//
// The errors: that of f; [ErrShared] if this is not the only reference; [ErrPending] while
// another call uses the buffer; [ErrNoStream]; a [*ResidencyError] if it is on disk; the
// error of the device if the stream has failed, which leaves the bytes as they were.
func (b *Buffer) Write(f func(s device.Stream, dst device.Span) error) error {
	o := b.lock()
	err := o.usable("Write")
	s := o.mu.stream
	switch {
	case err != nil:
	case s == nil:
		err = ErrNoStream
	case o.mu.refs > 1:
		err = ErrShared
	default:
		// What has failed takes no more work, and the bytes stay what they were.
		if err = s.Err(); err == nil {
			err = o.follow(s)
		}
	}
	if err == nil {
		err = o.enter(true)
	}
	if err != nil {
		o.mu.Unlock()
		return err
	}
	dst := o.mu.at.span(b.off, b.n)
	o.mu.Unlock()

	defer func() {
		event := s.Record()
		o.mu.Lock()
		o.mu.written, o.mu.fresh, o.mu.reads = use{s, event}, nil, nil // it is behind them all
		o.leave()
	}()
	return f(s, dst)
}

// follow makes a stream wait for all that reads the body. What the reads came to does
// not matter to who writes next. Callers hold the lock.
func (o *body) follow(s device.Stream) error {
	for _, r := range o.mu.reads {
		if done, _ := r.event.Query(); done || r.stream == s {
			continue
		}
		if err := s.WaitFor(r.event); err != nil {
			return err
		}
	}
	return nil
}

// Bytes returns the buffer's memory, of kind Host or Pinned, to read. It stays valid until
// the reference is released or the buffer moved or written.
//
// The errors: [ErrPending] while a write is pending, for which Wait waits; the error of
// the device if it has failed; a [*ResidencyError] for other kinds.
func (b *Buffer) Bytes() ([]byte, error) {
	o := b.lock()
	defer o.mu.Unlock()
	return b.bytes("Bytes")
}

// Exclusive returns the buffer's memory to write, too. Its errors are those of Bytes;
// [ErrPending] also while reads are pending, for which WaitAll waits, and [ErrShared] if this is not the only
// reference.
func (b *Buffer) Exclusive() ([]byte, error) {
	o := b.lock()
	defer o.mu.Unlock()
	bytes, err := b.bytes("Exclusive")
	if err != nil {
		return nil, err
	}
	if o.mu.refs > 1 {
		return nil, ErrShared
	}
	if o.mu.users > 0 {
		return nil, fmt.Errorf("%w: it is being read", ErrPending)
	}
	for _, r := range o.mu.reads {
		if done, lost := r.over(); !done {
			return nil, fmt.Errorf("%w: stream %q has not read it yet", ErrPending, r.stream.Name())
		} else if lost {
			return nil, r.failure()
		}
	}
	clear(o.mu.reads)
	o.mu.reads = o.mu.reads[:0]
	return bytes, nil
}

func (b *Buffer) bytes(call string) ([]byte, error) {
	o := b.body
	if k := o.mu.at.kind; k != Host && k != Pinned {
		return nil, &ResidencyError{Call: call, Kind: k, Want: Host, Size: b.n}
	}
	if o.mu.users == alone {
		return nil, fmt.Errorf("%w: it is being written or moved", ErrPending)
	}
	if e := o.mu.written.event; e != nil {
		done, err := e.Query()
		if err != nil {
			return nil, err
		}
		if !done {
			return nil, fmt.Errorf("%w: stream %q has not written it yet; wait for that with Wait", ErrPending, e.Name())
		}
	}
	return o.mu.at.bytes[b.off : b.off+b.n : b.off+b.n], nil
}

// Wait waits until the latest write is done, and returns the device's error if it has failed.
// If ctx ends first it returns ctx.Err().
func (b *Buffer) Wait(ctx context.Context) error {
	o := b.lock()
	e := o.mu.written.event
	o.mu.Unlock()
	if e == nil {
		return nil
	}
	return e.Wait(ctx)
}

// WaitAll waits until everything that is queued on the buffer is done, reads as well, as
// [Buffer.Exclusive] needs it. It returns the device's error if the latest write has failed;
// what the reads came to is the affair of who reads. If ctx ends first it returns ctx.Err().
func (b *Buffer) WaitAll(ctx context.Context) error {
	o := b.lock()
	written := o.mu.written.event
	reads := slices.Clone(o.mu.reads)
	o.mu.Unlock()
	for _, r := range reads {
		if err := r.event.Wait(ctx); err != nil && ctx.Err() != nil {
			if done, _ := r.event.Query(); !done {
				return err
			}
		}
	}
	if written == nil {
		return nil
	}
	return written.Wait(ctx)
}

// Rebind makes s the buffer's stream, for all who share it, and makes s wait for
// everything that is queued on the buffer so far. It does not wait itself. The
// errors: [ErrPending] while a call of Write is going on or the buffer is being moved;
// that of the device if the latest write or s has failed; an error for a stream of another
// device than the memory's.
func (b *Buffer) Rebind(s device.Stream) error {
	if s == nil {
		return fmt.Errorf("%w: Rebind to none", ErrNoStream)
	}
	o := b.lock()
	defer o.mu.Unlock()
	if o.mu.stream == s {
		return nil
	}
	if block := o.mu.at.block; block != nil && block.Device() != s.Device() {
		return fmt.Errorf("mem: stream %q is of device %q, the buffer of device %q: copy it there",
			s.Name(), s.Device().Properties().Name, block.Device().Properties().Name)
	}
	if o.mu.users == alone {
		return fmt.Errorf("%w: it is being written or moved", ErrPending)
	}
	if err := after(s, o.since()); err != nil {
		return err
	}
	if err := o.follow(s); err != nil {
		return err
	}
	o.mu.stream = s
	return nil
}
