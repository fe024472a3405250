package cudatest

import (
	"sync"

	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// A fault makes a call return something else than it would.
type fault struct {
	call string
	left int
	code driver.Result
}

// Fail makes the nth call of a function from now on, the next one is 1, return the
// code, without doing anything. The function is named as the driver's header has it,
// without version: "cuEventRecord". A code that says that the context is lost, such as 700,
// makes that true, as [Sim.Break] does, if the call is one that works on a context.
func (s *Sim) Fail(call string, nth, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.faults = append(s.mu.faults, &fault{call, nth, driver.Result(code)})
}

// Lift forgets what Fail was asked for and has not happened yet.
func (s *Sim) Lift() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.faults = nil
}

// A Hang is a call or an operation that stands still.
type Hang struct {
	call              string
	left              int
	reached, released chan struct{}
	once              sync.Once
}

// Reached returns a Go channel that is closed when it has begun to stand still.
func (h *Hang) Reached() <-chan struct{} { return h.reached }

// Release lets it go on. Once is enough; before it hangs is fine.
func (h *Hang) Release() { h.once.Do(func() { close(h.released) }) }

// HangCall makes the nth call of a function from now on stand still, with its caller, until it
// is released. Others go on. It is a way to delay a call, and to learn when it comes.
func (s *Sim) HangCall(call string, nth int) *Hang {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := newHang(call, nth)
	s.mu.hangs = append(s.mu.hangs, h)
	return h
}

// HangWork makes what the nth call of a function from now on queues, a copy or a fill, stand
// still when its stream comes to it, until it is released or the context is lost.
func (s *Sim) HangWork(call string, nth int) *Hang {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := newHang(call, nth)
	s.mu.hangsWork = append(s.mu.hangsWork, h)
	return h
}

func newHang(call string, nth int) *Hang {
	return &Hang{call: call, left: nth, reached: make(chan struct{}), released: make(chan struct{})}
}

// due counts a call, and returns which hang is its, if any, and which are left.
func due(hangs []*Hang, call string) (now *Hang, left []*Hang) {
	for _, h := range hangs {
		if h.call == call {
			h.left--
		}
		if h.left == 0 {
			now = h
		} else {
			left = append(left, h)
		}
	}
	return now, left
}

// work returns what is queued for an operation, with the lock held: it hangs if it is to.
func (s *Sim) work(call string, d *simDevice, f func() error) func() error {
	var h *Hang
	if h, s.mu.hangsWork = due(s.mu.hangsWork, call); h == nil {
		return f
	}
	broken := d.broken
	return func() error {
		close(h.reached)
		select {
		case <-h.released:
			return f()
		case <-broken:
			return nil
		}
	}
}

// strike counts a call, with the lock held, and returns what it is made to return. Where the
// call hangs it does so without the lock, so nothing may have been looked at before.
func (s *Sim) strike(call string) driver.Result {
	s.mu.calls[call]++
	var h *Hang
	if h, s.mu.hangs = due(s.mu.hangs, call); h != nil {
		s.mu.Unlock()
		close(h.reached)
		<-h.released
		s.mu.Lock()
	}
	r := driver.Success
	kept := s.mu.faults[:0]
	for _, f := range s.mu.faults {
		if f.call == call {
			f.left--
		}
		if f.left == 0 {
			r = f.code
		} else {
			kept = append(kept, f)
		}
	}
	s.mu.faults = kept
	return r
}

// Calls returns how often a function was called.
func (s *Sim) Calls(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.calls[call]
}

// Stall makes all streams stand still before their next operation, until resume is called.
func (s *Sim) Stall() (resume func()) {
	c := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.stalled = c
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.mu.stalled == c {
			s.mu.stalled = nil
			close(c)
		}
	}
}

// Break makes the context of a device be lost, as a kernel that faults does: nothing is
// done any more, and every call reports the code, such as 700 for an illegal address,
// until the context has been given up.
func (s *Sim) Break(ordinal, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.devices[ordinal].lose(driver.Result(code))
}

// lose makes the context be lost, with the lock held.
func (d *simDevice) lose(r driver.Result) {
	if d.sticky == driver.Success && d.retained > 0 {
		d.sticky = r
		close(d.broken)
	}
}
