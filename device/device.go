package device

import "fmt"

// A Device has memory of its own, and streams that work on it. [NewHost] makes one
// that needs no hardware.
//
// All methods are safe for concurrent use, and none of them waits for queued work.
type Device interface {
	// Properties says what the device is. It answers also when the device has
	// failed or is closed.
	Properties() Properties

	// Memory says how much memory of the device there is in a place, and how much
	// of it is free. Memory of which a free is still queued is not free yet.
	Memory(Place) (MemoryInfo, error)

	// NewStream makes a stream. Close it when nothing more will be queued on it;
	// closing the device closes what is left.
	NewStream(StreamOptions) (Stream, error)

	// AllocPinned allocates n bytes of host memory that the device copies from and
	// to at full speed and without holding up the caller. It may be slow, and a
	// device may have little of it: allocate early and keep. The caller owns the
	// block and gives it back with [Stream.Free]. The error is an
	// *[OutOfMemoryError] when there is no room. The bytes are not cleared.
	AllocPinned(n int64) (*Block, error)

	// Err is nil while the device works, a *[FailedError] once it has failed for
	// good, and wraps [ErrClosed] after Close.
	Err() error

	// Close ends the device and gives its memory back. Work that has not begun is
	// abandoned, and whoever waits for it wakes with [ErrClosed]; whoever needs it
	// done synchronises first. Close does not wait: memory that an operation in
	// progress uses goes when the operation is over, even if that hangs.
	//
	// Blocks that nobody freed are given back, too, but are a mistake, and the
	// error is a *[LeakError]. Nothing may touch the bytes of a block afterwards.
	// Closing again does nothing.
	Close() error
}

// Properties says what a device is.
type Properties struct {
	Name      string // in errors and reports, such as "host" or "cuda:0"
	Model     string // for people, such as the name of the card
	Alignment int64  // of the address of every block, in bytes
	Workers   int    // how many copies or kernels make progress at once, roughly
}

// MemoryInfo is an amount of memory in bytes.
type MemoryInfo struct {
	Total int64
	Free  int64

	// Others is what others than this device have of it, such as other processes, the
	// driver itself, or the same GPU opened twice; 0 where that is not known.
	Others int64
}

// A Place is where bytes lie, as seen from a device.
type Place uint8

// The places, slowest to reach first.
const (
	InHost   Place = iota // ordinary memory of the process
	InPinned              // host memory that the device copies from and to by itself
	InDevice              // the device's own memory
)

// String gives the place as errors and reports name it.
func (p Place) String() string {
	switch p {
	case InHost:
		return "host"
	case InPinned:
		return "pinned"
	case InDevice:
		return "device"
	}
	return fmt.Sprintf("device.Place(%d)", uint8(p))
}
