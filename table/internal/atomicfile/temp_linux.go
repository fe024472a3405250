package atomicfile

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openTemp opens a file in a directory without a name, or with one where the file system has no
// such files.
func openTemp(dir string) (*os.File, string, error) {
	f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o666)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) || err == nil && !canBeLinked(f) {
		if err == nil {
			_ = f.Close() // nothing is in it
		}
		return createTemp(dir)
	}
	return f, "", err
}

// canBeLinked reports whether the process sees its own files, which giving one a name needs.
func canBeLinked(f *os.File) bool {
	_, err := os.Stat(ownPath(f))
	return err == nil
}

func ownPath(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

// linkNameless gives a file a name that nothing else has.
func linkNameless(f *os.File, path string) error {
	err := unix.Linkat(unix.AT_FDCWD, ownPath(f), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	if err != nil {
		return &os.LinkError{Op: "link", Old: f.Name(), New: path, Err: err}
	}
	return nil
}
