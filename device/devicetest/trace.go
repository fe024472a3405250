package devicetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14ed4225/sluice/device"
)

// TraceCaps says what else a device under test can do that has a trace. The zero value is
// for a device without kernels.
type TraceCaps struct {
	// Launch queues a kernel of a name on a stream.
	Launch func(s device.Stream, name string) error

	// Break is that of [Caps].
	Break func(device.Device) error
}

// RunTrace runs the tests of a [device.Trace], each on a device that newDevice makes with
// the trace it is given. It closes the device itself.
func RunTrace(t *testing.T, newDevice func(t *testing.T, trace device.Trace) device.Device, caps TraceCaps) {
	for _, test := range traces {
		t.Run(test.name, func(t *testing.T) {
			told := new(record)
			test.run(&traceEnv{
				env:    &env{T: t, newDevice: func(t *testing.T) device.Device { return newDevice(t, told.add) }},
				record: told, caps: caps,
			})
		})
	}
}

type traceTest struct {
	name string
	run  func(*traceEnv)
}

// traceEnv is what a test of a trace works with. Each test closes the device itself.
type traceEnv struct {
	*env
	*record
	caps TraceCaps
}

func (e *traceEnv) open() { e.d = e.newDevice(e.T) }

// A record is what was told.
type record struct {
	hold chan struct{} // if not nil, keeps the trace until it is closed

	mu struct {
		sync.Mutex
		inside bool
		twice  bool
		over   bool
		late   bool
		told   []device.Activity
	}
}

func (r *record) add(a device.Activity) {
	r.mu.Lock()
	r.mu.twice = r.mu.twice || r.mu.inside
	r.mu.late = r.mu.late || r.mu.over
	r.mu.inside = true
	r.mu.told = append(r.mu.told, a)
	r.mu.Unlock()
	if r.hold != nil {
		<-r.hold
	}
	r.mu.Lock()
	r.mu.inside = false
	r.mu.Unlock()
}

// close closes the device, and returns what was told by then.
func (e *traceEnv) close() []device.Activity {
	e.Helper()
	e.ok(e.d.Close())
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.over = true
	if e.mu.inside || e.mu.twice {
		e.Error("the trace was called twice at a time, or Close did not wait for it")
	}
	return slices.Clone(e.mu.told)
}

// check compares what was told of each stream with what was queued there, and looks at
// the times.
func (e *traceEnv) check(told []device.Activity, queued map[string][]device.Activity) {
	e.Helper()
	name := e.d.Properties().Name
	got := map[string][]device.Activity{}
	last := map[string]device.Activity{}
	for _, a := range told {
		if a.Begin.IsZero() || a.End.Before(a.Begin) || a.Begin.Before(last[a.Stream].End) {
			e.Errorf("%+v does not come after %+v", a, last[a.Stream])
		}
		if a.Device != name || a.Lost != 0 {
			e.Errorf("%+v: want device %q, and none lost", a, name)
		}
		last[a.Stream] = a
		got[a.Stream] = append(got[a.Stream], device.Activity{Op: a.Op, Name: a.Name, Bytes: a.Bytes, From: a.From, To: a.To})
	}
	if diff := cmp.Diff(queued, got); diff != "" {
		e.Errorf("queued (-) and told (+) differ:\n%s", diff)
	}
}

var traces = []traceTest{
	{"WhatWasQueuedIsToldInTheOrderOfEachStream", func(e *traceEnv) {
		e.open()
		const large = 3<<20 + 5 // no device does this in one go
		queued := map[string][]device.Activity{}
		r := e.random()
		var streams []device.Stream
		for _, name := range []string{"a", "b", "c"} {
			streams = append(streams, e.stream(name))
		}
		for _, s := range streams {
			dev, other, pinned, ordinary := e.alloc(s, large), e.alloc(s, large), e.pinned(s, large), make([]byte, large)
			more := make([]byte, large)
			want := func(a device.Activity, err error) {
				e.ok(err)
				queued[s.Name()] = append(queued[s.Name()], a)
			}
			for i := range 60 {
				n := []int64{1, 1000, large}[r.IntN(3)]
				copies := func(dst, src device.Span) {
					want(device.Activity{Op: device.OpCopy, From: src.Place(), To: dst.Place(), Bytes: n}, s.Copy(dst, src))
				}
				switch r.IntN(11) {
				case 0:
					copies(dev.Span(0, n), device.Bytes(ordinary[:n]))
				case 1:
					copies(dev.Span(0, n), pinned.Span(0, n))
				case 2:
					copies(device.Bytes(ordinary[:n]), dev.Span(0, n))
				case 3:
					copies(pinned.Span(0, n), dev.Span(0, n))
				case 4:
					copies(other.Span(0, n), dev.Span(0, n))
				case 5:
					copies(device.Bytes(more[:n]), device.Bytes(ordinary[:n]))
				case 6:
					want(device.Activity{Op: device.OpFill, To: device.InDevice, Bytes: n}, s.Fill(dev.Span(0, n), 1))
				case 7:
					want(device.Activity{Op: device.OpFill, To: device.InPinned, Bytes: n}, s.Fill(pinned.Span(0, n), 1))
				case 8:
					name := fmt.Sprint("function ", i)
					want(device.Activity{Op: device.OpDo, Name: name}, s.Do(name, func() error { return nil }))
				case 9:
					if e.caps.Launch != nil {
						name := "kernel"
						want(device.Activity{Op: device.OpKernel, Name: name}, e.caps.Launch(s, name))
					}
				case 10: // what is no work
					e.ok(s.Fill(dev.Span(0, 0), 1))
					e.ok(s.Copy(dev.Span(0, 0), pinned.Span(0, 0)))
					e.ok(s.Free(e.alloc(s, 10)))
					e.ok(s.WaitFor(streams[r.IntN(len(streams))].Record()))
				}
			}
		}
		for _, s := range streams {
			e.ok(e.sync(s))
		}
		for _, f := range e.cleanups {
			f()
		}
		e.check(e.close(), queued)
	}},
	{"AnIdleStreamIsToldAtTheLatestWhenTheDeviceIsClosed", func(e *traceEnv) {
		e.open()
		s, other := e.stream("s"), e.stream("other")
		b := e.alloc(s, 1000)
		e.ok(s.Fill(b.All(), 1)) // and nobody ever asks whether it is over
		e.ok(other.WaitFor(s.Record()))
		e.ok(other.Do("behind", func() error { return nil }))
		e.ok(e.sync(other))
		e.ok(s.Free(b))
		e.check(e.close(), map[string][]device.Activity{
			"s":     {{Op: device.OpFill, To: device.InDevice, Bytes: 1000}},
			"other": {{Op: device.OpDo, Name: "behind"}},
		})
	}},
	{"AFunctionThatFailsIsToldAndWhatIsBehindItIsNot", func(e *traceEnv) {
		e.open()
		s := e.stream("s")
		_, open := e.gate(s)
		e.ok(s.Do("breaks", func() error { return errTest }))
		e.ok(s.Do("behind", func() error { return nil }))
		open()
		e.is(e.sync(s), errTest)
		told := e.close()
		if len(told) != 2 || told[0].Err != nil || !errors.Is(told[1].Err, errTest) || told[1].Name != "breaks" {
			e.Errorf("told %+v, want the gate, and the function that failed with %v", told, errTest)
		}
	}},
	{"ATraceThatStandsStillHoldsNoStreamUp", func(e *traceEnv) {
		e.hold = make(chan struct{})
		e.open()
		s := e.stream("s")
		b := e.alloc(s, 1000)
		var queued []device.Activity
		for i := range 200 {
			e.ok(s.Fill(b.All(), byte(i)))
			queued = append(queued, device.Activity{Op: device.OpFill, To: device.InDevice, Bytes: 1000})
			if i%10 == 0 {
				e.ok(e.sync(s))
			}
		}
		e.ok(e.sync(s))
		e.ok(s.Free(b))
		close(e.hold)
		e.check(e.close(), map[string][]device.Activity{"s": queued})
	}},
	{"NothingIsToldAfterTheDeviceWasClosed", func(e *traceEnv) {
		e.open()
		s := e.stream("s")
		e.ok(s.Do("before", func() error { return nil }))
		reached, open := e.gate(s)
		e.come("start of the gate", reached)
		told := e.close()
		open()
		if len(told) != 1 || told[0].Name != "before" {
			e.Errorf("told %+v, want the function before the gate", told)
		}
		e.Cleanup(func() { // the goroutine of the stream may end late
			e.mu.Lock()
			defer e.mu.Unlock()
			if e.mu.late {
				e.Error("something was told after Close")
			}
		})
	}},
	{"ADeviceThatFailsTellsNothingWrong", func(e *traceEnv) {
		if e.caps.Break == nil {
			e.Skip("the device cannot be broken")
		}
		e.open()
		s := e.stream("s")
		b := e.alloc(s, 1<<20)
		for range 500 {
			if s.Fill(b.All(), 1) != nil {
				break
			}
		}
		e.ok(e.caps.Break(e.d))
		var failed *device.FailedError
		if err := e.sync(s); !errors.As(err, &failed) {
			e.Errorf("error is %v, want a FailedError", err)
		}
		e.ok(s.Free(b))
		for _, a := range e.close() {
			if a.Op == device.OpNone && a.Lost > 0 {
				continue
			}
			if a.Op != device.OpFill || a.Bytes != 1<<20 || a.End.Before(a.Begin) {
				e.Errorf("told %+v", a)
			}
		}
	}},
}
