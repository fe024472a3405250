package extent_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14ed4225/sluice/internal/extent"
)

// BenchmarkSpill compares writing and reading extents with plain large writes and reads: by as
// many goroutines, of the same sizes, to a file opened in the same way, over space that
// was written before. It reports the ratio of the median times, plain over ours: 1 is as
// fast. Compression is off, checksums are on. Plain is measured in turns with ours. Memory
// that does not begin at a page, for which the peer has no counterpart, is copied.
func BenchmarkSpill(b *testing.B) {
	for _, size := range []int{1 << 20, 4 << 20, 16 << 20} {
		b.Run(fmt.Sprintf("%dMiB", size>>20), func(b *testing.B) { benchmarkSpill(b, size, 0, 0) })
	}
	b.Run("4MiBNotAligned", func(b *testing.B) { benchmarkSpill(b, 4<<20, 64, 0) })
}

// BenchmarkSpillWhileComputing is BenchmarkSpill with a goroutine per processor that never
// stops computing. The plain peer suffers from it, too; the ratios to what it does when
// the machine is idle are reported beside.
func BenchmarkSpillWhileComputing(b *testing.B) {
	for _, size := range []int{1 << 20, 4 << 20, 16 << 20} {
		b.Run(fmt.Sprintf("%dMiB", size>>20), func(b *testing.B) { benchmarkSpill(b, size, 0, runtime.GOMAXPROCS(0)) })
	}
}

const (
	benchWorkers = 4
	benchRound   = 64 << 20 // bytes that each measurement moves
)

func benchmarkSpill(b *testing.B, size, skew, busy int) {
	dir := b.TempDir()
	s := open(b, extent.Options{Dir: dir})
	plain := openPlain(b, dir)
	memory, ours := make([][]byte, benchRound/size), make([][]byte, benchRound/size)
	for i := range memory {
		both := extent.AlignedMemory(size + extent.PageSize)
		fill(both, uint64(i))
		memory[i], ours[i] = both[:size], both[skew:skew+size]
	}
	extents := make([]*extent.Extent, len(memory))
	steps := [4]func(i int) error{
		func(i int) error { _, err := plain.WriteAt(memory[i], int64(i*size)); return err },
		func(i int) (err error) {
			extents[i], err = s.Write(b.Context(), "bench", ours[i])
			return err
		},
		func(i int) error { _, err := plain.ReadAt(memory[i], int64(i*size)); return err },
		func(i int) error { return extents[i].Read(b.Context(), ours[i]) },
	}
	var idle [4][]time.Duration
	measure := func(into *[4][]time.Duration) {
		for i, step := range steps {
			into[i] = append(into[i], share(b, len(memory), step))
		}
	}
	measure(new([4][]time.Duration)) // both files get their space
	for range 5 {
		measure(&idle)
	}
	stop := compute(busy)
	defer stop()
	var took [4][]time.Duration
	b.SetBytes(2 * benchRound)
	b.ResetTimer()
	for b.Loop() {
		measure(&took)
	}
	b.ReportMetric(ratio(took[0], took[1]), "write/plain")
	b.ReportMetric(ratio(took[2], took[3]), "read/plain")
	if busy > 0 {
		b.ReportMetric(ratio(idle[0], took[1]), "write/idle-plain")
		b.ReportMetric(ratio(idle[2], took[3]), "read/idle-plain")
	}
	b.ReportMetric(benchRound/1e9/median(took[1]).Seconds(), "write-GB/s")
	b.ReportMetric(benchRound/1e9/median(took[3]).Seconds(), "read-GB/s")
}

// share lets the workers do n steps, and says how long that took.
func share(b *testing.B, n int, step func(i int) error) time.Duration {
	var workers sync.WaitGroup
	var next atomic.Int64
	begin := time.Now()
	for range benchWorkers {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := step(i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	workers.Wait()
	return time.Since(begin)
}

// compute keeps n goroutines busy until the function it returns is called.
func compute(n int) (stop func()) {
	var over atomic.Bool
	var busy sync.WaitGroup
	for range n {
		busy.Go(func() {
			for x := 1; !over.Load(); x = x*31 + 7 {
				runtime.KeepAlive(x)
			}
		})
	}
	return func() {
		over.Store(true)
		busy.Wait()
	}
}

func ratio(of, to []time.Duration) float64 { return float64(median(of)) / float64(median(to)) }

func median(d []time.Duration) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[len(d)/2]
}

// openPlain opens a file in the way of a store, for the peer.
func openPlain(b *testing.B, dir string) extent.File {
	b.Helper()
	f, err := extent.OpenPrivate(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := f.Close(); err != nil {
			b.Error(err)
		}
	})
	return f
}

// BenchmarkCache has the figures behind the choice of direct I/O: the time of direct I/O over
// that of the page cache, with memory to spare.
func BenchmarkCache(b *testing.B) {
	dir := b.TempDir()
	const size = 1 << 20
	direct := openPlain(b, dir)
	cached, err := os.Create(filepath.Join(dir, "cached"))
	if err != nil {
		b.Fatal(err)
	}
	defer cached.Close()
	memory := extent.AlignedMemory(benchRound)
	fill(memory, 1)
	at := func(i int) ([]byte, int64) { return memory[i*size : (i+1)*size], int64(i * size) }
	steps := [4]func(i int) error{
		func(i int) error { m, off := at(i); _, err := direct.WriteAt(m, off); return err },
		func(i int) error { m, off := at(i); _, err := cached.WriteAt(m, off); return err },
		func(i int) error { m, off := at(i); _, err := direct.ReadAt(m, off); return err },
		func(i int) error { m, off := at(i); _, err := cached.ReadAt(m, off); return err },
	}
	var took [4][]time.Duration
	for b.Loop() {
		for i, step := range steps {
			took[i] = append(took[i], share(b, benchRound/size, step))
		}
	}
	b.ReportMetric(ratio(took[0], took[1]), "write-direct/cached")
	b.ReportMetric(ratio(took[2], took[3]), "read-direct/cached")
}

// BenchmarkSmall is what an extent of a few pages costs in time and allocations.
func BenchmarkSmall(b *testing.B) {
	s := open(b, extent.Options{Dir: b.TempDir()})
	memory := extent.AlignedMemory(16 << 10)
	b.ReportAllocs()
	for b.Loop() {
		e, err := s.Write(context.Background(), "small", memory)
		if err == nil {
			err = e.Read(context.Background(), memory)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
