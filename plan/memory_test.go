package plan_test

import (
	"bytes"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14ed4225/sluice/internal/extent"
	"github.com/seed14ed4225/sluice/internal/machine"
	"github.com/seed14ed4225/sluice/internal/size"
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
memory: {device: 1GiB, pinned: 256MiB, host: 1_000_000, disk: 2MiB, spill_dir: "${dir}", compress: lz4}
`, t.TempDir()).Memory(plan.Memory{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, memory)
	for kind, want := range map[mem.Kind]int64{mem.Device: 1 << 30, mem.Pinned: 256 << 20, mem.Host: 1_000_000, mem.Disk: 2 << 20} {
		if got := memory.Limit(kind); got != want {
			t.Errorf("%v: a limit of %d, want %d", kind, got, want)
		}
	}
}

func TestALimitOfMemoryThatNoNodeTakesIsAWarning(t *testing.T) {
	for _, c := range []struct {
		section string
		over    plan.Memory
		want    string
	}{
		{section: "memory: {device: 1GiB}\n", want: `job "job": a limit for device memory (1GiB) changes nothing: no node of the job takes any (scan, show)`},
		{over: plan.Memory{Pinned: mem.Share(0.1)}, want: `job "job": a limit for pinned memory (10%) changes nothing: no node of the job takes any (scan, show)`},
		{section: "memory: {device: 1GiB}\n", over: plan.Memory{Device: mem.Unlimited}},
		{section: "memory: {device: 0, pinned: unlimited, host: 1GiB}\n"},
	} {
		var said bytes.Buffer
		c.over.Logger = slog.New(slog.NewTextHandler(&said, nil))
		memory, err := jobWith(t, c.section, ".").Memory(c.over)
		if err != nil {
			t.Fatal(err)
		}
		closed(t, memory)
		got := strings.ReplaceAll(said.String(), `\"`, `"`)
		if c.want == "" && got != "" || !strings.Contains(got, c.want) || strings.Count(got, "\n") > 1 {
			t.Errorf("%s%+v: said %q, want %s", c.section, c.over, got, c.want)
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

func TestALimitOfDiskIsAtMostWhatIsFree(t *testing.T) {
	dir := t.TempDir()
	if _, err := extent.Free(dir); err != nil {
		t.Skip(err)
	}
	memory, err := jobWith(t, "memory: {disk: 1EiB, spill_dir: \"${dir}\"}\n", dir).Memory(plan.Memory{})
	if err == nil {
		closed(t, memory)
		t.Fatal("no error")
	}
	// How much is free changes all the time.
	want := `^job\.yaml:5:16: memory: disk: [0-9.]+[KMGTP]iB are free in "` + regexp.QuoteMeta(dir) + `"; say less, a share such as 90%, or name another folder$`
	if !regexp.MustCompile(want).MatchString(err.Error()) {
		t.Errorf("got %v, want %s", err, want)
	}
	for _, fine := range []string{"unlimited", "100%", "0", "64KiB", ""} {
		memory, err := jobWith(t, "memory: {disk: "+fine+", spill_dir: \"${dir}\"}\n", dir).Memory(plan.Memory{})
		if err != nil {
			t.Errorf("%q: %v", fine, err)
			continue
		}
		closed(t, memory)
	}
}

func TestALimitWithoutAValueIsTheDefault(t *testing.T) {
	memory, err := jobWith(t, "memory: {host: , disk: , compress: off}\n", ".").Memory(plan.Memory{})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, memory)
	if host, disk := memory.Limit(mem.Host), memory.Limit(mem.Disk); host <= 0 || host > machine.Memory() || disk != 0 {
		t.Errorf("host is %d, disk %d", host, disk)
	}
}

func TestWhatTheCallerSaysOfMemoryGoesFirst(t *testing.T) {
	dir := t.TempDir()
	said := plan.Memory{Host: mem.Bytes(2 << 20), Disk: mem.Unlimited, SpillDir: dir, Compress: new(mem.Zstd), Logger: slog.New(slog.DiscardHandler)}
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
		{about: "a number of MiB without its unit", section: "memory: {host: 12}\n", want: `
job.yaml:5:16: memory: host: 12 is 12 bytes, in which no rows fit; did you mean 12MiB?`},
		{about: "too little for any rows", section: "memory: {host: 63KiB}\n", want: `
job.yaml:5:16: memory: host: no rows fit into 63KiB; give it 64KiB at least, better some MiB, or leave the limit out`},
		{about: "more than the machine has", section: "memory: {host: 4096TiB}\n", over: plan.Memory{Pinned: mem.Bytes(1 << 60)}, want: `
job.yaml:5:16: memory: host: this machine has MACHINE of memory; say less, a share such as 50%, or unlimited
memory: pinned: this machine has MACHINE of memory; say less, a share such as 50%, or unlimited`},
		{about: "compression of nothing", section: "memory: {host: 1MiB, compress: lz4}\n", want: `
job.yaml:5:32: memory: compress: there is no folder to spill to; name one with spill_dir in the job, or with --spill-dir`},
		{about: "a caller's compression of nothing", over: plan.Memory{Compress: new(mem.Zstd)}, want: `
memory: compress: there is no folder to spill to; name one with spill_dir in the job, or with --spill-dir`},
		{about: "much at once", section: "memory: {host: 1KiB, disk: 1MiB, compress: zstd}\n", want: `
job.yaml:5:16: memory: host: no rows fit into 1KiB; give it 64KiB at least, better some MiB, or leave the limit out
job.yaml:5:28: memory: disk: there is no folder to spill to; name one with spill_dir in the job, or with --spill-dir
job.yaml:5:44: memory: compress: there is no folder to spill to; name one with spill_dir in the job, or with --spill-dir`},
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
			got := "\n" + strings.NewReplacer(dir, "DIR", size.Rounded(machine.Memory()), "MACHINE").Replace(err.Error())
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
