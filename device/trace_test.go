package device_test

import (
	"errors"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/devicetest"
)

func TestTheHostDevicePassesTheSuiteOfTraces(t *testing.T) {
	devicetest.RunTrace(t, func(t *testing.T, trace device.Trace) device.Device {
		d, err := device.NewHost(device.HostOptions{Trace: trace})
		errIs(t, err, nil)
		return d
	}, devicetest.TraceCaps{Break: func(d device.Device) error {
		d.(*device.Host).Fail(errTest)
		return nil
	}})
}

func TestATraceTellsWhenWorkWasDoneAndNotWhenItWasQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := new(device.Faults)
		faults.Slow(device.OpCopy, 5*time.Millisecond)
		var told []device.Activity
		d, err := device.NewHost(device.HostOptions{Faults: faults, Trace: func(a device.Activity) { told = append(told, a) }})
		errIs(t, err, nil)
		start := time.Now()
		s := newStream(t, d, "s")
		errIs(t, s.Do("sleeps", func() error { time.Sleep(time.Second); return nil }), nil)
		errIs(t, s.Copy(device.Bytes(make([]byte, 7)), device.Bytes(make([]byte, 7))), nil)
		mustSync(t, s)
		errIs(t, d.Close(), nil)
		want := []device.Activity{
			{Device: "host", Stream: "s", Op: device.OpDo, Name: "sleeps", Begin: start, End: start.Add(time.Second)},
			{Device: "host", Stream: "s", Op: device.OpCopy, Bytes: 7, Begin: start.Add(time.Second), End: start.Add(time.Second + 5*time.Millisecond)},
		}
		if len(told) != 2 || told[0] != want[0] || told[1] != want[1] {
			t.Errorf("told %+v, want %+v", told, want)
		}
	})
}

func TestWhatASlowTraceCannotBeToldIsCounted(t *testing.T) {
	const all = 100_000
	hold, last := make(chan struct{}), make(chan struct{})
	told, lost := 0, 0
	var tracer *device.Tracer
	tracer = device.NewTracer("d", func(a device.Activity) {
		<-hold
		told++
		lost += a.Lost
		switch {
		case a.Lost > 0:
			tracer.Tell(device.Activity{Name: "last"}) // what was lost before it is not lost again
		case a.Name == "last":
			close(last)
		}
	})
	for range all {
		tracer.Tell(device.Activity{})
	}
	if told >= all/2 {
		t.Errorf("%d wait to be told", told)
	}
	close(hold)
	<-last
	tracer.Close()
	if told+lost != all+1 || lost < all/4 {
		t.Errorf("%d told and %d lost, of %d", told, lost, all)
	}
	tracer.Tell(device.Activity{})
	tracer.Close()
	if told+lost != all+1 {
		t.Error("something was told after Close")
	}
}

func TestWhatIsLostLastIsToldAtTheEnd(t *testing.T) {
	for _, before := range []int{0, 1} {
		var told []device.Activity
		arrived := make(chan struct{}, 10)
		tracer := device.NewTracer("d", func(a device.Activity) { told = append(told, a); arrived <- struct{}{} })
		for range before {
			tracer.Tell(device.Activity{Name: "first"})
			<-arrived
		}
		tracer.Lose()
		tracer.Lose()
		tracer.Close()
		tracer.Lose()
		tracer.Close()
		if len(told) != before+1 || told[before] != (device.Activity{Device: "d", Op: device.OpNone, Lost: 2}) {
			t.Errorf("told %+v, want two that were lost at the end", told)
		}
	}
}

func TestATraceThatLeavesByGoexitIsCalledOn(t *testing.T) {
	hold := make(chan struct{})
	var told []string
	tracer := device.NewTracer("d", func(a device.Activity) {
		<-hold
		told = append(told, a.Name)
		if a.Name != "d" {
			runtime.Goexit()
		}
	})
	for _, name := range []string{"a", "b", "c", "d"} {
		tracer.Tell(device.Activity{Name: name})
	}
	close(hold)
	tracer.Close()
	if !slices.Equal(told, []string{"a", "b", "c", "d"}) {
		t.Errorf("told %q", told)
	}
}

func TestWithoutATraceNothingIsMeasured(t *testing.T) {
	var none *device.Tracer
	if device.NewTracer("d", nil) != none {
		t.Error("there is a tracer for nobody")
	}
	none.Tell(device.Activity{Err: errors.New("nobody hears")})
	none.Lose()
	none.Close()
}
