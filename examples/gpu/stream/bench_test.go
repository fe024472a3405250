package main

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/axpy"
	"github.com/seed14ed4225/sluice/mem"
)

// BenchmarkNetwork compares the network, reading and writing nothing, with a bare loop that
// queues the same copies and kernels on as many streams, in memory allocated beforehand. It
// reports which part of the loop's throughput the network reaches, and what a message takes
// more.
//
//	go test -run xxx -bench Network -benchtime 9x ./examples/gpu/stream
func BenchmarkNetwork(b *testing.B) {
	for _, name := range []string{"host", "cuda:0"} {
		for _, piece := range []int64{4 << 10, 1 << 20, 16 << 20} {
			b.Run(fmt.Sprintf("%s/%v", name, mem.Bytes(piece)), func(b *testing.B) { benchmarkNetwork(b, name, piece) })
		}
	}
}

func benchmarkNetwork(b *testing.B, name string, piece int64) {
	d, err := open(name, nil)
	if errors.Is(err, cuda.ErrUnavailable) || errors.Is(err, cuda.ErrNoDevice) {
		b.Skip(err)
	}
	check(b, err)
	defer func() { check(b, d.Close()) }()
	pieces := max(64, min(4096, (1<<30)/piece))
	s := &settings{a: 2, piece: piece, limit: 2 * streamsInTurn * piece, size: pieces * piece, files: 1}

	var bare, network []time.Duration
	for range b.N + 1 { // the first round fills the pools
		bare = append(bare, bareLoop(b, d, s))
		elapsed, err := stream(b.Context(), d, nothing{}, nothing{}, s)
		check(b, err)
		network = append(network, elapsed)
	}
	loop, net := median(bare[1:]), median(network[1:])
	b.ReportMetric(float64(loop)/float64(net), "of-the-loop")
	b.ReportMetric(float64((net-loop).Nanoseconds())/1e3/float64(pieces), "µs-more/message")
	b.ReportMetric(float64(s.size)/1e9/net.Seconds(), "GB/s-each-way")
	b.ReportMetric(0, "ns/op")
}

// nothing is a file that is there already, and one that nobody wants.
type nothing struct{}

func (nothing) ReadAt(p []byte, _ int64) (int, error)  { return len(p), nil }
func (nothing) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// bareLoop is the same work by hand.
func bareLoop(b *testing.B, d device.Device, s *settings) time.Duration {
	type lane struct {
		stream         device.Stream
		up, down, x, y *device.Block
	}
	lanes := make([]lane, streamsInTurn)
	for i := range lanes {
		l := &lanes[i]
		var err error
		l.stream, err = d.NewStream(device.StreamOptions{Name: fmt.Sprint("lane ", i)})
		check(b, err)
		for _, at := range []**device.Block{&l.up, &l.down} {
			*at, err = d.AllocPinned(s.piece)
			check(b, err)
		}
		for _, at := range []**device.Block{&l.x, &l.y} {
			*at, err = l.stream.Alloc(s.piece)
			check(b, err)
		}
		check(b, l.stream.Fill(l.x.All(), 0))
		check(b, l.stream.Sync(b.Context()))
	}
	start := time.Now()
	for i := range s.size / s.piece {
		l := &lanes[i%streamsInTurn]
		check(b, l.stream.Copy(l.y.All(), l.up.All()))
		check(b, axpy.Float32(l.stream, float32(s.a), l.x.All(), l.y.All()))
		check(b, l.stream.Copy(l.down.All(), l.y.All()))
	}
	for _, l := range lanes {
		check(b, l.stream.Sync(b.Context()))
	}
	elapsed := time.Since(start)
	for _, l := range lanes {
		for _, block := range []*device.Block{l.up, l.down, l.x, l.y} {
			check(b, l.stream.Free(block))
		}
		check(b, l.stream.Sync(b.Context()))
		check(b, l.stream.Close())
	}
	return elapsed
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
