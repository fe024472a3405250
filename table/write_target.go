package table

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"

	"github.com/seed14ed4225/sluice/internal/size"
	"github.com/seed14ed4225/sluice/internal/suggest"
)

// A target is the file that a [Write] makes: written under no name, or one that nobody
// looks for, and given its own at the very end. Or it is standard output, which is
// written as it comes.
type target struct {
	path      string    // as errors call it
	final     string    // where the file goes; path, or where a symbolic link of that name leads
	to        io.Writer // the file, or standard output
	file      *os.File  // nil if it is standard output, and once it is done with
	temp      string    // its name meanwhile, "" if it has none
	overwrite bool
	written   int64
	failed    error // what the system said of the first write that failed
}

// standardOutput is what errors call it.
const standardOutput = "standard output"

func openTarget(path string, overwrite bool, stdout io.Writer) (*target, error) {
	if path == StandardStream {
		return &target{path: standardOutput, to: stdout}, nil
	}
	if err := checkTarget(path, overwrite); err != nil {
		return nil, err
	}
	t := &target{path: path, final: path, overwrite: overwrite}
	if leads, err := filepath.EvalSymlinks(path); err == nil {
		t.final = leads // the link stays
	}
	file, temp, err := openTemp(filepath.Dir(t.final))
	if err != nil {
		return nil, t.wrap(plainCause(err))
	}
	t.file, t.temp, t.to = file, temp, file
	if replaced, err := os.Stat(t.final); err == nil {
		_ = file.Chmod(replaced.Mode().Perm()) // who may not do that writes with the usual permissions
	}
	return t, nil
}

// checkTarget says whether a file can be made of that name, without making it.
func checkTarget(path string, overwrite bool) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return checkDirectory(path)
	case err != nil:
		return fmt.Errorf("%s: %w", path, suggest.File(path, err))
	case info.IsDir():
		return fmt.Errorf("%s: is a directory; name a file in it", path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: is not a regular file, and cannot be replaced as a whole; write to standard output as %s instead", path, StandardStream)
	case !overwrite:
		return &existsError{path}
	default:
		return checkDirectory(path)
	}
}

// existsError says what to do about a file that is there.
type existsError struct{ path string }

func (e *existsError) Error() string {
	return e.path + ": is there already; remove it, or set overwrite: true"
}

func (e *existsError) Is(target error) bool { return target == fs.ErrExist }

func checkDirectory(path string) error {
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: there is no folder %q; make it first", path, dir)
	case err != nil:
		return fmt.Errorf("%s: folder %q: %w", path, dir, plainCause(err))
	case !info.IsDir():
		return fmt.Errorf("%s: %q is not a folder", path, dir)
	}
	return nil
}

// createTemp makes a file with a name that nobody looks for.
func createTemp(dir string) (*os.File, string, error) {
	for try := 0; ; try++ {
		name := filepath.Join(dir, fmt.Sprintf(".sluice-%016x.tmp", rand.Uint64()))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) || try == 100 {
			return f, name, err
		}
	}
}

func (t *target) Write(p []byte) (int, error) {
	n, err := t.to.Write(p)
	t.written += int64(n)
	err = plainCause(err)
	if t.failed == nil {
		t.failed = err
	}
	return n, err
}

// wrap gives an error the name of the file, and, if there was no more room, how far writing came. After
// a write that failed, it is that: what an encoder makes of it helps nobody.
func (t *target) wrap(err error) error {
	if err == nil {
		return nil
	}
	if t.failed != nil {
		err = t.failed
	}
	advice := ""
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		advice = "make room, or write to another place"
	case errors.Is(err, syscall.EFBIG):
		advice = "files can be no larger there, or with this ulimit -f"
	default:
		return fmt.Errorf("%s: %w", t.path, err)
	}
	how := "nothing of it is left; " + advice
	if t.path == standardOutput {
		how = "what was written stays"
	}
	return fmt.Errorf("%s: writing failed after %s (%s): %w", t.path, size.Readable(t.written), how, err)
}

// commit puts what was written on disk and gives the file its name.
func (t *target) commit() error {
	if t.file == nil {
		return nil
	}
	if err := t.file.Sync(); err != nil {
		return t.wrap(plainCause(err))
	}
	if err := t.name(); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return &existsError{t.path}
		}
		return t.wrap(plainCause(err))
	}
	err := t.file.Close()
	t.file, t.temp = nil, ""
	syncDirectory(filepath.Dir(t.final))
	return t.wrap(plainCause(err))
}

// name gives the file its final name, in one step.
func (t *target) name() error {
	switch {
	case !t.overwrite && t.temp == "":
		return linkNameless(t.file, t.final)
	case !t.overwrite:
		if err := os.Link(t.temp, t.final); err != nil {
			return err
		}
		return os.Remove(t.temp)
	case t.temp == "":
		// Nothing without a name can take the place of what has one.
		temp, err := nameTemp(t.file, filepath.Dir(t.final))
		if err != nil {
			return err
		}
		t.temp = temp
	}
	return os.Rename(t.temp, t.final)
}

func nameTemp(file *os.File, dir string) (string, error) {
	for try := 0; ; try++ {
		name := filepath.Join(dir, fmt.Sprintf(".sluice-%016x.tmp", rand.Uint64()))
		err := linkNameless(file, name)
		if !errors.Is(err, fs.ErrExist) || try == 100 {
			return name, err
		}
	}
}

// discard removes what was written, unless it has its name by now. A nil target has nothing.
func (t *target) discard() {
	if t == nil || t.file == nil {
		return
	}
	_ = t.file.Close() // nobody wants it any more
	if t.temp != "" {
		_ = os.Remove(t.temp)
	}
	t.file = nil
}

// syncDirectory has a name survive a loss of power. Not every file system can do that; the
// file is whole either way.
func syncDirectory(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// plainCause is an error without the name of a function and of a temporary file.
func plainCause(err error) error {
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
