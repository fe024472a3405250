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
	s.order.Lock()
	o, failed, gone := s.pop()
	switch {
	case o == nil:
		s.order.Unlock()
		return false
	case o.kind == opRecord:
		s.record(o.event.Source().(*source))
	case o.kind == opFree:
		if !gone {
			s.free(o)
		}
	case o.kind == opWait: // also if it has failed: the next may be a free
		s.order.Unlock()
		s.wait(o)
		return true
	case failed:
	case o.onHost() || !s.fits(o):
		s.order.Unlock()
		s.do(o)
		return true
	default:
		s.soil()
		if err := s.submit(o); err != nil {
			s.fail(o, err)
		}
	}
	s.order.Unlock()
	return true
}

// pop takes the next operation, or nil, and says whether the stream has failed, and whether
// the device has ended. The order is held.
func (s *stream) pop() (o *operation, failed, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.queue) == 0 {
		s.mu.queue, s.mu.held = nil, false
		return nil, false, false
	}
	next := s.mu.queue[0]
	s.mu.queue[0] = operation{} // so that nothing stays reachable
	s.mu.queue = s.mu.queue[1:]
	return &next, s.failure() != nil, s.gone()
}

// A joining is what came of making the driver's stream wait for an event.
type joining int

const (
	joined  joining = iota // it waits, or need not
	unheard                // the driver has not heard of the event
	refused                // the driver cannot do it: Go has to wait
)

// join makes the driver's stream wait for an event, if the driver has heard of it. The order
// is held.
func (s *stream) join(e *device.Event) joining {
	src, ours := e.Source().(*source)
	if !ours || src.s.dev != s.dev {
		return unheard
	}
	src.s.mu.Lock()
	h, done, fails := src.handle, src.done, src.err != nil
	if h != nil {
		s.dev.events.retain(h)
	}
	src.s.mu.Unlock()
	if h == nil {
		if _, err := e.Query(); done && err == nil { // meanwhile
			return joined
		}
		return unheard
	}
	defer s.dev.events.release(h)
	if src.s == s || s.over() {
		return joined // what comes next is behind it anyway
	}
	if fails || s.recall() != nil {
		return refused // the driver would not tell this stream of the error
	}
	s.soil()
	d := s.dev
	r := d.call("cuStreamWaitEvent", func() driver.Result { return d.drv.StreamWaitEvent(s.handle, h.event, 0) })
	if r != nil && !s.over() {
		return refused
	}
	return joined
}

// wait returns when the driver's stream waits for the event, or need not.
func (s *stream) wait(o *operation) {
	for {
		done, err := o.event.Query()
		if done {
			if err != nil {
				s.fail(o, err)
			}
			return
		}
		s.order.Lock()
		how := s.join(o.event)
		s.order.Unlock()
		var until <-chan struct{}
		switch how {
		case joined:
			return
		case unheard:
			until = s.known(o.event)
		case refused:
			until = o.event.Done()
		}
		select {
		case <-until:
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
	s.order.Lock()
	s.mu.Lock()
	clean := s.mu.err == nil && s.clean()
	s.mu.Unlock()
	e := s.event()
	if !clean {
		s.record(e)
	}
	s.order.Unlock()
	if clean {
		return nil
	}
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
		e, err := s.bringPart(dst, part)
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

// bringPart begins to copy what fits the staging memory.
func (s *stream) bringPart(dst driver.Pointer, src []byte) (*source, error) {
	s.order.Lock()
	defer s.order.Unlock()
	if err := s.broken(); err != nil {
		return nil, err
	}
	if err := s.stage(dst, src); err != nil {
		return nil, err
	}
	e := s.event()
	s.record(e)
	return e, nil
}

// broken is failure for who does not hold mu.
func (s *stream) broken() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure()
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
	defer func() { // what is on its way when it fails; it comes back when that has arrived
		s.order.Lock()
		defer s.order.Unlock()
		for _, part := range parts {
			s.freePiece(part.p)
		}
	}()
	for len(dst) > 0 || len(parts) > 0 {
		if len(dst) > 0 && len(parts) < 2 {
			to := dst[:min(len(dst), stageBytes)]
			p, e, err := s.fetchPart(src, int64(len(to)))
			if err != nil {
				return err
			}
			parts = append(parts, part{p, e, to})
			dst, src = dst[len(to):], src+driver.Pointer(len(to))
			continue
		}
		first := parts[0]
		if err := s.came(first.e); err != nil {
			return err
		}
		parts = parts[1:]
		copy(first.to, first.p.bytes)
		first.p.release()
	}
	return nil
}

// fetchPart begins to copy n bytes to a piece of staging memory.
func (s *stream) fetchPart(src driver.Pointer, n int64) (*piece, *source, error) {
	d := s.dev
	s.order.Lock()
	defer s.order.Unlock()
	if err := s.broken(); err != nil {
		return nil, nil, err
	}
	p, err := d.staging.must(n)
	if err != nil {
		return nil, nil, err
	}
	s.soil()
	err = d.call("cuMemcpyDtoHAsync", func() driver.Result {
		return d.drv.MemcpyDtoHAsync(p.at, src, uint64(n), s.handle)
	})
	if err != nil {
		p.release()
		return nil, nil, err
	}
	e := s.event()
	s.record(e)
	return p, e, nil
}
