package cuda

import (
	"fmt"

	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// The driver's stream behind a stream: given back when a closed one has nothing left to do, and
// made again when somebody frees on it after all.

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
