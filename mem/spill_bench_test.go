package mem_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/mem"
)

// BenchmarkSpillToPinned spills 24 MiB from device to pinned memory, and for comparison
// copies as much between blocks that are there already, in turn. It reports the bandwidth of
// both, and how much of the copy's the spill has: on a GPU at least 0.9.
func BenchmarkSpillToPinned(b *testing.B) {
	for _, on := range []struct {
		name string
		open func(testing.TB) device.Device
	}{
		{"host", func(t testing.TB) device.Device { return newDevice(t, nil) }},
		{"simulated", func(t testing.TB) device.Device { return newSimulated(t) }},
		{"gpu", func(t testing.TB) device.Device { return newGPU(t) }},
	} {
		for _, pieces := range []int{1, 6} {
			b.Run(fmt.Sprintf("%s/%dx%dMiB", on.name, pieces, 24/pieces), func(b *testing.B) {
				spillAndCopy(b, on.open(b), pieces, int64(24/pieces)<<20)
			})
		}
	}
}

func spillAndCopy(b *testing.B, d device.Device, pieces int, n int64) {
	total := int64(pieces) * n
	r := newResource(b, mem.Options{Device: d})
	s := newStream(b, d, "s")
	var buffers []*mem.Buffer
	var from, to []*device.Block
	for range pieces {
		buffer := alloc(b, r, mem.Device, n, s)
		errIs(b, buffer.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, 1) }), nil)
		buffers = append(buffers, buffer)
		src, err := s.Alloc(n)
		errIs(b, err, nil)
		dst, err := d.AllocPinned(n)
		errIs(b, err, nil)
		from, to = append(from, src), append(to, dst)
	}
	ctx := context.Background()
	var spilling, copying time.Duration
	copyAll := func(to, from []*device.Block) {
		for i := range from {
			errIs(b, s.Copy(to[i].All(), from[i].All()), nil)
		}
		errIs(b, s.Sync(ctx), nil)
	}
	round := func() { // there in turn, and back in turn, so that caches help neither
		begin := time.Now()
		copyAll(to, from)
		copying += time.Since(begin)

		begin = time.Now()
		res := reserveFor(b, r, mem.Pinned, total)
		spilled, err := mem.SpillBuffers(ctx, res, "benchmark", buffers...)
		res.Release()
		errIs(b, err, nil)
		spilling += time.Since(begin)

		copyAll(from, to)
		back := reserveFor(b, r, mem.Device, total)
		buffers, err = spilled.Restore(ctx, back)
		back.Release()
		errIs(b, err, nil)
	}
	round() // the pools are cold
	spilling, copying = 0, 0
	for b.Loop() {
		round()
	}
	bytes := float64(total) * float64(b.N) / 1e9
	b.ReportMetric(bytes/spilling.Seconds(), "spill-GB/s")
	b.ReportMetric(bytes/copying.Seconds(), "copy-GB/s")
	b.ReportMetric(copying.Seconds()/spilling.Seconds(), "of-copy")
	for i := range from {
		buffers[i].Release()
		errIs(b, s.Free(from[i]), nil)
		errIs(b, s.Free(to[i]), nil)
	}
}

func reserveFor(b *testing.B, r *mem.Resource, k mem.Kind, n int64) *mem.Reservation {
	res, err := r.Reserve(context.Background(), k, n)
	errIs(b, err, nil)
	return res
}
