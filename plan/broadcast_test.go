package plan_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/plan"
	"github.com/seed14ed4225/sluice/table"
)

// wideRows writes a file of rows with the numbers from 0 on, each with a text that takes room.
func wideRows(t *testing.T, rows int) (path string) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("id,k,text\n")
	for i := range rows {
		fmt.Fprintf(&b, "%d,%d,%0300d\n", i, i*7919%rows, i)
	}
	path = filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// printed runs a job in so many bytes of host memory, or, if host is 0, without any limits, and returns what it
// prints, and how many bytes it spilled.
func printed(t *testing.T, src string, host int64) (out string, spilled int64) {
	t.Helper()
	job, err := plan.Parse("job.yaml", []byte(src), nil)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	env := plan.Env{Stdout: &text, Format: table.FormatCSV, Workers: 2}
	if host > 0 {
		memory, err := job.Memory(plan.Memory{Host: mem.Bytes(host), Disk: mem.Bytes(1 << 30), SpillDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		env.Memory = memory
		defer closed(t, memory)
	}
	if err := job.Run(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	if host > 0 {
		used := env.Memory.Stats().Kinds[mem.Host]
		if used.Peak > host || used.Overbooked != 0 {
			t.Errorf("in %d bytes, host is %+v", host, used)
		}
		spilled = used.Spilled
	}
	return text.String(), spilled
}

// A branch is what stands between a broadcast and where its outputs come together. It has the
// columns id, k and text, and all rows or the first.
type branch struct {
	name  string
	nodes string // from IN to OUT; none if OUT is to be IN
	rows  int    // that are left; 0 for all
}

var branches = []branch{
	{name: "nothing"},
	{name: "filter", nodes: "  OUT-f: {kind: filter, in: IN, where: id >= 0, out: OUT}\n"},
	{name: "sort", nodes: "  OUT-s: {kind: sort, in: IN, by: k, out: OUT}\n"},
	{name: "aggregate", nodes: "  OUT-a: {kind: aggregate, in: IN, by: id, compute: {k: max(k), text: max(text)}, out: OUT}\n"},
	{name: "distinct", nodes: "  OUT-d: {kind: distinct, in: IN, by: id, out: OUT}\n"},
	{name: "limit", nodes: "  OUT-l: {kind: limit, in: IN, rows: 1000, out: OUT}\n", rows: 1000},
	{name: "diamond", nodes: `
  OUT-b: {kind: broadcast, in: IN, out: [OUT-1, OUT-2]}
  OUT-k: {kind: sort, in: OUT-2, by: k, out: OUT-3}
  OUT-i: {kind: project, in: OUT-3, columns: id, out: OUT-4}
  OUT-j: {kind: join, in: [OUT-1, OUT-4], using: id, type: semi, out: OUT}
`},
}

// between puts a branch between two channels, or says that one of them is the other.
func (b branch) between(in, out string) (nodes, channel string) {
	if b.nodes == "" {
		return "", in
	}
	return strings.NewReplacer("IN", in, "OUT", out).Replace(b.nodes), out
}

// Rows come together again behind a broadcast, whatever is on either way: none of the kinds that read two inputs
// takes one to its end first, and what a sort or an aggregate makes wait goes to disk.
func TestBranchesOfABroadcastComeTogether(t *testing.T) {
	rows := 20_000 // 6 MB
	if raceDetector {
		rows = 2000
	}
	path := wideRows(t, rows)
	of := func(b branch) int {
		if b.rows > 0 {
			return b.rows
		}
		return rows
	}
	sum := func(rows int) int { return rows * (rows - 1) / 2 }
	total := int64(0)
	for i, a := range branches {
		for k, b := range branches {
			left, from := a.between("one", "left")
			right, to := b.between("two", "right")
			src := fmt.Sprintf(`
nodes:
  scan: {kind: scan, files: %q, rows: 2048, out: rows}
  both: {kind: broadcast, in: rows, out: [one, two]}
%s%s  together: {kind: KIND, in: [%s, %s], out: together}
  sum: {kind: aggregate, in: together, compute: {rows: count, ids: sum(id)}, out: sum}
  show: {kind: print, in: sum}
`, path, left, right, from, to)
			few := min(of(a), of(b))
			ends := []struct {
				kind      string
				rows, ids int
			}{
				{"join, using: id", few, sum(few)},
				{"union", of(a) + of(b), sum(of(a)) + sum(of(b))},
			}
			for _, end := range ends {
				if end.kind == "union" && i > k {
					continue // it does not tell its inputs apart
				}
				t.Run(fmt.Sprintf("%s and %s into %s", a.name, b.name, end.kind), func(t *testing.T) {
					src := strings.Replace(src, "KIND", end.kind, 1)
					want := fmt.Sprintf("rows,ids\n%d,%d\n", end.rows, end.ids)
					limits := []int64{4 << 20}
					if i == k {
						limits = append(limits, 0)
					}
					for _, limit := range limits {
						got, spilled := printed(t, src, limit)
						total += spilled
						if got != want {
							t.Errorf("in %d bytes it is %q, want %q", limit, got, want)
						}
					}
				})
			}
		}
	}
	if total == 0 && !raceDetector {
		t.Error("6 MB go two ways in 4 MiB, and nothing is spilled")
	}
}

func TestABroadcastKeepsTheOrderOfRows(t *testing.T) {
	src := `
nodes:
  scan: {kind: scan, files: PATH, rows: 100, out: rows}
  both: {kind: broadcast, in: rows, out: [one, two]}
  some: {kind: filter, in: one, where: id % 3 = 0, out: some}
  show: {kind: print, in: some}
  save: {kind: write, in: two, file: SAVED}
`
	path, saved := wideRows(t, 3000), filepath.Join(t.TempDir(), "saved.csv")
	src = strings.NewReplacer("PATH", path, "SAVED", saved).Replace(src)
	for _, host := range []int64{0, 1 << 20} {
		src := src
		if host > 0 {
			src = strings.Replace(src, "saved.csv", "saved2.csv", 1)
		}
		out, _ := printed(t, src, host)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(whole), "\n")
		want := lines[0]
		for i := 1; i < len(lines); i += 3 {
			want += lines[i]
		}
		if diff := cmp.Diff(strings.Fields(want), strings.Fields(strings.ReplaceAll(out, `"`, ""))); diff != "" {
			t.Error(diff)
		}
	}
}

// A filter behind one output says nothing of the rows that the other wants.
func TestAScanBehindWhichABroadcastIsLeavesNothingOut(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "rows.parquet")
	printed(t, fmt.Sprintf(`
nodes:
  scan: {kind: scan, files: %q, out: rows}
  save: {kind: write, in: rows, file: %q, row_group_rows: 100}
`, wideRows(t, 1000), file), 0)
	job, err := plan.Parse("job.yaml", fmt.Appendf(nil, `
nodes:
  scan: {kind: scan, files: %q, out: rows}
  both: {kind: broadcast, in: rows, out: [one, two]}
  few: {kind: filter, in: one, where: id < 100, out: few}
  fewer: {kind: filter, in: two, where: id < 200, out: fewer}
  all: {kind: union, in: [few, fewer], out: all}
  count: {kind: aggregate, in: all, compute: {rows: count}, out: count}
  show: {kind: print, in: count}
`, file), nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	groups := make(map[string]*table.ScanCount)
	if err := job.Run(t.Context(), plan.Env{Stdout: &out, Format: table.FormatCSV, RowGroups: groups}); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "rows\n300\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestColumnsGoOnThroughABroadcast(t *testing.T) {
	job, err := plan.Parse("job.yaml", fmt.Appendf(nil, `
nodes:
  scan: {kind: scan, files: %q, out: rows}
  both: {kind: broadcast, in: rows, out: [one, two, three]}
  a: {kind: sort, in: one, by: id, out: a}
  b: {kind: sort, in: two, by: k, out: b}
  c: {kind: sort, in: three, by: idd, out: c}
  all: {kind: union, in: [a, b, c], out: all}
  show: {kind: print, in: all}
`, wideRows(t, 10)), nil)
	if err != nil {
		t.Fatal(err)
	}
	err = job.Check()
	if err == nil || !strings.HasPrefix(err.Error(), "job.yaml:7:") || strings.Count(err.Error(), "\n") > 0 {
		t.Errorf("%v", err)
	}
}
