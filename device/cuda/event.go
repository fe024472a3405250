package cuda

import (
	"sync"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// A source is the device's side of a [device.Event]. Its fields are guarded by the lock
// of its stream.
type source struct {
	s         *stream
	event     *device.Event
	err       error         // what the stream had failed with before
	marked    bool          // it is in a mark of the stream
	handle    *handle       // the mark's, until it has completed; nil if it has none
	watched   bool          // somebody waits
	done      bool          // has completed
	submitted chan struct{} // closed when it has a handle or is done; made when somebody asks
	next      *source       // of the same mark
}

// Poll implements [device.EventSource].
func (e *source) Poll(*device.Event) { e.s.poll(e) }

// Watch implements [device.EventSource].
func (e *source) Watch(*device.Event) {
	e.s.mu.Lock()
	watch := !e.done && !e.watched
	if watch {
		e.watched = true
		e.s.mu.watched++
	}
	e.s.mu.Unlock()
	if watch {
		e.s.dev.poller.add(e.s)
	}
}

// complete tells everybody, with the stream locked.
func (e *source) complete(err error) {
	if e.done {
		return
	}
	e.done, e.handle = true, nil
	if e.watched {
		e.s.mu.watched--
	}
	e.announce()
	e.event.Complete(err)
}

func (e *source) announce() {
	if e.submitted != nil {
		close(e.submitted)
		e.submitted = nil
	}
}

// A mark is a place in a stream that has been recorded, with what happens when the
// device comes to it.
type mark struct {
	handle *handle // nil if the driver had none
	first  *source // to complete
	free   *piece  // to give back
}

// A handle is an event of the driver. It is used again when the device has come to it
// and nobody refers to it: a stream told to wait for it a moment later would
// otherwise wait for something else.
type handle struct {
	event driver.Event
	refs  int // guarded by the lock of handles
}

// handles keeps the events of the driver that are free.
type handles struct {
	dev   *Device
	flags uint32 // what the driver makes them with
	mu    struct {
		sync.Mutex
		free []*handle
		all  []*handle
	}
}

// take returns a handle with one reference.
func (h *handles) take() (*handle, error) {
	if e := h.pick(); e != nil {
		return e, nil
	}
	e := &handle{refs: 1}
	err := h.dev.call("cuEventCreate", func() (r driver.Result) { // without the lock: others must go on
		e.event, r = h.dev.drv.EventCreate(h.flags)
		return r
	})
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.all = append(h.mu.all, e)
	return e, nil
}

// pick returns one that is free, or nil.
func (h *handles) pick() *handle {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := len(h.mu.free) - 1
	if last < 0 {
		return nil
	}
	e := h.mu.free[last]
	h.mu.free = h.mu.free[:last]
	e.refs = 1
	return e
}

func (h *handles) retain(e *handle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.refs++
}

func (h *handles) release(e *handle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.refs--; e.refs == 0 {
		h.mu.free = append(h.mu.free, e)
	}
}

// destroy is called when nobody uses a handle any more.
func (h *handles) destroy() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.mu.all {
		h.dev.drv.EventDestroy(e.event)
	}
	h.mu.all, h.mu.free = nil, nil
}
