package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/shuffle"
)

// cramped is an aggregate whose tables are as small as they can be, so that a few rows do not
// fit, and of which each worker begins by passing some rows on as they are.
func cramped(job groupingJob, bound int64, passing int) transform {
	return func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
		return job.name, func(ctx context.Context) error {
			first, err := in.Recv(ctx)
			if errors.Is(err, io.EOF) {
				return job.runWithout(ctx, out)
			}
			defer first.Release()
			chunk, err := sluice.Peek[*Chunk](&first)
			if err != nil {
				return err
			}
			run, err := job.start(ctx, chunk.Schema(), out)
			if err != nil {
				return err
			}
			defer run.close()
			for _, g := range append(run.distinct, run.groups) {
				for _, w := range g.workers {
					w.table.bound, w.passing = bound, passing
				}
			}
			if err := run.receive(ctx, in, &first, chunk.Schema()); err != nil {
				return err
			}
			return run.finish(ctx)
		}, reads(in), sluice.Writes(out)
	}
}

func TestGroupsThatDoNotFitComeOutLikeTheOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, batches := drawAggregate(t, everyType())
		a.Workers = rapid.IntRange(1, 4).Draw(t, "workers")
		bound := rapid.SampledFrom([]int64{1, 4 << 10, 64 << 10}).Draw(t, "bound")
		passing := rapid.IntRange(0, 20).Draw(t, "passing")
		r := rapid.SampledFrom([]*mem.Resource{nil, ample()}).Draw(t, "memory")
		got, _, err := throughIn(t, r, cramped(a.job("aggregate"), bound, passing), batches...)
		assertAsNaive(t, everyType(), a, batches, got, err)
		if r != nil {
			assertNothingTaken(t, r)
		}
	})
}

// repeating are rows of so many groups, each of them so often, in an order without clusters. The
// value of row i is i.
type repeating struct{ groups, times int }

var repeatingSchema = arrow.NewSchema([]arrow.Field{
	field("a", int64Type), field("b", int64Type), field("name", stringType), field("value", int64Type),
}, nil)

// keysOf spreads numbers of groups over two columns, of which neither tells them.
func (r repeating) keysOf(group int) (a, b int64) {
	spread := int64(group) * 7919 % int64(r.groups)
	return spread / 100 * 1_000_003, spread%100 - 50
}

func (r repeating) source(rowsAtOnce int) func(*sluice.Network, *sluice.Channel) {
	return func(net *sluice.Network, out *sluice.Channel) {
		net.Node("source", func(ctx context.Context) error {
			for from, seq := 0, sluice.SeqNum(0); from < r.groups*r.times; from, seq = from+rowsAtOnce, seq+1 {
				b := array.NewRecordBuilder(allocator(ctx), repeatingSchema)
				for row := from; row < min(from+rowsAtOnce, r.groups*r.times); row++ {
					ka, kb := r.keysOf(row % r.groups)
					b.Field(0).(*array.Int64Builder).Append(ka)
					b.Field(1).(*array.Int64Builder).Append(kb)
					b.Field(2).(*array.StringBuilder).Append(fmt.Sprintf("name %d", row%r.groups))
					b.Field(3).(*array.Int64Builder).Append(int64(row))
				}
				batch := b.NewRecordBatch()
				b.Release()
				chunk, err := counted(ctx, batch)
				if err != nil {
					return err
				}
				if err := send(ctx, out, seq, chunk); err != nil {
					return err
				}
			}
			return nil
		}, sluice.Writes(out))
	}
}

// grouped runs what a source makes through an aggregate, and calls check with each row of the
// result. It returns how many these are.
func grouped(t *testing.T, memory *mem.Resource, a Aggregate, source func(*sluice.Network, *sluice.Channel), check func(row []any)) (rows int) {
	t.Helper()
	net := sluice.NewNetwork("test", sluice.WithMemory(memory))
	in, out := net.Channel("in"), net.Channel("out")
	source(net, in)
	net.Node(a.Node("aggregate", in, out))
	lookAt(net, out, func(batch arrow.RecordBatch) error {
		for _, row := range rowsOf(batch) {
			check(row)
			rows++
		}
		return nil
	})
	if err := net.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return rows
}

// rowsInTurn is a source of so many chunks, each of a thousand rows, of which row says what is in them.
func rowsInTurn(schema *arrow.Schema, chunks int, row func(i int) []any) func(*sluice.Network, *sluice.Channel) {
	const rows = 1000
	return func(net *sluice.Network, out *sluice.Channel) {
		net.Node("source", func(ctx context.Context) error {
			for c := range chunks {
				values := make([][]any, rows)
				for i := range values {
					values[i] = row(c*rows + i)
				}
				chunk, err := counted(ctx, batchOf(schema, values...))
				if err != nil {
					return err
				}
				if err := send(ctx, out, sluice.SeqNum(c), chunk); err != nil {
					return err
				}
			}
			return nil
		}, sluice.Writes(out))
	}
}

func TestAnAggregateOfMoreGroupsThanFitSpillsThem(t *testing.T) {
	for _, tt := range []struct {
		workers int
		limit   int64
		rows    repeating
	}{
		{1, 1 << 20, repeating{4_000, 3}}, // partitions that do not fit either
		{2, 2 * workerMemory, repeating{50_000, 2}},
	} {
		t.Run(fmt.Sprintf("%d workers", tt.workers), func(t *testing.T) {
			r := newResource(t, tt.limit)
			a := Aggregate{By: []string{"a", "b"}, Workers: tt.workers, Measures: []Measure{
				{Func: Count}, {Func: Sum, Column: "value"}, {Func: Min, Column: "name"}, {Func: First, Column: "value"},
				{Func: CountDistinct, Column: "value"}, {Func: Mean, Column: "value"},
			}}
			seen := make(map[[2]int64]int)
			for g := range tt.rows.groups {
				ka, kb := tt.rows.keysOf(g)
				seen[[2]int64{ka, kb}] = g
			}
			groups, times := int64(tt.rows.groups), int64(tt.rows.times)
			grouped(t, r, a, tt.rows.source(1000), func(row []any) {
				key := [2]int64{row[0].(int64), row[1].(int64)}
				g, ok := seen[key]
				delete(seen, key)
				sum := int64(g)*times + groups*times*(times-1)/2
				want := []any{row[0], row[1], times, sum, fmt.Sprintf("name %d", g), int64(g), times, float64(sum) / float64(times)}
				if got, want := fmt.Sprint(row), fmt.Sprint(want); !ok || got != want {
					t.Fatalf("got %v, want %v", got, want)
				}
			})
			if len(seen) > 0 {
				t.Errorf("%d groups are missing", len(seen))
			}
			assertWithin(t, r, true)
		})
	}
}

func TestDifferentValuesWithoutKeysAreCountedInLittleMemory(t *testing.T) {
	r := newResource(t, 1<<20)
	a := Aggregate{Measures: []Measure{{Func: CountDistinct, Column: "name"}, {Func: CountDistinct, Column: "b"}, {Func: Count}}}
	rows := grouped(t, r, a, repeating{50_000, 2}.source(1000), func(row []any) {
		if got := fmt.Sprint(row); got != "[50000 100 100000]" {
			t.Error(got)
		}
	})
	if rows != 1 {
		t.Errorf("%d rows", rows)
	}
	assertWithin(t, r, true)
}

// Nearly all rows are of one group: where it goes there is nothing to split.
func TestOneGroupOfNearlyAllRowsTakesNoMoreMemoryThanOthers(t *testing.T) {
	const rows = 200_000
	r := newResource(t, 1<<20)
	schema := arrow.NewSchema([]arrow.Field{field("k", int64Type), field("n", int64Type)}, nil)
	source := rowsInTurn(schema, rows/1000, func(i int) []any {
		if i%5 == 0 {
			return []any{1_000_000 + i, 1}
		}
		return []any{7, 1}
	})
	total, most := int64(0), int64(0)
	groups := grouped(t, r, Aggregate{By: []string{"k"}, Measures: []Measure{{Func: Sum, Column: "n"}}}, source, func(row []any) {
		total += row[1].(int64)
		most = max(most, row[1].(int64))
	})
	if total != rows || most != rows*4/5 || groups != rows/5+1 {
		t.Errorf("%d rows in %d groups, %d in one", total, groups, most)
	}
	assertWithin(t, r, true)
}

func TestAnAggregateWhoseDiskFailsSaysSoAndLeavesNothing(t *testing.T) {
	saysThatItsDiskFails(t, "aggregate", 1<<20)
}

func TestTextOfOneGroupThatIsLargerThanTheLimitIsAnErrorThatSaysHowMuchIsNeeded(t *testing.T) {
	r := newResource(t, 1<<20)
	net := sluice.NewNetwork("test", sluice.WithMemory(r))
	in, out := net.Channel("in"), net.Channel("out")
	schema := arrow.NewSchema([]arrow.Field{field("text", stringType)}, nil)
	net.Node("source", func(ctx context.Context) error { // without counting it: the text itself would not fit
		return send(ctx, in, 0, NewChunk(batchOf(schema, []any{strings.Repeat("x", 3<<20)})))
	}, sluice.Writes(in))
	net.Node(Aggregate{Measures: []Measure{{Func: Max, Column: "text"}}}.Node("aggregate", in, out))
	net.Node("sink", func(ctx context.Context) error { return takeAll(ctx, out) }, reads(out))
	var short *mem.NoMemoryError
	if err := net.Run(t.Context()); !errors.As(err, &short) || short.Smallest < 3<<20 {
		t.Errorf("%v", err)
	}
}

// Longer than a table is likely to have room for, in a limit with room for few of them.
func TestLongTextIsGroupedAndCompared(t *testing.T) {
	r := newResource(t, 1<<20)
	schema := arrow.NewSchema([]arrow.Field{field("k", stringType), field("text", stringType)}, nil)
	var batches []arrow.RecordBatch
	for c := range 60 {
		var rows [][]any
		for i := range 10 {
			n := (c*10 + i) % 100
			rows = append(rows, []any{fmt.Sprintf("%03d%s", n, strings.Repeat("k", 2000)), fmt.Sprintf("%s%03d", strings.Repeat("t", 3000), c)})
		}
		batches = append(batches, batchOf(schema, rows...))
	}
	a := Aggregate{By: []string{"k"}, Workers: 2, Measures: []Measure{{Func: Max, Column: "text"}, {Func: Min, Column: "text"}, {Func: Count}}}
	rows, _, err := throughIn(t, r, aggregateNode(a), batches...)
	if err != nil || len(rows) != 100 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		var n int
		if _, err := fmt.Sscanf(row[0].(string)[:3], "%d", &n); err != nil {
			t.Fatal(err)
		}
		if most, least := row[1].(string)[3000:], row[2].(string)[3000:]; most != fmt.Sprintf("%03d", 50+n/10) || least != fmt.Sprintf("%03d", n/10) || row[3] != int64(6) {
			t.Errorf("group %d: %s, %s, %v", n, most, least, row[3])
		}
	}
	assertWithin(t, r, true)
}

func TestAnyIsOneOfTheValues(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type), field("text", stringType), field("exact", &arrow.Decimal128Type{Precision: 20})}, nil)
	a := Aggregate{Measures: []Measure{{Func: Any, Column: "n"}, {Func: Any, Column: "text"}, {Func: Any, Column: "exact"}}}
	rows, _, err := aggregated(t, a, batchOf(schema, []any{nil, nil, nil}, []any{nil, "a", number("5")}, []any{7, nil, nil}))
	if err != nil || fmt.Sprint(rows[0][:2]) != "[7 a]" || rows[0][2] != number("5") {
		t.Errorf("%v, %v", rows, err)
	}
}

// passedOn is an aggregate of one worker, with a table for 16 groups, that has been given rows to pass on as they are.
func passedOn(t *testing.T, a Aggregate, batch arrow.RecordBatch) (*aggregation, [][]*Chunk) {
	t.Helper()
	a.Workers = 1
	run, err := a.job("aggregate").start(t.Context(), batch.Schema(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(run.close)
	w := run.groups.workers[0]
	w.table.bound, w.passing = 8<<10, 1<<20
	if err := run.take(t.Context(), 0, batch, 0); err != nil {
		t.Fatal(err)
	}
	away := w.away.used()
	if err := away.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	return run, partsOf(t, away)
}

// partsOf takes all chunks of a shuffle, those of each partition together; they are released when the test ends.
func partsOf(t *testing.T, from *shuffle.Shuffle) (parts [][]*Chunk) {
	t.Helper()
	for {
		part, err := from.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		var chunks []*Chunk
		for part.Len() > 0 {
			payload, err := part.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			chunk := payload.(*Chunk)
			t.Cleanup(chunk.Release)
			chunks = append(chunks, chunk)
		}
		parts = append(parts, chunks)
	}
}

// The table has room for fewer rows at a time than the batch has, and for the text of fewer still.
func TestRowsThatArePassedOnKeepTheirPlaceInTheStream(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("k", int64Type), field("x", int64Type), field("text", stringType)}, nil)
	var rows [][]any
	for i := range 100 {
		rows = append(rows, []any{i, i, fmt.Sprintf("%050d", i)})
	}
	a := Aggregate{By: []string{"k"}, Measures: []Measure{{Func: First, Column: "x"}, {Func: Min, Column: "text"}}}
	run, parts := passedOn(t, a, batchOf(schema, rows...))
	seen := 0
	for _, chunk := range slices.Concat(parts...) {
		for _, row := range rowsOf(chunk.Batch()) { // key, first with its message and row, least text
			k := row[0].(int64)
			if got, want := fmt.Sprint(row), fmt.Sprintf("[%d %d 0 %d %050d]", k, k, k, k); got != want {
				t.Errorf("passed on %v, want %v", got, want)
			}
			seen++
		}
	}
	table := run.groups.workers[0].table
	text, _ := textOfAccumulator(table.measures[1])
	if capacity, _ := text.space(); capacity != table.size.text[2] {
		t.Errorf("%d bytes are kept of text, and %d counted", capacity, table.size.text[2])
	}
	if seen != len(rows) {
		t.Errorf("%d of %d rows were passed on", seen, len(rows))
	}
}
