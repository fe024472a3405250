package device

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed14ed4225/sluice/internal/arena"
	"github.com/seed14ed4225/sluice/internal/machine"
)

// Host is a device that needs no hardware: its memory is memory of the process,
// accounted apart and limited, and its streams are queues of work done by goroutines.
// They are as asynchronous as those of a GPU, so that a program that forgets to wait
// for an event is wrong here, too.
//
// A stream has a goroutine only while it has work to do. Device memory and pinned
// memory lie outside of the Go heap and are reused, so that in steady state neither
// the kernel is asked for memory nor a page touched for the first time. In race
// builds they lie on the heap, because the race detector sees nothing else; with the
// build tag sluicedebug freed memory is unmapped, so that a late access faults.
type Host struct {
	name    string
	workers int
	faults  *Faults
	tracer  *Tracer
	device  hostMemory
	pinned  hostMemory
	copier  copier
	ledger  ledger
	streams atomic.Int64 // how many were made, for names
	ended   chan struct{}

	// active counts the streams with a goroutine, and one for the device until it
	// is closed. Who brings it to zero is the last that may touch the memory.
	active atomic.Int64

	mu struct {
		sync.Mutex
		err    error // why the device has ended
		closed bool
		open   map[*hostStream]struct{}
	}
}

// HostOptions are what a host device is made with. The zero value works.
type HostOptions struct {
	Name         string  // in errors and reports; default "host"
	DeviceMemory int64   // limit in bytes; default half of the machine's memory
	PinnedMemory int64   // limit in bytes; default a quarter of the machine's memory
	Workers      int     // copies in progress at once; default GOMAXPROCS
	Faults       *Faults // to fail on purpose, in tests; nil for none
	Trace        Trace   // is told what the device has done; nil for nobody
}

// NewHost makes a host device. It starts no goroutine and takes no memory yet. The
// limits count the bytes of blocks as they were asked for; the pools behind them
// round up by at most a quarter. A negative option is an error.
func NewHost(opts HostOptions) (*Host, error) {
	if opts.Name == "" {
		opts.Name = "host"
	}
	for _, o := range []struct {
		what string
		n    int64
	}{{"DeviceMemory", opts.DeviceMemory}, {"PinnedMemory", opts.PinnedMemory}, {"Workers", int64(opts.Workers)}} {
		if o.n < 0 {
			return nil, fmt.Errorf("device %q: %s is %d: give a positive number, or 0 for the default", opts.Name, o.what, o.n)
		}
	}
	if opts.DeviceMemory == 0 {
		opts.DeviceMemory = machine.Memory() / 2
	}
	if opts.PinnedMemory == 0 {
		opts.PinnedMemory = machine.Memory() / 4
	}
	if opts.Workers == 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	d := &Host{name: opts.Name, workers: opts.Workers, faults: opts.Faults, tracer: NewTracer(opts.Name, opts.Trace), ended: make(chan struct{})}
	d.device.init(InDevice, opts.DeviceMemory)
	d.pinned.init(InPinned, opts.PinnedMemory)
	d.copier.workers = opts.Workers
	d.mu.open = map[*hostStream]struct{}{}
	d.active.Store(1)
	return d, nil
}

// Properties says what the device is.
func (d *Host) Properties() Properties {
	return Properties{
		Name:      d.name,
		Model:     "host memory, " + runtime.GOARCH,
		Alignment: arena.Alignment,
		Workers:   d.workers,
	}
}

// Memory says how much memory there is within the limit, and how much is free.
// Ordinary memory is not limited here, and asking for it is an error.
func (d *Host) Memory(p Place) (MemoryInfo, error) {
	switch p {
	case InDevice:
		return d.device.info(), d.Err()
	case InPinned:
		return d.pinned.info(), d.Err()
	}
	return MemoryInfo{}, fmt.Errorf("device %q: it has no limit for %v memory", d.name, p)
}

// NewStream makes a stream.
func (d *Host) NewStream(opts StreamOptions) (Stream, error) {
	if opts.Priority < Normal || opts.Priority > High {
		return nil, fmt.Errorf("device %q: stream %q: no priority %d: use Normal or High", d.name, opts.Name, opts.Priority)
	}
	if opts.Name == "" {
		opts.Name = fmt.Sprintf("stream %d", d.streams.Add(1))
	}
	s := &hostStream{dev: d, name: opts.Name, priority: opts.Priority}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.err != nil {
		return nil, d.mu.err
	}
	d.mu.open[s] = struct{}{}
	return s, nil
}

// AllocPinned allocates n bytes of host memory that count as pinned. On this device
// it differs from ordinary memory in nothing but the limit it counts against, and
// that it is outside of the Go heap.
func (d *Host) AllocPinned(n int64) (*Block, error) { return d.alloc(&d.pinned, n, nil) }

// alloc allocates from a stream, or from none.
func (d *Host) alloc(from *hostMemory, n int64, s *hostStream) (*Block, error) {
	o := operation{kind: OpAlloc, n: n, place: from.place}
	err := d.Err()
	if err != nil {
		return nil, err
	}
	if n < 0 {
		return nil, d.opError(s, &o, fmt.Errorf("%w: a size cannot be negative", ErrOutOfBounds))
	}
	err = d.faults.strike(d, s, &o)
	if err == ErrOutOfMemory { //nolint:errorlint // a test asks for exactly this, to be spelled out
		err = from.full(n)
	}
	var b *hostBlock
	if err == nil {
		b, err = from.alloc(n)
	}
	if err != nil {
		if ended := d.Err(); ended != nil { // meanwhile
			return nil, ended
		}
		return nil, d.opError(s, &o, err)
	}
	b.refs.Store(1)
	b.init(BlockSpec{Device: d, Place: from.place, Size: n, Address: arena.Address(b.mem), Native: b})
	if from.place == InPinned {
		b.spec.Bytes = b.mem
	}
	d.ledger.enter(&b.Block)
	return &b.Block, nil
}

// Bytes returns the device memory of a block, for functions that a stream calls
// ([Stream.Do]): they are this device's kernels. To touch it elsewhere is a mistake that
// a GPU would not let pass. The block must be of this device.
func (d *Host) Bytes(b *Block) []byte {
	if b.Device() != d {
		panic(fmt.Sprintf("device %q: Bytes of a block of another device", d.name))
	}
	return b.Native().(*hostBlock).mem
}

// Err is nil while the device works.
func (d *Host) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.err
}

// Fail makes the device fail for good, as a faulting kernel does to a GPU: whoever
// waits for an event wakes with a *[FailedError] that wraps the cause, work that is
// queued is skipped, nothing but frees is accepted any more. For tests, and for
// whoever runs kernels on a host device and finds one broken beyond repair.
func (d *Host) Fail(cause error) { d.end(&FailedError{Device: d.name, Cause: cause}, false) }

// end makes err what everybody gets from now on, and returns whether it did: a closed
// device stays closed, and one that has failed can only be closed.
func (d *Host) end(err error, closing bool) bool {
	d.mu.Lock()
	if d.mu.closed || d.mu.err != nil && !closing {
		d.mu.Unlock()
		return false
	}
	if d.mu.err == nil {
		close(d.ended)
	}
	d.mu.err, d.mu.closed = err, closing
	streams := slices.Collect(maps.Keys(d.mu.open))
	d.mu.Unlock()
	// No stream can be added any more.
	for _, s := range streams {
		s.abandon(err, closing)
	}
	return true
}

// Close ends the device, see [Device].
func (d *Host) Close() error {
	if !d.end(&closedError{fmt.Sprintf("device %q", d.name)}, true) {
		return nil
	}
	defer d.leave()
	d.tracer.Close()
	return d.ledger.close(d.name)
}

// enter says that a goroutine is about to work for the device. Only a stream that has
// not been abandoned may call it: then the device's own count is still there.
func (d *Host) enter() { d.active.Add(1) }

// leave says that it works no longer.
func (d *Host) leave() {
	if d.active.Add(-1) == 0 {
		d.device.Close()
		d.pinned.Close()
	}
}

// releaseNow frees a block for a stream that is closed and done.
func (d *Host) releaseNow(b *hostBlock) error {
	d.mu.Lock()
	if d.mu.closed {
		defer d.mu.Unlock()
		return d.mu.err
	}
	d.enter() // under the lock that Close takes before it gives up its own count
	d.mu.Unlock()
	defer d.leave()
	b.release()
	return nil
}

// forget is called, with the stream locked, when it is closed and has nothing left to do.
func (d *Host) forget(s *hostStream) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.mu.open, s)
}

// recall is called, with the stream locked, when it was forgotten and has something to do
// again.
func (d *Host) recall(s *hostStream) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.err != nil {
		return d.mu.err
	}
	d.mu.open[s] = struct{}{}
	return nil
}

func (d *Host) opError(s *hostStream, o *operation, err error) error {
	e := &OpError{Device: d.name, Op: o.String(), Err: err}
	if s != nil {
		e.Stream = s.name
	}
	return e
}
