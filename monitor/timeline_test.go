package monitor_test

import (
	"bytes"
	stdcmp "cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/monitor"
)

// work makes activities with times in milliseconds after a start.
type work struct{ start time.Time }

func (w work) did(a device.Activity, begin, end int) device.Activity {
	a.Begin, a.End = w.start.Add(time.Duration(begin)*time.Millisecond), w.start.Add(time.Duration(end)*time.Millisecond)
	return a
}

func (w work) in(begin, end int) device.Activity {
	return w.did(device.Activity{Op: device.OpCopy, Bytes: 1 << 20, From: device.InPinned, To: device.InDevice}, begin, end)
}

func (w work) out(begin, end int) device.Activity {
	return w.did(device.Activity{Op: device.OpCopy, Bytes: 1 << 20, From: device.InDevice, To: device.InPinned}, begin, end)
}

func (w work) kernel(begin, end int) device.Activity {
	return w.did(device.Activity{Op: device.OpKernel, Name: "axpy"}, begin, end)
}

func TestATimelineIsAChromeTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // so that it begins when the work does
		var file bytes.Buffer
		timeline := monitor.NewTimeline(&file)
		w := work{time.Now()}
		copied := w.in(1, 3)
		copied.Device, copied.Stream = "cuda:0", "in \"1\""
		failed := w.did(device.Activity{Device: "host", Stream: "s", Op: device.OpDo, Name: "sum", Err: errors.New("no"), Lost: 2}, 4, 4)
		again := w.kernel(3, 5)
		again.Device, again.Stream = "cuda:0", "in \"1\""
		again.End = again.End.Add(1234 * time.Nanosecond)
		other := w.did(device.Activity{Device: "cuda:0", Stream: "s", Op: device.OpFill, To: device.InDevice, Bytes: 7}, 0, 1)
		for _, a := range []device.Activity{copied, failed, again, other} {
			timeline.Add(a)
		}
		if err := timeline.Close(); err != nil {
			t.Fatal(err)
		}
		timeline.Add(copied) // too late
		var got, want any
		if err := json.Unmarshal(file.Bytes(), &got); err != nil {
			t.Fatalf("%v in\n%s", err, file.String())
		}
		err := json.Unmarshal([]byte(`[
			{"ph": "M", "name": "process_name", "pid": 1, "tid": 0, "args": {"name": "cuda:0"}},
			{"ph": "M", "name": "thread_name", "pid": 1, "tid": 1, "args": {"name": "in \"1\""}},
			{"ph": "X", "name": "copy to device", "cat": "copy to device", "pid": 1, "tid": 1, "ts": 1000, "dur": 2000, "args": {"bytes": 1048576, "from": "pinned", "to": "device"}},
			{"ph": "M", "name": "process_name", "pid": 2, "tid": 0, "args": {"name": "host"}},
			{"ph": "M", "name": "thread_name", "pid": 2, "tid": 2, "args": {"name": "s"}},
			{"ph": "X", "name": "sum", "cat": "function", "pid": 2, "tid": 2, "ts": 4000, "dur": 0, "args": {"error": "no", "lost before": 2}},
			{"ph": "X", "name": "axpy", "cat": "kernel", "pid": 1, "tid": 1, "ts": 3000, "dur": 2001.234, "args": {}},
			{"ph": "M", "name": "thread_name", "pid": 1, "tid": 3, "args": {"name": "s"}},
			{"ph": "X", "name": "fill", "cat": "fill", "pid": 1, "tid": 3, "ts": 0, "dur": 1000, "args": {"bytes": 7, "to": "device"}},
			{"ph": "M", "name": "thread_sort_index", "pid": 1, "tid": 1, "args": {"sort_index": 1}},
			{"ph": "M", "name": "thread_sort_index", "pid": 1, "tid": 3, "args": {"sort_index": 2}},
			{"ph": "M", "name": "thread_sort_index", "pid": 2, "tid": 2, "args": {"sort_index": 1}}
		]`), &want)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("want (-), got (+):\n%s", diff)
		}
	})
}

func TestStreamsAreShownInTheOrderOfTheirNames(t *testing.T) {
	var file bytes.Buffer
	timeline := monitor.NewTimeline(&file)
	w := work{time.Now()}
	want := []string{"", "1st", "own", "piece", "piece 01", "piece 1", "piece 1 a", "piece 2", "piece 10", "piece 99999999999999999999999", "pieces 3"}
	for _, i := range rand.Perm(len(want)) { // as they happen to begin
		a := w.in(0, 1)
		a.Stream = want[i]
		timeline.Add(a)
	}
	if err := timeline.Close(); err != nil {
		t.Fatal(err)
	}
	var events []struct {
		Name string
		Tid  int
		Args struct {
			Name  string
			Index int `json:"sort_index"`
		}
	}
	if err := json.Unmarshal(file.Bytes(), &events); err != nil {
		t.Fatal(err)
	}
	names, places := map[int]string{}, map[int]int{}
	for _, e := range events {
		switch e.Name {
		case "thread_name":
			names[e.Tid] = e.Args.Name
		case "thread_sort_index":
			places[e.Tid] = e.Args.Index
		}
	}
	got := slices.SortedFunc(maps.Keys(names), func(a, b int) int { return stdcmp.Compare(places[a], places[b]) })
	for i, tid := range got {
		if names[tid] != want[i] || places[tid] != i+1 {
			t.Errorf("%q is row %d, want %q there", names[tid], places[tid], want[i])
		}
	}
}

func TestATimelineWithoutWorkIsAnEmptyTrace(t *testing.T) {
	var file bytes.Buffer
	timeline := monitor.NewTimeline(&file)
	if err := timeline.Close(); err != nil || file.String() != "[]\n" {
		t.Errorf("%q, %v", file.String(), err)
	}
	if s := timeline.Summary(); s.String() != "" || s.Elapsed != 0 || timeline.Overlap() != 0 || timeline.Overlap(monitor.Kernel) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestATimelineIsWrittenAsItComes(t *testing.T) {
	var file bytes.Buffer
	timeline := monitor.NewTimeline(&file)
	w := work{time.Now()}
	for i := range 10_000 {
		timeline.Add(w.in(i, i+1))
	}
	if file.Len() < 1_000_000 {
		t.Errorf("%d bytes were written of 10000 activities", file.Len())
	}
	if err := timeline.Flush(); err != nil || strings.Count(file.String(), `"X"`) != 10_000 {
		t.Errorf("%v, and not all was flushed", err)
	}
	if !json.Valid(append(bytes.Clone(file.Bytes()), ']')) {
		t.Error("what was flushed is not a trace that was cut off")
	}
	if err := timeline.Close(); err != nil || !json.Valid(file.Bytes()) {
		t.Errorf("%v, or not JSON", err)
	}
	if err := timeline.Flush(); !errors.Is(err, monitor.ErrTimelineClosed) {
		t.Errorf("error is %v, want ErrTimelineClosed", err)
	}
}

// full is a writer that has room for some bytes.
type full struct {
	room   int
	writes int
}

var errFull = errors.New("full")

func (f *full) Write(p []byte) (int, error) {
	f.writes++
	if len(p) > f.room {
		return 0, errFull
	}
	f.room -= len(p)
	return len(p), nil
}

func TestAWriterThatFailsIsReportedAndTheNumbersGoOn(t *testing.T) {
	for _, c := range []struct{ room, activities int }{{0, 1}, {0, 1000}, {100_000, 1000}} {
		f := &full{room: c.room}
		timeline := monitor.NewTimeline(f)
		w := work{time.Now()}
		for i := range c.activities {
			timeline.Add(w.in(i, i+1))
		}
		flushed, closed, again := timeline.Flush(), timeline.Close(), timeline.Close()
		for _, err := range []error{flushed, closed, again} {
			if !errors.Is(err, errFull) || !strings.Contains(err.Error(), "writing a timeline") {
				t.Errorf("error is %v, want that of the writer", err)
			}
		}
		if f.writes > 2 {
			t.Errorf("%d writes to a writer that has failed", f.writes)
		}
		if share := timeline.Overlap(monitor.CopyToDevice); share != 1 {
			t.Errorf("busy for %v of the time", share)
		}
	}
}

func TestASummarySaysWhatWasAtOnce(t *testing.T) {
	timeline := monitor.NewTimeline(nil)
	w := work{time.Now()}
	for _, a := range []device.Activity{
		// 0         10         20         30         40
		// in in     in-------------in in------in
		//                 k------------k
		//                     out---------------out
		w.in(10, 25), w.in(30, 38), w.kernel(16, 32), w.out(20, 40), w.in(0, 5), w.in(2, 4), w.in(5, 6),
	} {
		timeline.Add(a)
	}
	lost := w.did(device.Activity{Op: device.OpDo, Lost: 3}, 40, 40)
	timeline.Add(lost)
	timeline.Add(device.Activity{Device: "d", Op: device.OpNone, Lost: 2}) // takes no time
	if err := timeline.Close(); err != nil {
		t.Fatal(err)
	}
	const ms = time.Millisecond
	want := monitor.TimelineSummary{
		Elapsed: 40 * ms,
		Categories: []monitor.CategoryUse{
			{Category: monitor.CopyToDevice, Count: 5, Bytes: 5 << 20, Busy: 29 * ms, Share: 29. / 40},
			{Category: monitor.CopyFromDevice, Count: 1, Bytes: 1 << 20, Busy: 20 * ms, Share: 20. / 40},
			{Category: monitor.Kernel, Count: 1, Busy: 16 * ms, Share: 16. / 40},
			{Category: monitor.Function, Count: 1},
		},
		Overlap: 22. / 40, // 16 to 38
		Lost:    5,
	}
	s := timeline.Summary()
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	for _, c := range []struct {
		of   []monitor.Category
		want float64
	}{
		{nil, 22. / 40},
		{[]monitor.Category{monitor.Kernel}, 16. / 40},
		{[]monitor.Category{monitor.Kernel, monitor.Kernel}, 16. / 40},
		{[]monitor.Category{monitor.Kernel, monitor.CopyToDevice}, 11. / 40},
		{[]monitor.Category{monitor.Kernel, monitor.CopyToDevice, monitor.CopyFromDevice}, 7. / 40},
		{[]monitor.Category{monitor.Kernel, monitor.Fill}, 0},
	} {
		if got := timeline.Overlap(c.of...); got != c.want {
			t.Errorf("overlap of %q is %v, want %v", c.of, got, c.want)
		}
	}
	const text = `work                 count  bytes  busy  share
copy to device           5   5MiB  29ms    72%
copy from device         1   1MiB  20ms    50%
kernel                   1         16ms    40%
function                 1           0s     0%
two or more at once                        55%
not told                 5
`
	if diff := cmp.Diff(text, s.String()); diff != "" {
		t.Error(diff)
	}
}

// TestOverlapsAreWhatCountingEveryMomentGives compares with a look at each of few moments.
func TestOverlapsAreWhatCountingEveryMomentGives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const moments = 60
		w := work{time.Now()}
		timeline := monitor.NewTimeline(nil)
		kinds := []func(begin, end int) device.Activity{w.in, w.out, w.kernel}
		categories := []monitor.Category{monitor.CopyToDevice, monitor.CopyFromDevice, monitor.Kernel}
		var busy [moments][3]bool
		from, to := moments, 0
		for range rapid.IntRange(1, 40).Draw(t, "activities") {
			kind := rapid.IntRange(0, 2).Draw(t, "kind")
			begin := rapid.IntRange(0, moments-1).Draw(t, "begin")
			end := rapid.IntRange(begin, min(begin+15, moments)).Draw(t, "end")
			timeline.Add(kinds[kind](begin, end))
			if rapid.IntRange(0, 9).Draw(t, "look") == 0 {
				timeline.Overlap() // which tidies up
			}
			from, to = min(from, begin), max(to, end)
			for i := begin; i < end; i++ {
				busy[i][kind] = true
			}
		}
		of := rapid.SliceOfDistinct(rapid.IntRange(0, 2), rapid.ID).Draw(t, "of")
		var asked []monitor.Category
		for _, kind := range of {
			asked = append(asked, categories[kind])
		}
		count := 0
		for _, b := range busy {
			n := 0
			for kind, is := range b {
				if is && (len(of) == 0 || slices.Contains(of, kind)) {
					n++
				}
			}
			if len(of) == 0 && n >= 2 || len(of) > 0 && n == len(of) {
				count++
			}
		}
		want := 0.
		if to > from {
			want = float64(count) / float64(to-from)
		}
		if got := timeline.Overlap(asked...); math.Abs(got-want) > 1e-9 {
			t.Fatalf("overlap of %q is %v, want %v", asked, got, want)
		}
	})
}

func TestTheCategoryOfACopyIsItsDirection(t *testing.T) {
	places := []device.Place{device.InHost, device.InPinned, device.InDevice}
	want := []monitor.Category{
		monitor.CopyOnHost, monitor.CopyOnHost, monitor.CopyToDevice,
		monitor.CopyOnHost, monitor.CopyOnHost, monitor.CopyToDevice,
		monitor.CopyFromDevice, monitor.CopyFromDevice, monitor.CopyOnDevice,
	}
	for i, want := range want {
		a := device.Activity{Op: device.OpCopy, From: places[i/3], To: places[i%3]}
		if got := monitor.CategoryOf(a); got != want {
			t.Errorf("from %v to %v: %q, want %q", a.From, a.To, got, want)
		}
	}
	if got := monitor.CategoryOf(device.Activity{Op: device.OpFree}); got != monitor.Other {
		t.Errorf("a free is %q", got)
	}
}

func TestATimelineShowsWhatADeviceDid(t *testing.T) {
	var file bytes.Buffer
	timeline := monitor.NewTimeline(&file)
	d, err := device.NewHost(device.HostOptions{Trace: timeline.Add})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for i := range 3 {
		s, err := d.NewStream(device.StreamOptions{Name: fmt.Sprint("stream ", i)})
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Alloc(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		host := make([]byte, 1<<20)
		for _, err := range []error{
			s.Copy(b.All(), device.Bytes(host)),
			s.Do("f", func() error { return nil }),
			s.Copy(device.Bytes(host), b.All()),
			s.Free(b),
			s.Sync(ctx),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := timeline.Close(); err != nil {
		t.Fatal(err)
	}
	var events []struct{ Ph, Cat string }
	if err := json.Unmarshal(file.Bytes(), &events); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, e := range events {
		got[e.Ph+" "+e.Cat]++
	}
	want := map[string]int{"M ": 7, "X copy to device": 3, "X copy from device": 3, "X function": 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
