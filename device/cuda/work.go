package cuda

import (
	"errors"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// work does what is held back, in order, until nothing is.
func (s *stream) work() {
	whole := false
	defer func() {
		if !whole { // a function left by runtime.Goexit, and took this goroutine along
			go s.work()
		}
	}()
	for s.next() {
	}
	whole = true
	s.forget() // if it was closed meanwhile
	s.dev.leave()
}

// next does the next operation, and returns whether to go on.
func (s *stream) next() bool {
	s.mu.Lock()
	if len(s.mu.queue) == 0 {
		s.mu.queue, s.mu.held = nil, false
		s.mu.Unlock()
		return false
	}
	o := s.mu.queue[0]
	s.mu.queue[0] = operation{} // so that nothing stays reachable
	s.mu.queue = s.mu.queue[1:]
	failed := s.failure()
	switch {
	case o.kind == opRecord && failed != nil:
		o.event.Source().(*source).complete(failed)
	case o.kind == opRecord:
		s.record(o.event.Source().(*source))
	case o.kind == opFree:
		if !s.gone() {
			s.free(&o)
		}
	case o.kind == opWait: // also if it has failed: the next may be a free
		s.mu.Unlock()
		s.wait(&o)
		return true
	case failed != nil:
	case o.onHost() || !s.fits(&o):
		s.mu.Unlock()
		s.do(&o)
		return true
	default:
		if err := s.submit(&o); err != nil {
			s.fail(&o, err)
		}
	}
	s.mu.Unlock()
	return true
}

// joins makes the driver's stream wait for an event, if the driver has heard of it.
func (s *stream) joins(e *device.Event) bool {
	src, ours := e.Source().(*source)
	if !ours || src.s.dev != s.dev {
		return false
	}
	src.s.mu.Lock()
	h, done := src.handle, src.done
	if h != nil {
		s.dev.events.retain(h)
	}
	src.s.mu.Unlock()
	if h == nil {
		if done { // meanwhile
			_, err := e.Query()
			return err == nil
		}
		return false
	}
	defer s.dev.events.release(h)
	if src.s == s {
		return true // what comes next is behind it anyway
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.ended != nil {
		return true
	}
	if s.recall() != nil { // only who is not held has no stream: WaitFor says why
		return false
	}
	o := operation{kind: opWait, event: e}
	d := s.dev
	if err := d.call("cuStreamWaitEvent", func() driver.Result { return d.drv.StreamWaitEvent(s.handle, h.event, 0) }); err != nil {
		s.fail(&o, err)
	}
	s.mu.dirty = true
	return true
}

// wait returns when the driver's stream waits for the event, or need not.
func (s *stream) wait(o *operation) {
	for {
		done, err := o.event.Query()
		switch {
		case done && err == nil:
			return
		case done:
			s.mu.Lock()
			s.fail(o, err)
			s.mu.Unlock()
			return
		case s.joins(o.event):
			return
		}
		select {
		case <-s.known(o.event):
		case <-s.dev.ended:
			return
		}
	}
}

// known returns what is closed when the driver has heard of an event of this device, or
// when an event of another has completed.
func (s *stream) known(e *device.Event) <-chan struct{} {
	src, ours := e.Source().(*source)
	if !ours || src.s.dev != s.dev {
		return e.Done()
	}
	src.s.mu.Lock()
	defer src.s.mu.Unlock()
	if src.submitted == nil {
		src.submitted = make(chan struct{})
		if src.done || src.handle != nil {
			close(src.submitted)
			defer func() { src.submitted = nil }()
		}
	}
	return src.submitted
}

// do does an operation that Go has a part in.
func (s *stream) do(o *operation) {
	err := errGoexit
	defer func() {
		if err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.fail(o, err)
		}
	}()
	switch {
	case o.kind == opCopy && o.src.Place() == device.InDevice:
		t := s.beginPart(o)
		err = s.fetch(hostBytes(o.dst), driver.Pointer(o.src.Address()))
		s.ended(t, err)
	case o.kind == opCopy && o.dst.Place() == device.InDevice:
		t := s.beginPart(o)
		err = s.bring(driver.Pointer(o.dst.Address()), hostBytes(o.src))
		s.ended(t, err)
	default:
		if err = s.arrive(); err != nil {
			return
		}
		err = errGoexit
		err = s.timed(o, func() error {
			switch o.kind {
			case opCopy:
				copy(hostBytes(o.dst), hostBytes(o.src))
			case opFill:
				fill(hostBytes(o.dst), o.value)
			case opDo:
				return call(o.f)
			}
			return nil
		})
	}
}

// errGoexit is what a function fails with that does not return.
var errGoexit = errors.New("it called runtime.Goexit")

func fill(dst []byte, value byte) {
	for i := range dst {
		dst[i] = value
	}
}

// arrive returns when the device has done all it was given on this stream.
func (s *stream) arrive() error {
	s.mu.Lock()
	if err := s.failure(); err != nil {
		s.mu.Unlock()
		return err
	}
	if s.clean() {
		s.mu.Unlock()
		return nil
	}
	e := s.event()
	s.record(e)
	s.mu.Unlock()
	return s.came(e)
}

// came returns when the device has come to an event, or never will.
func (s *stream) came(e *source) error {
	<-e.event.Done()
	_, err := e.event.Query()
	return err
}

// bring copies ordinary memory to the device, in parts; while one is on its way the next
// is staged.
func (s *stream) bring(dst driver.Pointer, src []byte) error {
	var last *source
	for len(src) > 0 {
		part := src[:min(len(src), stageBytes)]
		s.mu.Lock()
		if err := s.failure(); err != nil {
			s.mu.Unlock()
			return err
		}
		err := s.stage(dst, part)
		e := s.event()
		if err == nil {
			s.record(e)
		}
		s.mu.Unlock()
		if err != nil {
			return err
		}
		if last != nil {
			if err := s.came(last); err != nil {
				return err
			}
		}
		last, src, dst = e, src[len(part):], dst+driver.Pointer(len(part))
	}
	return nil
}

// fetch copies device memory to ordinary memory, in parts; while one is on its way that
// before it is copied to where it belongs.
func (s *stream) fetch(dst []byte, src driver.Pointer) error {
	type part struct {
		p  *piece
		e  *source
		to []byte
	}
	var parts []part
	for len(dst) > 0 || len(parts) > 0 {
		if len(dst) > 0 && len(parts) < 2 {
			to := dst[:min(len(dst), stageBytes)]
			p, e, err := s.fetchPart(src, int64(len(to)))
			if err != nil {
				return err // pieces on their way are lost with the device, or with this stream
			}
			parts = append(parts, part{p, e, to})
			dst, src = dst[len(to):], src+driver.Pointer(len(to))
			continue
		}
		first := parts[0]
		parts = parts[1:]
		if err := s.came(first.e); err != nil {
			return err
		}
		copy(first.to, first.p.bytes)
		first.p.release()
	}
	return nil
}

// fetchPart begins to copy n bytes to a piece of staging memory.
func (s *stream) fetchPart(src driver.Pointer, n int64) (*piece, *source, error) {
	d := s.dev
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failure(); err != nil {
		return nil, nil, err
	}
	p, err := d.staging.must(n)
	if err != nil {
		return nil, nil, err
	}
	err = d.call("cuMemcpyDtoHAsync", func() driver.Result {
		return d.drv.MemcpyDtoHAsync(p.at, src, uint64(n), s.handle)
	})
	if err != nil {
		p.release()
		return nil, nil, err
	}
	s.mu.dirty = true
	e := s.event()
	s.record(e)
	return p, e, nil
}
