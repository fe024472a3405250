package table

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// flights returns the full file if it is there, or else the sample.
func flights() string {
	if _, err := os.Stat(full); err == nil {
		return full
	}
	return sample
}

// BenchmarkScan reads two columns of the flights, and reports how long that takes
// as a share of arrow-go's reader on the same columns, row groups and columns in
// parallel.
func BenchmarkScan(b *testing.B) {
	path := flights()
	var ours, theirs time.Duration
	rows := 0
	for range b.N {
		start := time.Now()
		rows = scanAll(b, path)
		ours += time.Since(start)
		b.StopTimer()
		start = time.Now()
		if n := arrowAll(b, path); n != rows {
			b.Fatalf("%d rows, arrow-go reads %d", rows, n)
		}
		theirs += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(float64(ours)/float64(theirs), "of-arrow-go")
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

func scanAll(b *testing.B, path string) (rows int) {
	net := sluice.NewNetwork("bench")
	out := net.Channel("rows")
	net.Node(Scan{Files: []string{path}, Columns: []string{"origin", "delay"}}.Node("scan", out))
	net.Node("sink", func(ctx context.Context) error {
		for m, err := range out.All(ctx) {
			if err != nil {
				return err
			}
			chunk, err := sluice.Peek[*Chunk](&m)
			if err != nil {
				return err
			}
			rows += chunk.Rows()
			m.Release()
		}
		return nil
	}, sluice.Reads(out))
	if err := net.Run(context.Background()); err != nil {
		b.Fatal(err)
	}
	return rows
}

func arrowAll(b *testing.B, path string) (rows int) {
	in, err := file.OpenParquetFile(path, false)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	settings := pqarrow.ArrowReadProperties{Parallel: true, BatchSize: 1 << 20}
	for _, column := range []string{"origin", "delay"} {
		settings.SetReadDict(in.MetaData().Schema.ColumnIndexByName(column), column == "origin")
	}
	r, err := pqarrow.NewFileReader(in, settings, memory.DefaultAllocator)
	if err != nil {
		b.Fatal(err)
	}
	batches, err := r.GetRecordReader(context.Background(), []int{1, 3}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer batches.Release()
	for batches.Next() {
		rows += int(batches.RecordBatch().NumRows())
	}
	return rows
}

// loaded reads the chunks of the flights into memory.
func loaded(b *testing.B) (batches []arrow.RecordBatch, rows int) {
	net := sluice.NewNetwork("bench")
	out := net.Channel("rows")
	net.Node(Scan{Files: []string{flights()}, Columns: []string{"origin", "delay"}}.Node("scan", out))
	net.Node("sink", func(ctx context.Context) error {
		for m, err := range out.All(ctx) {
			if err != nil {
				return err
			}
			chunk, err := sluice.Peek[*Chunk](&m)
			if err != nil {
				return err
			}
			chunk.Batch().Retain()
			batches, rows = append(batches, chunk.Batch()), rows+chunk.Rows()
			m.Release()
		}
		return nil
	}, sluice.Reads(out))
	if err := net.Run(context.Background()); err != nil {
		b.Fatal(err)
	}
	return batches, rows
}

// BenchmarkAggregateByOrigin counts flights and averages their delay by origin,
// and reports the time as a share of a Go map from strings doing the same.
func BenchmarkAggregateByOrigin(b *testing.B) {
	batches, rows := loaded(b)
	a := Aggregate{By: []string{"origin"}, Measures: []Measure{{Func: Count}, {Func: Mean, Column: "delay"}}, Workers: 1}
	var ours, theirs time.Duration
	for range b.N {
		start := time.Now()
		run, err := a.job("aggregate").start(b.Context(), batches[0].Schema(), nil)
		if err != nil {
			b.Fatal(err)
		}
		for _, batch := range batches {
			if err := run.take(b.Context(), 0, batch, 0); err != nil {
				b.Fatal(err)
			}
		}
		ours += time.Since(start)
		b.StopTimer()
		start = time.Now()
		if byMap(batches) != run.groups.workers[0].table.len() {
			b.Fatal("not the same groups")
		}
		theirs += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(float64(ours)/float64(theirs), "of-a-map")
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

func byMap(batches []arrow.RecordBatch) int {
	type sums struct{ count, delay int64 }
	groups := make(map[string]*sums)
	for _, batch := range batches {
		origin, delay := newView(batch.Column(0)), fixed[int64](batch.Column(1))
		for i, d := range delay {
			key := origin.text.at(i)
			g := groups[string(key)]
			if g == nil {
				g = new(sums)
				groups[string(key)] = g
			}
			g.count++
			g.delay += d
		}
	}
	return len(groups)
}

// BenchmarkSort orders all flights by delay, and picks the ten latest.
func BenchmarkSort(b *testing.B) {
	batches, rows := loaded(b)
	for name, limit := range map[string]int{"all": 0, "top10": 10} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				s := Sort{By: []SortKey{{Column: "delay", Descending: true}}, Limit: limit}
				sorting := s.sorter(budgetOf(b.Context()), "sort", plainSchema(batches[0].Schema()), []int{1})
				for _, batch := range batches {
					if err := sorting.add(context.Background(), batch); err != nil {
						b.Fatal(err)
					}
				}
				for {
					batch, err := sorting.next(context.Background())
					if err != nil {
						b.Fatal(err)
					}
					if batch == nil {
						break
					}
					batch.Release()
				}
				sorting.release()
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}

// BenchmarkSortWithLimits orders all flights in memory without limits, in ample memory,
// and in a sixth of what they take, and reports the times of the latter two as a share of
// the first.
func BenchmarkSortWithLimits(b *testing.B) {
	var without, ample, little time.Duration
	much, tight := newResource(b, 1<<30), newResource(b, 16<<20)
	sortAll(b, nil) // each has its memory mapped then
	sortAll(b, much)
	for range b.N {
		without += sortAll(b, nil)
		ample += sortAll(b, much)
		little += sortAll(b, tight)
	}
	b.ReportMetric(float64(ample)/float64(without), "ample-of-unlimited")
	b.ReportMetric(float64(little)/float64(without), "little-of-unlimited")
}

func sortAll(b *testing.B, r *mem.Resource) time.Duration {
	net := sluice.NewNetwork("bench", sluice.WithMemory(r))
	rows, sorted := net.Channel("rows"), net.Channel("sorted")
	net.Node(Scan{Files: []string{flights()}}.Node("scan", rows))
	net.Node(Sort{By: []SortKey{{Column: "delay"}}}.Node("sort", rows, sorted))
	net.Node("sink", func(ctx context.Context) error {
		return eachChunk(ctx, sorted, func(*sluice.Message, *Chunk) error { return nil })
	}, reads(sorted))
	start := time.Now()
	if err := net.Run(b.Context()); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}
