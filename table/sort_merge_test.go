package table

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
)

// Only so much room is counted for what is put in order at a time, be the rows equal or not.
func TestRowsInMemoryAreMergedInBlocks(t *testing.T) {
	const chunks, rows = 20, 1000
	for about, key := range map[string]func(i int) any{
		"different": func(i int) any { return i * 7919 % 10_007 },
		"equal":     func(int) any { return 1 },
		"in order":  func(i int) any { return i },
		"null":      func(int) any { return nil },
	} {
		schema := arrow.NewSchema([]arrow.Field{field("n", int64Type), field("came", int64Type)}, nil)
		all := Sort{By: []SortKey{{Column: "n"}}}.sorter(budgetOf(t.Context()), "sort", schema, []int{0}).(*fullSort)
		for c := range chunks {
			var values [][]any
			for i := range rows {
				values = append(values, []any{key(c*rows + i), c*rows + i})
			}
			batch := batchOf(schema, values...)
			if err := all.add(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			batch.Release()
		}
		m, found := all.collected, 0
		if err := m.prepare(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		for {
			again, err := m.refill(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !again {
				break
			}
			if most := chunks * rows / spaceShare * 5 / 4; len(m.block) > most {
				t.Errorf("%s: a block of %d rows, more than %d", about, len(m.block), most)
			}
			found += len(m.block)
		}
		if found != chunks*rows {
			t.Errorf("%s: %d rows", about, found)
		}
		all.release()
	}
}
