package extent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Check says whether extents can be kept in a directory, by making a file there, writing a
// few KiB and removing it. Errors name the directory and what to do about it; errors.Is
// finds fs.ErrNotExist, fs.ErrPermission and ErrDiskFull.
func Check(dir string) error {
	if dir == "" {
		return errors.New("spill directory: none is named; name one that exists and can be written to")
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("spill directory %q does not exist; make it, or name another: %w", dir, cause(err))
	case err != nil:
		return fmt.Errorf("spill directory %q cannot be looked at; name another: %w", dir, cause(err))
	case !info.IsDir():
		return fmt.Errorf("spill directory %q is not a directory; name one", dir)
	}
	return checkFile(dir)
}

func checkFile(dir string) error {
	f, err := openPrivate(dir)
	if err == nil {
		_, err = f.WriteAt(alignedMemory(4*pageSize), 0)
		if closed := f.Close(); err == nil {
			err = closed
		}
	}
	switch err = cause(err); {
	case err == nil:
		return nil
	case isDiskFull(err):
		return fmt.Errorf("spill directory %q: %w; make room there, or name another: %w", dir, ErrDiskFull, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("spill directory %q: no file can be made there; let this user write to it, or name another: %w", dir, err)
	default:
		return fmt.Errorf("spill directory %q: no file can be written there; name another: %w", dir, err)
	}
}
