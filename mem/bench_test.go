package mem_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/mem"
)

// BenchmarkReserve is a reservation that nobody competes for: at most 150 ns and one
// allocation.
func BenchmarkReserve(b *testing.B) {
	r := newResource(b, mem.Options{})
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		res, err := r.Reserve(ctx, mem.Host, 1000)
		if err != nil {
			b.Fatal(err)
		}
		res.Release()
	}
}

// BenchmarkReserveCompeting is 64 goroutines that want memory of which there is enough
// for that many of them; the others wait.
func BenchmarkReserveCompeting(b *testing.B) {
	const goroutines = 64
	for _, fit := range []int64{64, 16, 1} {
		b.Run(fmt.Sprintf("%dfit", fit), func(b *testing.B) {
			r := newResource(b, mem.Options{Limits: [mem.Kinds]mem.Limit{mem.Host: mem.Bytes(fit*1000 + fit*1000/7 + 1)}})
			ctx := context.Background()
			var all sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for g := range goroutines {
				n := b.N / goroutines
				if g < b.N%goroutines {
					n++
				}
				all.Go(func() {
					for range n {
						res, err := r.Reserve(ctx, mem.Host, 1000)
						if err != nil {
							b.Error(err)
							return
						}
						runtime.Gosched()
						res.Release()
					}
				})
			}
			all.Wait()
		})
	}
}

// BenchmarkAlloc is a buffer from a warm pool, with its reservation: at most 2 µs for
// 1 MiB of host memory.
func BenchmarkAlloc(b *testing.B) {
	for _, k := range inMemory {
		b.Run(k.String(), func(b *testing.B) {
			r := newResource(b, mem.Options{})
			s := newStream(b, r.Device(), "s")
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				res, err := r.Reserve(ctx, k, 1<<20)
				if err != nil {
					b.Fatal(err)
				}
				buffer, err := res.Alloc(k, 1<<20, s)
				if err != nil {
					b.Fatal(err)
				}
				res.Release()
				buffer.Release()
			}
		})
	}
}

// BenchmarkWrite is what the books about a buffer cost: a write and a read in stream order
// that queue nothing.
func BenchmarkWrite(b *testing.B) {
	r := newResource(b, mem.Options{})
	s := newStream(b, r.Device(), "s")
	buffer := alloc(b, r, mem.Host, 1<<20, s)
	defer buffer.Release()
	b.ReportAllocs()
	for b.Loop() {
		if err := buffer.Write(func(device.Stream, device.Span) error { return nil }); err != nil {
			b.Fatal(err)
		}
		if err := buffer.Read(nil, func(device.Span) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
