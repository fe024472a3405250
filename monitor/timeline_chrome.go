package monitor

import (
	"encoding/json"
	"time"

	"github.com/seed14ed4225/sluice/device"
)

// A chromeEvent is an event of a Chrome trace.
type chromeEvent struct {
	Name string   `json:"name"`
	Cat  Category `json:"cat,omitempty"`
	Ph   string   `json:"ph"`
	Ts   *float64 `json:"ts,omitempty"`  // µs
	Dur  *float64 `json:"dur,omitempty"` // µs
	Pid  int      `json:"pid"`
	Tid  int      `json:"tid"`
	Args any      `json:"args,omitempty"`
}

type chromeName struct {
	Name string `json:"name"`
}

type chromeOrder struct {
	Index int `json:"sort_index"`
}

type chromeArgs struct {
	Bytes int64  `json:"bytes,omitempty"`
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
	Error string `json:"error,omitempty"`
	Lost  int    `json:"lost before,omitempty"`
}

// write writes an activity, with the lock held.
func (t *Timeline) write(c Category, when interval, a *device.Activity) {
	d := t.mu.devices[a.Device]
	if d == nil {
		d = &tracedDevice{pid: len(t.mu.devices) + 1, streams: map[string]int{}}
		t.mu.devices[a.Device] = d
		t.event(&chromeEvent{Name: "process_name", Ph: "M", Pid: d.pid, Args: chromeName{a.Device}})
	}
	tid, known := d.streams[a.Stream]
	if !known {
		t.mu.threads++
		tid = t.mu.threads
		d.streams[a.Stream] = tid
		t.event(&chromeEvent{Name: "thread_name", Ph: "M", Pid: d.pid, Tid: tid, Args: chromeName{a.Stream}})
	}
	about := chromeArgs{Bytes: a.Bytes, Lost: a.Lost}
	switch a.Op {
	case device.OpCopy:
		about.From, about.To = a.From.String(), a.To.String()
	case device.OpFill:
		about.To = a.To.String()
	}
	if a.Err != nil {
		about.Error = a.Err.Error()
	}
	title := a.Name
	if title == "" {
		title = string(c)
	}
	ts, dur := microseconds(when.begin), microseconds(when.end-when.begin)
	t.event(&chromeEvent{Name: title, Cat: c, Ph: "X", Ts: &ts, Dur: &dur, Pid: d.pid, Tid: tid, Args: about})
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// event writes an event. The trace is an array that may be cut off after any of them.
func (t *Timeline) event(e *chromeEvent) {
	line, err := json.Marshal(e)
	if err != nil {
		t.fail(err)
		return
	}
	before := ",\n"
	if t.mu.events == 0 {
		before = "[\n"
	}
	t.mu.events++
	_, _ = t.mu.w.WriteString(before) // after an error it does nothing but report that again
	_, err = t.mu.w.Write(line)
	t.fail(err)
}
