package table

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice"
)

// Four million rows are joined with a million others by a number, of which every second has a match. Beside
// it, in the same run, the same is done with Go's map and a loop, in one goroutine.
func BenchmarkJoin(b *testing.B) {
	const built, probed, inChunk = 1 << 20, 4 << 20, 64 << 10
	schema := arrow.NewSchema([]arrow.Field{field("k", int64Type), field("n", int64Type)}, nil)
	random := rand.New(rand.NewPCG(1, 2))
	var inputs [2][]arrow.RecordBatch // the smaller one is the right
	var keys, numbers [2][]int64
	for _, k := range random.Perm(built) {
		keys[1] = append(keys[1], int64(k)*2)
		numbers[1] = append(numbers[1], int64(k))
	}
	for i := range probed {
		keys[0] = append(keys[0], random.Int64N(2*built))
		numbers[0] = append(numbers[0], int64(i))
	}
	for s := range inputs {
		for from := 0; from < len(keys[s]); from += inChunk {
			builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
			builder.Field(0).(*array.Int64Builder).AppendValues(keys[s][from:from+inChunk], nil)
			builder.Field(1).(*array.Int64Builder).AppendValues(numbers[s][from:from+inChunk], nil)
			inputs[s] = append(inputs[s], builder.NewRecordBatch())
			builder.Release()
		}
	}
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprint(workers), func(b *testing.B) {
			var byMap time.Duration
			for b.Loop() {
				rows := joinAll(b, Join{On: []JoinKey{{"k", "k"}}, Workers: workers}, inputs)
				b.StopTimer()
				start := time.Now()
				if n := mapJoin(keys, numbers); n != rows {
					b.Fatalf("%d rows, the map gives %d", rows, n)
				}
				byMap += time.Since(start)
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed())/float64(byMap), "of-map")
			b.ReportMetric(float64(probed)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}

func joinAll(b *testing.B, join Join, inputs [2][]arrow.RecordBatch) (rows int) {
	net := sluice.NewNetwork("bench")
	l, r, out := net.Channel("l"), net.Channel("r"), net.Channel("out")
	net.Node("left", source(l, inputs[0]...), sluice.Writes(l))
	net.Node("right", source(r, inputs[1]...), sluice.Writes(r))
	net.Node(join.Node("join", l, r, out))
	net.Node("sink", func(ctx context.Context) error {
		return eachChunk(ctx, out, func(_ *sluice.Message, chunk *Chunk) error { rows += chunk.Rows(); return nil })
	}, reads(out))
	if err := net.Run(context.Background()); err != nil {
		b.Fatal(err)
	}
	return rows
}

// mapJoin makes the same four columns.
func mapJoin(keys, numbers [2][]int64) int {
	places := make(map[int64]int32, len(keys[1]))
	for i, k := range keys[1] {
		places[k] = int32(i)
	}
	var made [4][]int64
	for i, k := range keys[0] {
		if at, ok := places[k]; ok {
			made[0], made[1] = append(made[0], k), append(made[1], numbers[0][i])
			made[2], made[3] = append(made[2], keys[1][at]), append(made[3], numbers[1][at])
		}
	}
	return len(made[0])
}

// Of a hundred thousand rows each finds a hundred of its key, of which the condition lets every hundredth pass.
// Beside it, in the same run, the same is done with Go's map and two loops, in one goroutine.
func BenchmarkJoinCondition(b *testing.B) {
	const keys, built, probed, inChunk = 1000, 100_000, 1 << 17, 1 << 16
	schema := arrow.NewSchema([]arrow.Field{field("k", int64Type), field("n", int64Type), field("x", int64Type)}, nil)
	random := rand.New(rand.NewPCG(1, 2))
	var inputs [2][]arrow.RecordBatch
	var numbers [2][3][]int64
	for s, rows := range []int{probed, built} {
		for i := range rows {
			numbers[s][0] = append(numbers[s][0], random.Int64N(keys))
			numbers[s][1] = append(numbers[s][1], random.Int64N(1000)+int64(s*986))
			numbers[s][2] = append(numbers[s][2], int64(i))
		}
		for from := 0; from < rows; from += inChunk {
			builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
			for c := range numbers[s] {
				builder.Field(c).(*array.Int64Builder).AppendValues(numbers[s][c][from:min(from+inChunk, rows)], nil)
			}
			inputs[s] = append(inputs[s], builder.NewRecordBatch())
			builder.Release()
		}
	}
	places := make(map[int64][]int32)
	for i, k := range numbers[1][0] {
		places[k] = append(places[k], int32(i))
	}
	loops := func() (rows, pairs int) {
		for i, k := range numbers[0][0] {
			n := numbers[0][1][i]
			for _, at := range places[k] {
				if n > numbers[1][1][at] {
					rows++
				}
			}
			pairs += len(places[k])
		}
		return rows, pairs
	}
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprint(workers), func(b *testing.B) {
			var byLoops time.Duration
			pairs := 0
			for b.Loop() {
				rows := joinAll(b, Join{On: []JoinKey{{"k", "k"}}, Where: "n > n_right", Workers: workers}, inputs)
				b.StopTimer()
				start := time.Now()
				n, looked := loops()
				if pairs = looked; n != rows {
					b.Fatalf("%d rows, loops give %d", rows, n)
				}
				byLoops += time.Since(start)
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed())/float64(byLoops), "of-loops")
			b.ReportMetric(float64(pairs)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpairs/s")
		})
	}
}
