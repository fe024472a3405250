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
//
// A stream has two locks, because the driver may also block whoever gives it work, for as
// long as the device needs. Nobody who only asks may be held up by that: who waits for an
// event, the poller, who closes the device. So order is held by whoever gives work, and
// keeps what several goroutines queue in order; mu guards what is known, and is never held
// during a call that may block. Who takes both takes order first.
type stream struct {
	dev      *Device
	name     string
	priority int // as the driver counts

	suspects atomic.Pointer[suspect]

	order  sync.Mutex
	handle driver.Stream // 0 while it is not needed; written with both locks held, read with either

	mu struct {
		sync.Mutex
		queue   []operation // what is held back
		held    bool        // a goroutine works at it; written with both locks held
		flight  []mark      // recorded and not known to be over, in order
		dirty   bool        // the driver is given something behind the last of these; set before it is
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
	s.order.Lock()
	defer s.order.Unlock()
	if err := s.refused(&o); err != nil {
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
	s.order.Lock()
	defer s.order.Unlock()
	if held, err := s.admit(o); held || err != nil {
		return err
	}
	if err := s.submit(o); err != nil {
		return s.dev.said(s, o, err)
	}
	return nil
}

// admit holds an operation back, or returns why it cannot be queued; else the driver is to
// be given it. The order is held.
func (s *stream) admit(o *operation) (held bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refusal(o); err != nil {
		return false, err
	}
	if s.mu.held || o.onHost() || !s.fits(o) {
		s.hold(o)
		return true, nil
	}
	s.mu.dirty = s.mu.dirty || o.works()
	return false, nil
}

// hold puts an operation where a worker finds it, with both locks held. The device has not
// ended.
func (s *stream) hold(o *operation) {
	s.mu.queue = append(s.mu.queue, *o)
	if !s.mu.held {
		s.mu.held = true
		s.dev.enter()
		go s.work()
	}
}

// holds puts an operation where a worker finds it, if there is one already. It returns
// false if there is none, or if the device has ended. The order is held.
func (s *stream) holds(o *operation) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mu.held || s.gone() {
		return false
	}
	s.hold(o)
	return true
}

func (s *stream) WaitFor(e *device.Event) error {
	o := operation{kind: opWait, event: e}
	if e == nil {
		return s.dev.opError(s, &o, errors.New("the event is nil"))
	}
	done, failed := e.Query()
	s.order.Lock()
	defer s.order.Unlock()
	refused := s.refused(&o)
	switch {
	case s.holds(&o): // also if it has completed, so that an error comes in order
	case s.over():
	case done && failed != nil:
		s.fail(&o, failed)
	case !done && s.join(e) != joined:
		return s.waits(&o, refused)
	}
	return refused
}

// waits makes a worker wait for an event in Go. It needs no stream of the driver's for that:
// without one it is in the device's list all the same.
func (s *stream) waits(o *operation, refused error) error {
	_ = s.recall()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.gone() {
		s.hold(o)
	}
	return refused
}

func (s *stream) Record() *device.Event {
	e := s.event()
	o := operation{kind: opRecord, event: e.event}
	s.order.Lock()
	defer s.order.Unlock()
	if !s.holds(&o) {
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
	s.order.Lock()
	defer s.order.Unlock()
	switch {
	case s.holds(&o):
	case s.over(): // a device that has failed keeps its memory until it is closed
		if err := s.dev.Err(); errors.Is(err, device.ErrClosed) {
			return err
		}
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
// do. Whoever frees a block or waits behind it all the same has it made again. If the
// stream is in use just now, or the driver refuses, it is for another time.
func (s *stream) forget() {
	if !s.order.TryLock() {
		return
	}
	defer s.order.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone() || !s.mu.closed || s.mu.held || !s.clean() {
		return
	}
	d := s.dev
	if s.handle != 0 {
		if d.call("cuStreamDestroy", func() driver.Result { return d.drv.StreamDestroy(s.handle) }) != nil {
			return
		}
		s.handle = 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.mu.open, s)
}

// recall makes the driver's stream again if it is gone, with the order held. Unless the
// device has ended the stream is in the device's list afterwards, also if there was no
// stream to be had: that keeps the driver from being given back during the call.
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
	d.mu.open[s] = struct{}{}
	d.mu.Unlock()
	var h driver.Stream
	r := d.try(func() (r driver.Result) {
		h, r = d.drv.StreamCreateWithPriority(driver.StreamNonBlocking, s.priority)
		return r
	})
	if r == driver.Success {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.handle = h
		return nil
	}
	err := newError(d.drv, "cuStreamCreateWithPriority", r)
	if r.Sticky() {
		return d.fail(err)
	}
	return fmt.Errorf("device %q: stream %q: %w", d.name, s.name, err)
}

// clean returns whether all that the driver was given is known to be done, with both locks
// held.
func (s *stream) clean() bool {
	if s.gone() {
		return false
	}
	s.reapLocked()
	if s.mu.dirty { // nothing was recorded behind the last operation
		s.mu.dirty = !s.quiet()
	}
	if s.mu.dirty || len(s.mu.flight) > 0 {
		return false
	}
	s.resolve()
	s.suspects.Store(nil)
	return true
}

// quiet asks the driver whether the stream has nothing to do, with mu held. A refusal may
// be a matter of the moment, so it asks again; but who is refused twice would never learn,
// and the device has failed.
func (s *stream) quiet() bool {
	var r driver.Result
	for range 2 {
		r = s.dev.try(func() driver.Result { return s.dev.drv.StreamQuery(s.handle) })
		if r == driver.Success || r == driver.NotReady {
			return r == driver.Success
		}
		if r.Sticky() {
			break
		}
	}
	_ = s.dev.fail(newError(s.dev.drv, "cuStreamQuery", r)) // which tells everybody
	return false
}

// busy returns whether the device still works on what it was given, or somebody is about to
// give it something. Once the device has ended and a stream is not busy, it never is again.
func (s *stream) busy() bool {
	if !s.order.TryLock() {
		return true
	}
	defer s.order.Unlock()
	return s.handle != 0 && s.dev.try(func() driver.Result { return s.dev.drv.StreamQuery(s.handle) }) == driver.NotReady
}

// failure returns what is to be told to everyone from here on, with mu held: what went
// wrong first.
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
// been told yet, with mu held. Then nothing must be freed: the event that the free was to
// wait for has completed without what is before it being over.
func (s *stream) gone() bool { return s.mu.ended != nil || s.dev.Err() != nil }

// over is gone for who does not hold mu.
func (s *stream) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone()
}

// refusal returns why an operation cannot be queued, with mu held.
func (s *stream) refusal(o *operation) error {
	if err := s.failure(); err != nil {
		return err
	}
	if s.mu.closed && o.kind != opRecord && o.kind != opWait {
		return s.dev.opError(s, o, &closedError{fmt.Sprintf("stream %q", s.name)})
	}
	return nil
}

// refused is refusal for who does not hold mu.
func (s *stream) refused(o *operation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal(o)
}

// fail makes the stream fail, unless it has, or the device has and everybody knows.
func (s *stream) fail(o *operation, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.err == nil && !s.gone() {
		s.mu.err = s.dev.opError(s, o, err)
	}
}

// soil notes that the driver is about to be given something, with the order held.
func (s *stream) soil() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.dirty = true
}

// abandon makes everything fail that is held back or in flight, and wakes whoever waits for
// it. What the device may still be using is not used again. It waits for no call.
func (s *stream) abandon(err error, closing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.ended != nil && !closing || errors.Is(s.mu.ended, device.ErrClosed) {
		return
	}
	s.mu.ended = err
	for _, m := range s.mu.flight {
		for e := m.first; e != nil; e = e.next {
			if e.err != nil { // the stream had failed before
				e.complete(e.err)
			}
			e.complete(err)
		}
	}
	err = s.failure()
	for _, o := range s.mu.queue {
		if o.kind == opRecord {
			o.event.Source().(*source).complete(err)
		}
	}
	s.mu.flight, s.mu.queue, s.mu.timed, s.mu.dirty = nil, nil, nil, false
}
