package cuda

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// alignment is what every block is aligned to, in bytes, on the device and pinned.
const alignment = 256

// Device is an NVIDIA GPU. It implements [device.Device]; the package's doc says what is
// particular about it.
type Device struct {
	drv      driver.Driver
	at       driver.Device
	info     Info
	name     string
	ctx      driver.Context
	pool     driver.Pool
	least    int // priority, which CUDA counts downwards
	greatest int

	own      *stream // frees what is left at the end, and is asked how the device is
	pinned   pinnedMemory
	staging  pinnedMemory
	poller   poller
	ledger   ledger
	programs programs
	events   handles
	stamps   handles // with the time
	tracer   *device.Tracer
	clock    clock
	streams  atomic.Int64  // how many were made, for names
	ended    chan struct{} // closed when the device fails or is closed

	// active counts the streams with a worker, and one for the device until it is
	// closed. Who brings it to zero is the last that may call the driver.
	active atomic.Int64

	mu struct {
		sync.Mutex
		err     error // why the device has ended
		closed  bool
		open    map[*stream]struct{}
		modules map[driver.Module]struct{}
		blocks  map[driver.Pointer]struct{} // device memory the driver has not been told to free
	}
}

func newDevice(drv driver.Driver, at driver.Device, info Info, opts Options) *Device {
	d := &Device{drv: drv, at: at, info: info, name: opts.Name, ended: make(chan struct{})}
	d.pinned.init(d, opts.PinnedMemory)
	d.staging.init(d, stagingLimit)
	d.poller.init(d)
	d.events.dev, d.events.flags = d, driver.EventDisableTiming
	d.stamps.dev, d.stamps.flags = d, driver.EventDefault
	d.tracer, d.clock.dev = device.NewTracer(opts.Name, opts.Trace), d
	d.mu.open = map[*stream]struct{}{}
	d.mu.modules = map[driver.Module]struct{}{}
	d.mu.blocks = map[driver.Pointer]struct{}{}
	d.active.Store(1)
	return d
}

// call makes the device's context current and calls the driver, on one thread.
//
// A context is current for a thread, and a goroutine moves between threads whenever it
// likes, so each call is bound to a thread and sets the context anew. Asking which one is
// current would cost as much as setting it, and remembering it for each thread is not
// safe, because other code of the process may change it. It is left current afterwards.
//
// A result that says the context is lost makes the device fail, here and nowhere else.
func (d *Device) call(name string, f func() driver.Result) error {
	r := d.try(f)
	if r == driver.Success {
		return nil
	}
	err := newError(d.drv, name, r)
	if r.Sticky() {
		return d.fail(err)
	}
	return err
}

// try is call for those who look at the result themselves.
func (d *Device) try(f func() driver.Result) driver.Result {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if r := d.drv.CtxSetCurrent(d.ctx); r != driver.Success {
		return r
	}
	return f()
}

// Properties says what the device is. Workers counts the copy engines and the
// multiprocessors as one more.
func (d *Device) Properties() device.Properties {
	return device.Properties{Name: d.name, Model: d.info.Model, Alignment: alignment, Workers: d.info.CopyEngines + 1}
}

// Info says more about the device.
func (d *Device) Info() Info { return d.info }

// Memory says how much memory there is. Device memory that the pool keeps for reuse
// counts as free; other processes may take what is free at any time. Of pinned memory
// it is the limit that counts. Ordinary memory is not limited here, and asking
// for it is an error.
func (d *Device) Memory(p device.Place) (device.MemoryInfo, error) {
	switch p {
	case device.InDevice:
		return d.memory()
	case device.InPinned:
		return d.pinned.info(), d.Err()
	}
	return device.MemoryInfo{}, fmt.Errorf("device %q: it has no limit for %v memory", d.name, p)
}

func (d *Device) memory() (device.MemoryInfo, error) {
	var free, total, reserved, used uint64
	err := d.ask("cuMemGetInfo", func() (r driver.Result) {
		if free, total, r = d.drv.MemGetInfo(); r != driver.Success {
			return r
		}
		if reserved, r = d.drv.MemPoolGetAttribute(d.pool, driver.PoolReserved); r != driver.Success {
			return r
		}
		used, r = d.drv.MemPoolGetAttribute(d.pool, driver.PoolUsed)
		return r
	})
	if err != nil {
		return device.MemoryInfo{Total: d.info.Memory}, err
	}
	// What is neither free nor in the pool is of others. The two were not asked at one moment.
	kept := reserved - min(used, reserved)
	return device.MemoryInfo{
		Total: int64(total), Free: int64(min(total, free+kept)), Others: int64(total - min(total, free+reserved)),
	}, nil
}

// NewStream makes a stream that does not wait for the default stream.
func (d *Device) NewStream(opts device.StreamOptions) (device.Stream, error) {
	if opts.Priority < device.Normal || opts.Priority > device.High {
		return nil, fmt.Errorf("device %q: stream %q: no priority %d: use Normal or High", d.name, opts.Name, opts.Priority)
	}
	if opts.Name == "" {
		opts.Name = fmt.Sprintf("stream %d", d.streams.Add(1))
	}
	priority := d.least
	if opts.Priority == device.High {
		priority = d.greatest
	}
	d.sweep()
	s := &stream{dev: d, name: opts.Name, priority: priority}
	s.order.Lock()
	defer s.order.Unlock()
	err := s.recall()
	if err == nil {
		err = d.Err() // which may have ended meanwhile
	}
	if err == nil {
		return s, nil
	}
	if s.handle == 0 {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.mu.open, s)
	}
	return nil, err
}

// sweep forgets the streams that were closed and have finished.
func (d *Device) sweep() {
	for _, s := range d.all() {
		s.forget()
	}
}

func (d *Device) all() []*stream {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]*stream, 0, len(d.mu.open)+1)
	for s := range d.mu.open {
		all = append(all, s)
	}
	if d.own != nil {
		all = append(all, d.own)
	}
	return all
}

// AllocPinned allocates n bytes of pinned memory. The driver is asked for it in slabs;
// that takes milliseconds each, and waits for work in progress now and then.
func (d *Device) AllocPinned(n int64) (*device.Block, error) {
	o := operation{kind: opAlloc, n: n, place: device.InPinned}
	if err := d.visit(); err != nil {
		return nil, err
	}
	defer d.leave()
	if n < 0 {
		return nil, d.opError(nil, &o, fmt.Errorf("%w: a size cannot be negative", device.ErrOutOfBounds))
	}
	piece, err := d.pinned.alloc(n)
	if errors.Is(err, device.ErrOutOfMemory) {
		d.reap() // what was freed may have come back by now
		piece, err = d.pinned.alloc(n)
	}
	if err != nil {
		return nil, d.said(nil, &o, err)
	}
	b := device.NewBlock(device.BlockSpec{Device: d, Place: device.InPinned, Size: n, Address: piece.address(), Bytes: piece.bytes, Native: piece})
	d.ledger.enter(b)
	return b, nil
}

// reap looks at every stream for what has completed.
func (d *Device) reap() {
	for _, s := range d.all() {
		s.reap()
	}
}

// Err is nil while the device works.
func (d *Device) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.err
}

// opError names an operation that failed, of a stream or of none.
func (d *Device) opError(s *stream, o *operation, err error) error {
	e := &device.OpError{Device: d.name, Op: o.String(), Err: err}
	if s != nil {
		e.Stream = s.name
	}
	return e
}

// said is opError, but for errors that are about the whole device.
func (d *Device) said(s *stream, o *operation, err error) error {
	if ended := d.Err(); ended != nil {
		return ended
	}
	return d.opError(s, o, err)
}

// fail makes the device fail for good, and returns what everybody gets. The streams
// are told by another goroutine, because the caller may hold mu of one.
func (d *Device) fail(cause error) error {
	d.mu.Lock()
	if d.mu.err != nil {
		defer d.mu.Unlock()
		return d.mu.err
	}
	err := &device.FailedError{Device: d.name, Cause: d.blame(cause)}
	d.mu.err = err
	close(d.ended)
	d.mu.Unlock()
	go func() { // calls the driver no more, so Close need not wait for it
		for _, s := range d.all() {
			s.abandon(err, false)
		}
	}()
	return err
}

// Close ends the device, see [device.Device]. Its memory has gone back to the driver when
// Close returns, unless a function or work on the device is still in progress: then it
// goes when that has ended.
func (d *Device) Close() error {
	d.settle()
	d.mu.Lock()
	if d.mu.closed { // by somebody else; settle did nothing then
		d.mu.Unlock()
		return nil
	}
	if d.mu.err == nil {
		close(d.ended)
	}
	d.mu.err, d.mu.closed = &closedError{fmt.Sprintf("device %q", d.name)}, true
	err := d.mu.err
	d.mu.Unlock()
	// No stream can be added any more.
	for _, s := range d.all() {
		s.abandon(err, true)
	}
	d.tracer.Close()
	leak := d.ledger.close(d.name)
	if d.idle() {
		d.leave()
	} else {
		go func() { // nobody shall wait for what may hang
			for wait := time.Millisecond; !d.idle(); wait = min(2*wait, time.Second) {
				time.Sleep(wait)
			}
			d.leave()
		}()
	}
	return leak
}

// visit is enter for those who hold no lock and do not work for the device yet, or says why
// the device has ended. The device is not given back before they leave.
func (d *Device) visit() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.err == nil {
		d.enter()
	}
	return d.mu.err
}

// settle tells the tracer what has been done, as far as it is over.
func (d *Device) settle() {
	if d.tracer == nil {
		return
	}
	for _, s := range d.all() {
		s.mu.Lock()
		s.resolve()
		s.mu.Unlock()
	}
}

// idle returns whether nothing is in progress on the device, or never will be.
func (d *Device) idle() bool {
	for _, s := range d.all() {
		if s.busy() {
			return false
		}
	}
	return true
}

// enter says that a goroutine is about to work for the device. Only who works for it
// already may call it, or who holds the lock of the device, or mu of a stream, and has seen
// that it has not ended.
func (d *Device) enter() { d.active.Add(1) }

// leave says that it works no longer.
func (d *Device) leave() {
	if d.active.Add(-1) == 0 {
		d.giveBack()
	}
}

// giveBack returns to the driver whatever it gave. Nobody else calls the driver any more.
// Errors are of no use to anyone here: of a context that is lost everything is one.
func (d *Device) giveBack() {
	if d.ctx == 0 {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	d.drv.CtxSetCurrent(d.ctx)
	if d.own != nil {
		for b := range d.mu.blocks {
			d.drv.MemFreeAsync(b, d.own.handle)
		}
	}
	for m := range d.mu.modules {
		d.drv.ModuleUnload(m)
	}
	d.events.destroy()
	d.stamps.destroy()
	for _, s := range d.all() {
		if s.handle != 0 {
			d.drv.StreamDestroy(s.handle)
		}
	}
	if d.pool != 0 {
		d.drv.MemPoolDestroy(d.pool)
	}
	d.pinned.close()
	d.staging.close()
	d.drv.CtxSetCurrent(0)
	d.drv.PrimaryCtxRelease(d.at)
}
