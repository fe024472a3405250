package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ways are files that have no name meanwhile, where the system has such, and those that have one.
var ways = map[string]func(dir string) (*os.File, string, error){"usual": openTemp, "named": createTemp}

func begin(t *testing.T, path string, replace bool, way string) *File {
	t.Helper()
	f, err := create(path, replace, ways[way])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	return f
}

// holds fails if a directory has anything but the files named.
func holds(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, e := range entries {
		have = append(have, e.Name())
	}
	if !slices.Equal(have, names) {
		t.Errorf("the directory holds %q, want %q", have, names)
	}
}

func write(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, path, want string) {
	t.Helper()
	if text, err := os.ReadFile(path); err != nil || string(text) != want {
		t.Errorf("%s has %q, %v; want %q", path, text, err, want)
	}
}

func TestAFileIsThereWholeOrNotAtAll(t *testing.T) {
	for way := range ways {
		for _, replace := range []bool{false, true} {
			dir := t.TempDir()
			path := filepath.Join(dir, "a")
			begin(t, path, replace, way).Discard()
			holds(t, dir)

			f := begin(t, path, replace, way)
			if _, err := os.Stat(path); err == nil {
				t.Errorf("%s: it is there before it is whole", way)
			}
			if err := f.Commit(); err != nil {
				t.Error(err)
			}
			f.Discard() // of what is done nothing
			holds(t, dir, "a")
			has(t, path, "new")
		}
	}
}

// The name is taken only at the end, and from nobody else.
func TestAFileThatAppearsMeanwhileStays(t *testing.T) {
	for way := range ways {
		dir := t.TempDir()
		path := filepath.Join(dir, "a")
		f := begin(t, path, false, way)
		write(t, path, "old", 0o600)
		if err := f.Commit(); !errors.Is(err, ErrExists) || err.Error() != path+": is there already" {
			t.Errorf("%s: got %v", way, err)
		}
		f.Discard()
		holds(t, dir, "a")
		has(t, path, "old")
	}
}

func TestWhatIsReplacedGivesItsPermissionsAndItsLinks(t *testing.T) {
	for way := range ways {
		dir := t.TempDir()
		path, link := filepath.Join(dir, "a"), filepath.Join(dir, "link")
		write(t, path, "old", 0o640)
		if err := os.Symlink(path, link); err != nil {
			t.Skip(err)
		}
		if err := begin(t, link, true, way).Commit(); err != nil {
			t.Error(err)
		}
		holds(t, dir, "a", "link")
		has(t, path, "new")
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		if leads, err := os.Readlink(link); err != nil || leads != path {
			t.Errorf("the link leads to %q, %v", leads, err)
		}
	}
}

func TestWhatCannotBeMadeIsSaidBefore(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken")
	write(t, taken, "", 0o600)
	for _, tt := range []struct {
		path, want string
		is         error
	}{
		{taken, taken + ": is there already", fs.ErrExist},
		{dir, dir + ": is a directory; name a file in it", nil},
		{filepath.Join(dir, "lost", "a"), dir + `/lost/a: there is no folder "` + dir + `/lost"; make it first`, nil},
		{os.DevNull, os.DevNull + ": is not a regular file, and cannot be replaced as a whole", ErrNotRegular},
	} {
		err := Check(tt.path, false)
		if err == nil || err.Error() != tt.want || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("got %v\nwant %s", err, tt.want)
		}
		if f, createErr := Create(tt.path, false); createErr == nil || createErr.Error() != tt.want {
			f.Discard()
			t.Errorf("created: %v", createErr)
		}
	}
	if err := Check(taken, true); err != nil {
		t.Errorf("to be replaced: %v", err)
	}
	holds(t, dir, "taken")
}
