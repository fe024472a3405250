package device

import (
	"fmt"
	"iter"
	"runtime/debug"
)

// Op is a kind of operation: one that a test can make fail, see [Faults], or of which a
// [Trace] is told.
type Op uint8

// The operations of a stream. Recording an event and waiting for one cannot fail.
const (
	OpAlloc Op = iota // of device or pinned memory; happens in the call
	OpFree            // memory is freed even if the operation fails
	OpCopy
	OpFill
	OpDo
	opRecord
	opWait
	OpKernel // a kernel is launched: what runs on this device are functions
	OpNone   // nothing was done, see [Activity]
)

// String gives the operation as reports name it.
func (o Op) String() string {
	switch o {
	case OpAlloc:
		return "allocation"
	case OpFree:
		return "free"
	case OpCopy:
		return "copy"
	case OpFill:
		return "fill"
	case OpDo:
		return "function"
	case OpKernel:
		return "kernel"
	case OpNone:
		return "nothing"
	}
	return fmt.Sprintf("device.Op(%d)", uint8(o))
}

// operation is an operation of a stream, queued or about to be.
type operation struct {
	kind  Op
	value byte         // to fill with
	place Place        // of memory to allocate or free
	n     int64        // bytes to allocate or free
	dst   Span         // to copy to or fill
	src   Span         // to copy from
	name  string       // of a function
	f     func() error // to call
	event *Event       // to complete or wait for
	block *Block       // to free
}

// String says what the operation is. It is only called when something went wrong.
func (o *operation) String() string {
	switch o.kind {
	case OpAlloc:
		return fmt.Sprintf("allocation of %d bytes of %v memory", o.n, o.place)
	case OpFree:
		return fmt.Sprintf("free of %d bytes of %v memory", o.n, o.place)
	case OpCopy:
		return fmt.Sprintf("copy of %d bytes from %v to %v", o.dst.n, o.src.Place(), o.dst.Place())
	case OpFill:
		return fmt.Sprintf("fill of %d bytes in %v", o.dst.n, o.dst.Place())
	case OpDo:
		return fmt.Sprintf("function %q", o.name)
	case opWait:
		if o.event != nil {
			return fmt.Sprintf("wait for stream %q", o.event.Name())
		}
		return "wait for an event"
	}
	return "record of an event"
}

// retain keeps the memory that the operation uses from being reused until release. The
// free of a block waits for those before it on its own stream, so only what other
// streams use too early or too late is held up, and no mistake of order can make one
// operation write where another allocation lies.
func (o *operation) retain() {
	for _, s := range [...]*Span{&o.dst, &o.src} {
		if s.block != nil {
			s.block.Native().(*hostBlock).refs.Add(1)
		}
	}
}

func (o *operation) release() {
	for _, s := range [...]*Span{&o.dst, &o.src} {
		if s.block != nil {
			s.block.Native().(*hostBlock).release()
		}
	}
}

// bytes returns the memory behind a span of a host device.
func (s *Span) bytes() []byte {
	if s.block == nil {
		return s.host
	}
	return s.block.Native().(*hostBlock).mem[s.off : s.off+s.n]
}

// call calls f and makes an error of a panic.
func call(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}

// operations is a queue in a ring. The zero value is empty.
type operations struct {
	ring []operation // its length is a power of two
	head int
	n    int
}

func (q *operations) at(i int) *operation { return &q.ring[(q.head+i)&(len(q.ring)-1)] }

// grow makes room for one more.
func (q *operations) grow() {
	if q.n < len(q.ring) {
		return
	}
	ring := make([]operation, max(8, 2*len(q.ring)))
	for i := range q.n {
		ring[i] = *q.at(i)
	}
	q.ring, q.head = ring, 0
}

// push puts an operation to the end.
func (q *operations) push(o *operation) {
	q.grow()
	q.n++
	*q.at(q.n - 1) = *o
}

// unpop puts an operation to the front.
func (q *operations) unpop(o *operation) {
	q.grow()
	q.head = (q.head - 1) & (len(q.ring) - 1)
	q.n++
	*q.at(0) = *o
}

// pop takes the first operation out, if there is one.
func (q *operations) pop() (o operation, some bool) {
	const keep = 64 // a queue that was long for once gives its memory back
	if q.n == 0 {
		if len(q.ring) > keep {
			*q = operations{}
		}
		return o, false
	}
	first := q.at(0)
	o, *first = *first, operation{} // so that nothing stays reachable
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
	return o, true
}

// all gives the operations in order, in place.
func (q *operations) all() iter.Seq[*operation] {
	return func(yield func(*operation) bool) {
		for i := range q.n {
			if !yield(q.at(i)) {
				return
			}
		}
	}
}
