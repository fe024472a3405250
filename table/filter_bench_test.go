package table

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// BenchmarkFilter keeps a tenth of the rows of one column by its value, in one goroutine, and reports the
// bytes of the column that it goes through in a second.
func BenchmarkFilter(b *testing.B) {
	const rows = 64 << 10
	for _, c := range []struct {
		typ   arrow.DataType
		where string
		value func(n int) any // of n below 1000
	}{
		{arrow.PrimitiveTypes.Int64, "x < 100", func(n int) any { return n }},
		{arrow.PrimitiveTypes.Float64, "x < 100", func(n int) any { return float64(n) }},
		{arrow.PrimitiveTypes.Int32, "x < 100", func(n int) any { return n }},
		{arrow.PrimitiveTypes.Uint32, "x < 99.5", func(n int) any { return n }},
		{arrow.PrimitiveTypes.Float32, "x < 100", func(n int) any { return float64(n) }},
		{arrow.PrimitiveTypes.Int16, "x < 100", func(n int) any { return n }},
		{arrow.PrimitiveTypes.Uint8, "x < 10", func(n int) any { return n % 100 }},
		{arrow.FixedWidthTypes.Date32, "x < date '1970-04-11'", func(n int) any { return n }},
		{arrow.FixedWidthTypes.Timestamp_us, "x < '1970-01-01 00:01:40'", func(n int) any { return n * 1e6 }},
		{&arrow.Decimal128Type{Precision: 12, Scale: 2}, "x < 1", func(n int) any { return decimal128.FromI64(int64(n)) }},
		{&arrow.Decimal128Type{Precision: 12, Scale: 2}, "x < 0.999", func(n int) any { return decimal128.FromI64(int64(n)) }},
	} {
		b.Run(c.typ.String()+" "+c.where, func(b *testing.B) {
			schema := arrow.NewSchema([]arrow.Field{{Name: "x", Type: c.typ}}, nil)
			values := make([][]any, rows)
			for i := range values {
				values[i] = []any{c.value((i * 7919) % 1000)}
			}
			chunk := NewChunk(batchOf(schema, values...))
			defer chunk.Release()
			r := newResource(b, 64<<20)
			f := filtering{filter: Filter{Where: c.where}}
			if _, err := f.schema(schema); err != nil {
				b.Fatal(err)
			}
			hand := f.hand()
			b.SetBytes(rows * int64(c.typ.(arrow.FixedWidthDataType).Bytes()))
			for b.Loop() {
				_, need, err := hand.look(chunk)
				if err != nil {
					b.Fatal(err)
				}
				res, err := r.Reserve(b.Context(), mem.Host, need)
				if err != nil {
					b.Fatal(err)
				}
				made, err := hand.make(chunk, newAllocator(b.Context(), res))
				res.Release()
				if err != nil {
					b.Fatal(err)
				}
				made.Release()
			}
		})
	}
}

// BenchmarkProjectWorkers computes with one worker and with as many as there are processors, and reports
// how much faster the latter are, and what share that is of how much faster a loop that only calculates gets
// in the same run.
func BenchmarkProjectWorkers(b *testing.B) {
	batches, _ := loaded(b)
	run := func(workers int) {
		net := sluice.NewNetwork("bench")
		in, out := net.Channel("in"), net.Channel("out")
		net.Node("source", source(in, batches...), sluice.Writes(in))
		net.Node(Project{Workers: workers, Compute: []Computed{
			{As: "x", Expr: "round(delay / 60.0, 2)"}, {As: "y", Expr: "upper(origin) || cast(delay as text)"},
		}}.Node("project", in, out))
		net.Node("sink", func(ctx context.Context) error {
			return eachChunk(ctx, out, func(*sluice.Message, *Chunk) error { return nil })
		}, reads(out))
		if err := net.Run(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	took := func(do func()) time.Duration {
		start := time.Now()
		do()
		return time.Since(start)
	}
	var one, all, oneLoop, allLoops time.Duration
	run(1) // warm
	for b.Loop() {
		one += took(func() { run(1) })
		all += took(func() { run(0) })
		oneLoop += took(func() { calculate(1) })
		allLoops += took(func() { calculate(runtime.GOMAXPROCS(0)) })
	}
	faster, loop := float64(one)/float64(all), float64(oneLoop)/float64(allLoops)
	b.ReportMetric(faster, "times-as-fast")
	b.ReportMetric(faster/loop, "of-a-loop")
}

// calculate divides a fixed number of calculations between goroutines.
func calculate(goroutines int) {
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			x := uint64(g)
			for range 400_000_000 / goroutines {
				x = x*6364136223846793005 + 1442695040888963407
			}
			calculated.Store(x)
		})
	}
	all.Wait()
}

var calculated atomic.Uint64 // so that the loop is not left out
