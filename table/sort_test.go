package table

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
)

func sortNode(s Sort) transform {
	return func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
		return s.Node("sort", in, out)
	}
}

func TestSortOrdersAsANaiveStableSortDoes(t *testing.T) {
	schema := everyType()
	rapid.Check(t, func(t *rapid.T) {
		var batches []arrow.RecordBatch
		for range rapid.SampledFrom([]int{1, 1, 8}).Draw(t, "times") {
			batches = append(batches, drawBatches(t, schema)...)
		}
		var s Sort
		for _, column := range rapid.Permutation(columnNames(schema)).Draw(t, "by")[:rapid.IntRange(1, 3).Draw(t, "keys")] {
			s.By = append(s.By, SortKey{
				Column:     column,
				Descending: rapid.Bool().Draw(t, "descending"),
				Nulls:      rapid.SampledFrom([]Nulls{"", NullsFirst, NullsLast}).Draw(t, "nulls"),
			})
		}
		s.Limit = rapid.SampledFrom([]int{0, 1, 2, 5, 1000}).Draw(t, "limit")
		want := allRows(batches)
		slices.SortStableFunc(want, func(a, b []any) int {
			for _, key := range s.By {
				column := schema.FieldIndices(key.Column)[0]
				if order := naiveKey(key, a[column], b[column]); order != 0 {
					return order
				}
			}
			return 0
		})
		if s.Limit > 0 && s.Limit < len(want) {
			want = want[:s.Limit]
		}
		got, _, err := through(t, sortNode(s), batches...)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(asText(got), asText(want)) {
			t.Fatalf("%+v gives\n%v\nnot\n%v", s, asText(got), asText(want))
		}
		if s.Limit == 0 {
			got, _, err = throughIn(t, tight(), sortNode(s), batches...)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(asText(got), asText(want)) {
				t.Fatalf("in little memory %+v gives\n%v\nnot\n%v", s, asText(got), asText(want))
			}
		}
	})
}

func naiveKey(key SortKey, a, b any) int {
	first := key.Nulls == NullsFirst
	switch {
	case a == nil && b == nil:
		return 0
	case (a == nil) == first && (b == nil) != first:
		return -1
	case (b == nil) == first && (a == nil) != first:
		return 1
	}
	order := naiveOrder(a, b)
	if key.Descending {
		return -order
	}
	return order
}

// Enough rows that the top ones are moved to a batch of their own several times,
// with so many equal ones that losing the order they came in would show. Keys rise
// from chunk to chunk, so that every chunk has rows that are wanted, and some are
// high, so that others stay.
func TestALimitedSortStaysStableAndSmall(t *testing.T) {
	const chunks, rows, limit = 30, 10_000, 2000
	schema := arrow.NewSchema([]arrow.Field{field("key", int64Type), field("came", int64Type), field("text", codedType)}, nil)
	checked := memory.NewCheckedAllocator(memory.DefaultAllocator)
	ctx := withAllocator(context.Background(), checked)
	s := Sort{By: []SortKey{{Column: "key", Descending: true}}, Limit: limit}
	top := s.sorter(budgetOf(ctx), "sort", plainSchema(schema), []int{0}).(*limitedSort)
	var want [][]any
	for c := range chunks {
		var values [][]any
		for i := range rows {
			key := c
			if i%20 == 0 {
				key += i % 7
			}
			values = append(values, []any{key, c*rows + i, fmt.Sprint(i % 10)})
			want = append(want, []any{int64(key), int64(c*rows + i), fmt.Sprint(i % 10)})
		}
		batch := batchOf(schema, values...)
		if err := top.add(ctx, batch); err != nil {
			t.Fatal(err)
		}
		batch.Release()
		if most := 2*limit + compactAt + rows; top.top.rows > most {
			t.Fatalf("keeps %d rows for a limit of %d", top.top.rows, limit)
		}
	}
	got, err := top.next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(want, func(a, b []any) int { return naiveOrder(b[0], a[0]) })
	for i, row := range rowsOf(got.Batch()) {
		if !slices.Equal(row, want[i]) {
			t.Fatalf("row %d is %v, not %v", i, row, want[i])
		}
	}
	got.Release()
	top.release()
	assertNoLeak(t, checked)
}

func TestAChunkOfWhichNothingIsWantedIsNotKept(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	top := Sort{By: []SortKey{{Column: "n"}}, Limit: 1}.sorter(budgetOf(t.Context()), "sort", schema, []int{0}).(*limitedSort)
	for _, n := range []int{1, 2, 3} {
		if err := top.add(context.Background(), batchOf(schema, []any{n})); err != nil {
			t.Fatal(err)
		}
	}
	if kept := top.top; kept.rows != 1 || len(kept.batches) != 1 {
		t.Errorf("keeps %d rows in %d batches", kept.rows, len(kept.batches))
	}
	top.release()
}

func TestALargeSortComesInChunksOfBoundedRows(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	var values [][]any
	for i := range chunkRows/2 + 10 {
		values = append(values, []any{i * 7919 % 100_003})
	}
	batch := batchOf(schema, values...)
	rows, _, err := through(t, sortNode(Sort{By: []SortKey{{Column: "n"}}}), batch, batch, batch)
	if err != nil || len(rows) != 3*len(values) {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if !slices.IsSortedFunc(rows, func(a, b []any) int { return naiveOrder(a[0], b[0]) }) {
		t.Error("not sorted")
	}
}

func TestSortOfNothingTellsTheSchema(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("origin", codedType)}, nil)
	for _, limit := range []int{0, 3} {
		s := Sort{By: []SortKey{{Column: "origin"}}, Limit: limit}
		want, err := s.Schema(schema)
		if err != nil {
			t.Fatal(err)
		}
		rows, got, err := through(t, sortNode(s), batchOf(schema), batchOf(schema))
		if err != nil || len(rows) != 0 || got == nil || !got.Equal(want) {
			t.Errorf("%v, %v, %v", rows, got, err)
		}
	}
}

func TestSortSaysWhatIsWrongBeforeItReads(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("origin", codedType)}, nil)
	for _, tt := range []struct {
		sort Sort
		want string
	}{
		{Sort{By: []SortKey{{Column: "orign"}}}, `unknown column "orign"; did you mean "origin"?`},
		{Sort{}, "no columns to sort by"},
		{Sort{By: []SortKey{{Column: "origin"}}, Limit: -1}, "limit -1 is negative"},
		{Sort{By: []SortKey{{Column: "origin", Nulls: "fist"}}}, `"fist"; want first or last`},
	} {
		if _, err := tt.sort.Schema(schema); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.sort, err, tt.want)
		}
	}
}
