package suggest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// mostFiles bounds the names of a directory that a missing one is compared with.
const mostFiles = 1000

// File says why the file at path could not be used: what the system said in
// err, without the name of its function and without the path, which is for the
// caller to put in front. Of a file that is not there it says which other name
// in the same directory was probably meant. errors.Is finds fs.ErrNotExist.
func File(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return missing(hint(path))
	}
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// missing is the error about a file that is not there; its text is advice.
type missing string

func (m missing) Error() string        { return "no such file" + string(m) }
func (m missing) Is(target error) bool { return target == fs.ErrNotExist }

func hint(path string) string {
	// Clean takes off a slash at the end, behind which is no name.
	folder, name := filepath.Split(filepath.Clean(path))
	if folder == "" {
		folder = "."
	}
	names, err := namesIn(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("; there is no folder %q", filepath.Clean(folder))
	}
	if near, ok := Nearest(name, names); ok {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// namesIn lists a directory in order, as far as it is to be looked at.
func namesIn(folder string) ([]string, error) {
	dir, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }() // it was only read
	names, err := dir.Readdirnames(mostFiles)
	slices.Sort(names)
	return names, err
}
