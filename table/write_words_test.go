package table

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A storedColumn is what a file says of a text column in a row group.
type storedColumn struct {
	Values, Nulls int64
	Least, Most   string
	Dictionary    int32 // entries, -1 if there is none
}

func storedColumns(t failer, path string) (found []storedColumn) {
	t.Helper()
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for i := range f.NumRowGroups() {
		chunk, err := f.MetaData().RowGroup(i).ColumnChunk(0)
		if err != nil {
			t.Fatal(err)
		}
		statistics, err := chunk.Statistics()
		if err != nil {
			t.Fatal(err)
		}
		text := statistics.(*metadata.ByteArrayStatistics)
		c := storedColumn{chunk.NumValues(), text.NullCount(), string(text.Min()), string(text.Max()), -1}
		pages, err := f.RowGroup(i).GetColumnPageReader(0)
		if err != nil {
			t.Fatal(err)
		}
		for pages.Next() {
			if words, ok := pages.Page().(*file.DictionaryPage); ok {
				c.Dictionary = words.NumValues()
			}
		}
		found = append(found, c)
	}
	return found
}

// TestTextWithADictionaryIsStoredAsTheSameTextWithout: dictionaries differ from chunk to chunk, have words that no row has,
// some of them twice, and nulls; words may be too many, or hardly occur again.
func TestTextWithADictionaryIsStoredAsTheSameTextWithout(t *testing.T) {
	dir := t.TempDir()
	coded := arrow.NewSchema([]arrow.Field{field("word", codedType)}, nil)
	plain := arrow.NewSchema([]arrow.Field{field("word", stringType)}, nil)
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.SampledFrom([]int{1, 3, 100, 2000, 8000}).Draw(t, "words")
		long := rapid.SampledFrom([]int{0, 1, 60}).Draw(t, "long")
		nulls := rapid.SampledFrom([]int{2, 7, 1 << 30}).Draw(t, "nulls")
		var withCodes, without []arrow.RecordBatch
		for i := range rapid.IntRange(1, 3).Draw(t, "batches") {
			rows := make([][]any, rapid.SampledFrom([]int{1, 1000, 3000, 10_000}).Draw(t, "rows"))
			for j := range rows {
				if rows[j] = []any{nil}; (j+1)%nulls != 0 {
					word := fmt.Sprint((i*7919 + j*31) % most)
					if word == "0" {
						word = "" // less than all others, and easily taken for none
					}
					rows[j][0] = strings.Repeat("é", long) + word
				}
			}
			withCodes, without = append(withCodes, batchOf(coded, rows...)), append(without, batchOf(plain, rows...))
			defer withCodes[i].Release()
			defer without[i].Release()
		}
		w := Write{Path: filepath.Join(dir, "coded.parquet"), Overwrite: true, RowGroupRows: rapid.SampledFrom([]int{0, 1700}).Draw(t, "group")}
		if err := written(t, nil, w, nil, withCodes...); err != nil {
			t.Fatal(err)
		}
		want := w
		want.Path = filepath.Join(dir, "plain.parquet")
		if err := written(t, nil, want, nil, without...); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(asText(allRows(without)), asText(readParquet(t, w.Path))); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(storedColumns(t, want.Path), storedColumns(t, w.Path)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestWordsThatNoRowHasAreNotWritten: a filter leaves dictionaries as they are.
func TestWordsThatNoRowHasAreNotWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.parquet")
	schema := arrow.NewSchema([]arrow.Field{field("word", codedType)}, nil)
	rows := make([][]any, 1000)
	for i := range rows {
		rows[i] = []any{fmt.Sprint(i / 100)}
	}
	all := batchOf(schema, rows...)
	defer all.Release()
	some := all.NewSlice(250, 450) // words 2 to 4
	defer some.Release()
	if err := written(t, nil, Write{Path: path}, nil, some); err != nil {
		t.Fatal(err)
	}
	if got := storedColumns(t, path); len(got) != 1 || got[0].Dictionary != 3 || got[0].Least != "2" || got[0].Most != "4" {
		t.Errorf("%+v", got)
	}
}
