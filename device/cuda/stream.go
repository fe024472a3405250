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
