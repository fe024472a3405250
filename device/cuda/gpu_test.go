package cuda_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
	"github.com/seed14ed4225/sluice/device/devicetest"
)

// What is here runs on a GPU, and is skipped where there is none.

func newGPU(t testing.TB) *cuda.Device {
	t.Helper()
	d, err := cuda.Open(0, cuda.Options{})
	if errors.Is(err, cuda.ErrUnavailable) || errors.Is(err, cuda.ErrNoDevice) {
		t.Skip(err)
	}
	errIs(t, err, nil)
	return d
}

func TestWithoutADriverTheErrorSaysSo(t *testing.T) {
	all, err := cuda.Devices()
	switch {
	case err == nil:
		t.Logf("there is one: %+v", all)
	case !errors.Is(err, cuda.ErrUnavailable) && !errors.Is(err, cuda.ErrNoDevice):
		t.Errorf("error is %v", err)
	}
}

func TestTheDevicePassesTheSuiteOnAGPU(t *testing.T) {
	errIs(t, newGPU(t).Close(), nil)
	devicetest.Run(t, func(t *testing.T) device.Device { return newGPU(t) }, devicetest.Caps{})
}

// fault is PTX of a kernel that writes where it must not.
const fault = `.version 6.0
.target sm_60
.address_size 64
.visible .entry fault()
{
	.reg .u64 %a;
	.reg .u32 %v;
	mov.u64 %a, 16;
	mov.u32 %v, 1;
	st.global.u32 [%a], %v;
	ret;
}
`

// alone runs the test in a process of its own, and returns whether this is that process:
// after some faults the driver wants a new one for whatever uses CUDA.
func alone(t *testing.T) bool {
	t.Helper()
	const mark = "SLUICE_TEST_ALONE"
	if os.Getenv(mark) != "" {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), mark+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	return false
}

func TestAKernelThatFaultsOnAGPUEndsTheDevice(t *testing.T) {
	d := newGPU(t)
	if !alone(t) {
		errIs(t, d.Close(), nil)
		return
	}
	m, err := d.Load("fault", []byte(fault))
	errIs(t, err, nil)
	f, err := m.Function("fault")
	errIs(t, err, nil)
	s, other := newStream(t, d, "s"), newStream(t, d, "other")
	opened := make(chan struct{})
	errIs(t, other.Do("gate", func() error { <-opened; return nil }), nil)
	errIs(t, f.Launch(s, f.Over(1)), nil)
	for _, s := range []device.Stream{s, other} {
		var failed *device.FailedError
		if err := s.Sync(t.Context()); !errors.As(err, &failed) || !strings.Contains(err.Error(), `"fault" on stream "s"`) {
			t.Errorf("stream %q: error is %v, want a FailedError that names the kernel", s.Name(), err)
		}
	}
	close(opened)
	errIs(t, d.Close(), nil)

	host, err := device.NewHost(device.HostOptions{}) // the process goes on
	errIs(t, err, nil)
	mustSync(t, newStream(t, host, "on the host"))
	errIs(t, host.Close(), nil)
}

func TestPTXThatDoesNotCompileForAGPUSaysWhy(t *testing.T) {
	d := newGPU(t)
	defer func() { errIs(t, d.Close(), nil) }()
	_, err := d.Load("broken", []byte(strings.Replace(fault, "st.global.u32", "st.global.nonsense", 1)))
	var compile *cuda.CompileError
	if !errors.As(err, &compile) || compile.Module != "broken" || !strings.Contains(compile.Log, "line ") {
		t.Errorf("error is %v, want a CompileError with the compiler's log", err)
	}
	m, err := d.Load("fault", []byte(fault))
	errIs(t, err, nil)
	if _, err := m.Function("fautl"); err == nil || !strings.Contains(err.Error(), `did you mean "fault"?`) {
		t.Errorf("error is %v, want one that says which kernel was meant", err)
	}
	f, err := m.Function("fault")
	errIs(t, err, nil)
	s := newStream(t, d, "s")
	if err := f.Launch(s, f.Over(1), int32(1)); err == nil || !strings.Contains(err.Error(), "1 arguments, the kernel has 0") {
		t.Errorf("error is %v, want one about the number of arguments", err)
	}
	if err := f.Launch(s, cuda.Shape{Block: [3]int{1 << 20}}); err == nil || !strings.Contains(err.Error(), "the device takes at most") {
		t.Errorf("error is %v, want one about the shape", err)
	}
	mustSync(t, s)
}

// spin is PTX of a kernel that runs until the number at the address it is given is not 0.
const spin = `.version 6.0
.target sm_60
.address_size 64
.visible .entry spin(.param .u64 flag)
{
	.reg .u64 %a;
	.reg .u32 %v;
	.reg .pred %p;
	ld.param.u64 %a, [flag];
again:
	ld.volatile.global.u32 %v, [%a];
	setp.eq.u32 %p, %v, 0;
	@%p bra again;
	ret;
}
`

// tenStreams makes streams and as many events of the driver, which are used again: where there
// is work that does not end the driver may wait for its end before it makes any.
func tenStreams(t *testing.T, d device.Device) (made []device.Stream) {
	t.Helper()
	var blocks []*device.Block
	for i := range 10 {
		s := newStream(t, d, fmt.Sprint("s", i))
		b, err := s.Alloc(1)
		errIs(t, err, nil)
		s.Record()
		blocks, made = append(blocks, b), append(made, s)
	}
	for i, s := range made {
		errIs(t, s.Free(blocks[i]), nil)
		mustSync(t, s)
	}
	return made
}

// waitByTheThousand makes goroutines wait for events of streams that are at work, and fails
// the test if they hold threads. Work keeps a stream busy until done is called.
func waitByTheThousand(t *testing.T, d device.Device, streams []device.Stream, work func(device.Stream), done func()) {
	t.Helper()
	const each = 100
	threads := func() int { return pprof.Lookup("threadcreate").Count() }
	before := threads()
	var waiting, all sync.WaitGroup
	errs := make(chan error, len(streams)*each)
	for _, s := range streams {
		work(s)
		for range each {
			e := s.Record()
			waiting.Add(1)
			all.Go(func() {
				finished := e.Done() // from here on the device looks for it
				waiting.Done()
				<-finished
				_, err := e.Query()
				errs <- err
			})
		}
	}
	waiting.Wait()
	for range 1000 { // lets the device look, and whoever would block do so
		runtime.Gosched()
		if _, err := d.Memory(device.InDevice); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(errs); n != 0 {
		t.Errorf("%d did not wait", n)
	}
	if more := threads() - before; more > 16+runtime.GOMAXPROCS(0) {
		t.Errorf("%d goroutines that wait made %d threads", len(streams)*each, more)
	} else {
		t.Logf("%d goroutines that wait made %d threads", len(streams)*each, more)
	}
	done()
	all.Wait()
	for range len(streams) * each {
		errIs(t, <-errs, nil)
	}
}

func TestAThousandWaitingGoroutinesHoldNoThreadsOnAGPU(t *testing.T) {
	d := newGPU(t)
	flag, err := d.AllocPinned(4)
	errIs(t, err, nil)
	at := (*uint32)(unsafe.Pointer(&flag.Bytes()[0]))
	atomic.StoreUint32(at, 0)
	m, err := d.Load("spin", []byte(spin))
	errIs(t, err, nil)
	f, err := m.Function("spin")
	errIs(t, err, nil)
	streams := tenStreams(t, d)
	// Once, because the memory goes with the device; also if the test fails or hangs, lest
	// the device spins for ever.
	done := sync.OnceFunc(func() { atomic.StoreUint32(at, 1) })
	defer done()
	defer time.AfterFunc(time.Minute, done).Stop()
	waitByTheThousand(t, d, streams, func(s device.Stream) {
		errIs(t, f.Launch(s, cuda.Shape{}, flag), nil)
	}, done)
	errIs(t, streams[0].Free(flag), nil)
	errIs(t, d.Close(), nil)
}

func TestAThousandWaitingGoroutinesHoldNoThreads(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	streams := tenStreams(t, d)
	resume := sim.Stall()
	var blocks []*device.Block
	waitByTheThousand(t, d, streams, func(s device.Stream) {
		b, err := s.Alloc(100)
		errIs(t, err, nil)
		blocks = append(blocks, b)
	}, resume)
	s := newStream(t, d, "last")
	for _, b := range blocks {
		errIs(t, s.Free(b), nil)
	}
}
