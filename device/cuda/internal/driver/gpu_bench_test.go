//go:build linux && (amd64 || arm64) && !nocuda

package driver

import (
	"runtime"
	"testing"
	"time"

	"github.com/ebitengine/purego"
)

// BenchmarkCallOnAGPU is [BenchmarkCall] with a call of the real driver, that the C of the stub
// makes in a loop: whether an event has completed that was never recorded.
func BenchmarkCallOnAGPU(b *testing.B) {
	drv, err := Load()
	if err != nil {
		b.Skip(err)
	}
	l := drv.(*library)
	s := compile(b)
	handle, err := purego.Dlopen(s.file, purego.RTLD_NOW)
	if err != nil {
		b.Fatal(err)
	}
	again, err := purego.Dlsym(handle, "stub_again")
	if err != nil {
		b.Fatal(err)
	}
	must := func(r Result) {
		b.Helper()
		if r != Success {
			b.Fatalf("result %d", r)
		}
	}
	if r := l.Init(); r != Success {
		b.Skipf("cuInit: result %d", r)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	d, r := l.DeviceGet(0)
	must(r)
	ctx, r := l.PrimaryCtxRetain(d)
	must(r)
	defer l.PrimaryCtxRelease(d)
	must(l.CtxSetCurrent(ctx))
	e, r := l.EventCreate(EventDisableTiming)
	must(r)
	defer l.EventDestroy(e)
	const n = 1000
	var c, ours, both time.Duration
	for b.Loop() {
		t0 := time.Now()
		call(again, l.eventQuery, uintptr(e), n)
		t1 := time.Now()
		for range n {
			l.EventQuery(e)
		}
		t2 := time.Now()
		for range n {
			l.CtxSetCurrent(ctx)
			l.EventQuery(e)
		}
		c, ours, both = c+t1.Sub(t0), ours+t2.Sub(t1), both+time.Since(t2)
	}
	per := func(d time.Duration) float64 { return float64(d) / float64(b.N*n) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(per(c), "C-ns")
	b.ReportMetric(per(ours)-per(c), "more-ns")
	b.ReportMetric(per(ours)/per(c), "ratio")
	b.ReportMetric(per(both)-per(ours), "context-ns")
}
