package extent

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openPrivate opens a file in dir that has no name and that only this process can reach,
// past the page cache if the file system can do that.
func openPrivate(dir string) (File, error) { return openBest(dir, unix.O_DIRECT) }

// openBest opens a file with flags that the file system may refuse, in that case without.
func openBest(dir string, flags int) (File, error) {
	f, err := openNameless(dir, flags)
	if err == nil {
		if err = tryDirect(f); err == nil {
			return f, nil
		}
		_ = f.Close() // nothing is in it
	}
	if !errors.Is(err, unix.EINVAL) {
		return nil, err
	}
	// tmpfs before Linux 6.6 and some network file systems have no direct I/O.
	if f, err = openNameless(dir, 0); err != nil {
		return nil, err
	}
	return f, nil
}

// openNameless opens a file that never had a name, or, on a file system that does not have
// such files, none any more.
func openNameless(dir string, flags int) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE|unix.O_EXCL|flags, 0o600)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) {
		return openUnlinked(dir, flags)
	}
	return f, err
}

// openUnlinked makes a file and takes its name away.
func openUnlinked(dir string, flags int) (*os.File, error) {
	f, err := createNamed(dir, flags)
	if err != nil {
		return nil, err
	}
	if err = os.Remove(f.Name()); err != nil {
		_ = f.Close() // the error that counts is that others see the file
		return nil, err
	}
	return f, nil
}

// tryDirect finds out whether a file opened for direct I/O can do it with our alignment:
// some file systems only say so when written to.
func tryDirect(f *os.File) error {
	if _, err := f.WriteAt(alignedMemory(pageSize), 0); errors.Is(err, unix.EINVAL) {
		return err
	}
	return f.Truncate(0) // a full disk is for the write that it stops to tell
}
