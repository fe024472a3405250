package device

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// A hostStream is a queue and, while there is something in it, a goroutine that works
// it off (host_work.go). A wait for an event that has not completed takes no goroutine: the
// stream is suspended, and whatever completes the event starts a new one.
//
// The lock is held to put an operation in or take it out, never while it is done.
// Whether an operation is skipped is decided when it is taken out: so a failure of the
// device reaches everything that is not in progress at once.
type hostStream struct {
	dev      *Host
	name     string
	priority Priority

	mu struct {
		sync.Mutex
		queue     operations
		busy      bool  // a goroutine works the queue off, or the stream is suspended
		suspended bool  // until the event of the first operation has completed
		err       error // what it failed with
		ended     error // the device has failed or is closed
		closed    bool
	}
}

func (s *hostStream) Name() string   { return s.name }
func (s *hostStream) Device() Device { return s.dev }

func (s *hostStream) Alloc(n int64) (*Block, error) {
	s.mu.Lock()
	err := s.refusal(&operation{kind: OpAlloc, n: n, place: InDevice})
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return s.dev.alloc(&s.dev.device, n, s)
}

func (s *hostStream) Copy(dst, src Span) error {
	o := operation{kind: OpCopy, dst: dst, src: src}
	if err := CheckCopy(s.dev, dst, src); err != nil {
		return s.dev.opError(s, &o, err)
	}
	return s.queue(&o)
}

func (s *hostStream) Fill(dst Span, value byte) error {
	o := operation{kind: OpFill, dst: dst, value: value}
	if err := CheckFill(s.dev, dst); err != nil {
		return s.dev.opError(s, &o, err)
	}
	return s.queue(&o)
}

func (s *hostStream) Do(name string, f func() error) error {
	o := operation{kind: OpDo, name: name, f: f}
	if f == nil {
		return s.dev.opError(s, &o, errors.New("the function is nil"))
	}
	return s.queue(&o)
}

func (s *hostStream) WaitFor(e *Event) error {
	if e == nil {
		return s.dev.opError(s, &operation{kind: opWait}, errors.New("the event is nil"))
	}
	return s.queue(&operation{kind: opWait, event: e})
}

func (s *hostStream) Record() *Event {
	e := NewEvent(s.name, nil)
	o := operation{kind: opRecord, event: e}
	if err := s.queue(&o); err != nil {
		e.Complete(err)
	}
	return e
}

func (s *hostStream) Sync(ctx context.Context) error { return s.Record().Wait(ctx) }

func (s *hostStream) Free(b *Block) error {
	o := operation{kind: OpFree, block: b}
	if b == nil {
		return s.dev.opError(s, &o, errors.New("the block is nil"))
	}
	o.n, o.place = b.Size(), b.Place()
	if err := s.dev.Err(); errors.Is(err, ErrClosed) {
		return err
	}
	if err := b.Retire(s.dev); err != nil {
		return s.dev.opError(s, &o, err)
	}
	s.dev.ledger.leave(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(s.mu.ended, ErrClosed):
		return s.mu.ended
	case s.mu.busy || s.dev.faults != nil && !s.mu.closed: // a fault may want to hold it up
		s.push(&o)
		return nil
	case s.mu.closed:
		return s.dev.releaseNow(b.Native().(*hostBlock))
	}
	s.free(&o)
	return nil
}

func (s *hostStream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure()
}

func (s *hostStream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.closed = true
	if !s.mu.busy {
		s.dev.forget(s)
	}
	return nil
}

// failure returns what is to be told to everyone from here on: what went wrong first.
func (s *hostStream) failure() error {
	if s.mu.err != nil {
		return s.mu.err
	}
	return s.mu.ended
}

// refusal returns why an operation cannot be queued.
func (s *hostStream) refusal(o *operation) error {
	if err := s.failure(); err != nil {
		return err
	}
	if !s.mu.closed {
		return nil
	}
	if o.kind == opRecord || o.kind == opWait {
		return s.dev.Err() // which does not tell a stream that it has forgotten
	}
	return s.dev.opError(s, o, &closedError{fmt.Sprintf("stream %q", s.name)})
}

// queue puts an operation into the queue, unless it is done already.
func (s *hostStream) queue(o *operation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refusal(o); err != nil {
		return err
	}
	if !s.mu.busy && s.done(o) {
		return nil
	}
	if s.mu.closed && !s.mu.busy {
		if err := s.dev.recall(s); err != nil {
			return err
		}
	}
	o.retain()
	s.push(o)
	return nil
}

// done returns whether there is nothing to do, given that the stream is idle. It saves
// starting a goroutine for that.
func (s *hostStream) done(o *operation) bool {
	switch o.kind {
	case opRecord:
		o.event.Complete(nil) // nobody else knows it yet
		return true
	case opWait:
		done, err := o.event.look()
		return done && err == nil
	}
	return false
}

func (s *hostStream) push(o *operation) {
	s.mu.queue.push(o)
	if !s.mu.busy {
		s.mu.busy = true
		s.dev.enter()
		go s.work()
	}
}
