//go:build linux

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// copying is a job that writes what it is given as CSV.
const copying = `
params: {file: null}
nodes:
  scan: {kind: scan, files: "-", out: rows}
  save: {kind: write, in: rows, file: "${file}"}
`

// TestNothingIsLeftOfAFileThatWasNotFinished ends runs in the middle of writing: their input goes on,
// and part of it is on disk.
func TestNothingIsLeftOfAFileThatWasNotFinished(t *testing.T) {
	job := filepath.Join(t.TempDir(), "job.yaml")
	if err := os.WriteFile(job, []byte(copying), 0o600); err != nil {
		t.Fatal(err)
	}
	for signal, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143, syscall.SIGKILL: -1} {
		t.Run(signal.String(), func(t *testing.T) {
			dir := t.TempDir()
			command := exec.Command("sluice", "run", job, "-p", "file="+filepath.Join(dir, "out.csv"))
			stderr := new(bytes.Buffer)
			command.Stderr = stderr
			input, err := command.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(input, "a,b\n"+strings.Repeat("1,some text\n", 300_000)); err != nil {
				t.Fatalf("%v; standard error: %s", err, stderr)
			}
			for spilled(t, command.Process.Pid, dir) == 0 {
				_, _ = unix.Poll(nil, 1) // until something of it is on disk
			}
			if err := command.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			err = command.Wait()
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
