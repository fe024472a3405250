package extent

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/seed14ed4225/sluice/internal/size"
)

var (
	// ErrConsumed is the error of reading an extent that was read or freed before. Its
	// bytes are wherever the first read put them.
	ErrConsumed = errors.New("extent: it was read or freed before")

	// ErrBusy is the error of reading an extent that another call is reading. If that one
	// fails the extent is still there, and can be read again.
	ErrBusy = errors.New("extent: another call is reading it")

	// ErrClosed is the error of calls on a store, or on an extent of one, that is closed.
	ErrClosed = errors.New("extent: the store is closed")

	// ErrDiskFull is found by errors.Is in the errors of a file system that has no room, or
	// no quota, left. The data is still where it was, and the store goes on working: the
	// write may go through once there is room.
	ErrDiskFull = errors.New("extent: the disk is full")
)

// IOError is a failure of the file. errors.Is finds ErrDiskFull in it when it is one.
type IOError struct {
	Op     string // open, write or read
	Label  string // of the extent
	Dir    string // of the file
	Offset int64  // in the file, of a write or a read
	Size   int64  // bytes that were to be written or read there
	Err    error  // what the system said, without its own name for the file
}

func (e *IOError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "extent: %s %q", e.Op, e.Label)
	if e.Op == opNames[OpOpen] {
		fmt.Fprintf(&text, ": a spill file in %q: ", e.Dir)
	} else {
		fmt.Fprintf(&text, ": %d bytes at %d of the spill file in %q: ", e.Size, e.Offset, e.Dir)
	}
	if isDiskFull(e.Err) {
		text.WriteString("the disk is full; make room there, spill to another directory, or set a lower disk limit: ")
	}
	fmt.Fprint(&text, e.Err)
	return text.String()
}

func (e *IOError) Unwrap() error { return e.Err }

// Is says that a full disk is ErrDiskFull, by whichever name the system has for it.
func (e *IOError) Is(target error) bool { return target == ErrDiskFull && isDiskFull(e.Err) }

// CorruptError is a block that does not come back as it was written. The extent stays: if
// the error was made on the way from the disk, reading again may succeed.
type CorruptError struct {
	Label  string // of the extent
	Dir    string // of the file
	Offset int64  // of the block in the file
	Size   int64  // bytes the block takes there
	Err    error  // of uncompressing it; nil when its checksum is wrong
}

func (e *CorruptError) Error() string {
	what := "its checksum is wrong"
	if e.Err != nil {
		what = "it does not uncompress: " + e.Err.Error()
	}
	return fmt.Sprintf("extent: read %q: the block of %d bytes at %d of the spill file in %q is corrupt: %s; check the disk, or spill to another one",
		e.Label, e.Size, e.Offset, e.Dir, what)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// LeakError is what Close says of extents that nobody read or freed.
type LeakError struct {
	Dir     string
	Extents []Leak // in the order of their labels
}

// A Leak is one extent that was neither read nor freed.
type Leak struct {
	Label string
	Size  int64 // bytes of data
}

func (e *LeakError) Error() string {
	const most = 5 // a line is read, a page is not
	var total int64
	var text strings.Builder
	for i, l := range e.Extents {
		total += l.Size
		if i < most {
			fmt.Fprintf(&text, ", %q (%s)", l.Label, size.Format(l.Size))
		}
	}
	if more := len(e.Extents) - most; more > 0 {
		fmt.Fprintf(&text, " and %d more", more)
	}
	return fmt.Sprintf("extent: %d extents (%s) in %q were neither read nor freed: %s",
		len(e.Extents), size.Format(total), e.Dir, text.String()[2:])
}

// cause is what the system said, without the name of a file that nobody can look up.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
