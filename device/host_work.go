package device

import (
	"errors"
	"time"
)

// work does what is in the queue, until there is nothing left or the stream is
// suspended.
func (s *hostStream) work() {
	whole := false
	defer func() {
		if !whole { // a function left by runtime.Goexit, and took this goroutine along
			go s.work()
		}
	}()
	for s.next() {
	}
	whole = true
	s.dev.leave()
}

// next does the next operation, and returns whether to go on.
func (s *hostStream) next() bool {
	s.mu.Lock()
	o, some := s.mu.queue.pop()
	if !some {
		s.mu.busy = false
		if s.mu.closed {
			s.dev.forget(s)
		}
		s.mu.Unlock()
		return false
	}
	err := s.failure()
	s.mu.Unlock()
	switch o.kind {
	case opRecord:
		o.event.Complete(err)
	case opWait:
		// A stream that has failed need not wait before it frees, because memory is
		// kept until its last user is done.
		return err != nil || s.wait(&o)
	case OpFree:
		fault := s.dev.faults.strike(s.dev, s, &o)
		s.mu.Lock()
		s.free(&o)
		if fault != nil {
			s.failLocked(&o, fault)
		}
		s.mu.Unlock()
	default:
		defer o.release()
		if err == nil {
			s.do(&o)
		}
	}
	return true
}

// do does an operation that can fail.
func (s *hostStream) do(o *operation) {
	err := errors.New("it called runtime.Goexit")
	var begin time.Time
	if s.dev.tracer != nil {
		begin = time.Now()
	}
	defer func() {
		if s.dev.tracer != nil {
			s.tell(o, begin, err)
		}
		if err != nil {
			s.fail(o, err)
		}
	}()
	if fault := s.dev.faults.strike(s.dev, s, o); fault != nil {
		err = fault
		return
	}
	switch o.kind {
	case OpCopy:
		s.dev.copier.copy(o.dst.bytes(), o.src.bytes(), s.priority)
		err = nil
	case OpFill:
		s.dev.copier.fill(o.dst.bytes(), o.value, s.priority)
		err = nil
	case OpDo:
		err = call(o.f)
	}
}

// tell tells of an operation that is over.
func (s *hostStream) tell(o *operation, begin time.Time, err error) {
	a := Activity{Device: s.dev.name, Stream: s.name, Op: o.kind, Name: o.name, Begin: begin, End: time.Now(), Err: err}
	switch o.kind {
	case OpCopy:
		a.From, a.To, a.Bytes = o.src.Place(), o.dst.Place(), o.dst.Len()
	case OpFill:
		a.To, a.Bytes = o.dst.Place(), o.dst.Len()
	}
	if a.Bytes > 0 || o.kind == OpDo {
		s.dev.tracer.Tell(a)
	}
}

// fail makes the stream fail, unless it has, or the device has and everybody knows.
func (s *hostStream) fail(o *operation, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failLocked(o, err)
}

func (s *hostStream) failLocked(o *operation, err error) {
	if s.mu.err == nil && s.mu.ended == nil {
		s.mu.err = s.dev.opError(s, o, err)
	}
}

// wait returns true if the event has completed. Otherwise it puts the operation back
// to where it was, suspends the stream, and returns false.
func (s *hostStream) wait(o *operation) bool {
	done, err := o.event.Query()
	if !done {
		s.mu.Lock()
		if s.mu.ended != nil { // since the operation was taken out
			s.mu.Unlock()
			return true
		}
		s.mu.queue.unpop(o)
		s.mu.suspended = true
		s.mu.Unlock()
		if !o.event.then(s.resume) {
			s.resume()
		}
		return false
	}
	if err != nil {
		s.fail(o, err)
	}
	return true
}

// resume goes on after a suspension. If the device has ended, abandon did already: then
// the event comes too late, and the stream is never suspended again.
func (s *hostStream) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.suspended {
		s.mu.suspended = false
		s.dev.enter()
		go s.work()
	}
}

// free gives a block back, with the stream locked. If another stream uses it, and this
// one has not waited for that, the last user does.
func (s *hostStream) free(o *operation) {
	inUse := o.block.Native().(*hostBlock).release()
	if inUse && debugging { // and if the stream or the device has failed, that is why
		s.failLocked(o, ErrInUse)
	}
}

// abandon makes everything fail that is queued, and wakes whoever waits for it. Frees
// are still done if the device is only broken; if it is closed all memory goes.
func (s *hostStream) abandon(err error, closing bool) {
	s.mu.Lock()
	if errors.Is(s.mu.ended, ErrClosed) {
		s.mu.Unlock()
		return
	}
	s.mu.ended = err
	err = s.failure()
	suspended := s.mu.suspended
	s.mu.suspended = false
	var events []*Event
	for o := range s.mu.queue.all() {
		if o.kind == opRecord {
			events = append(events, o.event)
		}
		if closing {
			o.release()
		}
	}
	switch {
	case closing:
		s.mu.queue = operations{}
	case suspended:
		s.dev.enter()
		go s.work()
	}
	s.mu.Unlock()
	for _, e := range events { // without the lock: other streams that wait go on
		e.Complete(err)
	}
}
