package table

import (
	"context"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// BenchmarkGroups counts and adds up the rows of six million groups by two keys, without a limit and
// in 64 MiB, and reports the time as a share of a Go map of the same groups. The rows are made
// in all of them.
func BenchmarkGroups(b *testing.B) {
	const groups = 6_000_000
	in := manyRows{groups, []func(int) int64{
		func(row int) int64 { return int64(row) / 4 },
		func(row int) int64 { return int64(row) * 7919 % 200_003 },
		func(row int) int64 { return int64(row) % 50 },
	}}
	a := Aggregate{By: []string{"a", "b"}, Measures: []Measure{{Func: Count}, {Func: Sum, Column: "c"}}}
	for _, limit := range []struct {
		name string
		r    *mem.Resource
	}{{"unlimited", nil}, {"64MiB", newResource(b, 64<<20)}} {
		b.Run(limit.name, func(b *testing.B) {
			var ours, theirs time.Duration
			for b.Loop() {
				start := time.Now()
				if n := groupsOf(b, limit.r, a, in.source); n != groups {
					b.Fatalf("%d groups", n)
				}
				ours += time.Since(start)
				b.StopTimer()
				start = time.Now()
				if n := in.groupedByMap(); n != groups {
					b.Fatalf("%d groups in the map", n)
				}
				theirs += time.Since(start)
				b.StartTimer()
			}
			b.ReportMetric(float64(ours)/float64(theirs), "of-a-map")
			b.ReportMetric(float64(b.N)*groups/ours.Seconds()/1e6, "Mgroups/s")
		})
	}
}

// groupsOf runs rows through an aggregate, and returns of how many groups they are.
func groupsOf(b *testing.B, memory *mem.Resource, a Aggregate, source func(*sluice.Channel) func(context.Context) error) (groups int) {
	net := sluice.NewNetwork("bench", sluice.WithMemory(memory))
	rows, done := net.Channel("rows"), net.Channel("groups")
	net.Node("source", source(rows), sluice.Writes(rows))
	net.Node(a.Node("aggregate", rows, done))
	lookAt(net, done, func(batch arrow.RecordBatch) error {
		groups += int(batch.NumRows())
		return nil
	})
	if err := net.Run(b.Context()); err != nil {
		b.Fatal(err)
	}
	return groups
}

func (n manyRows) groupedByMap() int {
	type sums struct{ count, sum int64 }
	groups := make(map[[2]int64]sums)
	for row := range n.rows {
		key := [2]int64{n.columns[0](row), n.columns[1](row)}
		g := groups[key]
		g.count++
		g.sum += n.columns[2](row)
		groups[key] = g
	}
	return len(groups)
}
