package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14ed4225/sluice/table"
)

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
    out: kept
  sum:
    kind: aggregate
    in: kept
    by: [x, y]
    compute: {rows: count, z: mean(x), a: "max(`+"`a column`"+`)"}
    out: sums
  order:
    kind: sort
    in: sums
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
		table.Filter{Column: "a column", Op: table.GreaterOrEqual, Value: -1.5},
		table.Aggregate{By: []string{"x", "y"}, Measures: []table.Measure{
			{As: "rows", Func: table.Count},
			{As: "z", Func: table.Mean, Column: "x"},
			{As: "a", Func: table.Max, Column: "a column"},
		}},
		table.Sort{By: []table.SortKey{{Column: "z", Descending: true, Nulls: table.NullsFirst}, {Column: "a"}}, Limit: 5},
		table.FormatJSON,
	}
	steps := job.nodes
	got := []any{
		steps[0].step.(*scan).settings(),
		steps[1].step.(*filter).settings(),
		steps[2].step.(*aggregate).settings(),
		steps[3].step.(*sorting).settings(),
		table.Format(steps[4].step.(*printing).Format),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
