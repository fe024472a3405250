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

// A NoMemoryError says that a request could not be met, and what it lacked. It
// matches [ErrNoMemory].
type NoMemoryError struct {
	Kind  Kind  // of which there is too little
	Need  int64 // bytes asked for
	Limit int64 // of the kind
	Taken int64 // of the kind, used or reserved, none of which could be spilled

	// Smallest is the limit with which this request would have been met, as things
	// stood. What follows may need more, above all where state grows.
	Smallest int64

	Node     string // that asked; "" outside of a network
	Spilling error  // why the latest spill failed, a [*SpillError], or nil

	// DiskLimit and DiskLeft are how much disk there was to spill to in all, and how much
	// of it nobody had taken.
	DiskLimit, DiskLeft int64

	// Stranded is how many bytes of the kind could have been spilled, had there been a slower kind with
	// room for them. It is 0 for a request that is larger than its limit.
	Stranded int64

	// DiskDir is the folder to spill to, if nobody set a limit for disk and DiskLimit is most
	// of what was free there, so that only another folder has more; "" otherwise.
	DiskDir string
}

func (e *NoMemoryError) Error() string {
	of := fmt.Sprintf("%v memory", e.Kind)
	if e.Kind == Disk {
		of = "disk"
	}
	limit := size.Readable(e.Limit)
	if e.Need > e.Limit {
		need := size.Rounded(e.Need)
		if need == limit || need == size.Rounded(e.Limit) { // it would look as if there were enough
			need = limit + " and " + size.Rounded(e.Need-e.Limit)
		}
		return fmt.Sprintf("mem: %s of %s can never be had: the limit is %s", need, of, limit)
	}
	why := "none of it can be spilled"
	switch {
	case e.Stranded > 0 && e.DiskLimit == 0:
		why = fmt.Sprintf("%s of it could be spilled, if there were a disk to spill to", size.Rounded(e.Stranded))
	case e.Spilling != nil:
		why = e.Spilling.Error()
	case e.DiskUsedUp() && e.DiskDir != "":
		why = fmt.Sprintf("the disk of %q, to spill to, is full: its %s that were free, but for a reserve, are used up", e.DiskDir, size.Readable(e.DiskLimit))
	case e.DiskUsedUp():
		why = fmt.Sprintf("the %s of disk to spill to are used up", size.Readable(e.DiskLimit))
	case e.Stranded > 0:
		why = fmt.Sprintf("the disk has no room for the %s of it that could be spilled", size.Rounded(e.Stranded))
	}
	return fmt.Sprintf("mem: no %s of %s to be had: %s of %s are taken, %s, and everybody waits; this step lacked %s",
		size.Rounded(e.Need), of, size.Rounded(e.Taken), limit, why, size.Rounded(e.Smallest-e.Limit))
}

// DiskUsedUp reports whether spilling came to an end because the limit for disk has: a
// request that could not be met has left less of it than is spilled at a time.
func (e *NoMemoryError) DiskUsedUp() bool {
	const atATime = 1 << 20
	return e.Kind != Disk && e.Need <= e.Limit && e.DiskLimit > 0 && e.DiskLeft < max(2*e.Need, min(e.DiskLimit/4, atATime))
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
	need, left := size.Rounded(e.Need), size.Rounded(e.Left)
	if need == left {
		need += " and " + size.Rounded(e.Need-e.Left)
	}
	return fmt.Sprintf("mem: %s of %v memory wanted from a reservation with %s left: reserve more at the start",
		need, e.Kind, left)
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
