package table

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go/format"
)

// write makes the file.
func (b breakage) write(t *testing.T, dir string) (path string) {
	t.Helper()
	s := newSpecimen(t)
	if b.pages != nil {
		b.pages(s)
	}
	file := s.build(t, b.footer)
	if b.file != nil {
		file = b.file(file)
	}
	path = filepath.Join(dir, strings.ReplaceAll(b.name, " ", "_")+".parquet")
	if err := os.WriteFile(path, file, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// readSpecimen reads a file in little memory, and fails if it took much more beside that.
func readSpecimen(t *testing.T, s Scan) (rows []string, err error) {
	t.Helper()
	const limit, beside = 4 << 20, 16 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = limited(t, s, limit, func(c *Chunk) { rows = append(rows, asText(rowsOf(c.Batch()))...) })
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > beside {
		t.Errorf("%d bytes were allocated beside the limit", n)
	}
	return rows, err
}

func TestABrokenFileIsAnErrorThatSaysWhereAndNeverOtherRows(t *testing.T) {
	dir := t.TempDir()
	whole, err := readSpecimen(t, Scan{Files: []string{breakage{name: "whole"}.write(t, dir)}})
	if err != nil || len(whole) != 60 {
		t.Fatalf("the file that is not broken: %d rows, %v", len(whole), err)
	}
	for _, b := range breakages() {
		t.Run(b.name, func(t *testing.T) {
			path := b.write(t, dir)
			for _, rows := range []int{0, 7} { // row groups at once, and in pieces
				got, err := readSpecimen(t, Scan{Files: []string{path}, Rows: rows})
				if !b.late && !slices.Equal(got, whole[:min(len(got), len(whole))]) {
					t.Errorf("rows that are not in the file: %q", got)
				}
				if b.says == nil && (err != nil || len(got) != len(whole)) {
					t.Errorf("%d rows, %v; want them all", len(got), err)
				}
				for _, want := range append(b.says, path) {
					if b.says != nil && (err == nil || !strings.Contains(err.Error(), want)) {
						t.Errorf("%v does not say %q", err, want)
					}
				}
			}
		})
	}
}

// TestStatisticsThatCannotBeLeaveNothingOut: a scan that may leave out row groups reads the same rows
// whatever statistics say, unless they could be true.
func TestStatisticsThatCannotBeLeaveNothingOut(t *testing.T) {
	dir := t.TempDir()
	const pruned = "plain >= 1045 and plain is not null"
	for _, b := range breakages() {
		if b.says != nil {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			got, err := readSpecimen(t, Scan{Files: []string{b.write(t, dir)}, Prune: pruned})
			if err != nil || len(got) < 30 || !strings.Contains(got[len(got)-1], "1059") {
				t.Errorf("%d rows, %v", len(got), err)
			}
		})
	}
}

// TestPlausibleStatisticsAreBelieved says what cannot be found out without reading what pruning is
// there not to read.
func TestPlausibleStatisticsAreBelieved(t *testing.T) {
	b := breakage{name: "plausible", footer: func(m *format.FileMetaData) {
		statisticsOf(m).MaxValue = statisticsOf(m).MinValue
	}}
	path := b.write(t, t.TempDir())
	if got, err := readSpecimen(t, Scan{Files: []string{path}, Prune: "plain > 1045"}); err != nil || len(got) != 0 {
		t.Errorf("%d rows, %v; both row groups say that they have no such row", len(got), err)
	}
	if got, err := readSpecimen(t, Scan{Files: []string{path}}); err != nil || len(got) != 60 {
		t.Errorf("%d rows, %v; without a condition statistics do not matter", len(got), err)
	}
}
