package table

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A lastLook is a context that ends when it is looked at for the nth time.
type lastLook struct {
	context.Context
	n, looks int
}

var errEnded = errors.New("ended")

func (c *lastLook) Err() error {
	if c.looks++; c.looks >= c.n {
		return errEnded
	}
	return nil
}

// numbers is one large chunk of numbers in no order, none of them twice.
func numbers(rows int) arrow.RecordBatch { return numbersFrom(0, rows) }

// numbersFrom returns those rows of such a column from one on.
func numbersFrom(from, rows int) arrow.RecordBatch {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	for i := from; i < from+rows; i++ {
		b.Append(int64(i) * 7919 % 1_000_003)
	}
	column := b.NewArray()
	defer column.Release()
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	return array.NewRecordBatch(schema, []arrow.Array{column}, int64(rows))
}

func TestNodesLookWhetherToEndInsideALargeChunk(t *testing.T) {
	const pieces = 4
	batch := numbers(pieces * chunkRows)
	defer batch.Release()
	sorted := func(limit int) func(context.Context) error {
		return func(ctx context.Context) error {
			rows := Sort{By: []SortKey{{Column: "n"}}, Limit: limit}.sorter(budgetOf(ctx), "sort", batch.Schema(), []int{0})
			defer rows.release()
			if err := rows.add(ctx, batch); err != nil {
				return err
			}
			if limit == 0 {
				return nil
			}
			got, err := rows.next(ctx) // a limited sort puts its rows in order here
			if err == nil {
				got.Release()
			}
			return err
		}
	}
	tests := []struct {
		about string
		least int // looks
		run   func(context.Context) error
	}{
		{"sort", pieces, sorted(0)},
		{"limited sort of little", pieces, sorted(10)},
		{"limited sort of much", 2 * pieces, sorted(pieces * chunkRows)},
		{"aggregate", pieces, func(ctx context.Context) error {
			run, err := Aggregate{By: []string{"n"}, Workers: 1}.job("aggregate").start(ctx, batch.Schema(), nil)
			if err != nil {
				return err
			}
			defer run.close()
			return run.take(ctx, 0, batch, 0)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			whole := &lastLook{Context: t.Context(), n: 1 << 30}
			if err := tt.run(whole); err != nil || whole.looks < tt.least {
				t.Fatalf("%d looks, %v; want %d or more", whole.looks, err, tt.least)
			}
			for _, n := range []int{1, 2, whole.looks - 1} {
				if err := tt.run(&lastLook{Context: t.Context(), n: n}); !errors.Is(err, errEnded) {
					t.Fatalf("ends at look %d of %d, but the node returns %v", n, whole.looks, err)
				}
			}
		})
	}
}

// Pieces of a chunk share its dictionary and begin in the middle of its bitmaps.
func TestALargeChunkIsAggregatedAsSmallOnesAre(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		field("coded", codedType), field("late", arrow.FixedWidthTypes.Boolean), field("n", int64Type), field("text", stringType),
	}, nil)
	var rows [][]any
	for i := range 2*chunkRows + 1003 {
		row := []any{fmt.Sprint(i / 7 % 11), i%3 == 0, i % 1009, fmt.Sprint(i % 13)}
		if i%5 < 2 {
			row[i/5%4] = nil
		}
		rows = append(rows, row)
	}
	a := Aggregate{By: []string{"coded", "late"}, Measures: []Measure{
		{Func: Count}, {Func: Count, Column: "n"}, {Func: Sum, Column: "n"}, {Func: Max, Column: "text"}, {Func: Min, Column: "late"},
	}}
	got, _, err := aggregated(t, a, batchOf(schema, rows...))
	if err != nil {
		t.Fatal(err)
	}
	var small []arrow.RecordBatch
	for part := range slices.Chunk(rows, 10_007) {
		small = append(small, batchOf(schema, part...))
	}
	want, _, err := aggregated(t, a, small...)
	if err != nil || len(want) != 12*3-1 { // never both are null
		t.Fatalf("%d groups, %v", len(want), err)
	}
	if !slices.Equal(asText(got), asText(want)) {
		t.Errorf("got\n%v\nwant\n%v", asText(got), asText(want))
	}
}

func TestAnEndedSortLeavesTheRestUnsorted(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("text", stringType)}, nil)
	values := make([][]any, chunkRows)
	for i := range values { // which can only be compared
		values[i] = []any{fmt.Sprint("the same beginning ", i*7919%chunkRows)}
	}
	batch := batchOf(schema, values...)
	defer batch.Release()
	all := Sort{By: []SortKey{{Column: "text"}}}.sorter(budgetOf(t.Context()), "sort", schema, []int{0}).(*fullSort).collected
	defer all.release()
	batch.Retain()
	all.place(0, keptBatch{RecordBatch: batch})
	ctx := &lastLook{Context: t.Context(), n: 1}
	if _, err := all.order(ctx, 0); !errors.Is(err, errEnded) {
		t.Fatalf("returns %v", err)
	}
	if slices.IsSortedFunc(all.space.places, func(a, b place) int { return all.compare(0, a, b) }) {
		t.Error("went on until all was in order")
	}
}
