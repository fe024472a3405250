// Package atomicfile makes files that are there whole or not at all: a file is written without a
// name, or under one that nobody looks for, and gets its own in one step at the very end. A
// process that fails, or is killed, leaves what was there before.
//
// Where the file system has files without a name, as most of Linux's do, nothing is left of such a process.
// Elsewhere the temporary name, which begins with ".sluice-" and ends in ".tmp", outlives one that is killed.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seed14ed4225/sluice/internal/suggest"
)

// ErrNotRegular is said of a name that stands for a device, a pipe or the like.
var ErrNotRegular = errors.New("is not a regular file, and cannot be replaced as a whole")

// ErrExists is said of a file that is there and is not to be replaced. It is an [fs.ErrExist].
var ErrExists error = existsError{}

type existsError struct{}

func (existsError) Error() string        { return "is there already" }
func (existsError) Is(target error) bool { return target == fs.ErrExist }

// A File is one in the making. Whoever made it ends it with Commit or Discard.
type File struct {
	path    string   // as errors call it
	final   string   // where it goes; path, or where a symbolic link of that name leads
	file    *os.File // nil once it is done with
	temp    string   // its name meanwhile, "" if it has none
	replace bool
}

// Check says whether a file can be made of that name, without making it. Errors name the path; they are
// ErrExists if the file is there and not to be replaced, or ErrNotRegular, or say what to do.
func Check(path string, replace bool) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return checkFolder(path)
	case err != nil:
		return fmt.Errorf("%s: %w", path, suggest.File(path, err))
	case info.IsDir():
		return fmt.Errorf("%s: is a directory; name a file in it", path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: %w", path, ErrNotRegular)
	case !replace:
		return fmt.Errorf("%s: %w", path, ErrExists)
	default:
		return checkFolder(path)
	}
}

func checkFolder(path string) error {
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: there is no folder %q; make it first", path, dir)
	case err != nil:
		return fmt.Errorf("%s: folder %q: %w", path, dir, cause(err))
	case !info.IsDir():
		return fmt.Errorf("%s: %q is not a folder", path, dir)
	}
	return nil
}

// Create begins a file. Its errors are those of Check, or why there can be no file in that folder. One that
// is to be replaced gives its permissions to what replaces it, and if the path is a symbolic
// link, that stays and leads to the new file.
func Create(path string, replace bool) (*File, error) { return create(path, replace, openTemp) }

func create(path string, replace bool, open func(dir string) (*os.File, string, error)) (*File, error) {
	if err := Check(path, replace); err != nil {
		return nil, err
	}
	f := &File{path: path, final: path, replace: replace}
	if leads, err := filepath.EvalSymlinks(path); err == nil {
		f.final = leads
	}
	var err error
	if f.file, f.temp, err = open(filepath.Dir(f.final)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, cause(err))
	}
	if replaced, err := os.Stat(f.final); err == nil {
		_ = f.file.Chmod(replaced.Mode().Perm()) // who may not do that writes with the usual permissions
	}
	return f, nil
}

// Write writes on. Its errors are what the system says, without a name.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	return n, cause(err)
}

// Commit puts what was written on disk and gives the file its name. If a file of that name has
// appeared meanwhile and is not to be replaced, that is ErrExists. Errors name the path; after one, Discard
// is still to be called.
func (f *File) Commit() error {
	if err := f.file.Sync(); err != nil {
		return fmt.Errorf("%s: %w", f.path, cause(err))
	}
	if err := f.name(); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w", f.path, ErrExists)
	} else if err != nil {
		return fmt.Errorf("%s: %w", f.path, cause(err))
	}
	err := f.file.Close()
	f.file, f.temp = nil, ""
	syncFolder(filepath.Dir(f.final))
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, cause(err))
	}
	return nil
}

// Discard removes what was written, unless it has its name by now. It may be called again, and on nil.
func (f *File) Discard() {
	if f == nil || f.file == nil {
		return
	}
	_ = f.file.Close() // nobody wants it any more
	if f.temp != "" {
		_ = os.Remove(f.temp)
	}
	f.file = nil
}

// name gives the file its final name, in one step.
func (f *File) name() error {
	switch {
	case !f.replace && f.temp == "":
		return linkNameless(f.file, f.final)
	case !f.replace:
		if err := os.Link(f.temp, f.final); err != nil {
			return err
		}
		return os.Remove(f.temp)
	case f.temp == "":
		// Nothing without a name can take the place of what has one.
		temp, err := nameTemp(f.file, filepath.Dir(f.final))
		if err != nil {
			return err
		}
		f.temp = temp
	}
	return os.Rename(f.temp, f.final)
}

// syncFolder has a name survive a loss of power. Not every file system can do that; the
// file is whole either way.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// cause is an error without the name of a function and of a temporary file.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return link.Err
	}
	return err
}
