//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// sorting is a job that prints only after it has sorted more rows than it has memory for.
const sorting = `
params: {spill_dir: null}
memory: {host: 4MiB, disk: 1GiB, spill_dir: "${spill_dir}"}
nodes:
  scan: {kind: scan, files: ../../examples/data, out: rows}
  sort: {kind: sort, in: rows, by: delay, out: sorted}
  show: {kind: print, in: sorted, format: csv}
`

// TestNothingOfWhatWasSpilledOutlivesARun ends runs in the middle of a sort: its first
// rows are printed, which nobody reads, so that the others stay where they are.
func TestNothingOfWhatWasSpilledOutlivesARun(t *testing.T) {
	for signal, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143, syscall.SIGKILL: -1} {
		t.Run(signal.String(), func(t *testing.T) {
			dir := t.TempDir()
			command, stderr := startBlocked(t, sorting, "-p", "spill_dir="+dir)
			if n := spilled(t, command.Process.Pid, dir); n < 1<<20 {
				t.Errorf("it has spilled %d bytes before it prints, want some MiB", n)
			}
			if err := command.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			err := command.Wait()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != want {
				t.Errorf("got %v, want exit status %d; standard error: %s", err, want, stderr)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 0 {
				t.Errorf("it leaves %v, %v", left, err)
			}
		})
	}
}

// spilled returns how many bytes a process has on disk in files of a folder, whether they
// have a name or not.
func spilled(t *testing.T, pid int, dir string) (bytes int64) {
	t.Helper()
	open := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(open)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(open, e.Name())
		target, err := os.Readlink(path)
		if err != nil || !strings.HasPrefix(target, dir+"/") {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		bytes += info.Sys().(*syscall.Stat_t).Blocks * 512
	}
	return bytes
}
