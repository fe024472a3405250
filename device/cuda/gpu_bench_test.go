//go:build linux && (amd64 || arm64) && !nocuda

package cuda_test

import (
	"testing"
	"time"
	"unsafe"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda/axpy"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// What is here needs a GPU. Each compares with its peer in the same run.

// BenchmarkAxpy compares the kernels with a copy from device to device, by the bytes that memory
// moves: axpy reads two and writes one, a copy reads one and writes one. The ratio is to
// be at least 0.85. The arrays are larger than any cache.
func BenchmarkAxpy(b *testing.B) {
	for _, c := range []struct {
		name string
		run  func(s device.Stream, x, y device.Span) error
	}{
		{"float32", func(s device.Stream, x, y device.Span) error { return axpy.Float32(s, 0.5, x, y) }},
		{"float64", func(s device.Stream, x, y device.Span) error { return axpy.Float64(s, 0.5, x, y) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			const n, often = 1 << 30, 20
			d := newGPU(b)
			s := newStream(b, d, "s")
			x, err := s.Alloc(n)
			errIs(b, err, nil)
			y, err := s.Alloc(n)
			errIs(b, err, nil)
			errIs(b, s.Fill(x.All(), 0), nil)
			errIs(b, s.Fill(y.All(), 0), nil)
			errIs(b, c.run(s, x.All(), y.All()), nil) // compiles
			mustSync(b, s)
			timed := func(f func() error) time.Duration {
				t0 := time.Now()
				for range often {
					errIs(b, f(), nil)
				}
				mustSync(b, s)
				return time.Since(t0)
			}
			var kernel, copies time.Duration
			for b.Loop() {
				copies += timed(func() error { return s.Copy(y.All(), x.All()) })
				kernel += timed(func() error { return c.run(s, x.All(), y.All()) })
			}
			speed := func(d time.Duration, bytes float64) float64 {
				return bytes * often * float64(b.N) / d.Seconds() / 1e9
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(speed(kernel, 3*n), "axpy-GB/s")
			b.ReportMetric(speed(copies, 2*n), "copy-GB/s")
			b.ReportMetric(speed(kernel, 3*n)/speed(copies, 2*n), "ratio")
			errIs(b, s.Free(x), nil)
			errIs(b, s.Free(y), nil)
			errIs(b, d.Close(), nil)
		})
	}
}

// BenchmarkPinnedCopy copies pinned memory to the device and back through a stream, against the
// same calls made of the driver itself.
func BenchmarkPinnedCopy(b *testing.B) {
	for _, size := range []struct {
		name  string
		bytes uint64
		often int
	}{{"64KiB", 64 << 10, 500}, {"4MiB", 4 << 20, 100}, {"256MiB", 256 << 20, 4}} {
		for _, up := range []bool{true, false} {
			name := size.name + "/to-host"
			if up {
				name = size.name + "/to-device"
			}
			b.Run(name, func(b *testing.B) { benchPinnedCopy(b, size.bytes, size.often, up) })
		}
	}
}

func benchPinnedCopy(b *testing.B, n uint64, often int, up bool) {
	d := newGPU(b)
	drv, err := driver.Load()
	errIs(b, err, nil)
	r := newRaw(b, drv, n)
	s := newStream(b, d, "s")
	pinned, err := d.AllocPinned(int64(n))
	errIs(b, err, nil)
	block, err := s.Alloc(int64(n))
	errIs(b, err, nil)
	clear(pinned.Bytes())
	host := unsafe.Pointer(&pinned.Bytes()[0])
	raw := func() {
		if up {
			r.MemcpyHtoDAsync(r.memory, host, n, r.stream)
		} else {
			r.MemcpyDtoHAsync(host, r.memory, n, r.stream)
		}
	}
	to, from := pinned.All(), block.All()
	if up {
		to, from = from, to
	}
	errIs(b, s.Copy(to, from), nil)
	mustSync(b, s)
	raw()
	r.sync()
	var ours, theirs time.Duration
	for b.Loop() {
		t0 := time.Now()
		for range often {
			raw()
		}
		r.sync()
		t1 := time.Now()
		for range often {
			errIs(b, s.Copy(to, from), nil)
		}
		mustSync(b, s)
		ours, theirs = ours+time.Since(t1), theirs+t1.Sub(t0)
	}
	speed := func(d time.Duration) float64 { return float64(n) * float64(often*b.N) / d.Seconds() / 1e9 }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(speed(ours), "GB/s")
	b.ReportMetric(speed(theirs), "raw-GB/s")
	b.ReportMetric(speed(ours)/speed(theirs), "ratio")
	errIs(b, s.Free(pinned), nil)
	errIs(b, s.Free(block), nil)
	errIs(b, d.Close(), nil)
}
