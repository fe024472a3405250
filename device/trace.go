package device

import (
	"sync"
	"time"
)

// An Activity is a piece of work that a device has done: a copy, a fill, a function or a
// kernel. Allocations, frees and events are no work, nor is a copy or fill of no bytes.
type Activity struct {
	Device string // its name
	Stream string // its name
	Op     Op     // OpCopy, OpFill, OpDo or OpKernel; or OpNone, see Lost
	Name   string // of a function or kernel
	Bytes  int64  // copied or filled
	From   Place  // where a copy was from
	To     Place  // where a copy or fill went

	// Begin and End are when it was done, not when it was queued. On one stream no
	// activity begins before the one before it has ended. How well the clock of a GPU is
	// put on that of the process its device says.
	Begin, End time.Time

	// Err is what the operation failed with. What was never begun because something
	// before it had failed is not told, and what was in progress when the device failed
	// or was closed need not be.
	Err error

	// Lost is how many activities of the device have been left out since the last one
	// that was told, because the trace was too slow, or because nobody knows when
	// they were. If some were lost after the last one, the end of the device is an
	// activity of OpNone that says so, and nothing else but the device.
	Lost int
}

// A Trace is told what a device has done. It is an option of every device, and costs
// nothing if it is nil.
//
// It is called from a goroutine of the device, with one activity at a time, and holds
// nothing up while it takes its time, unless somebody closes the device. The activities of
// a stream come in the order of the stream; those of different streams come in no
// particular order.
//
// It is called some time after the activity, on some devices not before somebody has
// waited for an event behind it or has queued much more. [Device.Close] settles it: what had
// ended before is told, then Close returns, and no call comes afterwards. So a trace
// must not close its device, and one that never returns keeps Close from returning.
//
// What waits to be told is bounded, to some 65000 activities. If the trace is too slow for
// that, activities are left out, and [Activity.Lost] counts them.
type Trace func(Activity)

// A Tracer calls a [Trace] for a device. It is for those who write one. All methods may
// be called on a nil Tracer, which does nothing, and are safe for concurrent use.
type Tracer struct {
	device string
	trace  Trace

	mu struct {
		sync.Mutex
		told    sync.Cond // the goroutine has ended
		queue   []Activity
		lost    int
		running bool
		closed  bool
	}
}

// traceQueue is how many activities wait to be told at most: some megabytes.
const traceQueue = 1 << 15

// NewTracer makes a tracer for a device of that name, or returns nil if there is nobody to
// tell.
func NewTracer(device string, t Trace) *Tracer {
	if t == nil {
		return nil
	}
	tracer := &Tracer{device: device, trace: t}
	tracer.mu.told.L = &tracer.mu
	return tracer
}

// Tell tells an activity as soon as those before it have been told. It does not wait.
func (t *Tracer) Tell(a Activity) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.mu.closed:
		return
	case len(t.mu.queue) >= traceQueue:
		t.mu.lost++
		return
	}
	t.add(a)
}

// add puts an activity into the queue, with the lock held.
func (t *Tracer) add(a Activity) {
	t.mu.queue = append(t.mu.queue, a)
	if !t.mu.running {
		t.mu.running = true
		go t.run(nil)
	}
}

// Lose counts an activity of which nobody knows when it was.
func (t *Tracer) Lose() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.mu.closed {
		t.mu.lost++
	}
}

// run tells a batch, and then what is in the queue, until nothing is.
func (t *Tracer) run(batch []Activity) {
	whole := false
	defer func() {
		if !whole { // the trace left by runtime.Goexit, and took this goroutine along
			go t.run(batch)
		}
	}()
	for {
		for len(batch) > 0 {
			a := batch[0]
			batch = batch[1:]
			t.trace(a)
		}
		if batch = t.take(); batch == nil {
			break
		}
	}
	whole = true
}

// take returns what is in the queue, or nil: then the goroutine has to end.
func (t *Tracer) take() []Activity {
	t.mu.Lock()
	defer t.mu.Unlock()
	batch := t.mu.queue
	t.mu.queue = nil
	if len(batch) == 0 {
		t.mu.running = false
		t.mu.told.Broadcast()
		return nil
	}
	batch[0].Lost, t.mu.lost = t.mu.lost, 0
	return batch
}

// Close returns when everything has been told, and how many were lost at last. What comes
// later is not.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.mu.closed && t.mu.lost > 0 && len(t.mu.queue) == 0 { // nothing else can tell of them
		t.add(Activity{Device: t.device, Op: OpNone})
	}
	t.mu.closed = true
	for t.mu.running {
		t.mu.told.Wait()
	}
}
