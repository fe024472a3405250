package cudatest

import "github.com/seed14ed4225/sluice/device/cuda/internal/driver"

// A fault makes a call return something else than it would.
type fault struct {
	call string
	left int
	code driver.Result
}

// Fail makes the nth call of a function from now on, the next one is 1, return the
// code, without doing anything. The function is named as the driver's header has it,
// without version: "cuEventRecord".
func (s *Sim) Fail(call string, nth, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.faults = append(s.mu.faults, &fault{call, nth, driver.Result(code)})
}

// strike counts a call, with the lock held, and returns what it is made to return.
func (s *Sim) strike(call string) driver.Result {
	s.mu.calls[call]++
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
	d := s.mu.devices[ordinal]
	if d.sticky == driver.Success && d.retained > 0 {
		d.sticky = driver.Result(code)
		close(d.broken)
	}
}
