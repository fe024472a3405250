package plan

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/seed14ed4225/sluice/table"
)

func TestSettingsOfFilesSayWhatTheJobSays(t *testing.T) {
	job, err := Parse("job.yaml", []byte(`
nodes:
  scan:
    kind: scan
    files: a.txt
    format: csv
    delimiter: ";"
    header: false
    names: [x, y]
    types: {x: int32}
    null_text: [NA, "-"]
    on_error: skip
    out: rows
  save:
    kind: write
    in: rows
    file: b.txt
    format: parquet
    overwrite: true
    compression: zstd
    row_group_rows: 1000
    row_group_bytes: 1MiB
    workers: 3
  other: {kind: scan, files: a.csv, on_error: null, out: others}
  print: {kind: write, in: others, file: "-", delimiter: ";", header: false, null_text: NA, quote_all: true}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []any{
		table.Scan{Files: []string{"a.txt"}, Format: table.FormatCSV, CSV: table.CSV{
			Delimiter: ";", NoHeader: true, Names: []string{"x", "y"}, Null: []string{"NA", "-"}, OnError: table.OnErrorSkip,
			Types: map[string]arrow.DataType{"x": arrow.PrimitiveTypes.Int32},
		}},
		table.Write{
			Path: "b.txt", Format: table.FormatParquet, Overwrite: true, Codec: table.CodecZstd,
			RowGroupRows: 1000, RowGroupBytes: 1 << 20, Workers: 3,
		},
		table.Scan{Files: []string{"a.csv"}, CSV: table.CSV{OnError: table.OnErrorNull}},
		table.Write{Path: "-", CSV: table.WriteCSV{Delimiter: ";", NoHeader: true, Null: "NA", QuoteAll: true}},
	}
	got := []any{
		job.nodes[0].step.(*scan).settings(), job.nodes[1].step.(*writing).settings(),
		job.nodes[2].step.(*scan).settings(), job.nodes[3].step.(*writing).settings(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestBuiltinKindsSayWhatTheJobSays compares the settings that reach the table
// operators with those of a job that gives every setting there is.
func TestBuiltinKindsSayWhatTheJobSays(t *testing.T) {
	job, err := Parse("job.yaml", []byte(`
nodes:
  scan:
    kind: scan
    files: [a.parquet, dir]
    columns: [x, a column]
    tickets: 3
    out: rows
  keep:
    kind: filter
    in: rows
    where: "`+"`a column`"+` >= -1.5"
    workers: 2
    out: kept
  sum:
    kind: aggregate
    in: kept
    by: [x, y]
    compute: {rows: count, z: mean(x), a: "max(`+"`a column`"+`)", d: count(distinct x), e: count(distinct), f: stddev_pop(distinct)}
    workers: 2
    out: sums
  one:
    kind: distinct
    in: sums
    by: z
    workers: 3
    out: ones
  order:
    kind: sort
    in: ones
    by: [z desc nulls first, a]
    limit: 5
    out: ordered
  show:
    kind: print
    in: ordered
    format: json
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []any{
		table.Scan{Files: []string{"a.parquet", "dir"}, Columns: []string{"x", "a column"}, Tickets: 3},
		table.Filter{Where: "`a column` >= -1.5", Workers: 2},
		table.Aggregate{By: []string{"x", "y"}, Measures: []table.Measure{
			{As: "rows", Func: table.Count},
			{As: "z", Func: table.Mean, Column: "x"},
			{As: "a", Func: table.Max, Column: "a column"},
			{As: "d", Func: table.CountDistinct, Column: "x"},
			{As: "e", Func: table.Count, Column: "distinct"},
			{As: "f", Func: table.StdDevPop, Column: "distinct"},
		}, Workers: 2},
		table.Distinct{By: []string{"z"}, Workers: 3},
		table.Sort{By: []table.SortKey{{Column: "z", Descending: true, Nulls: table.NullsFirst}, {Column: "a"}}, Limit: 5},
		table.FormatJSON,
	}
	steps := job.nodes
	got := []any{
		steps[0].step.(*scan).settings(),
		steps[1].step.(*filter).settings(),
		steps[2].step.(*aggregate).settings(),
		steps[3].step.(*distinct).settings(),
		steps[4].step.(*sorting).settings(),
		table.Format(steps[5].step.(*printing).Format),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSettingsOfColumnsAndRowsSayWhatTheJobSays(t *testing.T) {
	job, err := Parse("job.yaml", []byte(`
nodes:
  scan: {kind: scan, files: a.csv, out: rows}
  made: {kind: project, in: rows, columns: [x, "*"], compute: {y: x + 1, z: "max(x, 2)"}, workers: 3, out: made}
  first: {kind: limit, in: made, rows: 5, offset: 2, out: first}
  show: {kind: print, in: first}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []any{
		table.Project{Columns: []string{"x", "*"}, Workers: 3, Compute: []table.Computed{{As: "y", Expr: "x + 1"}, {As: "z", Expr: "max(x, 2)"}}},
		table.Limit{Rows: 5, Offset: 2},
	}
	got := []any{job.nodes[1].step.(*project).settings(), job.nodes[2].step.(*limiting).settings()}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// No other name of a setting is the name of one, or stands for two.
func TestOtherNamesOfSettingsAreUnambiguous(t *testing.T) {
	for _, kind := range Builtin() {
		known := make(map[string]string)
		fields := fieldsOf(kind.Settings())
		for _, f := range fields {
			known[f.name] = f.name
		}
		for _, f := range fields {
			for _, other := range f.also {
				if is := known[other]; is != "" || other != strings.ToLower(other) {
					t.Errorf("kind %s: %q is to stand for %s, and is %s", kind.Name, other, f.name, is)
				}
				known[other] = f.name
			}
		}
	}
}
