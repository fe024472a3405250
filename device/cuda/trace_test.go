package cuda_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
	"github.com/seed14ed4225/sluice/device/devicetest"
)

// kernelCode is PTX of a kernel that does nothing on a GPU; on the simulated driver it does
// what addKernel says.
const kernelCode = `.version 6.0
.target sm_60
.address_size 64
.visible .entry kernel()
{
	ret;
}
`

func addKernel(sim *cudatest.Sim, run func()) {
	sim.AddKernel("kernel", cudatest.Kernel{Run: func(int64, []uint64, func(uint64, int64) ([]byte, error)) error {
		run()
		return nil
	}})
}

func launch(s device.Stream, name string) error {
	m, err := s.Device().(*cuda.Device).Load("code", []byte(kernelCode))
	if err != nil {
		return err
	}
	f, err := m.Function(name)
	if err != nil {
		return err
	}
	return f.Launch(s, f.Over(1))
}

func TestTheDevicePassesTheSuiteOfTracesOnASimulatedDriver(t *testing.T) {
	for _, slow := range []time.Duration{0, 20 * time.Microsecond} {
		t.Run(slow.String(), func(t *testing.T) {
			var sim *cudatest.Sim
			devicetest.RunTrace(t, func(t *testing.T, trace device.Trace) device.Device {
				sim = newSim(t, cudatest.Options{Slow: slow})
				addKernel(sim, func() {})
				d, err := sim.Open(0, cuda.Options{Trace: trace})
				errIs(t, err, nil)
				return d
			}, devicetest.TraceCaps{
				Launch: launch,
				Break: func(device.Device) error {
					sim.Break(0, 700)
					return nil
				},
			})
		})
	}
}

// traced is a device with what it has told, which may be read once it is closed.
type traced struct {
	*cuda.Device
	sim  *cudatest.Sim
	s    device.Stream
	told []device.Activity
}

func newTraced(t *testing.T) *traced {
	d := &traced{sim: newSim(t, cudatest.Options{})}
	d.Device = newDevice(t, d.sim, cuda.Options{Trace: func(a device.Activity) { d.told = append(d.told, a) }})
	d.s = newStream(t, d.Device, "s")
	return d
}

func TestATraceTellsWhenTheDeviceDidItsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTraced(t)
		addKernel(d.sim, func() { time.Sleep(5 * time.Millisecond) })
		var begins []time.Time
		const rounds = 50
		for range rounds { // long after each other: what the driver tells is not precise then
			begins = append(begins, time.Now())
			errIs(t, launch(d.s, "kernel"), nil)
			errIs(t, launch(d.s, "kernel"), nil)
			time.Sleep(time.Second)
			mustSync(t, d.s)
			time.Sleep(time.Hour + 123456*time.Nanosecond)
		}
		errIs(t, d.Close(), nil)
		if len(d.told) != 2*rounds {
			t.Fatalf("told %d, want %d: %+v", len(d.told), 2*rounds, d.told)
		}
		if n := d.sim.Calls("cuEventCreate"); n > rounds/2 {
			t.Errorf("the driver was asked for %d events", n)
		}
		near := func(a, b time.Time) bool { return a.Sub(b).Abs() < time.Microsecond }
		for i, a := range d.told {
			begin := begins[i/2].Add(time.Duration(i%2) * 5 * time.Millisecond)
			if !near(a.Begin, begin) || !near(a.End, begin.Add(5*time.Millisecond)) {
				t.Errorf("told of kernel %d from %v to %v, it began at %v and took 5ms", i, a.Begin, a.End, begin)
			}
		}
	})
}

func TestACopyThatIsDoneInPartsLastsFromTheFirstToTheLast(t *testing.T) {
	const slow = 5 * time.Millisecond // at least, for each of two parts and the mark between them
	var told []device.Activity
	sim := newSim(t, cudatest.Options{Slow: slow})
	d := newDevice(t, sim, cuda.Options{Trace: func(a device.Activity) { told = append(told, a) }})
	s := newStream(t, d, "s")
	host := make([]byte, 1<<20+1)
	b, err := s.Alloc(int64(len(host)))
	errIs(t, err, nil)
	errIs(t, s.Copy(b.All(), device.Bytes(host)), nil)
	errIs(t, s.Copy(device.Bytes(host), b.All()), nil)
	errIs(t, s.Free(b), nil)
	mustSync(t, s)
	errIs(t, d.Close(), nil)
	if len(told) != 2 {
		t.Fatalf("told %+v", told)
	}
	for _, a := range told {
		if took := a.End.Sub(a.Begin); took < 3*slow {
			t.Errorf("%v to %v took %v, and its parts %v", a.From, a.To, took, 3*slow)
		}
	}
}

func TestWithoutATraceTheDriverIsAskedForNothingMore(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	s := newStream(t, d, "s")
	b, err := s.Alloc(100)
	errIs(t, err, nil)
	for range 100 {
		errIs(t, s.Fill(b.All(), 1), nil)
	}
	if n := sim.Calls("cuEventRecord") + sim.Calls("cuEventCreate"); n != 0 {
		t.Errorf("%d calls for events", n)
	}
	errIs(t, s.Free(b), nil)
}

func TestTracingUsesFewEventsAgainAndAgain(t *testing.T) {
	d := newTraced(t)
	b, err := d.s.Alloc(100)
	errIs(t, err, nil)
	const n = 3000
	for i := range n {
		errIs(t, d.s.Fill(b.All(), 1), nil)
		if i%20 == 0 {
			mustSync(t, d.s)
		}
	}
	errIs(t, d.s.Free(b), nil)
	mustSync(t, d.s)
	errIs(t, d.Close(), nil)
	if len(d.told) != n {
		t.Errorf("told %d, want %d", len(d.told), n)
	}
	if n := d.sim.Calls("cuEventCreate"); n > 100 {
		t.Errorf("the driver was asked for %d events", n)
	}
}

func TestTracingLooksAtAStreamThatNobodyWaitsFor(t *testing.T) {
	d := newTraced(t)
	b, err := d.s.Alloc(100)
	errIs(t, err, nil)
	other := newStream(t, d.Device, "other")
	for i := range 3000 {
		errIs(t, d.s.Fill(b.All(), 1), nil)
		if i%20 == 0 { // lets the device catch up, without asking for events of s
			errIs(t, other.WaitFor(d.s.Record()), nil)
			mustSync(t, other)
		}
	}
	errIs(t, d.s.Free(b), nil)
	if n := d.sim.Calls("cuEventCreate"); n > 300 {
		t.Errorf("the driver was asked for %d events", n)
	}
}

// TestACallThatFailsCostsATimeAndNoWork makes every call that tracing needs fail in turn.
func TestACallThatFailsCostsATimeAndNoWork(t *testing.T) {
	const invalid, memory = 400, 2
	for _, c := range []struct {
		call      string
		nth, code int
		lost      int
	}{
		{"cuEventCreate", 1, memory, 1},       // of the clock
		{"cuEventRecord", 1, invalid, 1},      // of the clock
		{"cuEventCreate", 2, memory, 1},       // of the begin
		{"cuEventRecord", 2, invalid, 1},      // of the begin
		{"cuEventCreate", 3, memory, 1},       // of the end
		{"cuEventRecord", 3, invalid, 1},      // of the end
		{"cuEventElapsedTime", 1, invalid, 1}, // from begin to end
		{"cuEventElapsedTime", 2, invalid, 1}, // since the base
	} {
		d := newTraced(t)
		b, err := d.s.Alloc(100)
		errIs(t, err, nil)
		d.sim.Fail(c.call, c.nth, c.code)
		for range 5 {
			errIs(t, d.s.Fill(b.All(), 7), nil)
		}
		mustSync(t, d.s)
		errIs(t, d.s.Fill(b.All(), 9), nil) // can tell what was lost before
		got := make([]byte, 1)
		errIs(t, d.s.Copy(device.Bytes(got), b.Span(99, 1)), nil)
		errIs(t, d.s.Free(b), nil)
		mustSync(t, d.s)
		errIs(t, d.Close(), nil)
		lost := 0
		for _, a := range d.told {
			lost += a.Lost
		}
		if lost != c.lost || len(d.told) != 7-c.lost || got[0] != 9 {
			t.Errorf("call %d of %s fails: told %d and lost %d, want %d lost of 7; the byte is %d", c.nth, c.call, len(d.told), lost, c.lost, got[0])
		}
	}
}

func TestAnOperationThatTheDriverRefusesIsNotTold(t *testing.T) {
	d := newTraced(t)
	b, err := d.s.Alloc(100)
	errIs(t, err, nil)
	for range 500 {
		d.sim.Fail("cuMemsetD8Async", 1, 1)
		if err := d.s.Fill(b.All(), 1); err == nil {
			t.Fatal("a fill succeeded that the driver refused")
		}
		mustSync(t, d.s)
	}
	errIs(t, d.s.Free(b), nil)
	errIs(t, d.Close(), nil)
	if len(d.told) != 0 {
		t.Errorf("told %+v", d.told)
	}
	if n := d.sim.Calls("cuEventCreate"); n > 10 {
		t.Errorf("the driver was asked for %d events", n)
	}
}

func TestTheSimulatedDriverKnowsWhichEventsHaveATime(t *testing.T) {
	sim := cudatest.New(cudatest.Options{})
	ctx, r := sim.PrimaryCtxRetain(0)
	if r != driver.Success {
		t.Fatal(r)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	sim.CtxSetCurrent(ctx)
	s, _ := sim.StreamCreateWithPriority(driver.StreamNonBlocking, 0)
	var timed, untimed, never driver.Event
	timed, _ = sim.EventCreate(driver.EventDefault)
	untimed, _ = sim.EventCreate(driver.EventDisableTiming)
	never, _ = sim.EventCreate(driver.EventDefault)
	sim.EventRecord(timed, s)
	sim.EventRecord(untimed, s)
	for sim.StreamQuery(s) != driver.Success {
		runtime.Gosched()
	}
	for _, c := range []struct {
		from, to driver.Event
		want     driver.Result
	}{
		{timed, timed, driver.Success},
		{timed, untimed, driver.InvalidHandle},
		{untimed, timed, driver.InvalidHandle},
		{timed, never, driver.InvalidHandle},
		{timed, 1, driver.InvalidHandle},
	} {
		if ms, r := sim.EventElapsedTime(c.from, c.to); r != c.want || ms != 0 {
			t.Errorf("from %#x to %#x: %v, result %d, want %d", c.from, c.to, ms, r, c.want)
		}
	}
	resume := sim.Stall()
	sim.EventRecord(never, s)
	if _, r := sim.EventElapsedTime(timed, never); r != driver.NotReady {
		t.Errorf("of an event that has not come: result %d", r)
	}
	resume()
	for sim.StreamQuery(s) != driver.Success {
		runtime.Gosched()
	}
	if ms, r := sim.EventElapsedTime(timed, never); r != driver.Success || ms <= 0 || math.IsInf(float64(ms), 0) {
		t.Errorf("%v, result %d", ms, r)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if sim.Check(done) == nil {
		t.Error("these mistakes were not noticed")
	}
}

func openGPU(t *testing.T, trace device.Trace) *cuda.Device {
	t.Helper()
	d, err := cuda.Open(0, cuda.Options{Trace: trace})
	if errors.Is(err, cuda.ErrUnavailable) || errors.Is(err, cuda.ErrNoDevice) {
		t.Skip(err)
	}
	errIs(t, err, nil)
	return d
}

func TestTheDevicePassesTheSuiteOfTracesOnAGPU(t *testing.T) {
	errIs(t, openGPU(t, nil).Close(), nil)
	devicetest.RunTrace(t, func(t *testing.T, trace device.Trace) device.Device {
		return openGPU(t, trace)
	}, devicetest.TraceCaps{Launch: launch})
}

func TestTheTimesOfAGPUAreThoseOfTheProcess(t *testing.T) {
	const off = time.Millisecond // far more than the clocks may differ by
	var told []device.Activity
	d := openGPU(t, func(a device.Activity) { told = append(told, a) })
	s := newStream(t, d, "s")
	b, err := s.Alloc(256 << 20)
	errIs(t, err, nil)
	mustSync(t, s)
	var from, to []time.Time
	const rounds = 30 // over which the clocks are compared anew
	for range rounds {
		from = append(from, time.Now())
		errIs(t, s.Fill(b.All(), 1), nil)
		mustSync(t, s)
		to = append(to, time.Now())
		time.Sleep(100 * time.Millisecond)
	}
	errIs(t, s.Free(b), nil)
	errIs(t, d.Close(), nil)
	if len(told) != rounds {
		t.Fatalf("told %d, want %d", len(told), rounds)
	}
	for i, a := range told {
		if a.Begin.Before(from[i].Add(-off)) || a.End.After(to[i].Add(off)) || a.End.Sub(a.Begin) < 10*time.Microsecond {
			t.Errorf("a fill queued at %v and over at %v: told from %v to %v", from[i], to[i], a.Begin, a.End)
		}
	}
}
