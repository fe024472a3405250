package pages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	arrowparquet "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"pgregory.net/rapid"
)

// onePage writes rows of every type in one row group whose chunks are one page each,
// compressed, so that all pieces share it.
func onePage(t testing.TB, path string, rows int) {
	t.Helper()
	var batch arrow.RecordBatch
	rapid.Check(once{t}, func(rt *rapid.T) {
		if batch == nil {
			batch = drawBatch(rt, everyType(), rows)
		}
	})
	defer batch.Release()
	write(t, path, batch, arrowparquet.WithCompression(compress.Codecs.Snappy))
}

// once lets a batch be drawn outside of a property.
type once struct{ testing.TB }

// openAll opens a file and its first row group with all columns, text as dictionaries.
func openAll(t testing.TB, path string) *RowGroup {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	schema, of, err := everyColumn(f, true)
	if err != nil {
		t.Fatal(err)
	}
	group, err := f.RowGroup(t.Context(), 0, schema, of)
	if err != nil {
		t.Fatal(err)
	}
	return group
}

func inWords(batch arrow.RecordBatch) []string {
	var words []string
	for _, c := range batch.Columns() {
		words = append(words, values([]arrow.Array{c})...)
	}
	return words
}

func TestPiecesOfARowGroupAreReadAtTheSameTime(t *testing.T) {
	const rows, pieces = 960, 12
	path := filepath.Join(t.TempDir(), "one.parquet")
	onePage(t, path, rows)
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	alone, together := make([][]string, pieces), make([][]string, pieces)
	for _, got := range [][][]string{alone, together} {
		group := openAll(t, path)
		var all sync.WaitGroup
		for i := range got {
			piece := group.Piece(i*rows/pieces, rows/pieces)
			read := func() {
				defer piece.Release()
				batch, err := piece.Read(context.Background(), mem)
				if err != nil {
					t.Error(err)
					return
				}
				got[i] = inWords(batch)
				batch.Release()
			}
			if &got[0] == &alone[0] {
				read()
			} else {
				all.Go(read)
			}
		}
		all.Wait()
		group.Close()
	}
	for i := range alone {
		if len(alone[i]) == 0 || !slices.Equal(alone[i], together[i]) {
			t.Errorf("piece %d is %v, and %v when others are read at the same time", i, alone[i], together[i])
		}
	}
}

func TestAPageThatSeveralPiecesNeedIsUnpackedOnceUnlessTrimmed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "one.parquet")
	onePage(t, path, 900)
	for _, trims := range []bool{false, true} {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		group := openAll(t, path)
		var scratch []int64
		for i := range 3 {
			piece := group.Piece(300*i, 300)
			scratch = append(scratch, piece.Bound().Scratch)
			batch, err := piece.Read(t.Context(), mem)
			if err != nil {
				t.Fatal(err)
			}
			batch.Release()
			idle := group.Idle()
			piece.Release()
			if idle != 0 {
				t.Errorf("%d bytes of pages in use pass for idle", idle)
			}
			if i < 2 && (group.Idle() == 0 || group.Idle() != int64(mem.CurrentAlloc())) {
				t.Errorf("%d idle bytes after piece %d, of %d", group.Idle(), i, mem.CurrentAlloc())
			}
			if trims {
				if idle := group.Idle(); group.Trim() != idle || group.Idle() != 0 {
					t.Errorf("%d idle bytes, %d after they were trimmed", idle, group.Idle())
				}
				mem.AssertSize(t, 0)
			}
		}
		if saved := scratch[1] < scratch[0]; saved == trims {
			t.Errorf("trimmed %v: pieces need %v", trims, scratch)
		}
		group.Close()
		mem.AssertSize(t, 0)
	}
}

func TestAPieceOutlivesItsRowGroupAndFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "one.parquet")
	onePage(t, path, 100)
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	group := openAll(t, path)
	piece := group.Piece(10, 50)
	group.Close()
	batch, err := piece.Read(t.Context(), mem)
	if err != nil {
		t.Fatal(err)
	}
	piece.Release()
	piece.Release() // harmless
	if int64(mem.CurrentAlloc()) != capacity(batch) {
		t.Errorf("%d bytes are kept, %d of them by the batch", mem.CurrentAlloc(), capacity(batch))
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if got := inWords(batch); len(got) != 50*int(batch.NumCols()) {
		t.Errorf("%d values", len(got))
	}
	batch.Release()
}

func TestAPieceThatIsCancelledGivesEverythingBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "one.parquet")
	onePage(t, path, 100)
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	group := openAll(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 2 {
		piece := group.Piece(50*i, 50)
		if _, err := piece.Read(ctx, mem); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		piece.Release()
	}
	group.Close()
}

// What is said about the memory of a piece is checked against what it takes wherever
// the tests read one; this is about it being of use.
func TestTheBoundIsCloseToWhatIsUsed(t *testing.T) {
	sample, full := "../../../examples/data/flights-200k.parquet", "../../../../shared/data/flights-3m.parquet"
	for path, rows := range map[string]int{sample: 25_000, full: 54_546} {
		f, err := Open(path)
		if errors.Is(err, os.ErrNotExist) && path == full {
			t.Log("not here: ", path)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		schema, of, err := everyColumn(f, false)
		if err != nil {
			t.Fatal(err)
		}
		fields := slices.Clone(schema.Fields())
		for i := range fields {
			if f.Fields()[of[i]].Dictionary {
				fields[i].Type = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: fields[i].Type}
			}
		}
		group, err := f.RowGroup(t.Context(), 0, arrow.NewSchema(fields, nil), of)
		if err != nil {
			t.Fatal(err)
		}
		for from := 0; from < group.Rows(); from += rows {
			piece := group.Piece(from, min(rows, group.Rows()-from))
			said := piece.Bound()
			metered := &meter{Allocator: memory.DefaultAllocator, kept: said.Kept, most: said.Kept + said.Scratch}
			batch, err := piece.Read(t.Context(), metered)
			if err != nil {
				t.Fatal(err)
			}
			piece.Release()
			if err := metered.check(batch); err != nil {
				t.Error(err)
			}
			kept, used := float64(said.Kept)/float64(capacity(batch)), float64(metered.most)/float64(metered.peak())
			what := fmt.Sprintf("%s, %d rows from %d on: %d bytes kept, %.3f of them said; %d used, %.3f said",
				filepath.Base(path), piece.Rows(), from, capacity(batch), kept, metered.peak(), used)
			t.Log(what)
			if kept > 1.3 || used > 1.3 {
				t.Error(what)
			}
			batch.Release()
		}
		group.Close()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
