package cuda

import (
	"errors"
	"fmt"

	"github.com/seed14ed4225/sluice/device"
)

// How a stream ends: with an operation that failed, or with its device.

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
