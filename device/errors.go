package device

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrOutOfMemory matches every *[OutOfMemoryError]. Free something, or take
	// less, and try again.
	ErrOutOfMemory = errors.New("out of memory")

	// ErrClosed is returned by what was closed, and by events that were waiting when
	// their device was.
	ErrClosed = errors.New("closed")

	// ErrFreed is returned for a block that was freed before. Somebody owns it
	// twice, or not long enough; the build tag sluicedebug says where it was
	// allocated and freed.
	ErrFreed = errors.New("block was freed")

	// ErrOutOfBounds is returned for a span that does not lie in its block.
	ErrOutOfBounds = errors.New("out of bounds")

	// ErrLength is returned for a copy between spans that differ in length.
	ErrLength = errors.New("lengths differ")

	// ErrOverlap is returned for a copy from a span to one that overlaps it.
	ErrOverlap = errors.New("source and destination overlap")

	// ErrForeign is returned for a block of another device.
	ErrForeign = errors.New("block is of device")

	// ErrInUse is what a stream fails with, in builds with the tag sluicedebug, when it
	// comes to free a block that an operation of another stream still uses: the
	// free has to wait for an event of that stream.
	ErrInUse = errors.New("block is still used by another stream")
)

// An OpError says what went wrong with which operation, and where.
type OpError struct {
	Device string
	Stream string // "" if it was not one of a stream
	Op     string // such as "copy of 4096 bytes from host to device"
	Err    error
}

func (e *OpError) Error() string {
	if e.Stream == "" {
		return fmt.Sprintf("device %q: %s: %v", e.Device, e.Op, e.Err)
	}
	return fmt.Sprintf("device %q: stream %q: %s: %v", e.Device, e.Stream, e.Op, e.Err)
}

func (e *OpError) Unwrap() error { return e.Err }

// An OutOfMemoryError says how much memory was asked for in vain. It matches
// [ErrOutOfMemory].
type OutOfMemoryError struct {
	Place Place
	Asked int64 // bytes
	Free  int64 // at that moment, not necessarily in one piece
	Total int64

	// Others is what others than this device have of it, such as other processes; 0
	// where that is not known.
	Others int64
}

func (e *OutOfMemoryError) Error() string {
	says := fmt.Sprintf("out of %s memory: asked for %d bytes, %d of %d are free", e.Place, e.Asked, e.Free, e.Total)
	if e.Others > 0 {
		says += fmt.Sprintf(", others use %d", e.Others)
	}
	return says
}

// Is makes the error match [ErrOutOfMemory].
func (e *OutOfMemoryError) Is(target error) bool { return target == ErrOutOfMemory }

// A FailedError says that a device has failed for good: no operation succeeds any
// more, and what its memory holds is lost. Close the device; the rest of the process
// may go on with the host device. Whether it can with a GPU its package says.
type FailedError struct {
	Device string
	Cause  error
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("device %q has failed for good: %v", e.Device, e.Cause)
}

func (e *FailedError) Unwrap() error { return e.Cause }

// A LeakError says what was never freed when a device was closed.
type LeakError struct {
	Device string
	Blocks int
	Bytes  int64
	Where  []string // each was allocated, in builds with the tag sluicedebug
}

func (e *LeakError) Error() string {
	var b strings.Builder
	if e.Blocks == 1 {
		fmt.Fprintf(&b, "device %q was closed before a block of %d bytes was freed", e.Device, e.Bytes)
	} else {
		fmt.Fprintf(&b, "device %q was closed before %d blocks of %d bytes together were freed", e.Device, e.Blocks, e.Bytes)
	}
	for _, where := range e.Where {
		b.WriteString("\nallocated at\n")
		b.WriteString(where)
	}
	return b.String()
}

// A PanicError is a panic in a function that a stream called.
type PanicError struct {
	Value any    // what it panicked with
	Stack []byte // where, as debug.Stack prints it
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v\n\n%s", e.Value, e.Stack) }

// Unwrap returns the value if the function panicked with an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// closedError says which device or stream is closed.
type closedError struct{ what string }

func (e *closedError) Error() string { return e.what + " is closed" }

func (e *closedError) Is(target error) bool { return target == ErrClosed }
