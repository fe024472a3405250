package table

import (
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"
)

// Pieces of the stream are measured each in a table of its own, and what these say put together as it comes.
func TestStatesArePutTogetherInAnyOrder(t *testing.T) {
	schema := everyType()
	rapid.Check(t, func(t *rapid.T) {
		a, batches := drawAggregate(t, schema)
		a.Measures = slices.DeleteFunc(a.Measures, func(m Measure) bool { return m.Func == CountDistinct }) // has no states
		compiled, err := a.compile(schema)
		if err != nil {
			t.Fatal(err)
		}
		plan := compiled.groupPlan
		worker := func() *groupWorker {
			return &groupWorker{table: newGroupTable(plan, budgetOf(t.Context()), 1<<20)} // and nowhere else to go
		}
		var states []arrow.RecordBatch
		for seq, batch := range batches {
			cut := rapid.Int64Range(0, batch.NumRows()).Draw(t, "cut")
			for _, ends := range [][2]int64{{0, cut}, {cut, batch.NumRows()}} {
				w := worker()
				for from := ends[0]; from < ends[1]; { // in place, so that rows know where they are
					if err := w.table.start(t.Context()); err != nil {
						t.Fatal(err)
					}
					n, err := w.takePiece(t.Context(), batch.NewSlice(0, ends[1]), from, &plan.raw, uint64(seq))
					if err != nil {
						t.Fatal(err)
					}
					from += int64(n)
				}
				if w.table.size.groups == 0 {
					continue
				}
				state, err := w.table.stateBatch(memory.DefaultAllocator, 0, w.table.len())
				if err != nil {
					t.Fatal(err)
				}
				states = append(states, state)
			}
		}
		all := worker()
		if err := all.table.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, state := range rapid.Permutation(states).Draw(t, "order") {
			if err := all.take(t.Context(), state, &plan.written, 0); err != nil {
				t.Fatal(err)
			}
		}
		var got [][]any
		done, err := all.table.batch(memory.DefaultAllocator, 0, all.table.len())
		if err == nil {
			got = rowsOf(done)
		}
		assertAsNaive(t, schema, a, batches, got, err)
	})
}
