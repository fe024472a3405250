//go:build linux && (amd64 || arm64) && !nocuda

package cuda_test

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/ebitengine/purego"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// anyDriver loads the driver of this machine or, where there is none, builds a library in C with
// its interface that does nothing.
func anyDriver(b *testing.B) driver.Driver {
	b.Helper()
	if drv, err := driver.Load(); err == nil {
		if _, err := cuda.Devices(); err == nil {
			b.Log("on the driver of this machine")
			return drv
		}
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		b.Skip("no GPU, and no C compiler (cc) to build a library with the driver's interface")
	}
	file := filepath.Join(b.TempDir(), "libstub.so")
	if out, err := exec.Command(cc, "-std=gnu11", "-O1", "-fvisibility=hidden", "-shared", "-fPIC", "-o", file, filepath.Join("internal", "driver", "testdata", "stub.c")).CombinedOutput(); err != nil {
		b.Fatalf("cc: %v\n%s", err, out)
	}
	lib, err := purego.Dlopen(file, purego.RTLD_NOW)
	errIs(b, err, nil)
	nice, err := purego.Dlsym(lib, "stub_nice")
	errIs(b, err, nil)
	purego.SyscallN(nice)
	drv, err := driver.LoadFile(file)
	errIs(b, err, nil)
	b.Log("on a library that does nothing")
	return drv
}

// raw is a device as a program sees it that calls the driver itself, on one thread.
type raw struct {
	driver.Driver
	ctx      driver.Context
	stream   driver.Stream
	event    driver.Event
	pool     driver.Pool
	memory   driver.Pointer
	function driver.Function
}

// newRaw takes the first device. The goroutine stays on its thread.
func newRaw(b *testing.B, drv driver.Driver, bytes uint64) *raw {
	b.Helper()
	r := &raw{Driver: drv}
	must := func(call string, got driver.Result) {
		b.Helper()
		if got != driver.Success {
			b.Fatalf("%s: %d", call, got)
		}
	}
	runtime.LockOSThread()
	must("cuInit", drv.Init())
	at, got := drv.DeviceGet(0)
	must("cuDeviceGet", got)
	r.ctx, got = drv.PrimaryCtxRetain(at)
	must("cuDevicePrimaryCtxRetain", got)
	must("cuCtxSetCurrent", drv.CtxSetCurrent(r.ctx))
	r.stream, got = drv.StreamCreateWithPriority(driver.StreamNonBlocking, 0)
	must("cuStreamCreateWithPriority", got)
	r.event, got = drv.EventCreate(driver.EventDisableTiming)
	must("cuEventCreate", got)
	props := driver.DevicePool(at)
	r.pool, got = drv.MemPoolCreate(&props)
	must("cuMemPoolCreate", got)
	r.memory, got = drv.MemAllocFromPoolAsync(bytes, r.pool, r.stream)
	must("cuMemAllocFromPoolAsync", got)
	module, _, got := drv.ModuleLoadDataEx(axpyPTX(b))
	must("cuModuleLoadDataEx", got)
	r.function, got = drv.ModuleGetFunction(module, axpyName)
	must("cuModuleGetFunction", got)
	b.Cleanup(func() {
		r.sync()
		must("cuModuleUnload", drv.ModuleUnload(module))
		must("cuMemFreeAsync", drv.MemFreeAsync(r.memory, r.stream))
		r.sync()
		must("cuEventDestroy", drv.EventDestroy(r.event))
		must("cuStreamDestroy", drv.StreamDestroy(r.stream))
		must("cuMemPoolDestroy", drv.MemPoolDestroy(r.pool))
		must("cuDevicePrimaryCtxRelease", drv.PrimaryCtxRelease(at))
		runtime.UnlockOSThread()
	})
	return r
}

// sync waits as somebody does who has nothing else to do.
func (r *raw) sync() {
	r.EventRecord(r.event, r.stream)
	for r.EventQuery(r.event) == driver.NotReady {
	}
}

// BenchmarkOperation queues small operations on a device, and in the same run makes the calls of
// the driver that each consists of, without the device. What the device adds must be at
// most 1 µs: more-ns. Making the context current is one of the calls, because who
// calls from goroutines has to.
func BenchmarkOperation(b *testing.B) {
	for _, c := range []struct {
		name string
		ours func(s device.Stream, block *device.Block, f *cuda.Function)
		raw  func(r *raw)
	}{
		{"Fill", func(s device.Stream, block *device.Block, _ *cuda.Function) {
			_ = s.Fill(block.Span(0, 1<<10), 1)
		}, func(r *raw) {
			r.CtxSetCurrent(r.ctx)
			r.MemsetD8Async(r.memory, 1, 1<<10, r.stream)
		}},
		{"Copy", func(s device.Stream, block *device.Block, _ *cuda.Function) {
			_ = s.Copy(block.Span(0, 1<<10), block.Span(1<<10, 1<<10))
		}, func(r *raw) {
			r.CtxSetCurrent(r.ctx)
			r.MemcpyDtoDAsync(r.memory, r.memory+1<<10, 1<<10, r.stream)
		}},
		// A record alone is free when nothing was queued since the last.
		{"FillRecordQuery", func(s device.Stream, block *device.Block, _ *cuda.Function) {
			_ = s.Fill(block.Span(0, 1<<10), 1)
			_, _ = s.Record().Query()
		}, func(r *raw) {
			r.CtxSetCurrent(r.ctx)
			r.MemsetD8Async(r.memory, 1, 1<<10, r.stream)
			r.CtxSetCurrent(r.ctx)
			r.EventRecord(r.event, r.stream)
			r.CtxSetCurrent(r.ctx)
			r.EventQuery(r.event)
		}},
		{"FillSync", func(s device.Stream, block *device.Block, _ *cuda.Function) {
			_ = s.Fill(block.Span(0, 1<<10), 1)
			_ = s.Record().Wait(b.Context())
		}, func(r *raw) {
			r.CtxSetCurrent(r.ctx)
			r.MemsetD8Async(r.memory, 1, 1<<10, r.stream)
			r.CtxSetCurrent(r.ctx)
			r.EventRecord(r.event, r.stream)
			for {
				r.CtxSetCurrent(r.ctx)
				if r.EventQuery(r.event) != driver.NotReady {
					break
				}
			}
		}},
		{"Launch", func(s device.Stream, block *device.Block, f *cuda.Function) {
			_ = f.Launch(s, f.Over(1), uint64(1), float32(1), block, block.Span(1<<10, 4))
		}, func(r *raw) {
			r.CtxSetCurrent(r.ctx)
			r.LaunchKernel(r.function, driver.Shape{GridX: 1, GridY: 1, GridZ: 1, BlockX: 1, BlockY: 1, BlockZ: 1}, r.stream,
				[]uint64{1, 0x3f800000, uint64(r.memory), uint64(r.memory) + 1<<10})
		}},
		{"AllocFree", func(s device.Stream, _ *device.Block, _ *cuda.Function) {
			block, err := s.Alloc(1 << 10)
			if err == nil {
				_ = s.Free(block)
			}
		}, func(r *raw) {
			r.CtxSetCurrent(r.ctx)
			at, _ := r.MemAllocFromPoolAsync(1<<10, r.pool, r.stream)
			r.CtxSetCurrent(r.ctx)
			r.MemFreeAsync(at, r.stream)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			drv := anyDriver(b)
			r := newRaw(b, drv, 1<<20)
			d, err := cuda.OpenDriver(drv, 0, cuda.Options{})
			errIs(b, err, nil)
			s := newStream(b, d, "s")
			block, err := s.Alloc(1 << 20)
			errIs(b, err, nil)
			m, err := d.Load("axpy", axpyPTX(b))
			errIs(b, err, nil)
			f, err := m.Function(axpyName)
			errIs(b, err, nil)
			c.ours(s, block, f)
			errIs(b, s.Sync(b.Context()), nil)
			const n = 200 // a driver that has a thousand waiting blocks whoever comes with more
			var ours, theirs time.Duration
			for b.Loop() {
				t0 := time.Now()
				for range n {
					c.raw(r)
				}
				theirs += time.Since(t0)
				r.sync()
				t0 = time.Now()
				for range n {
					c.ours(s, block, f)
				}
				ours += time.Since(t0)
				_ = s.Sync(b.Context())
			}
			per := func(d time.Duration) float64 { return float64(d) / float64(b.N*n) }
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(per(theirs), "raw-ns")
			b.ReportMetric(per(ours)-per(theirs), "more-ns")
			b.ReportMetric(per(ours)/per(theirs), "ratio")
			errIs(b, s.Err(), nil)
			errIs(b, s.Free(block), nil)
			errIs(b, d.Close(), nil)
		})
	}
}
