package cuda

import (
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// What the driver is given is timed by events before and behind it, which are looked at
// when the stream is known to have come that far. What Go does is timed by Go.

// A timing is an operation that has been given to the driver, and of which nobody has
// been told yet.
type timing struct {
	activity device.Activity
	base     *base
	begin    *handle
	end      *handle   // nil if Go ended it, or it came to nothing
	until    time.Time // if Go ended it
}

const (
	lookEvery = 64      // timings of a stream: look whether some are over, lest nobody ever does
	maxTimed  = 1 << 14 // of a stream; the driver blocks before, and a simulated one need not
)

// begin records the begin of an operation, with the order held. It returns nil if nobody is
// told, and end takes that.
func (s *stream) begin(o *operation) *timing {
	d := s.dev
	if d.tracer == nil || o.kind != opLaunch && o.dst.Len() == 0 {
		return nil
	}
	if !s.timeable() {
		d.tracer.Lose()
		return nil
	}
	base := d.clock.take()
	if base == nil {
		d.tracer.Lose()
		return nil
	}
	h := s.stamp()
	if h == nil {
		d.tracer.Lose()
		d.clock.release(base)
		return nil
	}
	return &timing{activity: s.activity(o), base: base, begin: h}
}

// timeable returns whether there is room for one more timing.
func (s *stream) timeable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.mu.timed); n > 0 && n%lookEvery == 0 {
		s.resolve()
	}
	return len(s.mu.timed) < maxTimed
}

// end records the end of what was begun, with the order held, unless it came to nothing.
func (s *stream) end(t *timing, err error) {
	if t == nil {
		return
	}
	if err == nil {
		if t.end = s.stamp(); t.end == nil {
			s.dev.tracer.Lose()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.time(t)
}

// time notes a timing, with mu held, unless the device has ended: then nobody looks at it.
func (s *stream) time(t *timing) {
	if s.mu.ended == nil {
		s.mu.timed = append(s.mu.timed, t)
	}
}

// beginPart is begin for a worker, which does the operation in parts.
func (s *stream) beginPart(o *operation) *timing {
	if s.dev.tracer == nil {
		return nil
	}
	s.order.Lock()
	defer s.order.Unlock()
	if s.over() {
		return nil
	}
	return s.begin(o)
}

// ended is end for a worker. What goes to ordinary memory has ended now, in Go.
func (s *stream) ended(t *timing, err error) {
	if t == nil {
		return
	}
	now := time.Now()
	if err != nil || t.activity.To == device.InDevice {
		s.order.Lock()
		defer s.order.Unlock()
		s.end(t, err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.until = now
	s.time(t)
	s.resolve()
}

// stamp makes the device note the time when it comes to this point of the stream, with the
// order held. It returns nil if it does not.
func (s *stream) stamp() *handle {
	s.soil() // there may be a mark before it, of the operation itself
	return s.recorded(&s.dev.stamps)
}

// resolve tells of everything, in order, that the device has done, with mu held. Once the
// device has ended it may have been given back, and is not asked.
func (s *stream) resolve() {
	if s.mu.ended != nil {
		return
	}
	n := 0
	for n < len(s.mu.timed) && s.settle(s.mu.timed[n]) {
		s.mu.timed[n] = nil
		n++
	}
	if s.mu.timed = s.mu.timed[n:]; len(s.mu.timed) == 0 {
		s.mu.timed = nil
	}
}

// settle tells of an operation, or returns false if it is not over.
func (s *stream) settle(t *timing) bool {
	d := s.dev
	if t.end == nil && t.until.IsZero() {
		if !s.come(t.begin) {
			return false
		}
		t.free(d)
		return true
	}
	took, r := time.Duration(0), driver.Success
	if t.end != nil {
		took, r = d.elapsed(t.begin, t.end)
	}
	since := time.Duration(0)
	if r == driver.Success {
		since, r = d.elapsed(t.base.handle, t.begin)
	}
	switch {
	case r == driver.NotReady:
		return false
	case r.Sticky():
		_ = d.fail(newError(d.drv, "cuEventElapsedTime", r))
		return false
	case r != driver.Success:
		d.tracer.Lose() // and the events are used no more: nobody knows whether they are free
		return true
	}
	a := &t.activity
	a.Begin = t.base.at.Add(since)
	a.End = t.until
	if t.end != nil {
		a.End = a.Begin.Add(took)
	}
	s.tell(a)
	t.free(d)
	return true
}

// free gives back the events of a timing that is over.
func (t *timing) free(d *Device) {
	d.clock.release(t.base)
	d.stamps.release(t.begin)
	if t.end != nil {
		d.stamps.release(t.end)
	}
}

// tell tells of an activity, with mu held. The two clocks are not quite one, so that a
// stream could seem to do two things at once.
func (s *stream) tell(a *device.Activity) {
	if a.Begin.Before(s.mu.told) {
		a.Begin = s.mu.told
	}
	if a.End.Before(a.Begin) {
		a.End = a.Begin
	}
	s.mu.told = a.End
	s.dev.tracer.Tell(*a)
}

// activity says what an operation is, but for the time.
func (s *stream) activity(o *operation) device.Activity {
	a := device.Activity{Device: s.dev.name, Stream: s.name, Name: o.name}
	switch o.kind {
	case opCopy:
		a.Op, a.From, a.To, a.Bytes = device.OpCopy, o.src.Place(), o.dst.Place(), o.dst.Len()
	case opFill:
		a.Op, a.To, a.Bytes = device.OpFill, o.dst.Place(), o.dst.Len()
	case opDo:
		a.Op = device.OpDo
	case opLaunch:
		a.Op = device.OpKernel
	}
	return a
}

// timed does an operation in Go and tells of it.
func (s *stream) timed(o *operation, f func() error) (err error) {
	if s.dev.tracer == nil || o.kind != opDo && o.dst.Len() == 0 {
		return f()
	}
	a := s.activity(o)
	a.Begin = time.Now()
	a.Err = errGoexit
	defer func() { // also if f does not return
		a.End = time.Now()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.tell(&a)
	}()
	a.Err = f()
	return a.Err
}
