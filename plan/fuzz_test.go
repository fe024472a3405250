package plan_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed14ed4225/sluice/plan"
)

// everyKind is a job with all kinds and most settings.
const everyKind = `
params: {condition: x > 0}
workers: 2
nodes:
  csv: {kind: scan, files: [a.csv, "-"], format: csv, delimiter: ";", header: false, names: [x, y], types: {x: "decimal(12, 2)"}, null_text: [NA, "-"], on_error: null, rows: 10, tickets: 2, out: [a]}
  parquet: {kind: scan, files: "*.parquet", columns: x, out: b}
  both: {kind: union, in: [a, b], out: c}
  keep: {kind: filter, in: c, where: "${condition} and x not in (1, 2.5)", workers: 3, out: d}
  made: {kind: project, in: d, columns: ["*"], compute: {y: "case when x > 1 then cast(x as int32) else -1 end", "a b": "date '2001-03-31' - interval '1 day'"}, out: e}
  sums: {kind: aggregate, in: e, by: [x, "a b"], compute: {n: count, m: "count(distinct ` + "`a b`" + `)", s: stddev_pop(y)}, out: f}
  ones: {kind: distinct, in: f, by: x, out: g}
  other: {kind: scan, files: b.parquet, out: h}
  joined: {kind: join, in: [g, h], on: ["x = y", z], type: full, where: length(t) > 1, suffix: _2, out: i}
  order: {kind: sort, in: i, by: [x desc nulls first, y], limit: 3, out: j}
  first: {kind: limit, in: j, rows: 2, offset: 1, out: k}
  save: {kind: write, in: k, file: c.parquet, overwrite: true, compression: zstd, row_group_rows: 10, row_group_bytes: 1MiB}
  show: {kind: print, in: l, format: json}
  more: {kind: scan, files: c, out: l}
channels: {a: {slots: 3, bytes: 1MiB, shared: true}}
`

// FuzzParse reads any text as a job. Whatever it is, the answer is a job that
// can be made into a network, or errors that each have a place in the text.
func FuzzParse(f *testing.F) {
	examples, err := filepath.Glob("../examples/*.yaml")
	if err != nil || len(examples) == 0 {
		f.Fatalf("no examples to start from: %v", err)
	}
	for _, name := range examples {
		src, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src, "top", "[1, 2]")
	}
	page, err := os.ReadFile("../docs/jobs.md")
	if err != nil {
		f.Fatal(err)
	}
	_, whole, _ := strings.Cut(string(page), "```yaml\n")
	whole, _, _ = strings.Cut(whole, "```")
	f.Add([]byte(whole), "minutes", "5) or (delay > 1")
	for _, src := range []string{whole, everyKind} {
		if _, err := plan.Parse("job.yaml", []byte(src), nil); err != nil {
			f.Fatal(err)
		}
	}
	f.Add([]byte(everyKind), "condition", "x like 'a%' escape '!' or y is null")
	f.Add([]byte(good+"device: cuda:1\n"), "", "")
	f.Add([]byte(good+"memory: {device: 1GiB, pinned: 10%, host: unlimited, disk: 20GB, spill_dir: \"${temp_dir}/x\", compress: zstd}\n"), "", "")
	f.Add([]byte(bomb()), "p0", "{a: b}")
	f.Add([]byte(filtered("`tail number` <= -1e5")), "", "")
	f.Add([]byte(aggregated("mean(delay)")), "", "")
	f.Add([]byte("a: &a [*a]\n? [b]\n: !!str |\n  x\n<<: *a\n--- \n%TAG\n"), "a", "'")
	f.Fuzz(func(t *testing.T, src []byte, name, given string) {
		var params map[string]string
		if name != "" {
			params = map[string]string{name: given}
		}
		job, err := plan.Parse("job.yaml", src, params)
		if err == nil {
			if _, err := job.Network(plan.Env{}); err != nil {
				t.Fatalf("a job that is right makes no network: %v", err)
			}
			return
		}
		found := plan.JobErrors(err)
		if len(found) == 0 {
			t.Fatalf("not a JobError: %v", err)
		}
		lines := strings.Count(string(src), "\n") + strings.Count(string(src), "\r") + 1
		for _, e := range found {
			if e.Position.Line < 1 || e.Position.Column < 1 || e.Position.Line > lines+1 {
				t.Errorf("no such place in %d lines: %v", lines, e)
			}
			if e.Err.Error() == "" {
				t.Errorf("nothing said at %v", e.Position)
			}
		}
	})
}
