package table

import (
	"context"
	"errors"
	"hash/maphash"
	"testing"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// manyFew collects as many rows as several workers put in order, with few different keys.
func manyFew(t *testing.T, ctx context.Context) *fullSort {
	t.Helper()
	schema := numbers(1).Schema()
	all := Sort{By: []SortKey{{Column: "n", Descending: true}}}.sorter(budgetOf(ctx), "sort", schema, []int{0}).(*fullSort)
	for c := range 7 {
		chunk, err := counted(ctx, numbersFrom(c*30_000, 30_000))
		if err != nil {
			t.Fatal(err)
		}
		if err := all.add(ctx, chunk.Batch()); err != nil {
			t.Fatal(err)
		}
		chunk.Release()
	}
	return all
}

func TestSeveralWorkersGiveOutWhatOneDoes(t *testing.T) {
	ctx := mem.NewContext(t.Context(), newResource(t, 64<<20))
	seed := maphash.MakeSeed()
	digest := func(each func(*fullSort, func(context.Context, *Chunk) error) error) orderly {
		all := manyFew(t, ctx)
		defer all.release()
		found := orderly{seed: seed}
		err := each(all, func(_ context.Context, chunk *Chunk) error {
			if chunk.Rows() == 0 || chunk.Rows() > chunkRows {
				t.Errorf("a chunk of %d rows", chunk.Rows())
			}
			found.add(chunk.Batch())
			chunk.Release()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	want := digest(func(all *fullSort, give func(context.Context, *Chunk) error) error { return giveOut(ctx, all, give) })
	for _, workers := range []int{1, 2, 5} {
		got := digest(func(all *fullSort, give func(context.Context, *Chunk) error) error {
			return runInParts(ctx, all.collected, workers, give)
		})
		if got.rows != want.rows || got.sum != want.sum {
			t.Errorf("%d workers: %d rows with digest %x, want %d with %x", workers, got.rows, got.sum, want.rows, want.sum)
		}
	}
}

func TestSeveralWorkersEndWhenNobodyTakesWhatTheyGiveOut(t *testing.T) {
	for _, want := range []error{sluice.ErrStopped, errors.New("broken")} {
		ctx := mem.NewContext(t.Context(), newResource(t, 64<<20))
		all := manyFew(t, ctx)
		given := 0
		err := runInParts(ctx, all.collected, 3, func(_ context.Context, chunk *Chunk) error {
			chunk.Release()
			if given++; given == 2 {
				return want
			}
			return nil
		})
		if !errors.Is(err, want) || given != 2 {
			t.Errorf("%v after %d chunks, want %v after 2", err, given, want)
		}
		all.release()
	}
}

func TestASortHasTheWorkersThatItIsGiven(t *testing.T) {
	ctx := mem.NewContext(t.Context(), newResource(t, 64<<20))
	for workers, want := range map[int]int{1: 1, 2: 2, 3: 3} {
		all := manyFew(t, ctx)
		all.workers = workers
		if got := all.parts(); got != want {
			t.Errorf("of %d workers asked for, there are %d, want %d", workers, got, want)
		}
		all.release()
	}
}
