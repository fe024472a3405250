//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// noDisk is how on-small-disk ends where nobody may mount anything.
const noDisk = 125

// onSmallDisk is the command on-small-disk FOLDER SIZE COMMAND ARGS...: it runs a command with a file
// system of so many bytes at the folder, and afterwards says on standard error what is in it. Only the
// process itself, in a mount namespace of its own, and its children see that file system.
func onSmallDisk() {
	folder, size, args := os.Args[1], os.Args[2], os.Args[3:]
	if err := unix.Mount("small", folder, "tmpfs", 0, "size="+size); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(noDisk)
	}
	if err := os.WriteFile(filepath.Join(folder, "old.csv"), []byte("a\n"), 0o600); err != nil {
		panic(err)
	}
	command := exec.Command(args[0], args[1:]...)
	command.Stdin, command.Stderr = os.Stdin, os.Stderr
	_ = command.Run() // its status says it
	left, err := os.ReadDir(folder)
	if err != nil {
		panic(err)
	}
	for _, e := range left {
		content, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(os.Stderr, "left: %s of %d bytes\n", e.Name(), len(content))
	}
	os.Exit(command.ProcessState.ExitCode())
}

// TestAFullDiskLeavesNoHalfFile fills a real file system, with what is written and with what is spilled.
func TestAFullDiskLeavesNoHalfFile(t *testing.T) {
	const writing = `
params: {file: null}
nodes:
  scan: {kind: scan, files: ../../examples/data, out: rows}
  save: {kind: write, in: rows, file: "${file}", overwrite: true}
`
	const spilling = `
params: {file: null}
memory: {host: 2MiB, disk: unlimited, spill_dir: "${file}"}
nodes:
  scan: {kind: scan, files: ../../examples/data, rows: 8192, out: rows}
  sort: {kind: sort, in: rows, by: delay, out: sorted}
  show: {kind: print, in: sorted, format: csv}
`
	unsaid := strings.Replace(spilling, "disk: unlimited, ", "", 1)
	for about, tt := range map[string]struct{ job, file, want string }{
		"unsaid":   {unsaid, "", `the disk of "DIR/?", to spill to, is full: .*; try .*a disk with more room as spill_dir or --spill-dir`},
		"csv":      {writing, "new.csv", `save": DIR/new.csv: writing failed after [\d.]+[kKM]i?B \(nothing of it is left; make room, or write to another place\): no space left on device$`},
		"zstd":     {writing, "new.csv.zst", `save": DIR/new.csv.zst: writing failed after [\d.]+[kKM]i?B \(.*\): no space left on device$`},
		"parquet":  {writing, "new.parquet", `save": DIR/new.parquet: writing failed after [\d.]+[kKM]i?B \(.*\): no space left on device$`},
		"replaced": {writing, "old.csv", `save": DIR/old.csv: writing failed after [\d.]+[kKM]i?B \(.*\): no space left on device$`},
		"spilled":  {spilling, "", `: the disk is full; make room there, .* no space left on device,.*; try .*a disk with more room as spill_dir or --spill-dir`},
	} {
		t.Run(about, func(t *testing.T) {
			dir := t.TempDir()
			size := "1536k" // less than the spilled rows are, and those written as CSV
			if strings.HasSuffix(tt.file, ".zst") || strings.HasSuffix(tt.file, ".parquet") {
				size = "256k"
			}
			command := exec.Command("on-small-disk", dir, size, "sluice", "run", "-", "-p", "file="+filepath.Join(dir, tt.file))
			t.Setenv("GORACE", "atexit_sleep_ms=0")
			command.Stdin = strings.NewReader(tt.job)
			stderr := new(bytes.Buffer)
			command.Stderr = stderr
			command.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
				UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
			}
			err := command.Run()
			var exit *exec.ExitError
			switch {
			case err != nil && !errors.As(err, &exit):
				t.Skipf("a process cannot have file systems of its own here: %v", err)
			case command.ProcessState.ExitCode() == noDisk:
				t.Skipf("a file system cannot be mounted here: %s", stderr)
			case command.ProcessState.ExitCode() != 1:
				t.Errorf("got %v", err)
			}
			said, left, _ := strings.Cut(stderr.String(), "left: ")
			want := regexp.MustCompile(strings.ReplaceAll(tt.want, "DIR", regexp.QuoteMeta(dir)))
			if !want.MatchString(strings.TrimSpace(said)) {
				t.Errorf("it says %s\nwant %s", said, want)
			}
			if left != "old.csv of 2 bytes\n" {
				t.Errorf("it leaves %s", left)
			}
		})
	}
}

// TestAFileThatMayGrowNoFurtherIsAFullDisk: a limit of the shell's, which comes with a signal, is an
// error like others.
func TestAFileThatMayGrowNoFurtherIsAFullDisk(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	command := exec.Command("sh", "-c", `ulimit -f 1000 && exec sluice run - -p file="$1"`, "sh", filepath.Join(dir, "a.csv"))
	rows := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(rows, []byte("a,b\n"+strings.Repeat("1,some text\n", 200_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	command.Stdin = strings.NewReader(strings.Replace(copying, `files: "-"`, "files: "+rows, 1))
	stderr := new(bytes.Buffer)
	command.Stderr = stderr
	_ = command.Run()
	want := regexp.MustCompile(`^stdin:5:3: node "save": .*/a.csv: writing failed after [\d.]+[kKM]i?B \(nothing of it is left; files can be no larger there, or with this ulimit -f\): file too large\n$`)
	if status := command.ProcessState.ExitCode(); status != 1 || !want.MatchString(stderr.String()) {
		t.Errorf("status %d: %s", status, stderr)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}
