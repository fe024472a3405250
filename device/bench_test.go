package device_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed14ed4225/sluice/device"
)

// Each benchmark does the same with plain Go in the same run, in turns, because times of
// different runs cannot be compared on a shared machine.

// versus runs both sides in turns and reports how long the device's takes in terms of
// the plain one's, both of that many operations.
func versus(b *testing.B, operations int, plain, ours func()) (ratio float64) {
	b.Helper()
	plain()
	ours()
	var p, o time.Duration
	for b.Loop() {
		t0 := time.Now()
		plain()
		t1 := time.Now()
		ours()
		p += t1.Sub(t0)
		o += time.Since(t1)
	}
	total := float64(b.N * operations)
	b.ReportMetric(0, "ns/op") // of both together: means nothing
	b.ReportMetric(float64(p)/total, "plain-ns")
	b.ReportMetric(float64(o)/total, "device-ns")
	return float64(o) / float64(p)
}

// BenchmarkCopy copies device memory to pinned memory through a stream, against copy.
// The speed must be at least 0.9 of the plain one where what is copied does not fit the
// cache. Where it does, one copy by itself is as slow as in any goroutine that
// somebody waits for (go copy), and several that are queued come close.
func BenchmarkCopy(b *testing.B) {
	for _, size := range []int64{64 << 10, 1 << 20, 2 << 20, 16 << 20, 64 << 20} {
		for _, queued := range []int{1, 8} {
			b.Run(fmt.Sprintf("%dKiB/%dqueued", size>>10, queued), func(b *testing.B) {
				d := newHost(b, device.HostOptions{DeviceMemory: 1 << 30, PinnedMemory: 1 << 30})
				s := newStream(b, d, "s")
				src, err := s.Alloc(size)
				errIs(b, err, nil)
				dst, err := d.AllocPinned(size)
				errIs(b, err, nil)
				errIs(b, s.Fill(src.All(), 1), nil)
				errIs(b, s.Fill(dst.All(), 2), nil)
				mustSync(b, s)
				to, from := dst.Bytes(), d.Bytes(src)
				ratio := versus(b, queued, func() {
					for range queued {
						copy(to, from)
					}
				}, func() {
					for range queued {
						errIs(b, s.Copy(dst.All(), src.All()), nil)
					}
					mustSync(b, s)
				})
				b.ReportMetric(1/ratio, "speed-of-plain")
				errIs(b, s.Free(src), nil)
				errIs(b, s.Free(dst), nil)
			})
		}
	}
}

// BenchmarkAllocFree takes 1 MiB from the warm pool and gives it back, against a plain
// channel as the pool. It must take at most 2 µs.
func BenchmarkAllocFree(b *testing.B) {
	const size, pairs = 1 << 20, 64
	pool := make(chan []byte, 1)
	pool <- make([]byte, size)
	for _, busy := range []bool{false, true} {
		name := map[bool]string{false: "idle stream", true: "behind work"}[busy]
		b.Run(name, func(b *testing.B) {
			d := newHost(b, device.HostOptions{DeviceMemory: 1 << 30})
			s := newStream(b, d, "s")
			ratio := versus(b, pairs, func() {
				for range pairs {
					pool <- <-pool
				}
			}, func() {
				if busy {
					errIs(b, s.Do("work", func() error { return nil }), nil)
				}
				for range pairs {
					block, err := s.Alloc(size)
					errIs(b, err, nil)
					errIs(b, s.Free(block), nil)
				}
				mustSync(b, s)
			})
			b.ReportMetric(ratio, "times-plain")
		})
	}
}

// BenchmarkFunction calls empty functions in stream order, against a goroutine that
// receives them from a Go channel: queued many at a time, and one by one with a
// wait for each.
func BenchmarkFunction(b *testing.B) {
	for _, queued := range []int{1, 256} {
		b.Run(fmt.Sprintf("%dqueued", queued), func(b *testing.B) {
			d := newHost(b, device.HostOptions{})
			s := newStream(b, d, "s")
			f := func() error { return nil }
			work, done := make(chan func() error, queued), make(chan error)
			go func() {
				for f := range work {
					if f == nil {
						done <- nil
						continue
					}
					_ = f()
				}
			}()
			ratio := versus(b, queued, func() {
				for range queued {
					work <- f
				}
				work <- nil
				<-done
			}, func() {
				for range queued {
					errIs(b, s.Do("f", f), nil)
				}
				mustSync(b, s)
			})
			close(work)
			b.ReportMetric(ratio, "times-plain")
		})
	}
}
