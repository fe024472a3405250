package device

import "context"

// A Stream is a queue of work for a device. Work on one stream is done in the order
// in which it was queued; work on different streams is not ordered, unless one
// waits for an [Event] of the other.
//
// Every method but Sync only queues and returns at once; a copy from or to ordinary
// host memory may take as long as the copy does on devices that cannot reach such
// memory by themselves. Methods are safe for concurrent use: what one goroutine
// queues stays in order.
//
// An error of a method that queues is an *[OpError] that says why nothing was queued,
// or that of [Device.Err] once the device has ended. A mistake of the caller
// ([ErrOutOfBounds], [ErrFreed] and so on) and a lack of memory leave the stream as it
// was. An operation that was queued and then fails makes the stream fail: operations
// behind it are skipped, or what they leave behind is undefined; every event behind it
// reports the error, as do streams that wait for such an event, and further operations
// are refused with it. Blocks can still be freed. A failed stream stays failed: close
// it and make another.
type Stream interface {
	// Name is what errors and reports call the stream.
	Name() string

	// Device is what the stream works on.
	Device() Device

	// Alloc allocates n bytes of device memory, 0 is fine, for use by what is
	// queued on this stream from now on, and on other streams after a wait for an
	// event of this one. The caller owns the block and gives it back with Free.
	// The error is an *[OutOfMemoryError] when there is no room: Alloc does not
	// wait for memory. The bytes are not cleared.
	Alloc(n int64) (*Block, error)

	// Free gives a block back, of device or pinned memory, from whichever stream it
	// was allocated, once everything queued on this stream so far is done. Where
	// other streams use it, this one must first wait for their events. The block
	// must not be used any more from this moment on; a second Free is refused with
	// [ErrFreed]. A failed or closed stream frees all the same, so that memory
	// never depends on success; only a closed device refuses, because it has given
	// back everything already.
	Free(b *Block) error

	// Copy copies src to dst, each in device, pinned or ordinary memory. They must
	// be of one length and not overlap. Neither may be touched, nor src written,
	// until the copy is done: wait for an event recorded behind it.
	Copy(dst, src Span) error

	// Fill sets every byte of dst to value.
	Fill(dst Span, value byte) error

	// Do calls f in stream order: after all that was queued before it, and what is
	// queued after it waits until f has returned. The name is for errors. If f
	// returns an error or panics the stream fails with that; if the stream failed
	// before, f is never called, so f is no place to clean up.
	//
	// f runs in a goroutine of its own choosing and must not wait for work queued
	// behind it. It may queue more work.
	Do(name string, f func() error) error

	// Record marks this point of the stream with an event, which completes when
	// everything queued so far is done, frees as well. A closed stream records all
	// the same. So does one that has failed: the event completes when what is in progress
	// before it is over, and reports the failure. Only if the device has ended it has
	// completed already.
	Record() *Event

	// WaitFor makes what is queued from now on wait until the event has completed,
	// be it of this stream, another, or a stream of another device. Nobody is
	// held up but the stream. If the event reports an error the stream fails with
	// it, because what comes next would work on what was never made. A stream that has
	// failed already says so, but waits all the same before it frees anything; so
	// does one that is closed.
	WaitFor(e *Event) error

	// Sync waits until everything queued so far is done, and returns the error of
	// the first operation that failed. It is Record().Wait(ctx).
	Sync(ctx context.Context) error

	// Err returns the error the stream has failed with, or nil. It may learn of a
	// failure later than somebody who waits for an event.
	Err() error

	// Close says that nothing more will be queued, except blocks to free: so Free,
	// and WaitFor and Record, by which others learn when it is safe to free and
	// when that is done, go on. Everything else is refused with [ErrClosed]. What
	// is queued is still done, and its events complete; Close does not wait for
	// that. It returns nil, also when called again.
	Close() error
}

// StreamOptions are what a stream is made with. The zero value works.
type StreamOptions struct {
	Name     string // in errors and reports; one is made up if it is empty
	Priority Priority
}

// A Priority says whose work goes first when the device cannot do all at once.
// It is a hint about speed; nothing may depend on it for order.
type Priority int

// The priorities.
const (
	Normal Priority = iota
	High            // before Normal; on the host device copies go first
)
