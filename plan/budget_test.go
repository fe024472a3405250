package plan_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"os"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/internal/extent"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/plan"
	"github.com/seed14ed4225/sluice/table"
)

// runIn runs a job in memory that it or the caller asks for, and returns a hash of the
// rows it prints, how many lines they are, and how the memory was used.
func runIn(t *testing.T, path string, params map[string]string, over plan.Memory) (hash string, lines int, used mem.Stats) {
	t.Helper()
	job, err := plan.Load(path, params)
	if err != nil {
		t.Fatal(err)
	}
	memory, err := job.Memory(over)
	if err != nil {
		t.Fatal(err)
	}
	out := counted{sum: sha256.New()}
	err = job.Run(t.Context(), plan.Env{Stdout: &out, Format: table.FormatCSV, Memory: memory})
	used = memory.Stats()
	closed(t, memory)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", out.sum.Sum(nil)), out.lines, used
}

type counted struct {
	sum   hash.Hash
	lines int
}

func (c *counted) Write(p []byte) (int, error) {
	c.lines += bytes.Count(p, []byte("\n"))
	return c.sum.Write(p)
}

// inBudget runs a job without limits and in so many bytes of host memory, compares the
// rows, and returns how many bytes it spilled in the second run.
func inBudget(t *testing.T, path string, params map[string]string, host int64, lines int) (spilled int64) {
	t.Helper()
	dir := t.TempDir()
	want, wantLines, _ := runIn(t, path, params, plan.Memory{Host: mem.Unlimited, SpillDir: dir})
	got, gotLines, used := runIn(t, path, params, plan.Memory{Host: mem.Bytes(host), Disk: mem.Bytes(1 << 30), SpillDir: dir})
	if got != want || gotLines != wantLines {
		t.Errorf("in %d bytes it gives other rows: %d lines, without limits %d", host, gotLines, wantLines)
	}
	if wantLines != lines {
		t.Errorf("it prints %d lines, want %d", wantLines, lines)
	}
	kind := used.Kinds[mem.Host]
	if kind.Peak == 0 || kind.Peak > host || kind.Overbooked != 0 {
		t.Errorf("a limit of %d, and host is %+v", host, kind)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
	return kind.Spilled
}

func TestTheExamplesGiveTheSameRowsInLittleMemory(t *testing.T) {
	inBudget(t, "../examples/flights.yaml", nil, 16<<20, 11)
	inBudget(t, "../examples/delays.yaml", nil, 16<<20, 11)
	if spilled := inBudget(t, "../examples/sorted.yaml", nil, 4<<20, 200_001); spilled == 0 {
		t.Error("6 MB are sorted in 4 MiB, and nothing is spilled")
	}
}

func TestAllFlightsRunInSixteenMiB(t *testing.T) {
	const path = "../../shared/data/flights-3m.parquet"
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the full data is not here: %v", err)
	}
	params := map[string]string{"files": path}
	inBudget(t, "../examples/flights.yaml", params, 16<<20, 11)
	if raceDetector {
		t.Skip("printing all rows takes minutes under the race detector; the sample is sorted there, too")
	}
	if spilled := inBudget(t, "../examples/sorted.yaml", params, 16<<20, 3_000_001); spilled == 0 {
		t.Error("96 MB are sorted in 16 MiB, and nothing is spilled")
	}
}

// hog is a kind of node that reserves host memory.
type hog struct {
	Bytes int64 `job:"bytes,required"`
}

func (h *hog) Schema([]*arrow.Schema) ([]*arrow.Schema, error) { return nil, nil }

func (h *hog) Add(to *sluice.Network, at plan.Place) error {
	to.Node(at.Name, func(ctx context.Context) error {
		res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, h.Bytes)
		res.Release()
		return err
	})
	return nil
}

func TestAJobRunsInTheMemoryItAsksFor(t *testing.T) {
	kinds := plan.Kinds{{Name: "hog", Settings: func() plan.Step { return &hog{} }}}
	const src = "memory: {host: 1MiB}\nnodes:\n  small: {kind: hog, bytes: 1048576}\n  large: {kind: hog, bytes: 1500000}\n"
	job, err := kinds.Parse("job.yaml", []byte(src), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(job.Run(t.Context(), plan.Env{}))
	want := `job.yaml:4:3: node "large": mem: 1.4MiB of host memory can never be had: the limit is 1MiB; try memory: {host: 2.5MiB} in the job, or --memory-host 2.5MiB`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNoMemoryNamesTheSettingsThatWouldHelp(t *testing.T) {
	full := &extent.IOError{Op: "write", Label: "runs", Dir: "/fast", Err: syscall.ENOSPC}
	short := mem.NoMemoryError{Kind: mem.Host, Need: 3 << 10, Limit: 64 << 10, Taken: 63 << 10, Smallest: 66 << 10}
	spilling := short
	spilling.Spilling = &mem.SpillError{Name: "runs", To: mem.Disk, Err: full}
	spilling.DiskLimit, spilling.DiskLeft = 1<<30, 1<<29
	disk, usedUp, larger := spilling, short, short
	disk.Spilling = nil
	usedUp.DiskLimit, usedUp.DiskLeft = 1<<30, 4<<10
	nearlyFull := usedUp
	nearlyFull.DiskDir = "/fast"
	larger.Need, larger.Taken, larger.Smallest = 100<<10, 0, 100<<10
	stranded := short
	stranded.Stranded = 8 << 10
	const host, other = "memory: {host: 128KiB} in the job, or --memory-host 128KiB", "a disk with more room as spill_dir or --spill-dir"
	tests := []struct {
		about string
		err   error
		want  string
	}{
		{"nothing that could be spilled", &short, "; try " + host},
		{"nothing to spill to", &stranded, "; try letting rows go to disk, with spill_dir or --spill-dir, or memory: {host: 224KiB} in the job, or --memory-host 224KiB"},
		{"nothing to spill", &disk, "; try " + host},
		{"a request larger than the limit", &larger, "; try memory: {host: 160KiB} in the job, or --memory-host 160KiB"},
		{"a disk limit that is used up", &usedUp, "; try memory: {disk: 2.5GiB} in the job, or --memory-disk 2.5GiB, or " + host},
		{"a folder where no more is free", &nearlyFull, "; try " + host + ", or " + other},
		{"a full disk", &spilling, "; try " + host + ", or " + other},
		{"a full disk in itself", full, "; try " + other},
		{"disk", &mem.NoMemoryError{Kind: mem.Disk, Need: 1, Limit: 3 << 30, Taken: 3 << 30, Smallest: 3<<30 + 1},
			"; try memory: {disk: 6GiB} in the job, or --memory-disk 6GiB"},
		{"something else", syscall.EIO, ""},
	}
	for _, tt := range tests {
		e := &plan.RunError{File: "job.yaml", Position: plan.Position{Line: 3, Column: 5}, Err: &sluice.NodeError{Node: "sort", Err: fmt.Errorf("run 3: %w", tt.err)}}
		want := fmt.Sprintf("job.yaml:3:5: node %q: run 3: %v%s", "sort", tt.err, tt.want)
		if diff := cmp.Diff(want, e.Error()); diff != "" {
			t.Errorf("%s: %s", tt.about, diff)
		}
	}
}
