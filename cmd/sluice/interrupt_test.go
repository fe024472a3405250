//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed14ed4225/sluice/plan"
)

// endless is a job that prints more than any pipe holds.
const endless = `
nodes:
  scan: {kind: scan, files: ../../examples/data, out: rows}
  show: {kind: print, in: rows, format: csv}
`

// startBlocked starts the command on a job whose output nobody reads, and
// returns when it can write no more.
func startBlocked(t *testing.T, job string, args ...string) (command *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	output, input, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = output.Close() })
	// A pipe of one page is full as soon as anything is in it.
	if _, err := unix.FcntlInt(output.Fd(), unix.F_SETPIPE_SZ, 4096); err != nil {
		t.Fatal(err)
	}

	command = exec.Command("sluice", append([]string{"run", "-"}, args...)...)
	command.Stdin = strings.NewReader(job)
	command.Stdout = input
	stderr = new(bytes.Buffer)
	command.Stderr = stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if command.ProcessState == nil { // the test gave up on it
			_ = command.Process.Kill()
			_ = command.Wait()
		}
	})
	if err := input.Close(); err != nil {
		t.Fatal(err)
	}
	ready := []unix.PollFd{{Fd: int32(output.Fd()), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(ready, -1)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if ready[0].Revents&unix.POLLIN == 0 {
		_ = command.Wait()
		t.Fatalf("the command ended and wrote nothing: %v, %s", command.ProcessState, stderr)
	}
	return command, stderr
}

func TestASignalEndsARunAtOnce(t *testing.T) {
	for signal, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		t.Run(signal.String(), func(t *testing.T) {
			command, stderr := startBlocked(t, endless)
			sent := time.Now()
			if err := command.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			err := command.Wait()
			took := time.Since(sent)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != want {
				t.Errorf("got %v, want exit status %d", err, want)
			}
			if stderr.String() != "sluice: interrupted\n" {
				t.Errorf("standard error has %q", stderr)
			}
			if took > 5*time.Second { // milliseconds, but machines are busy
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestASecondSignalKills(t *testing.T) {
	command := exec.Command("stubborn")
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	for _, want := range []string{"ready", "interrupted (interrupt)"} {
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("got %q, want %q", lines.Text(), want)
		}
		if err := command.Process.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
	}
	_ = command.Wait()
	if status := command.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v, want killed by the signal", command.ProcessState)
	}
}

func TestAJobThatIsNeverReadFromStdinCanBeInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stdin, never := io.Pipe()
	defer func() { _ = never.Close() }()
	cancel(interruption{syscall.SIGINT})
	var stdout, stderr bytes.Buffer
	if got := run(ctx, []string{"run", "-"}, streams{stdin, &stdout, &stderr}, offer{plan.Builtin(), plan.Installed{}}); got != 130 {
		t.Errorf("exit status %d, want 130; standard error: %s", got, &stderr)
	}
}
