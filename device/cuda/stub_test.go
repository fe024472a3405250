//go:build linux && (amd64 || arm64) && !nocuda

package cuda_test

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ebitengine/purego"

	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// BenchmarkOperation queues operations on a device whose driver does nothing, so that what
// is left is what the device adds to each call of the driver. It must be at most 1 µs.
func BenchmarkOperation(b *testing.B) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		b.Skip("no C compiler (cc) to build a library with the driver's interface")
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
	d, err := cuda.OpenDriver(drv, 0, cuda.Options{})
	errIs(b, err, nil)
	s := newStream(b, d, "s")
	block, err := s.Alloc(1 << 20)
	errIs(b, err, nil)
	const n = 1000
	var fill, copies, record, wait time.Duration
	ctx := b.Context()
	for b.Loop() {
		t0 := time.Now()
		for range n {
			_ = s.Fill(block.All(), 1)
		}
		t1 := time.Now()
		for range n {
			_ = s.Copy(block.Span(0, 1<<10), block.Span(1<<10, 1<<10))
		}
		t2 := time.Now()
		for range n {
			_ = s.Fill(block.All(), 1)
			_ = s.Record()
		}
		t3 := time.Now()
		for range n {
			_ = s.Fill(block.All(), 1)
			_ = s.Sync(ctx)
		}
		fill, copies, record, wait = fill+t1.Sub(t0), copies+t2.Sub(t1), record+t3.Sub(t2), wait+time.Since(t3)
	}
	per := func(d time.Duration) float64 { return float64(d) / float64(b.N*n) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(per(fill), "fill-ns")
	b.ReportMetric(per(copies), "copy-ns")
	b.ReportMetric(per(record)-per(fill), "record-ns")
	b.ReportMetric(per(wait)-per(fill), "sync-ns")
	errIs(b, s.Free(block), nil)
	errIs(b, d.Close(), nil)
}
