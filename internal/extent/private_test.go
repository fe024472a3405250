package extent_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/seed14ed4225/sluice/internal/extent"
)

// spillInto is the environment variable that makes the test binary spill into a directory
// until it is killed.
const spillInto = "SLUICE_EXTENT_TEST_SPILL_INTO"

func spillForEver(dir string) {
	s, err := extent.Open(extent.Options{Dir: dir})
	data := make([]byte, 8<<20)
	for n := 0; err == nil; n++ {
		var e *extent.Extent
		if e, err = s.Write(context.Background(), "to be killed", data); n >= 4 && err == nil {
			e.Free()
		}
		if n == 8 {
			fmt.Println("writing")
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

func TestAKilledProcessLeavesNoFile(t *testing.T) {
	namesMayShow(t)
	exe, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	child := exec.Command(exe)
	child.Env = append(os.Environ(), spillInto+"="+dir)
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var line string
	if _, err := fmt.Fscanln(out, &line); err != nil || line != "writing" {
		t.Errorf("the child says %q, %v", line, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Error(err)
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Errorf("the child ended with %v, want it killed", err)
	}
	mustBeEmpty(t, dir)
}

func TestTheFileHasNoNameWhileItIsUsed(t *testing.T) {
	namesMayShow(t)
	dir := t.TempDir()
	s := open(t, extent.Options{Dir: dir})
	e := write(t, s, "private", filled(3<<20, 1))
	mustBeEmpty(t, dir)
	e.Free()
}

func TestAClosedStoreLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, extent.Options{Dir: dir})
	write(t, s, "freed", filled(3<<20, 1)).Free()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mustBeEmpty(t, dir)
}

// namesMayShow skips a test where a file in use must have a name.
func namesMayShow(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" || runtime.GOOS == "js" {
		t.Skip("an open file has a name on this system")
	}
}

func mustBeEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("the directory has %v, %v; want nothing in it", left, err)
	}
}
