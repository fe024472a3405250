package table

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"
)

// Nothing else is computed here, so that rows matter for the sake of their values only.
func TestDifferentValuesAreCountedAsANaiveOneDoes(t *testing.T) {
	schema := everyType()
	rapid.Check(t, func(t *rapid.T) {
		batches := drawBatches(t, schema)
		columns := rapid.Permutation(columnNames(schema)).Draw(t, "columns")
		a := Aggregate{By: columns[:rapid.IntRange(0, 3).Draw(t, "keys")]}
		for _, column := range columns[2 : 2+rapid.IntRange(1, 4).Draw(t, "measures")] { // perhaps one is a key
			a.Measures = append(a.Measures, Measure{Func: CountDistinct, Column: column})
		}
		got, _, err := aggregated(t, a, batches...)
		assertAsNaive(t, schema, a, batches, got, err)

		a.Workers = rapid.IntRange(1, 3).Draw(t, "workers")
		bound := rapid.SampledFrom([]int64{1, 4 << 10}).Draw(t, "bound")
		got, _, err = throughIn(t, ample(), cramped(a.job("aggregate"), bound, rapid.IntRange(0, 20).Draw(t, "passing")), batches...)
		assertAsNaive(t, schema, a, batches, got, err)
	})
}

func TestAGroupWithoutValuesHasNoneThatDiffer(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("k", stringType), field("x", int64Type), field("y", stringType)}, nil)
	a := Aggregate{By: []string{"k"}, Measures: []Measure{{Func: CountDistinct, Column: "x"}, {Func: CountDistinct, Column: "y"}}}
	rows, _, err := aggregated(t, a, batchOf(schema,
		[]any{"a", nil, nil}, []any{nil, 1, nil}, []any{"b", 1, "s"}, []any{"b", 2, "s"}, []any{"b", nil, "t"}, []any{nil, 1, "u"}))
	if got := fmt.Sprint(rows); err != nil || got != "[[<nil> 1 1] [a 0 0] [b 2 2]]" {
		t.Errorf("%v, %v", got, err)
	}
}

// Every second row is of one group. Of that, wherever its values go together, there are more than fit; the
// other groups are so many that they do go together.
func TestValuesOfOneGroupThatDoNotFitAreCounted(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("k", int64Type), field("x", int64Type), field("text", stringType)}, nil)
	source := rowsInTurn(schema, 80, func(i int) []any {
		key := 0
		if i%2 == 1 {
			key = 1 + i/2%5000
		}
		return []any{key, i % 20_000, strings.Repeat("x", 40) + fmt.Sprint(i%10)}
	})
	r := newResource(t, 1<<20)
	a := Aggregate{By: []string{"k"}, Measures: []Measure{{Func: CountDistinct, Column: "x"}, {Func: CountDistinct, Column: "text"}}}
	groups := map[string]int{}
	grouped(t, r, a, source, func(row []any) {
		if row[0] == int64(0) {
			groups[fmt.Sprint(row)]++
		} else {
			groups[fmt.Sprint(row[1:])]++
		}
	})
	// Rows of the other groups come back every 10,000, which is half of 20,000 and a multiple of 10.
	if got := fmt.Sprint(groups); got != "map[[0 10000 5]:1 [2 1]:5000]" {
		t.Error(got)
	}
	assertWithin(t, r, true)
}

// Of a few groups, values are spread over all partitions, or there would be no more of those than groups.
func TestValuesToCountGoTogetherOnlyIfThereAreManyGroups(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("k", int64Type), field("x", int64Type)}, nil)
	plan, err := Aggregate{By: []string{"k"}, Measures: []Measure{{Func: CountDistinct, Column: "x"}}}.compile(schema)
	if err != nil {
		t.Fatal(err)
	}
	const rows = 4000
	for _, keys := range []int{2, rows / 2} {
		away := newSpillway(t.Context(), "values", plan.distinct[0], budgetOf(t.Context()), 0)
		defer away.close()
		var values [][]any
		for i := range rows {
			values = append(values, []any{i % keys, i})
		}
		states := plan.distinct[0].states
		if err := away.insert(t.Context(), NewChunk(batchOf(states, values...))); err != nil {
			t.Fatal(err)
		}
		if err := away.used().Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		partitions := map[any]int{} // in how many of them a key is
		used := 0
		for _, chunks := range partsOf(t, away.used()) {
			seen := map[any]bool{}
			for _, chunk := range chunks {
				for _, row := range rowsOf(chunk.Batch()) {
					seen[row[0]] = true
				}
			}
			for key := range seen {
				partitions[key]++
			}
			used += min(len(seen), 1)
		}
		most := 0
		for _, n := range partitions {
			most = max(most, n)
		}
		if together := most == 1; len(partitions) != keys || together != (keys > 2) || used < 8 {
			t.Errorf("%d keys: %d partitions are used, up to %d by one key", keys, used, most)
		}
	}
}

func TestManyKeysAreToldFromFew(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("a", int64Type), field("b", stringType), field("x", int64Type)}, nil)
	for _, tt := range []struct {
		rows, keys int
		want       bool
	}{{1, 1, true}, {10, 100, true}, {10, 2, false}, {5000, 5000, true}, {5000, 1000, true}, {5000, 300, false}, {5000, 1, false}} {
		var rows [][]any
		for i := range tt.rows {
			key := int(uint64(scattered(i)) >> 20 % uint64(tt.keys))
			rows = append(rows, []any{key / 2, fmt.Sprint(key % 2), i})
		}
		if got := manyKeys(batchOf(schema, rows...), 2); got != tt.want {
			t.Errorf("%d keys in %d rows: %v", tt.keys, tt.rows, got)
		}
	}
}
