package cuda

import (
	"errors"
	"unsafe"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// What is here gives work to the driver, with the order of the stream held, and looks what
// has become of it.

// alloc allocates device memory for what comes next on the stream.
func (s *stream) alloc(n int64) (at driver.Pointer, err error) {
	if n == 0 {
		return 0, nil // the driver would refuse
	}
	d := s.dev
	s.soil()
	take := func() (r driver.Result) {
		at, r = d.drv.MemAllocFromPoolAsync(uint64(n), d.pool, s.handle)
		return r
	}
	r := d.try(take)
	if r == driver.OutOfMemory { // the pool may keep enough, but in pieces
		d.trim()
		r = d.try(take)
	}
	switch {
	case r == driver.OutOfMemory:
		full := &device.OutOfMemoryError{Place: device.InDevice, Asked: n, Total: d.info.Memory}
		if info, err := d.memory(); err == nil {
			full.Free, full.Total, full.Others = info.Free, info.Total, info.Others
		}
		return 0, full
	case r != driver.Success:
		err := newError(d.drv, "cuMemAllocFromPoolAsync", r)
		if r.Sticky() {
			return 0, d.fail(err)
		}
		return 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.blocks[at] = struct{}{}
	return at, nil
}

// trim gives back to the driver what the pool keeps for reuse.
func (d *Device) trim() {
	// Whether that goes well is seen at the next allocation.
	_ = d.try(func() driver.Result { return d.drv.MemPoolTrimTo(d.pool, 0) })
}

// free gives a block back when the device comes to it.
func (s *stream) free(o *operation) {
	if p, pinned := o.block.Native().(*piece); pinned {
		s.freePiece(p)
		return
	}
	at := o.block.Native().(driver.Pointer)
	if at == 0 {
		return
	}
	if s.recall() == nil {
		s.freeBlock(o, at, s)
		return
	}
	// No stream is to be had for one that was closed and is done: what has nothing before
	// it may be freed on any.
	own := s.dev.own
	own.order.Lock()
	defer own.order.Unlock()
	if !own.over() { // else it is freed when the device is closed
		s.freeBlock(o, at, own)
	}
}

// freeBlock gives device memory back on a stream whose order is held.
func (s *stream) freeBlock(o *operation, at driver.Pointer, on *stream) {
	d := s.dev
	d.mu.Lock()
	delete(d.mu.blocks, at) // before: the driver may give the address out again at once
	d.mu.Unlock()
	on.soil()
	err := d.call("cuMemFreeAsync", func() driver.Result { return d.drv.MemFreeAsync(at, on.handle) })
	if err == nil {
		return
	}
	d.mu.Lock()
	d.mu.blocks[at] = struct{}{} // it is freed when the device is closed
	d.mu.Unlock()
	s.fail(o, err)
}

// freePiece gives pinned memory back when the device comes to it.
func (s *stream) freePiece(p *piece) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clean() {
		p.release()
		return
	}
	if m := s.mark(); m != nil {
		p.next, m.free = m.free, p
	} // else the device has ended, and may be using it
}

// mark returns the last mark, which is behind everything the driver was given, or nil if the
// device has ended. Both locks are held; mu is let go of during calls.
//
// If the driver has no event for it the mark has none either: then the device has come to
// it when the stream has nothing to do at all, or has come to a later mark.
func (s *stream) mark() *mark {
	if s.mu.dirty || len(s.mu.flight) == 0 {
		s.mu.Unlock()
		h := s.recorded(&s.dev.events)
		s.mu.Lock()
		if !s.gone() {
			s.mu.flight = append(s.mu.flight, mark{handle: h})
			s.mu.dirty = false
		}
	}
	if s.gone() {
		return nil
	}
	return &s.mu.flight[len(s.mu.flight)-1]
}

// recorded returns an event of the driver that has been recorded, or nil if it could not be.
func (s *stream) recorded(from *handles) *handle {
	h, err := from.take()
	if err != nil {
		return nil
	}
	d := s.dev
	if d.call("cuEventRecord", func() driver.Result { return d.drv.EventRecord(h.event, s.handle) }) != nil {
		from.release(h)
		return nil
	}
	return h
}

// record makes the event complete when the device comes to it, also on a stream that has
// failed: what it was given before is not over then.
func (s *stream) record(e *source) {
	const many = 32 // marks: look whether some are over, lest nobody ever does
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.flight) >= many {
		s.reapLocked()
	}
	e.err = s.mu.err
	switch {
	case s.gone():
		e.complete(s.failure())
	case !s.mu.dirty && len(s.mu.flight) == 0, e.err != nil && s.clean():
		e.complete(e.err)
	default:
		m := s.mark()
		if m == nil {
			e.complete(s.failure())
			return
		}
		e.marked, e.handle = true, m.handle
		e.next, m.first = m.first, e
		if m.handle != nil {
			e.announce()
		}
	}
}

// poll completes an event, and all before it, if the device has come to it.
func (s *stream) poll(e *source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !e.marked || s.mu.ended != nil:
	case e.handle == nil:
		s.reapLocked()
	case s.come(e.handle):
		for !e.done {
			s.land()
		}
	}
}

// reap completes what has completed.
func (s *stream) reap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reapLocked()
}

func (s *stream) reapLocked() (progress bool) {
	for s.mu.ended == nil {
		n := s.reached()
		if n == 0 {
			break
		}
		for range n {
			s.land()
		}
		progress = true
	}
	return progress
}

// reached returns how many marks more the device is known to have come to, which need not be
// all, with mu held.
func (s *stream) reached() int {
	for i := range s.mu.flight {
		if h := s.mu.flight[i].handle; h != nil {
			if s.come(h) {
				return i + 1
			}
			if i == 0 {
				return 0
			}
			break
		}
	}
	if len(s.mu.flight) > 0 && s.quiet() {
		return len(s.mu.flight)
	}
	return 0
}

// come asks whether the device has come to a mark, with mu held.
func (s *stream) come(h *handle) bool {
	d := s.dev
	switch r := d.try(func() driver.Result { return d.drv.EventQuery(h.event) }); {
	case r == driver.Success:
		return true
	case r == driver.NotReady:
		return false
	case r.Sticky(): // that of an earlier operation, whichever it is
		_ = d.fail(newError(d.drv, "cuEventQuery", r))
		return false
	}
	return s.quiet()
}

// land completes the first mark in flight, with mu held.
func (s *stream) land() {
	s.resolve() // before anybody learns that it is over, and may close the device
	m := s.mu.flight[0]
	s.mu.flight[0] = mark{}
	s.mu.flight = s.mu.flight[1:]
	for p := m.free; p != nil; {
		next := p.next
		p.release()
		p = next
	}
	for e := m.first; e != nil; e = e.next {
		e.complete(e.err)
	}
	if m.handle != nil {
		s.dev.events.release(m.handle)
	}
	if !s.mu.dirty && len(s.mu.flight) == 0 {
		s.suspects.Store(nil)
	}
}

// submit gives an operation to the driver that the device does by itself, or a copy of bytes
// that fit the staging memory.
func (s *stream) submit(o *operation) error {
	t := s.begin(o)
	err := s.give(o)
	s.end(t, err)
	return err
}

func (s *stream) give(o *operation) error {
	if o.kind == opLaunch {
		return s.launch(o.launch)
	}
	n := uint64(o.dst.Len())
	if n == 0 {
		return nil
	}
	d := s.dev
	dst := driver.Pointer(o.dst.Address())
	var err error
	switch {
	case o.kind == opFill:
		err = d.call("cuMemsetD8Async", func() driver.Result { return d.drv.MemsetD8Async(dst, o.value, n, s.handle) })
	case o.src.Place() == device.InHost:
		return s.stage(dst, hostBytes(o.src))
	case o.src.Place() == device.InPinned:
		from := unsafe.Pointer(unsafe.SliceData(hostBytes(o.src)))
		err = d.call("cuMemcpyHtoDAsync", func() driver.Result { return d.drv.MemcpyHtoDAsync(dst, from, n, s.handle) })
	case o.dst.Place() == device.InPinned:
		to := unsafe.Pointer(unsafe.SliceData(hostBytes(o.dst)))
		src := driver.Pointer(o.src.Address())
		err = d.call("cuMemcpyDtoHAsync", func() driver.Result { return d.drv.MemcpyDtoHAsync(to, src, n, s.handle) })
	default:
		src := driver.Pointer(o.src.Address())
		err = d.call("cuMemcpyDtoDAsync", func() driver.Result { return d.drv.MemcpyDtoDAsync(dst, src, n, s.handle) })
	}
	return err
}

// launch gives a kernel to the driver, which reads the arguments at once.
func (s *stream) launch(l *launch) error {
	d := s.dev
	s.suspect(l.f) // before, because somebody else may be told first
	return d.call("cuLaunchKernel", func() driver.Result {
		return d.drv.LaunchKernel(l.f.handle, l.shape, s.handle, l.values)
	})
}

// Ordinary memory never meets the driver: bytes go by way of pinned memory of our own.
// What the driver does with such memory depends on its version and on the size; it may
// wait for the whole stream, on a thread of the caller's, and it would have to be
// told about memory that the collector may free.
const (
	stageBytes   = 1 << 20  // at once
	stagingLimit = 64 << 20 // for copies that do not hold their stream
)

// fits returns whether a copy from ordinary memory can be staged at once.
func (s *stream) fits(o *operation) bool {
	return o.kind != opCopy || o.src.Place() != device.InHost || o.src.Len() <= stageBytes
}

// stage copies at most stageBytes of ordinary memory to the device. The bytes have been
// read when it returns.
func (s *stream) stage(dst driver.Pointer, src []byte) error {
	d := s.dev
	p, err := d.staging.alloc(int64(len(src)))
	if errors.Is(err, device.ErrOutOfMemory) {
		s.reap()
		p, err = d.staging.must(int64(len(src)))
	}
	if err != nil {
		return err
	}
	copy(p.bytes, src)
	from, n := p.at, uint64(len(src))
	s.soil()
	err = d.call("cuMemcpyHtoDAsync", func() driver.Result { return d.drv.MemcpyHtoDAsync(dst, from, n, s.handle) })
	if err != nil {
		p.release() // the driver has refused it
		return err
	}
	s.freePiece(p)
	return nil
}
