package plan_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/plan"
)

// scanning is a job to which a section memory can be added.
const scanning = `params: {dir: null}
nodes:
  scan: {kind: scan, files: "${dir}", out: rows}
  show: {kind: print, in: rows}
`

func jobWith(t *testing.T, memory, dir string) *plan.Job {
	t.Helper()
	job, err := plan.Parse("job.yaml", []byte(scanning+memory), map[string]string{"dir": dir})
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func closed(t *testing.T, memory *mem.Resource) {
	t.Helper()
	if err := memory.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTheMemoryOfAJobIsAsItSays(t *testing.T) {
	memory, err := jobWith(t, `
memory: {device: 1GiB, pinned: 256MiB, host: 1_000_000, disk: 20GiB, spill_dir: "${dir}", compress: lz4}
`, t.TempDir()).Memory(plan.Memory{})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, memory)
	for kind, want := range map[mem.Kind]int64{mem.Device: 1 << 30, mem.Pinned: 256 << 20, mem.Host: 1_000_000, mem.Disk: 20 << 30} {
		if got := memory.Limit(kind); got != want {
			t.Errorf("%v: a limit of %d, want %d", kind, got, want)
		}
	}
}

func TestAJobThatSaysNothingOfMemoryHasNoLimits(t *testing.T) {
	for _, section := range []string{"", "memory:\n"} {
		memory, err := jobWith(t, section, ".").Memory(plan.Memory{})
		if memory != nil || err != nil {
			t.Errorf("%q: got %v, %v", section, memory, err)
		}
	}
}

func TestWhatTheCallerSaysOfMemoryGoesFirst(t *testing.T) {
	dir := t.TempDir()
	said := plan.Memory{Host: mem.Bytes(2 << 20), Disk: mem.Unlimited, SpillDir: dir, Compress: new(mem.Zstd)}
	sections := map[string]int64{ // with the limit of pinned memory
		"memory: {host: 1GiB, pinned: 3MiB, disk: 1MiB, spill_dir: /nowhere}\n": 3 << 20,
		"": -1, // a share of what the machine has
	}
	for section, pinned := range sections {
		memory, err := jobWith(t, section, ".").Memory(said)
		if err != nil {
			t.Fatal(err)
		}
		if got := memory.Limit(mem.Host); got != 2<<20 {
			t.Errorf("%q: host is %d", section, got)
		}
		if got := memory.Limit(mem.Disk); got != math.MaxInt64 {
			t.Errorf("%q: disk is %d", section, got)
		}
		if got := memory.Limit(mem.Pinned); got != pinned && (pinned >= 0 || got <= 0) {
			t.Errorf("%q: pinned is %d", section, got)
		}
		closed(t, memory)
	}
}

func TestMemoryThatCannotBeHadIsExplained(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		about, section string
		over           plan.Memory
		want           string
	}{
		{about: "a disk limit without a folder", section: "memory: {host: 1MiB, disk: 1GiB}\n", want: `
job.yaml:5:28: memory: disk: there is no folder to spill to; name one with spill_dir in the job, or with --spill-dir`},
		{about: "a folder that is missing", section: `memory: {spill_dir: "${dir}/lost"}`, want: `
job.yaml:5:21: memory: spill_dir: spill directory "DIR/lost" does not exist; make it, or name another: no such file or directory`},
		{about: "a folder that is a file", section: `memory: {disk: 1MiB, spill_dir: "${dir}/file"}`, want: `
job.yaml:5:33: memory: spill_dir: spill directory "DIR/file" is not a directory; name one`},
		{about: "no memory at all", section: "memory: {host: 0}\n", want: `
job.yaml:5:16: memory: host: a job cannot run without host memory; give it some MiB, or leave the limit out`},
		{about: "a limit from a caller", section: "memory: {host: 1MiB}\n", over: plan.Memory{Disk: mem.Bytes(1)}, want: `
memory: disk: there is no folder to spill to; name one with spill_dir in the job, or with --spill-dir`},
		{about: "a folder from a caller", section: "memory: {disk: 1MiB}\n", over: plan.Memory{SpillDir: file}, want: `
memory: spill_dir: spill directory "DIR/file" is not a directory; name one`},
		{about: "a caller's mistake in a job that says nothing", over: plan.Memory{Host: mem.Bytes(-1)}, want: `
memory: host: -1 bytes: a limit cannot be negative`},
		{about: "mistakes of both", section: "memory: {disk: 1MiB}\n", over: plan.Memory{Host: mem.Share(2)}, want: `
job.yaml:5:16: memory: disk: there is no folder to spill to; name one with spill_dir in the job, or with --spill-dir
memory: host: a share of 2: it must lie between 0 and 1`},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			memory, err := jobWith(t, tt.section, dir).Memory(tt.over)
			if err == nil {
				closed(t, memory)
				t.Fatal("no error")
			}
			got := "\n" + strings.ReplaceAll(err.Error(), dir, "DIR")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	_, err := jobWith(t, "memory: {spill_dir: \"${temp_dir}/no such folder\"}\n", dir).Memory(plan.Memory{})
	if want := os.TempDir() + "/no such folder"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want it to be about %s", err, want)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("trying the folder left %v, %v", left, err)
	}
}
