package cudatest

import (
	"fmt"
	"time"

	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// A simStream is a queue, with a goroutine while something is in it.
type simStream struct {
	sim       *Sim
	dev       *simDevice
	queue     []func() error // each returns what is wrong with it
	busy      bool
	destroyed bool
}

// A simEvent is an event of the driver: the place of its latest record.
type simEvent struct {
	dev      *simDevice
	timing   bool
	recorded chan struct{} // closed when the stream has come to it; nil if never recorded
	at       *time.Time    // when it came; may be read once that is closed
}

// stream returns what a handle stands for, if it may be used in the current context.
func (s *Sim) stream(call string, d *simDevice, h driver.Stream) (*simStream, driver.Result) {
	st := s.mu.streams[h]
	switch {
	case st == nil:
		return nil, s.violate(driver.InvalidHandle, "%s: there is no stream %#x", call, h)
	case st.destroyed:
		return nil, s.violate(driver.InvalidHandle, "%s: stream %#x was destroyed", call, h)
	case st.dev != d:
		return nil, s.violate(driver.InvalidContext, "%s: stream %#x is of another context than the current", call, h)
	}
	return st, driver.Success
}

func (s *Sim) event(call string, h driver.Event) (*simEvent, driver.Result) {
	e := s.mu.events[h]
	if e == nil {
		return nil, s.violate(driver.InvalidHandle, "%s: there is no event %#x, or it was destroyed", call, h)
	}
	return e, driver.Success
}

// push queues an operation, with the lock of the driver held.
func (st *simStream) push(f func() error) {
	st.queue = append(st.queue, f)
	if !st.busy {
		st.busy = true
		go st.run(st.dev.broken)
	}
}

// run does what is queued, until nothing is or the context is lost.
func (st *simStream) run(broken chan struct{}) {
	s := st.sim
	for {
		s.mu.Lock()
		stalled := s.mu.stalled
		select {
		case <-broken:
			st.queue = nil
		default:
		}
		if len(st.queue) == 0 {
			st.busy = false
			s.mu.Unlock()
			return
		}
		if stalled != nil {
			s.mu.Unlock()
			select {
			case <-stalled:
			case <-broken:
			}
			continue
		}
		f := st.queue[0]
		st.queue = st.queue[1:]
		s.mu.Unlock()
		if s.opts.Slow > 0 {
			time.Sleep(s.opts.Slow)
		}
		if err := f(); err != nil {
			s.object(err, broken)
		}
	}
}

// object notes what was wrong with an operation, unless the context was lost under it: then
// what it worked with may have gone.
func (s *Sim) object(err error, broken chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !closed(broken) {
		s.mu.violations = append(s.mu.violations, err)
	}
}

// CtxGetStreamPriorityRange is of the driver.
func (s *Sim) CtxGetStreamPriorityRange() (least, greatest int, r driver.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, r = s.enter("cuCtxGetStreamPriorityRange")
	return 0, -5, r
}

// StreamCreateWithPriority is of the driver.
func (s *Sim) StreamCreateWithPriority(flags uint32, priority int) (driver.Stream, driver.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuStreamCreateWithPriority"
	d, r := s.enter(call)
	if r != driver.Success {
		return 0, r
	}
	if flags != driver.StreamNonBlocking || priority > 0 || priority < -5 {
		return 0, s.violate(driver.InvalidValue, "%s: flags %d, priority %d", call, flags, priority)
	}
	h := driver.Stream(s.handle())
	s.mu.streams[h] = &simStream{sim: s, dev: d}
	return h, driver.Success
}

// StreamDestroy is of the driver. What is queued is still done.
func (s *Sim) StreamDestroy(h driver.Stream) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuStreamDestroy"
	d, r := s.enter(call)
	if d == nil {
		return r
	}
	if st := s.mu.streams[h]; st != nil && r != driver.Success { // nobody can tell what became of a try before
		st.destroyed = true
		return r
	}
	st, bad := s.stream(call, d, h)
	if bad != driver.Success {
		return bad
	}
	st.destroyed = true
	return r
}

// StreamQuery is of the driver.
func (s *Sim) StreamQuery(h driver.Stream) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuStreamQuery"
	d, r := s.enter(call)
	if r != driver.Success {
		return r
	}
	st, r := s.stream(call, d, h)
	if r == driver.Success && st.busy {
		return driver.NotReady
	}
	return r
}

// StreamWaitEvent is of the driver.
func (s *Sim) StreamWaitEvent(h driver.Stream, eh driver.Event, flags uint32) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuStreamWaitEvent"
	d, r := s.enter(call)
	if r != driver.Success {
		return r
	}
	st, r := s.stream(call, d, h)
	if r != driver.Success {
		return r
	}
	e, r := s.event(call, eh)
	if r != driver.Success {
		return r
	}
	if flags != 0 {
		return s.violate(driver.InvalidValue, "%s: flags %d", call, flags)
	}
	recorded, broken := e.recorded, d.broken
	if recorded == nil {
		return s.violate(driver.Success, "%s: event %#x was never recorded, so nothing waits", call, eh)
	}
	st.push(func() error {
		select {
		case <-recorded:
		case <-broken:
		}
		return nil
	})
	return driver.Success
}

// EventCreate is of the driver.
func (s *Sim) EventCreate(flags uint32) (driver.Event, driver.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuEventCreate"
	d, r := s.enter(call)
	if r != driver.Success {
		return 0, r
	}
	if flags != driver.EventDefault && flags != driver.EventDisableTiming {
		return 0, s.violate(driver.InvalidValue, "%s: flags %d", call, flags)
	}
	h := driver.Event(s.handle())
	s.mu.events[h] = &simEvent{dev: d, timing: flags == driver.EventDefault}
	return h, driver.Success
}

// EventDestroy is of the driver.
func (s *Sim) EventDestroy(h driver.Event) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuEventDestroy"
	d, r := s.enter(call)
	if d == nil {
		return r
	}
	if _, bad := s.event(call, h); bad != driver.Success {
		return bad
	}
	delete(s.mu.events, h)
	return r
}

// EventRecord is of the driver. To record an event again before its stream has come to it
// is allowed there, and a mistake here: somebody would wait for the wrong thing.
func (s *Sim) EventRecord(h driver.Event, sh driver.Stream) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuEventRecord"
	d, r := s.enter(call)
	if r != driver.Success {
		return r
	}
	st, r := s.stream(call, d, sh)
	if r != driver.Success {
		return r
	}
	e, r := s.event(call, h)
	if r != driver.Success {
		return r
	}
	if e.dev != d {
		return s.violate(driver.InvalidHandle, "%s: event %#x and stream %#x are of different contexts", call, h, sh)
	}
	if e.recorded != nil && !closed(e.recorded) {
		s.mu.violations = append(s.mu.violations, fmt.Errorf("%s: event %#x is recorded again while it is pending", call, h))
	}
	recorded := make(chan struct{})
	at := new(time.Time) // its own: a wrong second record must not be a race
	e.recorded, e.at = recorded, at
	st.push(func() error {
		*at = time.Now()
		close(recorded)
		return nil
	})
	return driver.Success
}

// EventQuery is of the driver.
func (s *Sim) EventQuery(h driver.Event) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuEventQuery"
	if _, r := s.enter(call); r != driver.Success {
		return r
	}
	e, r := s.event(call, h)
	if r == driver.Success && e.recorded != nil && !closed(e.recorded) {
		return driver.NotReady
	}
	return r
}

// EventElapsedTime is of the driver.
func (s *Sim) EventElapsedTime(from, to driver.Event) (float32, driver.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuEventElapsedTime"
	d, r := s.enter(call)
	if r != driver.Success {
		return 0, r
	}
	var at [2]time.Time
	ready := true
	for i, h := range []driver.Event{from, to} {
		e, r := s.event(call, h)
		switch {
		case r != driver.Success:
			return 0, r
		case e.dev != d:
			return 0, s.violate(driver.InvalidHandle, "%s: event %#x is of another context than the current", call, h)
		case !e.timing:
			return 0, s.violate(driver.InvalidHandle, "%s: event %#x was made without the time", call, h)
		case e.recorded == nil:
			return 0, s.violate(driver.InvalidHandle, "%s: event %#x was never recorded", call, h)
		case !closed(e.recorded):
			ready = false
		default:
			at[i] = *e.at
		}
	}
	if !ready {
		return 0, driver.NotReady
	}
	between := at[1].Sub(at[0])
	if between < 0 { // what it gives then its documentation does not say
		s.mu.violations = append(s.mu.violations, fmt.Errorf("%s: event %#x is %v before %#x", call, to, -between, from))
	}
	return float32(between.Seconds() * 1000), driver.Success
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
