package table

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/parquet"
	parquetfile "github.com/apache/arrow-go/v18/parquet/file"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table/expr"
	"github.com/seed14ed4225/sluice/table/internal/pages"
)

// scanned runs a scan and a filter behind it.
func scanned(ctx context.Context, s Scan, where string) (rows []string, err error) {
	net := sluice.NewNetwork("test")
	all, some := net.Channel("all"), net.Channel("some")
	net.Node(s.Node("scan", all))
	net.Node(Filter{Where: where}.Node("filter", all, some))
	net.Node("sink", func(ctx context.Context) error {
		return eachChunk(ctx, some, func(_ *sluice.Message, chunk *Chunk) error {
			rows = append(rows, asText(rowsOf(chunk.Batch()))...)
			return nil
		})
	}, reads(some))
	return rows, net.Run(ctx)
}

// literalOf gives a value of a row as one writes it in an expression, if that is easy.
func literalOf(typ arrow.DataType, value any) (text string, ok bool) {
	switch value := value.(type) {
	case int64:
		switch typ := typ.(type) {
		case *arrow.Date32Type:
			return "'" + time.Unix(value*86_400, 0).UTC().Format(time.DateOnly) + "'", value > -1000 && value < 1000
		case *arrow.TimestampType:
			t := time.Unix(0, value*int64(typ.Unit.Multiplier())).UTC()
			return "'" + t.Format("2006-01-02 15:04:05.999999999") + "'", value > -1000 && value < 1000
		case *arrow.Time32Type:
			return "'" + time.UnixMilli(value).UTC().Format("15:04:05.999") + "'", true
		case *arrow.Time64Type:
			return "'" + time.Unix(0, value).UTC().Format("15:04:05.999999999") + "'", true
		}
		return strconv.FormatInt(value, 10), value > math.MinInt64
	case float64:
		return strconv.FormatFloat(value, 'g', -1, 64), value-value == 0
	case string:
		return expr.Quote(value), value != "\xff"
	case decimal128.Num:
		return value.ToString(typ.(arrow.DecimalType).GetScale()), true
	default:
		return fmt.Sprint(value), true
	}
}

// writePaged is writeParquet with an index of pages of so many rows, at most.
func writePaged(t failer, path string, rowsInGroup, rowsInPage int64, batches ...arrow.RecordBatch) {
	t.Helper()
	writeParquetWith(t, path, batches, parquet.WithMaxRowGroupLength(rowsInGroup),
		parquet.WithPageIndexEnabled(true), parquet.WithDataPageSize(1), parquet.WithBatchSize(rowsInPage))
}

func TestRowGroupsAndPagesLeftOutHaveNoRowsThatPass(t *testing.T) {
	dir := t.TempDir()
	var skipped, pagesSkipped int64
	rapid.Check(t, func(t *rapid.T) {
		schema := everyStoredType()
		batches := slices.DeleteFunc(drawBatches(t, schema), func(b arrow.RecordBatch) bool { return b.NumRows() == 0 })
		if len(batches) == 0 {
			return
		}
		path := filepath.Join(dir, "a.parquet")
		if rapid.Bool().Draw(t, "index") {
			writePaged(t, path, 6, 2, batches...)
		} else {
			writeParquet(t, path, 3, batches...)
		}
		var parts []string
		for range rapid.IntRange(1, 2).Draw(t, "comparisons") {
			f := schema.Field(rapid.IntRange(0, schema.NumFields()-1).Draw(t, "column"))
			op := rapid.SampledFrom([]string{"=", "<>", "<", "<=", ">", ">=", "is null", "is not null"}).Draw(t, "op")
			part := "`" + f.Name + "` " + op
			for !strings.HasPrefix(op, "is") {
				one := batchOf(arrow.NewSchema([]arrow.Field{field("", f.Type)}, nil), []any{drawValue(t, f.Type)})
				if text, ok := literalOf(plain(f.Type), valueOf(one.Column(0), 0)); ok && one.Column(0).IsValid(0) {
					part += " " + text
					break
				}
			}
			parts = append(parts, part)
		}
		where := strings.Join(parts, " and ")
		want, err := scanned(t.Context(), Scan{Files: []string{path}}, where)
		if err != nil {
			t.Fatal(where, err)
		}
		var count ScanCount
		size := rapid.IntRange(0, 3).Draw(t, "rows of a chunk")
		got, err := scanned(t.Context(), Scan{Files: []string{path}, Prune: where, Count: &count, Rows: size}, where)
		if err != nil {
			t.Fatal(where, err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s passes\n%v\nnot\n%v\nwith %d row groups left out", where, got, want, count.Skipped())
		}
		skipped += count.Skipped()
		if count.Skipped() == 0 {
			pagesSkipped += count.SkippedRows()
		}
	})
	if skipped == 0 || pagesSkipped == 0 {
		t.Errorf("%d row groups were left out, and %d rows of pages of others", skipped, pagesSkipped)
	}
}

func TestRowGroupsAreLeftOutThatStatisticsExclude(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.parquet")
	schema := arrow.NewSchema([]arrow.Field{
		field("n", int64Type), field("price", &arrow.Decimal128Type{Precision: 10, Scale: 2}), field("name", stringType),
		field("none", int64Type),
	}, nil)
	var rows [][]any
	for i := range 100 {
		rows = append(rows, []any{i, number(fmt.Sprint(100 * i)), fmt.Sprintf("%03d", i), nil})
	}
	writeParquet(t, path, 10, batchOf(schema, rows...))
	for _, tt := range []struct {
		where string
		read  int64
	}{
		{"n >= 95", 1}, {"n > 89", 1}, {"n < 10", 1}, {"n <= 10", 2}, {"n = 55", 1}, {"n between 15 and 34", 3},
		{"price >= 95.5", 1}, {"price < 10", 1}, {"name > '094'", 1}, {"none is not null", 0}, {"none > 1", 0}, {"none is null", 10},
		{"n > 95 or n < 5", 10}, {"n % 2 = 0", 10}, {"n > 95 and 1 // (n - 5) = 0", 1}, {"n > 1000", 0},
	} {
		var count ScanCount
		if _, err := scanned(t.Context(), Scan{Files: []string{path}, Prune: tt.where, Count: &count}, tt.where); err != nil {
			t.Errorf("%s: %v", tt.where, err)
		}
		if count.Read() != tt.read || count.Skipped() != 10-tt.read {
			t.Errorf("%s: %d row groups were read and %d left out, want %d read", tt.where, count.Read(), count.Skipped(), tt.read)
		}
	}
}

func TestPagesAreLeftOutThatTheIndexExcludes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.parquet")
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type), field("name", stringType), field("gaps", int64Type)}, nil)
	var rows [][]any
	for i := range 1000 {
		row := []any{i, fmt.Sprintf("%04d", i), nil}
		if i%500 < 250 { // pages of nulls grow until something is in them
			row[2] = i
		}
		rows = append(rows, row)
	}
	writePaged(t, path, 500, 10, batchOf(schema, rows...))
	for _, tt := range []struct {
		where string
		read  int64 // rows
	}{
		{"n >= 995", 10}, {"n between 15 and 34", 30}, {"name = '0123'", 10}, {"n > 480 and name = '0495'", 10}, {"n <> 5", 1000},
		{"n < 10 or n > 990", 1000}, {"gaps is not null", 500}, {"gaps is null", 500}, {"gaps is null and n < 260", 10},
		{"n between 498 and 501", 20}, {"n > 123 and n < 125 and name > '0130'", 0}, {"n > 2000", 0},
	} {
		var count ScanCount
		if _, err := scanned(t.Context(), Scan{Files: []string{path}, Prune: tt.where, Count: &count, Rows: 7}, tt.where); err != nil {
			t.Errorf("%s: %v", tt.where, err)
		}
		if read := 1000 - count.SkippedRows(); read != tt.read {
			t.Errorf("%s: %d rows were read, want %d", tt.where, read, tt.read)
		}
	}
}

// What is damaged in pages that are left out is not looked at: not even the headers are read.
func TestPagesLeftOutAreNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.parquet")
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type), field("name", stringType)}, nil)
	var rows [][]any
	for i := range 5000 {
		rows = append(rows, []any{i, fmt.Sprintf("%04d", i)})
	}
	writePaged(t, path, 5000, 1000, batchOf(schema, rows...))
	const where = "n >= 4500"
	want, err := scanned(t.Context(), Scan{Files: []string{path}, Prune: where}, where)
	if err != nil || len(want) != 500 {
		t.Fatal(len(want), err)
	}
	in, err := parquetfile.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for column := range 2 {
		index, err := in.GetPageIndexReader().RowGroup(0)
		if err != nil {
			t.Fatal(err)
		}
		offsets, err := index.GetOffsetIndex(column)
		if err != nil {
			t.Fatal(err)
		}
		locations := offsets.GetPageLocations()
		if len(locations) != 5 {
			t.Fatalf("%d pages", len(locations))
		}
		clear(data[locations[0].Offset:locations[4].Offset])
	}
	if err := errors.Join(in.Close(), os.WriteFile(path, data, 0o600)); err != nil {
		t.Fatal(err)
	}
	got, err := scanned(t.Context(), Scan{Files: []string{path}, Prune: where}, where)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%d rows, %v", len(got), err)
	}
	if _, err := scanned(t.Context(), Scan{Files: []string{path}}, where); err == nil {
		t.Error("the damage is in no page")
	}
}

func TestWhatStatisticsDoNotSayIsNotBelieved(t *testing.T) {
	nan := math.NaN()
	for _, tt := range []struct {
		about string
		r     pages.Range
		op    string
		value any
		want  bool
	}{
		{"nothing known", pages.Range{}, "=", int64(1), false},
		{"only a lower bound", pages.Range{Min: int64(5)}, "<", int64(5), true},
		{"only a lower bound", pages.Range{Min: int64(5)}, ">", int64(5), false},
		{"another type", pages.Range{Min: "5", Max: "6"}, "=", int64(1), false},
		{"NaN is above what statistics say", pages.Range{Min: 1.0, Max: 2.0}, ">", 5.0, false},
		{"NaN is not below it", pages.Range{Min: 1.0, Max: 2.0}, "<", 1.0, true},
		{"NaN is not equal", pages.Range{Min: 1.0, Max: 2.0}, "=", 5.0, true},
		{"a comparison with NaN", pages.Range{Min: 1.0, Max: 2.0}, "<", nan, false},
		{"empty texts may be below the bound", pages.Range{Min: "a", Max: "b"}, "=", "", false},
		{"empty texts may be below the bound", pages.Range{Min: "b", Max: "b"}, "<", "a", false},
		{"empty texts may be below the bound", pages.Range{Min: "b", Max: "b"}, "<>", "b", false},
		{"a text that is not empty", pages.Range{Min: "b", Max: "c"}, "=", "a", true},
		{"a text above", pages.Range{Min: "b", Max: "c"}, ">", "c", true},
		{"zeros are equal", pages.Range{Min: 0.0, Max: 0.0}, "=", math.Copysign(0, -1), false},
		{"unsigned", pages.Range{Min: uint64(1 << 63), Max: uint64(1<<63 + 1)}, "=", uint64(1), true},
		{"nulls pass is null", pages.Range{Min: int64(1), Max: int64(1)}, "is null", nil, false},
		{"all are other than one", pages.Range{Min: int64(1), Max: int64(1)}, "<>", int64(1), true},
	} {
		if got := excludes(tt.r, expr.Conjunct{Op: tt.op, Value: tt.value}, 0); got != tt.want {
			t.Errorf("%s: %+v %s %v is left out: %v", tt.about, tt.r, tt.op, tt.value, got)
		}
	}
}

func TestPruneIsOfParquet(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.parquet")
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	writeParquet(t, path, 10, batchOf(schema, []any{1}))
	if _, err := (Scan{Files: []string{path}, Prune: "m > 1"}).Schema(); err == nil || !strings.Contains(err.Error(), `unknown column "m"`) {
		t.Errorf("%v", err)
	}
}
