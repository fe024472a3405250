package monitor

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/seed14ed4225/sluice/device"
)

// A Timeline shows what devices did when, and says how much of it was at once. Its Add is
// the trace of a device:
//
//	timeline := monitor.NewTimeline(file)
//	d, err := device.NewHost(device.HostOptions{Trace: timeline.Add})
//	...
//	err = d.Close()        // tells the last activities
//	err = timeline.Close() // ends the file
//
// What it writes is a Chrome trace, which Perfetto (https://ui.perfetto.dev) and
// chrome://tracing show: a process for each device, in it a thread for each stream, by name
// once the timeline was closed. It is written as it comes. Kept are 16 bytes for each activity
// that touches no other of its category, to add up the times.
//
// All methods are safe for concurrent use, so several devices can have one timeline.
type Timeline struct {
	origin time.Time

	mu struct {
		sync.Mutex
		w       *bufio.Writer // nil if nothing is written
		err     error         // of the writer, the first
		events  int           // written
		closed  bool
		devices map[string]*tracedDevice
		threads int
		uses    map[Category]*use
		span    interval // from the first begin to the last end
		lost    int
	}
}

// A tracedDevice is a process of the trace.
type tracedDevice struct {
	pid     int
	streams map[string]int // thread
}

// A use is what a category of work was.
type use struct {
	count int
	bytes int64
	busy  intervals
}

// ErrTimelineClosed is returned by a timeline that is closed.
var ErrTimelineClosed = errors.New("the timeline is closed")

// NewTimeline makes a timeline that writes to w, or only adds up the times if w is nil.
// Times are written as microseconds since this moment. The writer stays the caller's, who
// closes it after [Timeline.Close].
func NewTimeline(w io.Writer) *Timeline {
	t := &Timeline{origin: time.Now()}
	if w != nil {
		t.mu.w = bufio.NewWriterSize(w, 64<<10)
	}
	t.mu.devices = map[string]*tracedDevice{}
	t.mu.uses = map[Category]*use{}
	return t
}

// Add adds an activity. It blocks while the writer does. Errors of the writer are those of
// Flush and Close. What comes after Close is left out.
func (t *Timeline) Add(a device.Activity) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.closed {
		return
	}
	t.mu.lost += a.Lost
	if a.Op == device.OpNone { // which only says that
		return
	}
	when := interval{a.Begin.Sub(t.origin), a.End.Sub(t.origin)}
	c := CategoryOf(a)
	u := t.mu.uses[c]
	if u == nil {
		u = new(use)
		t.mu.uses[c] = u
	}
	if len(t.mu.uses) == 1 && u.count == 0 {
		t.mu.span = when
	}
	t.mu.span = interval{min(t.mu.span.begin, when.begin), max(t.mu.span.end, when.end)}
	u.count++
	u.bytes += a.Bytes
	u.busy.add(when)
	if t.mu.w != nil {
		t.write(c, when, &a)
	}
}

func (t *Timeline) fail(err error) {
	if err != nil && t.mu.err == nil {
		t.mu.err = fmt.Errorf("writing a timeline: %w", err)
	}
}

// Flush writes what has been added so far: the file can be looked at, although it has no
// end yet. It returns the first error of the writer, after which nothing is written any more.
func (t *Timeline) Flush() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.closed {
		return ErrTimelineClosed
	}
	return t.flush()
}

func (t *Timeline) flush() error {
	if t.mu.w != nil && t.mu.err == nil {
		t.fail(t.mu.w.Flush())
	}
	return t.mu.err
}

// Close ends what is written, and returns the first error of the writer. The numbers can
// still be asked for. Closing again does nothing but return the same.
func (t *Timeline) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.closed || t.mu.w == nil {
		t.mu.closed = true
		return t.mu.err
	}
	t.mu.closed = true
	t.order()
	end := "\n]\n"
	if t.mu.events == 0 {
		end = "[]\n"
	}
	_, _ = t.mu.w.WriteString(end)
	return t.flush()
}
