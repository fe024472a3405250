package mem

import (
	"errors"
	"fmt"

	"github.com/seed14ed4225/sluice/internal/size"
)

var (
	// ErrShared is returned where a buffer would be changed or moved to which others
	// hold references or slices. Copy it, or let go of the others first.
	ErrShared = errors.New("mem: buffer is shared")

	// ErrPending is returned where work that is queued on a buffer, or a call that uses
	// it, is in the way. Wait for [Buffer.Wait], or queue on its stream instead.
	ErrPending = errors.New("mem: buffer is in use")

	// ErrConsumed is returned by a [Spilled] that was restored or released before.
	ErrConsumed = errors.New("mem: what was spilled was restored or released before")

	// ErrNoStream is returned where work would be queued on a buffer that has no stream.
	// Give it one with [Buffer.Rebind], or with [Reservation.Alloc] in the first place.
	ErrNoStream = errors.New("mem: buffer has no stream")

	// ErrOutOfBounds is returned for a slice that does not lie in its buffer.
	ErrOutOfBounds = errors.New("mem: slice out of bounds")
)

// A ResidencyError says that a buffer is in another kind of memory than a call needs.
type ResidencyError struct {
	Call string // such as "Bytes"
	Kind Kind   // that the buffer is in
	Want Kind   // the kind it should be in
	Size int64  // of the buffer
}

func (e *ResidencyError) Error() string {
	do := "call Restore with a reservation of that kind, or have the port of the node restore it with At"
	if e.Kind < Host && e.Call != "Copy" {
		do += ", or copy it there with Read"
	}
	return fmt.Sprintf("mem: %s of a buffer of %s that is in %v, not %v memory: %s", e.Call, size.Format(e.Size), e.Kind, e.Want, do)
}
