package mem

import (
	"errors"
	"fmt"
	"strings"

	"github.com/seed14ed4225/sluice/internal/extent"
	"github.com/seed14ed4225/sluice/internal/size"
)

var (
	// ErrNoMemory matches every [*NoMemoryError]. Raise the limit, ask for less, or
	// hold less while asking.
	ErrNoMemory = errors.New("no memory")

	// ErrDiskFull matches what spilling fails with when the file system of the spill
	// directory has no room left. Nothing is lost: what was to be spilled stays where it is.
	ErrDiskFull = extent.ErrDiskFull

	// ErrClosed is returned by a resource that was closed.
	ErrClosed = errors.New("mem: resource closed")
)

// A NoMemoryError says that a request could not be met, and what limit would do. It
// matches [ErrNoMemory].
type NoMemoryError struct {
	Kind     Kind   // of which there is too little
	Need     int64  // bytes asked for
	Limit    int64  // of the kind
	Taken    int64  // of the kind, used or reserved, none of which could be spilled
	Smallest int64  // the smallest limit with which the request could have been met
	Node     string // that asked; "" outside of a network
	Spilling error  // why the latest spill failed, a [*SpillError], or nil
}

func (e *NoMemoryError) Error() string {
	if e.Need > e.Limit {
		return fmt.Sprintf("mem: %s of %v memory can never be had: the limit is %s; raise it to %s at least",
			size.Format(e.Need), e.Kind, size.Format(e.Limit), size.Format(e.Smallest))
	}
	why := "none of it can be spilled"
	if e.Spilling != nil {
		why = e.Spilling.Error()
	}
	return fmt.Sprintf("mem: no %s of %v memory to be had: %s of %s are taken, %s, "+
		"and everybody waits; a limit of %s would do",
		size.Format(e.Need), e.Kind, size.Format(e.Taken), size.Format(e.Limit), why, size.Format(e.Smallest))
}

// Unwrap returns why spilling failed, if it did.
func (e *NoMemoryError) Unwrap() error { return e.Spilling }

// Is makes the error match [ErrNoMemory].
func (e *NoMemoryError) Is(target error) bool { return target == ErrNoMemory }

// A SpillError says what could not be spilled, and why. It stayed where it was.
type SpillError struct {
	Name string // of what it was registered as, such as a channel
	To   Kind
	Err  error
}

func (e *SpillError) Error() string {
	return fmt.Sprintf("spilling %s to %v failed: %v", e.Name, e.To, e.Err)
}

func (e *SpillError) Unwrap() error { return e.Err }

// An OverdrawnError says that more was asked of a reservation than is left of it:
// whoever reserved asked for too little.
type OverdrawnError struct {
	Kind Kind
	Need int64 // bytes
	Left int64 // bytes
}

func (e *OverdrawnError) Error() string {
	return fmt.Sprintf("mem: %s of %v memory wanted from a reservation with %s left: reserve more at the start",
		size.Format(e.Need), e.Kind, size.Format(e.Left))
}

// A LeakError says what was never released, or not by the device.
type LeakError struct {
	Resource string
	Leaks    []Leak
}

// A Leak is what one owner never released.
type Leak struct {
	Node     string // that reserved it; "" for who runs in none
	Used     Amount // in buffers
	Reserved Amount // in reservations
	Queued   Amount // that it did release, but on which work of the device is still queued
	Where    string // the stack of each allocation, in builds with the tag sluicedebug
}

func (e *LeakError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "mem: %s: never released:", e.Resource)
	for i, l := range e.Leaks {
		if i > 0 {
			b.WriteString(";")
		}
		who := "outside of any node"
		if l.Node != "" {
			who = fmt.Sprintf("from node %q", l.Node)
		}
		var what []string
		if l.Used != (Amount{}) {
			what = append(what, l.Used.String()+" in buffers")
		}
		if l.Reserved != (Amount{}) {
			what = append(what, l.Reserved.String()+" reserved")
		}
		if l.Queued != (Amount{}) {
			what = append(what, l.Queued.String()+" on which work is still queued")
		}
		fmt.Fprintf(&b, " %s %s%s", strings.Join(what, " and "), who, l.Where)
	}
	return b.String()
}
