//go:build !race && !sluicedebug

// Both of these have a heap of their own for each allocation.

package table

import (
	"runtime"
	"testing"

	"github.com/seed14ed4225/sluice/mem"
)

// What a piece on disk leaves on the Go heap is no more for being many pieces.
func TestASpilledPieceTakesLittleOfTheGoHeap(t *testing.T) {
	const host, chunks, rows = 4 << 20, 300, 1000
	r := newResource(t, host)
	ctx := mem.NewContext(t.Context(), r)
	s := Sort{By: []SortKey{{Column: "n"}}}
	schema := plainSchema(numbers(1).Schema())
	sorter := s.sorter(budgetOf(ctx), "sort", schema, []int{0}).(*fullSort)
	defer sorter.release()
	collect := func() {
		for c := range chunks {
			chunk, err := counted(ctx, numbersFrom(c*rows, rows))
			if err != nil {
				t.Fatal(err)
			}
			if err := sorter.add(ctx, chunk.Batch()); err != nil {
				t.Fatal(err)
			}
			chunk.Release()
		}
	}
	collect()
	if len(sorter.collected.sequences) > 0 {
		if err := sorter.flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	collect()
	all, err := r.Reserve(ctx, mem.Host, host/2)
	if err != nil {
		t.Fatal(err)
	}
	all.Release()
	before := heapInUse()
	from := pieces(sorter)
	for range 10 {
		collect()
	}
	made := pieces(sorter) - from
	each := (heapInUse() - before) / int64(made)
	t.Logf("%d pieces, %d bytes of the Go heap each", made, each)
	if each > 1024 {
		t.Errorf("each of %d pieces leaves %d bytes on the Go heap", made, each)
	}
}

func pieces(a *fullSort) (n int) {
	for _, run := range a.runs {
		n += len(run.pieces)
	}
	return n
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}
