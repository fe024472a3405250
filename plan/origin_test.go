package plan_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed14ed4225/sluice/plan"
)

// However the job writes an expression, an error in it is where the job has what is wrong: here a
// question mark.
func TestAnErrorInAnExpressionIsWhereTheJobHasIt(t *testing.T) {
	for _, where := range []string{
		"delay > ?",
		"'origin = ''ORD'' and ?'",
		`"origin = \"ORD\" and ?"`,
		`"ü = 'ü' and ?"`,
		"delay > 1\n      and ? > 2",
		"\"delay > 1\n\n      and ? > 2\"",
		">\n      delay > 1\n      and ? > 2",
		">-\n\n      delay > 1\n\n      and origin = 'a  b'\n        and ? > 2\n",
		"|\n      delay > 1\n      and ? > 2\n      and true",
		"|2-\n      delay > 1   \r\n      and ? > 2\n",
		"${column} > 1 and ?",
		">-\n      ${column} > 1 and 'ü$${' = 'a'\n      and ${column}\n      > ?",
	} {
		job := "nodes:\n  scan: {kind: scan, files: x, out: a}\n  late:\n    kind: filter\n    in: a\n    where: " +
			where + "\n    out: b\n  show: {kind: print, in: b}\n"
		if strings.Contains(where, "${column}") {
			job = "params: {column: delay_and_more}\n" + job
		}
		_, err := plan.Parse("job.yaml", []byte(job), nil)
		found := plan.JobErrors(err)
		before, _, _ := strings.Cut(job, "?")
		line := strings.Count(before, "\n") + 1
		column := len([]rune(before[strings.LastIndex(before, "\n")+1:])) + 1
		if len(found) != 1 || found[0].Position != (plan.Position{Line: line, Column: column}) {
			t.Errorf("%s\n%v, want it at %d:%d", job, err, line, column)
		}
	}
}

// What a parameter stands for is where the parameter is written.
func TestAnErrorInAParameterIsWhereItIsUsed(t *testing.T) {
	_, err := plan.Parse("job.yaml", []byte(`params: {limit: "60 ? 1"}
nodes:
  scan: {kind: scan, files: x, out: a}
  late: {kind: filter, in: a, where: "delay > ${limit} and true", out: b}
  show: {kind: print, in: b}
`), nil)
	if found := plan.JobErrors(err); len(found) != 1 || found[0].Position != (plan.Position{Line: 4, Column: 47}) {
		t.Error(err)
	}
}

// A row without a value names the place of the part that has none, and the row.
func TestARowWithoutAValueNamesThePlaceInTheJob(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(file, []byte("n,m\n1,2\n2,3\n0,4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ node, want string }{
		{"kind: filter, where: n > 5 or 6 // n > 1", `job.yaml:3:52: node "x": row 3: division by zero: 6 // 0`},
		{"kind: project, compute: {a: m + 1, b: \"m + 12 / n\"}", `job.yaml:3:65: node "x": column "b": row 3: division by zero: 12 divided by 0`},
	} {
		job := parse(t, "nodes:\n  scan: {kind: scan, files: "+file+", out: a}\n  x: {in: a, out: b, "+c.node+"}\n  show: {kind: sink, in: b}\n")
		if err := job.Run(t.Context(), plan.Env{}); err == nil || err.Error() != c.want {
			t.Errorf("%s:\ngot  %v\nwant %s", c.node, err, c.want)
		}
	}
}
