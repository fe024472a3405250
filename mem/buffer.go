package mem

import (
	"fmt"
	"sync"

	"github.com/seed14ed4225/sluice/device"
)

// A Buffer is memory of one kind, with the stream on which its work is ordered and the
// event of its latest write. It is made by [Reservation.Alloc] and reference-counted:
// whoever holds a reference may use it and gives it back with Release, once.
//
//  1. On its own stream a buffer can be used at once. [Buffer.Read] makes another
//     stream wait for what was written before; [Buffer.Write] makes its own stream
//     wait for what reads elsewhere.
//  2. Whoever touches the bytes from Go ([Buffer.Bytes], [Buffer.Exclusive]) is refused
//     while work on them is queued. Nothing is waited for by accident.
//  3. What changes or moves a buffer needs its only reference: it is refused with
//     [ErrShared] otherwise.
//  4. The kind may change between calls, by [Buffer.Spill] and [Buffer.Restore]. What
//     Bytes and Exclusive returned is void from then on.
//  5. The last Release may come while work is still queued. The memory comes back when
//     that is done, and counts as used until then.
//
// Methods are safe for concurrent use. Any but Release on a nil buffer, and any on one
// whose last reference was released, panics; with the build tag sluicedebug that says where.
type Buffer struct {
	body   *body
	off, n int64
	refs   int // guarded by the lock of the body
	trace  trace
}

// A body is what a buffer and its slices have in common: memory, wherever it is, and the
// work that is queued on it.
type body struct {
	n     int64
	trace trace // of the allocation

	mu struct {
		sync.Mutex
		refs    int // of the buffers on it, together
		users   int // calls that use it now; alone if one has it to itself
		at      holding
		stream  device.Stream // nil for Host memory that has none yet
		written use           // the latest write; zero if there is none, or it is over and done
		fresh   device.Stream // that Device memory was allocated on, if nobody else knows it yet
		reads   []use         // that may not be done yet, at most one for each stream

		restoring chan struct{} // closed when the call of Restore that has the body to itself is over
	}
}

// alone is the number of users while one call has a body to itself.
const alone = -1

// A use is what a stream does with a body, up to an event.
type use struct {
	stream device.Stream
	event  *device.Event // nil in the zero use, which is over and done
}

// failure returns the error of a use that has completed with one.
func (u use) failure() error {
	if u.event == nil {
		return nil
	}
	_, err := u.event.Query()
	return err
}

// Alloc takes n bytes of a kind from the reservation for a new buffer, which the caller
// owns and releases. The bytes are not cleared. on becomes the buffer's stream: for
// Device and Pinned it is needed, and of the resource's device; for Host it may be
// nil, until work is to be queued. Nothing can be allocated in Disk.
//
// On a nil reservation, host memory is of the Go heap and device memory of the stream's
// device, and neither is counted.
//
// Alloc does not wait, with one exception: where a node allocates and the device has not what
// the limit allows, because others have taken it, Alloc waits until they have given back,
// enough was spilled, or nothing moves any more, or until the context ends with which was
// reserved. What it needs lines up behind others meanwhile, and is not in the reservation.
//
// The error is an [*OverdrawnError]; or what the device says, in particular a
// [*device.OutOfMemoryError] with how much others have; or that of the context. The
// reservation is as it was then, but for what Alloc gave back to wait for it.
func (res *Reservation) Alloc(k Kind, n int64, on device.Stream) (*Buffer, error) {
	at, err := res.allocate(k, n, on, nil)
	if err != nil {
		return nil, err
	}
	b := newBuffer(at, on)
	b.trace.allocated()
	b.body.trace.allocated()
	return b, nil
}

// newBuffer returns the only reference to new memory. Its traces are the caller's to make.
func newBuffer(at holding, on device.Stream) *Buffer {
	made := &struct {
		Buffer
		body
	}{}
	b, o := &made.Buffer, &made.body
	b.body, b.n, b.refs = o, at.n, 1
	o.n, o.mu.refs, o.mu.at, o.mu.stream = at.n, 1, at, on
	if at.kind == Device {
		o.mu.fresh = on
	}
	if at.account != nil {
		at.account.allocations.add(o)
	}
	return b
}

// lock takes the lock of the body, and panics if the buffer is gone.
func (b *Buffer) lock() *body {
	o := b.body
	o.mu.Lock()
	if b.refs <= 0 {
		o.mu.Unlock()
		panic("mem: buffer used after its last reference was released" + b.trace.story())
	}
	return o
}

// Size returns the bytes of the buffer, wherever they are.
func (b *Buffer) Size() int64 { return b.n }

// Kind returns the kind of memory the buffer is in now.
func (b *Buffer) Kind() Kind {
	o := b.lock()
	defer o.mu.Unlock()
	return o.mu.at.kind
}

// Stream returns the stream on which the buffer's work is ordered; nil if it has none.
func (b *Buffer) Stream() device.Stream {
	o := b.lock()
	defer o.mu.Unlock()
	return o.mu.stream
}

// Written returns the event of the latest write that was queued; nil if there is none,
// or it is known to be done. Device memory that another stream was given before anybody
// wrote it counts as written by its allocation.
func (b *Buffer) Written() *device.Event {
	o := b.lock()
	defer o.mu.Unlock()
	return o.mu.written.event
}

// Retain returns the buffer with another reference to it.
func (b *Buffer) Retain() *Buffer {
	o := b.lock()
	defer o.mu.Unlock()
	b.refs++
	o.mu.refs++
	return b
}

// Slice returns n bytes from off on as a buffer of their own that shares the memory, the
// stream and the events, and holds a reference until it is released. While there is
// one, the memory can be neither changed nor spilled. A slice that is the only reference
// left keeps, and moves, the memory of the whole buffer: what that takes is in its
// [Buffer.Content] and [Buffer.RestoreNeed], not its Size. The error is [ErrOutOfBounds].
func (b *Buffer) Slice(off, n int64) (*Buffer, error) {
	o := b.lock()
	defer o.mu.Unlock()
	if off < 0 || n < 0 || off > b.n-n {
		return nil, fmt.Errorf("%w: %d bytes from %d on, in a buffer of %d", ErrOutOfBounds, n, off, b.n)
	}
	o.mu.refs++
	s := &Buffer{body: o, off: b.off + off, n: n, refs: 1}
	s.trace.allocated()
	return s, nil
}

// Release gives up a reference. With the last one the memory is freed: at once, or when
// the work that is queued on it is done.
func (b *Buffer) Release() {
	if b == nil {
		return
	}
	o := b.lock()
	b.refs--
	o.mu.refs--
	if b.refs == 0 {
		b.trace.released()
	}
	o.unlockAndFree()
}

// unlockAndFree releases the lock, and the memory if nobody refers to it or uses it.
func (o *body) unlockAndFree() {
	if o.mu.refs > 0 || o.mu.users != 0 {
		o.mu.Unlock()
		return
	}
	old := o.replace(holding{})
	o.mu.Unlock()
	old.free(o)
}

// outgoing is memory that a body leaves, with the work that is still queued on it.
type outgoing struct {
	at     holding
	stream device.Stream
	after  []use

	hurried bool // see hurry
}

// replace puts other memory, on which no work is queued, in the place of what the body
// has. Callers hold the lock, and free what they get after it.
func (o *body) replace(by holding) outgoing {
	old := outgoing{at: o.mu.at, stream: o.mu.stream}
	if o.mu.written.event != nil {
		old.after = append(old.after, o.mu.written)
	}
	old.after = append(old.after, o.mu.reads...)
	o.mu.at, o.mu.written, o.mu.fresh, o.mu.reads = by, use{}, nil, nil
	return old
}

func (old *outgoing) free(o *body) {
	if old.at.account != nil {
		old.at.account.allocations.remove(o)
	}
	old.at.free(old.stream, old.after)
}

// enter counts a call that uses the body, to itself or with others, or returns why it
// must not. Callers hold the lock, and call leave in the end.
func (o *body) enter(toItself bool) error {
	switch {
	case o.mu.users == alone:
		return fmt.Errorf("%w: it is being written or moved", ErrPending)
	case toItself && o.mu.users > 0:
		return fmt.Errorf("%w: it is being read", ErrPending)
	case toItself:
		o.mu.users = alone
	default:
		o.mu.users++
	}
	return nil
}

// leave ends what enter began. Callers hold the lock, which it releases.
func (o *body) leave() {
	if o.mu.users == alone {
		o.mu.users = 0
	} else {
		o.mu.users--
	}
	o.unlockAndFree()
}

// ContentOf returns what a payload owns that consists of buffers. Memory of which
// others hold references or slices, too, is not its own. The sum is spillable if all of it is
// the payload's own, counted by a resource, and not lost with a write that has failed, and
// some of it is not on disk.
func ContentOf(buffers ...*Buffer) Content {
	c := Content{Spillable: true}
	for _, s := range shares(buffers) {
		s.body.mu.Lock()
		s.body.addTo(&c, s.refs)
		s.body.mu.Unlock()
	}
	c.Spillable = c.Spillable && c.Total() > c.Bytes[Disk]
	return c
}

// addTo adds what somebody owns of a body to whom so many of its references belong.
// Callers hold the lock.
func (o *body) addTo(c *Content, refs int) {
	own := o.mu.refs == refs
	if own {
		c.Bytes[o.mu.at.kind] += o.n
	}
	if o.n > 0 && (!own || o.mu.at.account == nil || o.lost() != nil) {
		c.Spillable = false
	}
}

// Content returns the bytes of the kind the buffer is in: none if it is shared, because
// then they are not its own. A slice that is the only reference left owns the memory of the
// whole buffer. It can be spilled if it is not on disk, counted by a resource, and not lost
// with a write that has failed.
func (b *Buffer) Content() Content { // ContentOf without a list: every send asks
	c := Content{Spillable: true}
	o := b.lock()
	o.addTo(&c, 1)
	o.mu.Unlock()
	c.Spillable = c.Spillable && c.Total() > c.Bytes[Disk]
	return c
}
