package cuda

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// A stream gives its operations to a stream of the driver as they come (submit.go), unless
// it is held: then they queue up here, and a goroutine gives them to the driver when
// it may (work.go). A stream is held
//
//   - while Go does a part of the work: functions, and copies from or to memory that the
//     device cannot reach by itself;
//   - while it waits for an event that the driver has not heard of yet, because that
//     event's stream is held, or because it is of another device.
//
// Holding back has two reasons. Nothing can make the driver skip what it has been given,
// so what is behind a function must not be there before it is known whether the function
// fails. And the driver blocks whoever gives it too much: it could not be given what
// waits for a function that itself wants to use the driver.
type stream struct {
	dev      *Device
	name     string
	priority int           // as the driver counts
	handle   driver.Stream // 0 while it is not needed; guarded by the lock

	suspects atomic.Pointer[suspect]

	mu struct {
		sync.Mutex
		queue   []operation // what is held back
		held    bool        // a goroutine works at it
		flight  []mark      // recorded and not known to be over, in order
		dirty   bool        // the driver has been given something since the last of these
		watched int         // events that somebody waits for
		timed   []*timing   // given to the driver and not told yet, in order
		told    time.Time   // the end of what was told last
		err     error       // what it failed with
		ended   error       // the device has failed or is closed
		closed  bool
	}
}

func (s *stream) Name() string          { return s.name }
func (s *stream) Device() device.Device { return s.dev }

func (s *stream) Alloc(n int64) (*device.Block, error) {
	o := operation{kind: opAlloc, n: n, place: device.InDevice}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refusal(&o); err != nil {
		return nil, err
	}
	if n < 0 {
		return nil, s.dev.opError(s, &o, fmt.Errorf("%w: a size cannot be negative", device.ErrOutOfBounds))
	}
	at, err := s.alloc(n)
	if err != nil {
		return nil, s.dev.said(s, &o, err)
	}
	b := device.NewBlock(device.BlockSpec{Device: s.dev, Place: device.InDevice, Size: n, Address: uint64(at), Native: at})
	s.dev.ledger.enter(b)
	return b, nil
}

func (s *stream) Copy(dst, src device.Span) error {
	o := operation{kind: opCopy, dst: dst, src: src}
	if err := device.CheckCopy(s.dev, dst, src); err != nil {
		return s.dev.opError(s, &o, err)
	}
	return s.queue(&o)
}

func (s *stream) Fill(dst device.Span, value byte) error {
	o := operation{kind: opFill, dst: dst, value: value}
	if err := device.CheckFill(s.dev, dst); err != nil {
		return s.dev.opError(s, &o, err)
	}
	return s.queue(&o)
}

func (s *stream) Do(name string, f func() error) error {
	o := operation{kind: opDo, name: name, f: f}
	if f == nil {
		return s.dev.opError(s, &o, errors.New("the function is nil"))
	}
	return s.queue(&o)
}

// queue gives an operation to the driver, or holds it back.
func (s *stream) queue(o *operation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refusal(o); err != nil {
		return err
	}
	if s.mu.held || o.onHost() || !s.fits(o) {
		s.hold(o)
		return nil
	}
	if err := s.submit(o); err != nil {
		return s.dev.said(s, o, err)
	}
	return nil
}

// hold puts an operation where a worker finds it.
func (s *stream) hold(o *operation) {
	s.mu.queue = append(s.mu.queue, *o)
	if !s.mu.held {
		s.mu.held = true
		s.dev.enter()
		go s.work()
	}
}

func (s *stream) WaitFor(e *device.Event) error {
	o := operation{kind: opWait, event: e}
	if e == nil {
		return s.dev.opError(s, &o, errors.New("the event is nil"))
	}
	done, failed := e.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	refused := s.refusal(&o)
	if s.mu.ended != nil || s.dev.Err() != nil {
		return refused
	}
	switch {
	case s.mu.held: // also if it has completed, so that an error comes in order
		s.hold(&o)
	case done && failed != nil:
		s.fail(&o, failed)
	case !done:
		s.mu.Unlock()
		waited := s.joins(e) // takes the lock of both streams, one after the other
		s.mu.Lock()
		if waited {
			break
		}
		if err := s.recall(); err != nil {
			return err
		}
		s.hold(&o)
	}
	return refused
}

func (s *stream) Record() *device.Event {
	e := s.event()
	o := operation{kind: opRecord, event: e.event}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch err := s.refusal(&o); {
	case err != nil:
		e.complete(err)
	case s.mu.held:
		s.hold(&o)
	default:
		s.record(e)
	}
	return e.event
}

func (s *stream) event() *source {
	e := &source{s: s}
	e.event = device.NewEvent(s.name, e)
	return e
}

func (s *stream) Sync(ctx context.Context) error { return s.Record().Wait(ctx) }

func (s *stream) Free(b *device.Block) error {
	o := operation{kind: opFree, block: b}
	if b == nil {
		return s.dev.opError(s, &o, errors.New("the block is nil"))
	}
	o.n, o.place = b.Size(), b.Place()
	if err := s.dev.Err(); errors.Is(err, device.ErrClosed) {
		return err
	}
	if err := b.Retire(s.dev); err != nil {
		return s.dev.opError(s, &o, err)
	}
	s.dev.ledger.leave(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(s.mu.ended, device.ErrClosed):
		return s.mu.ended
	case s.gone(): // a device that has failed keeps its memory until it is closed
	case s.mu.held:
		s.hold(&o)
	case o.place == device.InDevice && s.recall() != nil: // the same
	default:
		s.free(&o)
	}
	return nil
}

func (s *stream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure()
}

func (s *stream) Close() error {
	s.mu.Lock()
	s.mu.closed = true
	s.mu.Unlock()
	s.forget()
	return nil
}

// forget gives back the driver's stream of a stream that is closed and has nothing left to
// do. Whoever frees a block or waits behind it all the same has it made again.
func (s *stream) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.ended != nil || !s.mu.closed || s.mu.held || s.handle == 0 || !s.clean() {
		return
	}
	_ = s.dev.call("cuStreamDestroy", func() driver.Result { return s.dev.drv.StreamDestroy(s.handle) })
	s.handle = 0
	s.dev.mu.Lock()
	defer s.dev.mu.Unlock()
	delete(s.dev.mu.open, s)
}

// recall makes the driver's stream again, with the lock held, if it is gone.
func (s *stream) recall() error {
	if s.handle != 0 {
		return nil
	}
	d := s.dev
	d.mu.Lock()
	if err := d.mu.err; err != nil {
		d.mu.Unlock()
		return err
	}
	r := d.try(func() (r driver.Result) {
		s.handle, r = d.drv.StreamCreateWithPriority(driver.StreamNonBlocking, s.priority)
		return r
	})
	if r == driver.Success {
		d.mu.open[s] = struct{}{}
	}
	d.mu.Unlock()
	if r == driver.Success {
		return nil
	}
	err := newError(d.drv, "cuStreamCreateWithPriority", r)
	if r.Sticky() {
		return d.fail(err)
	}
	return fmt.Errorf("device %q: stream %q: %w", d.name, s.name, err)
}

// clean returns whether all that the driver was given is known to be done.
func (s *stream) clean() bool {
	s.reapLocked()
	if s.mu.dirty && s.mu.ended == nil { // nothing was recorded behind the last operation
		r := s.dev.try(func() driver.Result { return s.dev.drv.StreamQuery(s.handle) })
		if r.Sticky() {
			_ = s.dev.fail(newError(s.dev.drv, "cuStreamQuery", r))
		}
		s.mu.dirty = r != driver.Success
	}
	if s.mu.dirty || len(s.mu.flight) > 0 {
		return false
	}
	s.resolve()
	s.suspects.Store(nil)
	return true
}

// busy returns whether the device still works on what it was given.
func (s *stream) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handle != 0 && s.dev.try(func() driver.Result { return s.dev.drv.StreamQuery(s.handle) }) == driver.NotReady
}

// failure returns what is to be told to everyone from here on: what went wrong first.
func (s *stream) failure() error {
	if s.mu.err != nil {
		return s.mu.err
	}
	if s.mu.ended != nil {
		return s.mu.ended
	}
	return s.dev.Err() // of which the stream may not have been told yet
}

// gone returns whether the device has failed or is closed, though the stream may not have
// been told yet. Then nothing must be freed: the event that the free was to wait for has
// completed without what is before it being over.
func (s *stream) gone() bool { return s.mu.ended != nil || s.dev.Err() != nil }

// refusal returns why an operation cannot be queued.
func (s *stream) refusal(o *operation) error {
	if err := s.failure(); err != nil {
		return err
	}
	if s.mu.closed && o.kind != opRecord && o.kind != opWait {
		return s.dev.opError(s, o, &closedError{fmt.Sprintf("stream %q", s.name)})
	}
	return nil
}

// fail makes the stream fail, with the lock held, unless it has, or the device has and
// everybody knows.
func (s *stream) fail(o *operation, err error) {
	if s.mu.err == nil && s.mu.ended == nil && s.dev.Err() == nil {
		s.mu.err = s.dev.opError(s, o, err)
	}
}

// abandon makes everything fail that is held back or in flight, and wakes whoever waits for
// it. What the device may still be using is not used again.
func (s *stream) abandon(err error, closing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.ended != nil && !closing || errors.Is(s.mu.ended, device.ErrClosed) {
		return
	}
	s.mu.ended = err
	err = s.failure()
	for _, m := range s.mu.flight {
		for e := m.first; e != nil; e = e.next {
			e.complete(err)
		}
	}
	for _, o := range s.mu.queue {
		if o.kind == opRecord {
			o.event.Source().(*source).complete(err)
		}
	}
	s.mu.flight, s.mu.queue, s.mu.timed, s.mu.dirty = nil, nil, nil, false
}
