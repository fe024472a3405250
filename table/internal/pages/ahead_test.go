package pages

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// inPieces reads all rows in pieces that begin at cuts.
func inPieces(t *testing.T, group *RowGroup, mem memory.Allocator, cuts []int) (words [][]string) {
	t.Helper()
	for i, from := range cuts[:len(cuts)-1] {
		piece := group.Piece(from, cuts[i+1]-from)
		batch, err := piece.Read(t.Context(), mem)
		piece.Release()
		if err != nil {
			t.Fatal(err)
		}
		words = append(words, inWords(batch))
		batch.Release()
	}
	return words
}

func TestPagesThatWereUnpackedAheadAreNotUnpackedAgain(t *testing.T) {
	const rows = 960
	path := filepath.Join(t.TempDir(), "one.parquet")
	onePage(t, path, rows)
	cuts := []int{0, rows / 3, rows / 2, rows}
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)

	group := openAll(t, path)
	want := inPieces(t, group, mem, cuts)
	group.Close()

	group = openAll(t, path)
	defer group.Close()
	alone := group.Bound(cuts[0], cuts[1]-cuts[0])
	shared := group.Shared(cuts)
	used := &meter{Allocator: mem}
	shared.Unpack(t.Context(), used)
	if peak := used.peak(); peak > shared.Bound() || peak <= shared.Bound()/2 {
		t.Errorf("%d bytes taken, said %d", peak, shared.Bound())
	}
	piece := group.Piece(cuts[0], cuts[1]-cuts[0])
	if b := piece.Bound(); b.Scratch >= alone.Scratch || b.Kept != alone.Kept {
		t.Errorf("a piece takes %+v after its pages were unpacked, %+v before", b, alone)
	}
	piece.Release()
	before := group.Idle()
	again := &meter{Allocator: mem}
	shared.Unpack(t.Context(), again)
	if again.peak() != 0 || group.Idle() != before {
		t.Errorf("%d bytes taken to unpack what is there", again.peak())
	}
	if got := inPieces(t, group, mem, cuts); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Error("other rows than without")
	}
}

func TestOneOfSeveralPiecesNeedsNothingAhead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "one.parquet")
	onePage(t, path, 960)
	group := openAll(t, path)
	defer group.Close()
	for _, cuts := range [][]int{nil, {0}, {0, 960}} {
		if s := group.Shared(cuts); s.Bound() != 0 {
			t.Errorf("cut at %v: %d bytes to unpack", cuts, s.Bound())
		}
	}
}

func TestUnpackingAheadWhilePiecesAreReadAndTheRowGroupClosesLeavesNothing(t *testing.T) {
	const rows = 960
	path := filepath.Join(t.TempDir(), "one.parquet")
	onePage(t, path, rows)
	cuts := []int{0, rows / 3, rows / 2, rows}
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	first := openAll(t, path)
	want := inPieces(t, first, mem, cuts)
	first.Close()
	for round := range 20 {
		group := openAll(t, path)
		shared := group.Shared(cuts)
		var all sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 {
			all.Go(func() { shared.Unpack(ctx, mem) })
		}
		switch round % 3 {
		case 0:
			if got := inPieces(t, group, mem, cuts); !slices.EqualFunc(got, want, slices.Equal) {
				t.Error("other rows than without")
			}
		case 1:
			cancel()
		}
		group.Trim()
		group.Close()
		all.Wait()
		cancel()
		if idle := group.Idle(); idle != 0 {
			t.Fatalf("round %d: %d bytes are left", round, idle)
		}
	}
	group := openAll(t, path)
	group.Close()
	group.Shared(cuts).Unpack(t.Context(), mem)
}
