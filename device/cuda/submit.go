package cuda

import (
	"errors"
	"unsafe"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// What is here gives work to the driver. The stream is locked and has not been abandoned.

// alloc allocates device memory for what comes next on the stream.
func (s *stream) alloc(n int64) (at driver.Pointer, err error) {
	if n == 0 {
		return 0, nil // the driver would refuse
	}
	d := s.dev
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
	s.mu.dirty = true
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
	d := s.dev
	err := d.call("cuMemFreeAsync", func() driver.Result { return d.drv.MemFreeAsync(at, s.handle) })
	if err != nil {
		s.fail(o, err)
		return // it is freed when the device is closed
	}
	s.mu.dirty = true
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.mu.blocks, at)
}

// freePiece gives pinned memory back when the device comes to it.
func (s *stream) freePiece(p *piece) {
	if s.clean() {
		p.release()
		return
	}
	if s.mark() {
		m := &s.mu.flight[len(s.mu.flight)-1]
		p.next, m.free = m.free, p
	} // else the device has failed, and may be using it
}

// mark makes sure that the last mark is behind everything the driver was given. It
// returns false if the device has failed.
func (s *stream) mark() bool {
	if !s.mu.dirty && len(s.mu.flight) > 0 {
		return true
	}
	d := s.dev
	h, err := d.events.take()
	if err == nil {
		err = d.call("cuEventRecord", func() driver.Result { return d.drv.EventRecord(h.event, s.handle) })
	}
	if err != nil {
		// Without a mark nobody learns when the work is done, so this is the end.
		_ = d.fail(err)
		return false
	}
	s.mu.flight = append(s.mu.flight, mark{handle: h})
	s.mu.dirty = false
	return true
}

// record makes the event complete when the device comes to it.
func (s *stream) record(e *source) {
	const many = 32 // marks: look whether some are over, lest nobody ever does
	if len(s.mu.flight) >= many {
		s.reapLocked()
	}
	switch {
	case !s.mu.dirty && len(s.mu.flight) == 0:
		e.complete(nil)
	case !s.mark():
		e.complete(s.failure())
	default:
		m := &s.mu.flight[len(s.mu.flight)-1]
		e.handle = m.handle
		e.next, m.first = m.first, e
		e.announce()
	}
}

// poll completes an event, and all before it, if the device has come to it.
func (s *stream) poll(e *source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.handle == nil || s.mu.ended != nil || !s.over(e.handle) {
		return
	}
	for !e.done {
		s.land()
	}
}

// reap completes what has completed.
func (s *stream) reap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reapLocked()
}

func (s *stream) reapLocked() (progress bool) {
	for len(s.mu.flight) > 0 && s.mu.ended == nil && s.over(s.mu.flight[0].handle) {
		s.land()
		progress = true
	}
	return progress
}

// over asks whether the device has come to a mark.
func (s *stream) over(h *handle) bool {
	d := s.dev
	switch r := d.try(func() driver.Result { return d.drv.EventQuery(h.event) }); r {
	case driver.Success:
		return true
	case driver.NotReady:
	default: // that of an earlier operation: whichever it is, nothing can be relied on now
		_ = d.fail(newError(d.drv, "cuEventQuery", r))
	}
	return false
}

// land completes the first mark in flight.
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
		e.complete(nil)
	}
	s.dev.events.release(m.handle)
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
	if err == nil {
		s.mu.dirty = true
	}
	return err
}

// launch gives a kernel to the driver, which reads the arguments at once.
func (s *stream) launch(l *launch) error {
	d := s.dev
	s.suspect(l.f) // before, because somebody else may be told first
	err := d.call("cuLaunchKernel", func() driver.Result {
		return d.drv.LaunchKernel(l.f.handle, l.shape, s.handle, l.values)
	})
	if err == nil {
		s.mu.dirty = true
	}
	return err
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
		s.reapLocked()
		p, err = d.staging.must(int64(len(src)))
	}
	if err != nil {
		return err
	}
	copy(p.bytes, src)
	from, n := p.at, uint64(len(src))
	err = d.call("cuMemcpyHtoDAsync", func() driver.Result { return d.drv.MemcpyHtoDAsync(dst, from, n, s.handle) })
	if err != nil {
		p.release() // the driver has refused it
		return err
	}
	s.mu.dirty = true
	s.freePiece(p)
	return nil
}
