package pages

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	arrowparquet "github.com/apache/arrow-go/v18/parquet"
)

// paged writes the numbers up to 50, and words that rise with them, in pages of ten rows with an index.
func paged(t *testing.T, path string) {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "n", Type: arrow.PrimitiveTypes.Int64}, {Name: "word", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
	rows := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer rows.Release()
	for i := range 50 {
		rows.Field(0).(*array.Int64Builder).Append(int64(i))
		rows.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("%02d", i))
	}
	batch := rows.NewRecordBatch()
	defer batch.Release()
	write(t, path, batch, arrowparquet.WithPageIndexEnabled(true), arrowparquet.WithDataPageSize(1), arrowparquet.WithBatchSize(10))
}

// readPart reads some rows of a file, and only those.
func readPart(t *testing.T, path string, rows Rows) (words []string, ranges [][]PageRange, err error) {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()
	schema, of, err := everyColumn(f, true)
	if err != nil {
		t.Fatal(err)
	}
	for i := range of {
		ranges = append(ranges, f.PageRanges(0, of[i]))
	}
	group, err := f.RowGroupPart(t.Context(), 0, schema, of, []Rows{rows})
	if err != nil {
		return nil, ranges, err
	}
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	defer group.Close()
	return slices.Concat(inPieces(t, group, mem, []Rows{rows})...), ranges, nil
}

func TestTheIndexTellsWhatIsInPages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "paged.parquet")
	paged(t, path)
	_, ranges, err := readPart(t, path, Rows{20, 30})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		from := 10 * i
		want := PageRange{Rows{from, from + 10}, Range{Min: int64(from), Max: int64(from + 9), NoNull: true}}
		if ranges[0][i] != want {
			t.Errorf("numbers: %+v, want %+v", ranges[0][i], want)
		}
		want.Min, want.Max = fmt.Sprintf("%02d", from), fmt.Sprintf("%02d", from+9)
		if ranges[1][i] != want {
			t.Errorf("words: %+v, want %+v", ranges[1][i], want)
		}
	}
}

// An index that is damaged makes for an error or none at all, but not for other rows.
func TestADamagedIndexGivesNoOtherRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "paged.parquet")
	paged(t, path)
	want, _, err := readPart(t, path, Rows{20, 35})
	if err != nil || len(want) != 30 {
		t.Fatal(want, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := mustOpen(t, filepath.Join(t.TempDir(), "whole.parquet"), data)
	columns := f.meta.RowGroups[0].Columns
	from, to := columns[0].ColumnIndexOffset, columns[1].OffsetIndexOffset+int64(columns[1].OffsetIndexLength)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for at := from; at < to; at++ {
		for _, bits := range []byte{1, 0x10, 0xff} {
			data[at] ^= bits
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if got, _, err := readPart(t, path, Rows{20, 35}); err == nil && !slices.Equal(got, want) {
				t.Errorf("byte %d: %v, want %v", at-from, got, want)
			}
			data[at] ^= bits
		}
	}
}

func TestRowsThatNobodyWantedCannotBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "paged.parquet")
	paged(t, path)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	schema, of, err := everyColumn(f, true)
	if err != nil {
		t.Fatal(err)
	}
	group, err := f.RowGroupPart(t.Context(), 0, schema, of, []Rows{{20, 30}})
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	defer func() {
		if recover() == nil {
			t.Error("rows of pages that were left out are planned")
		}
	}()
	group.Piece(15, 10)
}
