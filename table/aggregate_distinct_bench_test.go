package table

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// fewValues are rows of so many groups, four of each, with two columns of values that nearly all differ
// within their group.
type fewValues struct {
	groups int
	text   bool
}

func (v fewValues) rows() int { return 4 * v.groups }

func (v fewValues) schema() *arrow.Schema {
	of := int64Type
	if v.text {
		of = stringType
	}
	return arrow.NewSchema([]arrow.Field{field("k", int64Type), field("x", of), field("y", of)}, nil)
}

func (v fewValues) source(out *sluice.Channel) func(context.Context) error {
	return func(ctx context.Context) error {
		from, schema := budgetOf(ctx), v.schema()
		const atOnce = 8192
		for row, seq := 0, sluice.SeqNum(0); row < v.rows(); row, seq = row+atOnce, seq+1 {
			rows := min(atOnce, v.rows()-row)
			res, err := from.reserve(ctx, 3*allocated(int64(24*rows)))
			if err != nil {
				return err
			}
			own := newAllocator(ctx, res)
			columns := []arrow.Array{fixedArray(own, int64Type, rows, nil, func(i int) int64 {
				return int64(row+i) * 1_000_003 % int64(v.groups)
			})}
			for c := range 2 {
				value := func(i int) int64 { return int64(uint64(scattered(row+i))>>(30+4*c)) % 1000 }
				if !v.text {
					columns = append(columns, fixedArray(own, int64Type, rows, nil, value))
					continue
				}
				var text []byte
				column, err := textArray(own, stringType, rows, nil, func(i int) []byte {
					text = fmt.Appendf(text[:0], "value %d", value(i))
					return text
				})
				if err != nil {
					return err
				}
				columns = append(columns, column)
			}
			chunk := own.Chunk(array.NewRecordBatch(schema, columns, int64(rows)))
			releaseArrays(columns)
			res.Release()
			if err := send(ctx, out, seq, chunk); err != nil {
				return err
			}
		}
		return nil
	}
}

// BenchmarkCountDistinct counts different values in two columns for each of a million groups, and
// reports the time as a multiple of what it takes to aggregate by the group and the value of one
// of the columns.
func BenchmarkCountDistinct(b *testing.B) {
	const groups = 1_000_000
	counts := Aggregate{By: []string{"k"}, Measures: []Measure{{Func: CountDistinct, Column: "x"}, {Func: CountDistinct, Column: "y"}}}
	pairs := Aggregate{By: []string{"k", "x"}, Measures: []Measure{{Func: Count}}}
	for _, values := range []struct {
		name string
		text bool
	}{{"integers", false}, {"text", true}} {
		for _, limit := range []struct {
			name  string
			bytes int64
		}{{"unlimited", 16 << 30}, {"32MiB", 32 << 20}} {
			b.Run(values.name+"/"+limit.name, func(b *testing.B) {
				in := fewValues{groups, values.text}
				var ours, plain time.Duration
				var bytes int64
				for b.Loop() {
					r := newResource(b, limit.bytes)
					start := time.Now()
					if n := groupsOf(b, r, counts, in.source); n != groups {
						b.Fatalf("%d groups", n)
					}
					ours += time.Since(start)
					bytes = r.Stats().Kinds[mem.Host].Peak
					b.StopTimer()
					start = time.Now()
					groupsOf(b, newResource(b, limit.bytes), pairs, in.source)
					plain += time.Since(start)
					b.StartTimer()
				}
				b.ReportMetric(float64(ours)/float64(plain), "of-a-plain-one")
				b.ReportMetric(float64(bytes)/float64(2*in.rows()), "B/value")
				b.ReportMetric(ours.Seconds()/float64(b.N), "s")
			})
		}
	}
}
