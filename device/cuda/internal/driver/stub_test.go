//go:build linux && (amd64 || arm64) && !nocuda

package driver

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stub is a library that writes down what it was called with.
type stub struct {
	file                                         string
	last, result, version, hide, props, loop, eq uintptr
}

// compile builds the stub, or skips the test where there is no C compiler.
func compile(t testing.TB, flags ...string) *stub {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler (cc) to build a library with the driver's interface")
	}
	s := &stub{file: filepath.Join(t.TempDir(), "libstub.so")}
	flags = append(flags, "-std=gnu11", "-Wall", "-Werror", "-O1", "-fvisibility=hidden", "-shared", "-fPIC", "-o", s.file, filepath.Join("testdata", "stub.c"))
	out, err := exec.Command(cc, flags...).CombinedOutput()
	if err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	handle, err := purego.Dlopen(s.file, purego.RTLD_NOW)
	if err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]*uintptr{
		"stub_last": &s.last, "stub_result": &s.result, "stub_version": &s.version, "stub_hide": &s.hide,
		"stub_props": &s.props, "stub_loop": &s.loop, "stub_event_query": &s.eq,
	} {
		if *to, err = purego.Dlsym(handle, name); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *stub) load(t testing.TB) *library {
	t.Helper()
	d, err := LoadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	return d.(*library)
}

// called returns the last call since it was asked, as text.
func (s *stub) called() string {
	var name [64]byte
	var args [8]int64
	n := call(s.last, uintptr(unsafe.Pointer(&name)), uintptr(unsafe.Pointer(&args)))
	return strings.TrimSpace(fmt.Sprintf("%s %#x", upToNUL(name[:]), args[:n]))
}

const (
	wide   = 0x1122334455667788
	handle = 0x7766554433221100
)

// TestEveryFunctionIsCalledAsItsHeaderSays calls each with arguments that differ in every
// place and half, and compares what C saw, and what came back.
func TestEveryFunctionIsCalledAsItsHeaderSays(t *testing.T) {
	s := compile(t)
	l := s.load(t)
	var host unsafe.Pointer
	props := DevicePool(-9)
	for _, c := range []struct {
		call func() any
		back any
		seen string
	}{
		{func() any { return l.Init() }, nil, "cuInit [0x0]"},
		{func() any { v, _ := l.DriverGetVersion(); return v }, 12040, "cuDriverGetVersion []"},
		{func() any { return l.GetErrorName(700) }, "CUDA_ERROR_STUB", "cuGetErrorName [0x2bc]"},
		{func() any { return l.GetErrorName(7) }, "", "cuGetErrorName [0x7]"},
		{func() any { return l.GetErrorString(999) }, "of the stub", "cuGetErrorString [0x3e7]"},
		{func() any { v, _ := l.DeviceGetCount(); return v }, -3, "cuDeviceGetCount []"},
		{func() any { v, _ := l.DeviceGet(-2); return v }, Device(-4), "cuDeviceGet [-0x2]"},
		{func() any { v, _ := l.DeviceGetName(-2); return v }, "Stub", "cuDeviceGetName [0x100 -0x2]"},
		{func() any { v, _ := l.DeviceGetUUID(-2); return v }, [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, "cuDeviceGetUuid [-0x2]"},
		{func() any { v, _ := l.DeviceGetPCIBusID(-2); return v }, "0000:01:00.0", "cuDeviceGetPCIBusId [0x20 -0x2]"},
		{func() any { v, _ := l.DeviceTotalMem(-2); return v }, uint64(wide), "cuDeviceTotalMem [-0x2]"},
		{func() any { v, _ := l.DeviceGetAttribute(115, -2); return v }, -5, "cuDeviceGetAttribute [0x73 -0x2]"},
		{func() any { v, _ := l.PrimaryCtxRetain(-2); return v }, Context(handle), "cuDevicePrimaryCtxRetain [-0x2]"},
		{func() any { return l.PrimaryCtxRelease(-2) }, nil, "cuDevicePrimaryCtxRelease [-0x2]"},
		{func() any { return l.CtxSetCurrent(handle) }, nil, "cuCtxSetCurrent [0x7766554433221100]"},
		{func() any { a, b, _ := l.CtxGetStreamPriorityRange(); return [2]int{a, b} }, [2]int{-6, -7}, "cuCtxGetStreamPriorityRange []"},
		{func() any { a, b, _ := l.MemGetInfo(); return [2]uint64{a, b} }, [2]uint64{wide, wide + 1}, "cuMemGetInfo []"},
		{func() any { v, _ := l.StreamCreateWithPriority(1, -5); return v }, Stream(handle), "cuStreamCreateWithPriority [0x1 -0x5]"},
		{func() any { return l.StreamDestroy(handle) }, nil, "cuStreamDestroy [0x7766554433221100]"},
		{func() any { return l.StreamQuery(handle) }, nil, "cuStreamQuery [0x7766554433221100]"},
		{func() any { return l.StreamWaitEvent(handle, wide, 3) }, nil, "cuStreamWaitEvent [0x7766554433221100 0x1122334455667788 0x3]"},
		{func() any { v, _ := l.EventCreate(2); return v }, Event(handle), "cuEventCreate [0x2]"},
		{func() any { return l.EventDestroy(handle) }, nil, "cuEventDestroy [0x7766554433221100]"},
		{func() any { return l.EventRecord(wide, handle) }, nil, "cuEventRecord [0x1122334455667788 0x7766554433221100]"},
		{func() any { return l.EventQuery(handle) }, nil, "cuEventQuery [0x7766554433221100]"},
		{func() any { v, _ := l.EventElapsedTime(wide, handle); return v }, float32(-1.5), "cuEventElapsedTime [0x1122334455667788 0x7766554433221100]"},
		{func() any { v, _ := l.MemPoolCreate(&props); return v }, Pool(handle), "cuMemPoolCreate [0x1 0x0 0x1 -0x9]"},
		{func() any { return l.MemPoolDestroy(handle) }, nil, "cuMemPoolDestroy [0x7766554433221100]"},
		{func() any { return l.MemPoolSetAttribute(handle, 4, wide) }, nil, "cuMemPoolSetAttribute [0x7766554433221100 0x4 0x1122334455667788]"},
		{func() any { v, _ := l.MemPoolGetAttribute(handle, 7); return v }, uint64(wide), "cuMemPoolGetAttribute [0x7766554433221100 0x7]"},
		{func() any { return l.MemPoolTrimTo(handle, wide) }, nil, "cuMemPoolTrimTo [0x7766554433221100 0x1122334455667788]"},
		{func() any { v, _ := l.MemAllocFromPoolAsync(wide+1, handle, 0x10); return v }, Pointer(wide), "cuMemAllocFromPoolAsync [0x1122334455667789 0x7766554433221100 0x10]"},
		{func() any { return l.MemFreeAsync(wide, handle) }, nil, "cuMemFreeAsync [0x1122334455667788 0x7766554433221100]"},
		{func() any {
			host, _ = l.MemHostAlloc(wide, 1)
			return string(unsafe.Slice((*byte)(host), 6))
		}, "pinned", "cuMemHostAlloc [0x1122334455667788 0x1]"},
		{func() any { return l.MemcpyHtoDAsync(wide, host, wide+1, handle) }, nil, "cuMemcpyHtoDAsync [0x1122334455667788 0x1 0x1122334455667789 0x7766554433221100]"},
		{func() any { return l.MemcpyDtoHAsync(host, wide, wide+1, handle) }, nil, "cuMemcpyDtoHAsync [0x1 0x1122334455667788 0x1122334455667789 0x7766554433221100]"},
		{func() any { return l.MemcpyDtoDAsync(wide, wide+2, wide+1, handle) }, nil, "cuMemcpyDtoDAsync [0x1122334455667788 0x112233445566778a 0x1122334455667789 0x7766554433221100]"},
		{func() any { return l.MemsetD8Async(wide, 0xfe, wide+1, handle) }, nil, "cuMemsetD8Async [0x1122334455667788 0xfe 0x1122334455667789 0x7766554433221100]"},
		{func() any { return l.MemFreeHost(host) }, nil, "cuMemFreeHost [0x1]"},
		{func() any { m, log, _ := l.ModuleLoadDataEx([]byte("ptx")); return fmt.Sprintf("%#x %s", m, log) }, "0x7766554433221100 the log", "cuModuleLoadDataEx [0x0 0x2]"},
		{func() any { return l.ModuleUnload(handle) }, nil, "cuModuleUnload [0x7766554433221100]"},
		{func() any { v, _ := l.ModuleGetFunction(wide, "axpy"); return v }, Function(handle), "cuModuleGetFunction [0x1122334455667788 0x0]"},
		{func() any { v, _ := l.FuncGetParamInfo(handle, 3); return v }, uint64(wide), "cuFuncGetParamInfo [0x7766554433221100 0x3]"},
		{func() any { g, b, _ := l.OccupancyMaxPotentialBlockSize(handle, wide); return [2]int{g, b} }, [2]int{-8, -9}, "cuOccupancyMaxPotentialBlockSize [0x7766554433221100 0x0 0x1122334455667788 0x0]"},
		{func() any {
			return l.LaunchKernel(handle, Shape{1, 2, 3, 4, 5, 6, 7}, wide, []uint64{1000, uint64(math.Float32bits(8))})
		}, nil, "cuLaunchKernel [0x7766554433221100 0x74cbb1 0x1122334455667788 0x3f0]"},
	} {
		if c.back == nil {
			c.back = Success
		}
		if back := c.call(); back != c.back {
			t.Errorf("%s gave %#v, want %#v", c.seen, back, c.back)
		}
		if seen := s.called(); seen != c.seen {
			t.Errorf("C saw %s, want %s", seen, c.seen)
		}
	}
}

func TestAResultIsThirtyTwoBits(t *testing.T) {
	s := compile(t)
	l := s.load(t)
	defer call(s.result, 0)
	call(s.result, 600)
	if r := l.StreamQuery(1); r != NotReady {
		t.Errorf("result %d, want %d", r, NotReady)
	}
	if _, r := l.DeviceGetCount(); r != NotReady {
		t.Errorf("result %d, want %d", r, NotReady)
	}
}

func TestThePropertiesOfAPoolLieAsInC(t *testing.T) {
	s := compile(t)
	var p PoolProps
	for i, want := range []uintptr{unsafe.Sizeof(p), unsafe.Offsetof(p.LocationID), unsafe.Offsetof(p.MaxSize), unsafe.Offsetof(p.Usage)} {
		if is := uintptr(call(s.props, uintptr(i))); is != want {
			t.Errorf("place %d is %d in C, %d here", i, is, want)
		}
	}
}

func TestALibraryThatWillNotDoIsAClearError(t *testing.T) {
	s := compile(t)
	refused := func(file, says string) error {
		t.Helper()
		_, err := LoadFile(file)
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), says) {
			t.Errorf("error is %v, want one that says %q", err, says)
		}
		return err
	}
	refused(filepath.Join(t.TempDir(), "none.so"), "install NVIDIA's driver")
	empty := filepath.Join(t.TempDir(), "empty.so")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(empty, "install NVIDIA's driver")
	refused("libc.so.6", "has no cuDriverGetVersion")

	l := new(library)
	for symbol := range l.symbols() {
		if symbol == "cuDriverGetVersion" {
			continue // is looked at before
		}
		c := append([]byte(symbol), 0)
		call(s.hide, uintptr(unsafe.Pointer(&c[0])))
		var missing *SymbolError
		if err := refused(s.file, symbol); !errors.As(err, &missing) || missing.Symbol != symbol {
			t.Errorf("error is %v, want a SymbolError for %s", err, symbol)
		}
	}
	call(s.hide, uintptr(unsafe.Pointer(&[]byte{0}[0])))

	call(s.version, 11080)
	if err := refused(s.file, "is of CUDA 11.8, 12.0 or later is needed"); strings.Contains(err.Error(), "result") {
		t.Errorf("%v: there is nothing wrong with the result", err)
	}
	call(s.version, 12000)
	if _, r := s.load(t).FuncGetParamInfo(1, 0); r != NotSupported {
		t.Errorf("a driver of CUDA 12.0 tells parameters: result %d", r)
	}
	call(s.result, 3)
	refused(s.file, "result 3")
	call(s.result, 0)
}

func TestADriverBeforeCUDA12SaysItsVersionNotWhatItLacks(t *testing.T) {
	s := compile(t, "-DcuGetProcAddress_v2=cuGetProcAddress") // which is all that CUDA 11 has
	call(s.version, 11040)
	_, err := LoadFile(s.file)
	var missing *SymbolError
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "is of CUDA 11.4") || errors.As(err, &missing) {
		t.Errorf("error is %v, want the version", err)
	}
	call(s.version, 12000)
	if _, err = LoadFile(s.file); !errors.As(err, &missing) || missing.Symbol != "cuGetProcAddress_v2" {
		t.Errorf("error is %v, want a SymbolError for cuGetProcAddress_v2", err)
	}
}

func TestTheSameOfManyMissingFunctionsIsNamedEachTime(t *testing.T) {
	s := compile(t)
	hide := []byte("*\x00") // all
	call(s.hide, uintptr(unsafe.Pointer(&hide[0])))
	for range 20 {
		_, err := LoadFile(s.file)
		var missing *SymbolError
		if !errors.As(err, &missing) || missing.Symbol != "cuCtxGetStreamPriorityRange" {
			t.Fatalf("error is %v, want a SymbolError for the first by name", err)
		}
	}
}

// The C library keeps the reason of a failure for the thread, and is asked for it later.
func TestTheReasonOfAFailedLoadIsNotLost(t *testing.T) {
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 200 {
				file := fmt.Sprintf("no-such-library-%d.so", i)
				if _, err := LoadFile(file); err == nil || !strings.Contains(err.Error(), file) {
					t.Errorf("error is %v, want why %s cannot be loaded", err, file)
					return
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkCall calls a function that does next to nothing, against the same from C. The
// difference must be at most 400 ns. It also tells what making a context current for each
// call costs.
func BenchmarkCall(b *testing.B) {
	s := compile(b)
	l := s.load(b)
	query, _, _ := purego.SyscallN(s.eq)
	const n = 1000
	var c, ours, both time.Duration
	for b.Loop() {
		t0 := time.Now()
		call(s.loop, query, n)
		t1 := time.Now()
		for range n {
			l.EventQuery(1)
		}
		t2 := time.Now()
		for range n {
			l.CtxSetCurrent(1)
			l.EventQuery(1)
		}
		c, ours, both = c+t1.Sub(t0), ours+t2.Sub(t1), both+time.Since(t2)
	}
	per := func(d time.Duration) float64 { return float64(d) / float64(b.N*n) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(per(c), "C-ns")
	b.ReportMetric(per(ours)-per(c), "more-ns")
	b.ReportMetric(per(both)-per(ours), "context-ns")
}
