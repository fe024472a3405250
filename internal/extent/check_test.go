package extent_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/seed14ed4225/sluice/internal/extent"
)

func TestCheckLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	if err := extent.Check(dir); err != nil {
		t.Error(err)
	}
	mustBeEmpty(t, dir)
}

func TestCheckNamesTheDirectoryAndWhatToDo(t *testing.T) {
	dir := t.TempDir()
	missing, file := filepath.Join(dir, "missing"), filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, extent.Check(""), "none is named")
	err := extent.Check(missing)
	errIs(t, err, fs.ErrNotExist)
	says(t, err, missing, "does not exist", "make it")
	says(t, extent.Check(file), file, "is not a directory")
	if runtime.GOOS == "linux" { // where not even root can make a file there
		says(t, extent.Check("/proc"), "/proc", "name another")
	}
}

func TestCheckRefusesADirectoryThatCannotBeWrittenTo(t *testing.T) {
	if os.Geteuid() <= 0 {
		t.Skip("this user can write everywhere, or the system does not say")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	err := extent.Check(dir)
	errIs(t, err, fs.ErrPermission)
	says(t, err, dir, "let this user write to it")
}

func TestAStoreWhoseDirectoryIsGoneSaysSo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	s := open(t, extent.Options{Dir: dir})
	_, err := s.Write(t.Context(), "run 1", []byte("data"))
	errIs(t, err, fs.ErrNotExist)
	says(t, err, dir, "run 1")
	if n := strings.Count(err.Error(), dir); n != 1 {
		t.Errorf("%v names the directory %d times", err, n)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	mustRead(t, write(t, s, "run 1", []byte("data")), []byte("data"))
}

func TestTheFileIsForThisUserOnly(t *testing.T) {
	dir := t.TempDir()
	nameless, err := extent.OpenPrivate(dir)
	if err != nil {
		t.Fatal(err)
	}
	named, err := extent.CreateNamed(dir, 0) // where there are no nameless ones
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []extent.File{nameless, named} {
		info, err := f.(interface{ Stat() (fs.FileInfo, error) }).Stat()
		if err != nil {
			t.Error(err)
		} else if mode := info.Mode(); runtime.GOOS != "windows" && mode.Perm() != 0o600 {
			t.Errorf("mode is %v", mode)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := os.Remove(named.Name()); err != nil {
		t.Error(err)
	}
	mustBeEmpty(t, dir)
}

func TestFreeSaysWhatADiskHas(t *testing.T) {
	dir := t.TempDir()
	free, err := extent.Free(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		says(t, err, dir)
		return
	}
	if err != nil || free <= 0 {
		t.Errorf("Free returned %d, %v", free, err)
	}
	_, err = extent.Free(filepath.Join(dir, "missing"))
	errIs(t, err, fs.ErrNotExist)
	says(t, err, "missing")
}

func TestBoundIsWholePages(t *testing.T) {
	for n, want := range map[int64]int64{0: 0, 1: 4096, 4096: 4096, 4097: 8192, 1 << 40: 1 << 40} {
		if got := extent.Bound(n); got != want {
			t.Errorf("Bound(%d) is %d, want %d", n, got, want)
		}
	}
}
