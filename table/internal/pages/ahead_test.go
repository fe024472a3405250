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

// inPieces reads rows in pieces.
func inPieces(t *testing.T, group *RowGroup, mem memory.Allocator, pieces []Rows) (words [][]string) {
	t.Helper()
	for _, rows := range pieces {
		piece := group.Piece(rows.From, rows.To-rows.From)
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
	pieces := []Rows{{0, rows / 3}, {rows / 3, rows / 2}, {rows / 2, rows}}
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)

	group := openAll(t, path)
	want := inPieces(t, group, mem, pieces)
	group.Close()

	group = openAll(t, path)
	defer group.Close()
	alone := group.Bound(0, rows/3)
	shared := group.Shared(pieces)
	used := &meter{Allocator: mem}
	shared.Unpack(t.Context(), used)
	if peak := used.peak(); peak > shared.Bound() || peak <= shared.Bound()/2 {
		t.Errorf("%d bytes taken, said %d", peak, shared.Bound())
	}
	piece := group.Piece(0, rows/3)
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
	if got := inPieces(t, group, mem, pieces); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Error("other rows than without")
	}
}

func TestOneOfSeveralPiecesNeedsNothingAhead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "one.parquet")
	onePage(t, path, 960)
	group := openAll(t, path)
	defer group.Close()
	for _, pieces := range [][]Rows{nil, {{0, 960}}} {
		if s := group.Shared(pieces); s.Bound() != 0 {
			t.Errorf("pieces %v: %d bytes to unpack", pieces, s.Bound())
		}
	}
}

func TestUnpackingAheadWhilePiecesAreReadAndTheRowGroupClosesLeavesNothing(t *testing.T) {
	const rows = 960
	path := filepath.Join(t.TempDir(), "one.parquet")
	onePage(t, path, rows)
	pieces := []Rows{{0, rows / 3}, {rows / 3, rows / 2}, {rows / 2, rows}}
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	first := openAll(t, path)
	want := inPieces(t, first, mem, pieces)
	first.Close()
	for round := range 20 {
		group := openAll(t, path)
		shared := group.Shared(pieces)
		var all sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 {
			all.Go(func() { shared.Unpack(ctx, mem) })
		}
		switch round % 3 {
		case 0:
			if got := inPieces(t, group, mem, pieces); !slices.EqualFunc(got, want, slices.Equal) {
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
	group.Shared(pieces).Unpack(t.Context(), mem)
}
