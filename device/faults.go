package device

import (
	"fmt"
	"sync"
	"time"
)

// Faults make a host device misbehave, for tests of what is built on it. Give them to
// [NewHost] and say at any time what shall go wrong. Operations are counted from the
// moment a fault is asked for, the next one is 1, over all streams of the device, in the
// order in which they come to be done. A fault happens once. Methods are safe for
// concurrent use and return at once.
type Faults struct {
	mu struct {
		sync.Mutex
		rules []*rule
		slow  [opRecord]time.Duration
	}
}

// A rule says what happens to one operation.
type rule struct {
	op    Op
	left  int // operations to go
	cause error
	final bool
	hang  *Hang
}

// Fail makes the nth operation of a kind fail with err, and its stream with it. An
// allocation that is to fail with [ErrOutOfMemory] fails with the
// *[OutOfMemoryError] of a full device.
func (f *Faults) Fail(op Op, nth int, err error) { f.add(&rule{op: op, left: nth, cause: err}) }

// Break makes the device fail for good when it comes to the nth operation of a kind.
func (f *Faults) Break(op Op, nth int, cause error) {
	f.add(&rule{op: op, left: nth, cause: cause, final: true})
}

// Hang makes the nth operation of a kind hang until it is released, or the device has
// failed for good or is closed. An allocation hangs in its caller, everything
// else in the stream.
func (f *Faults) Hang(op Op, nth int) *Hang {
	h := &Hang{reached: make(chan struct{}), released: make(chan struct{})}
	f.add(&rule{op: op, left: nth, hang: h})
	return h
}

// Slow makes every operation of a kind take longer by d. Zero ends that.
func (f *Faults) Slow(op Op, d time.Duration) {
	if op >= opRecord {
		panic(fmt.Sprintf("device: no operation of kind %d", op))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.slow[op] = d
}

// A Hang is an operation that hangs.
type Hang struct {
	reached, released chan struct{}
	once              sync.Once
}

// Reached returns a Go channel that is closed when the operation has begun to hang.
func (h *Hang) Reached() <-chan struct{} { return h.reached }

// Release lets the operation go on. Once is enough; before it hangs is fine.
func (h *Hang) Release() { h.once.Do(func() { close(h.released) }) }

func (f *Faults) add(r *rule) {
	if r.op >= opRecord || r.left < 1 {
		panic(fmt.Sprintf("device: a fault for operation %d of kind %d: operations count from 1", r.left, r.op))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.rules = append(f.mu.rules, r)
}

// strike does to an operation what was asked for, and returns the error it fails with.
// The stream is nil for an operation of none.
func (f *Faults) strike(d *Host, s *hostStream, o *operation) error {
	if f == nil {
		return nil
	}
	due, slow := f.due(o.kind)
	if slow > 0 {
		timer := time.NewTimer(slow)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-d.ended:
			return d.Err()
		}
	}
	for _, r := range due {
		switch {
		case r.hang != nil:
			close(r.hang.reached)
			select {
			case <-r.hang.released:
			case <-d.ended:
				return d.Err()
			}
		case r.final:
			d.Fail(d.opError(s, o, r.cause))
			return d.Err()
		default:
			return r.cause
		}
	}
	return nil
}

// due counts an operation, and returns the rules whose turn it is.
func (f *Faults) due(op Op) (due []*rule, slow time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := f.mu.rules[:0]
	for _, r := range f.mu.rules {
		if r.op == op {
			r.left--
		}
		if r.left == 0 {
			due = append(due, r)
		} else {
			kept = append(kept, r)
		}
	}
	clear(f.mu.rules[len(kept):])
	f.mu.rules = kept
	return due, f.mu.slow[op]
}
