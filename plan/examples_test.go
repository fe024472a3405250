package plan_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14ed4225/sluice/plan"
	"github.com/seed14ed4225/sluice/table"
)

// runCSV runs a job and returns the rows it prints, the header first.
func runCSV(t *testing.T, path string, params map[string]string) [][]string {
	t.Helper()
	job, err := plan.Load(path, params)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := job.Run(t.Context(), plan.Env{Stdout: &out, Format: table.FormatCSV}); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestEveryExampleRuns(t *testing.T) {
	examples, err := filepath.Glob("../examples/*.yaml")
	if err != nil || len(examples) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, path := range examples {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if rows := runCSV(t, path, nil); len(rows) < 2 {
				t.Errorf("it prints %q", rows)
			}
		})
	}
}

// TestTheSettingsInTheDocumentationAreThoseOfAJob: what docs show of a job is one, but
// for its nodes.
func TestTheSettingsInTheDocumentationAreThoseOfAJob(t *testing.T) {
	text, err := os.ReadFile("../docs/memory.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
	if len(found) == 0 {
		t.Fatal("no settings")
	}
	for _, block := range found {
		job := string(block[1]) + "nodes:\n  from: {kind: source, columns: x, out: xs}\n  to: {kind: sink, in: xs}\n"
		if _, err := homemade().Parse("job.yaml", []byte(job), nil); err != nil {
			t.Errorf("%v in\n%s", err, job)
		}
	}
}

// TestFlightsGivesTheKnownAnswers compares the example with the answers beside
// its data, which were computed without this project.
func TestFlightsGivesTheKnownAnswers(t *testing.T) {
	readme, err := os.ReadFile("../examples/data/README.md")
	if err != nil {
		t.Fatal(err)
	}
	known := regexp.MustCompile(`(?m)^\| ([A-Z]{3}) \| ([0-9,]+) \| [0-9,]+ \| ([0-9.]+) \|$`)
	var want [][]string
	for _, match := range known.FindAllStringSubmatch(string(readme), -1) {
		want = append(want, []string{match[1], strings.ReplaceAll(match[2], ",", ""), match[3]})
	}
	if len(want) != 10 {
		t.Fatalf("%d answers in the README, want 10", len(want))
	}
	got := runCSV(t, "../examples/flights.yaml", nil)
	if diff := cmp.Diff(want, sixDecimals(t, got[1:])); diff != "" {
		t.Error(diff)
	}
	if want := []string{"origin", "flights", "mean_delay"}; !cmp.Equal(got[0], want) {
		t.Errorf("the columns are %q, want %q", got[0], want)
	}
}

func TestFlightsGivesTheKnownAnswersForAllOfTheData(t *testing.T) {
	const path = "../../shared/data/flights-3m.parquet"
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the full data is not here: %v", err)
	}
	got := runCSV(t, "../examples/flights.yaml", map[string]string{"files": path, "top": "5"})
	want := [][]string{
		{"ORD", "166341", "9.273655"},
		{"DFW", "157162", "7.700958"},
		{"ATL", "124711", "8.828139"},
		{"LAX", "115245", "7.422595"},
		{"PHX", "93036", "9.994400"},
	}
	if diff := cmp.Diff(want, sixDecimals(t, got[1:])); diff != "" {
		t.Error(diff)
	}
}

func TestNodesThatShareAChannelSeeEachRowOnce(t *testing.T) {
	const src = `
nodes:
  scan: {kind: scan, files: "${job_dir}/data", out: rows}
  late_1: {kind: filter, in: rows, where: delay > 60, out: late}
  late_2: {kind: filter, in: rows, where: delay > 60, out: late}
  far: {kind: filter, in: late, where: distance > 500, out: far}
  sum: {kind: aggregate, in: far, compute: {n: count, delay: sum(delay)}, out: sum}
  show: {kind: print, in: sum, format: csv}
channels: {rows: {shared: true}}
`
	alone := strings.Replace(src, "  late_2: {kind: filter, in: rows, where: delay > 60, out: late}\n", "", 1)
	var printed []string
	for _, src := range []string{src, alone} {
		job, err := plan.Parse("../examples/late.yaml", []byte(src), nil)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := job.Run(t.Context(), plan.Env{Stdout: &out}); err != nil {
			t.Fatal(err)
		}
		printed = append(printed, out.String())
	}
	if printed[0] != printed[1] || !strings.HasPrefix(printed[0], "n,delay\n") {
		t.Errorf("two workers give %q, one gives %q", printed[0], printed[1])
	}
}

// sixDecimals rounds the last column as the known answers are.
func sixDecimals(t *testing.T, rows [][]string) [][]string {
	t.Helper()
	for _, row := range rows {
		mean, err := strconv.ParseFloat(row[len(row)-1], 64)
		if err != nil {
			t.Fatal(err)
		}
		row[len(row)-1] = fmt.Sprintf("%.6f", mean)
	}
	return rows
}
