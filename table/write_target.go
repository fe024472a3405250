package table

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/seed14ed4225/sluice/internal/size"
	"github.com/seed14ed4225/sluice/table/internal/atomicfile"
)

// A target is what a [Write] writes to: a file that is there when it is whole, or standard output, which
// is written as it comes.
type target struct {
	name    string // as errors call it
	to      io.Writer
	file    *atomicfile.File // nil if it is standard output
	written int64
	failed  error // what the system said of the first write that failed
}

// standardOutput is what errors call it.
const standardOutput = "standard output"

func openTarget(path string, overwrite bool, stdout io.Writer) (*target, error) {
	if path == StandardStream {
		return &target{name: standardOutput, to: stdout}, nil
	}
	file, err := atomicfile.Create(path, overwrite)
	if err != nil {
		return nil, advised(err)
	}
	return &target{name: path, to: file, file: file}, nil
}

// checkTarget says whether a file can be made of that name, without making it.
func checkTarget(path string, overwrite bool) error {
	return advised(atomicfile.Check(path, overwrite))
}

// advised is an error with what to do about it.
func advised(err error) error {
	switch {
	case errors.Is(err, atomicfile.ErrExists):
		return fmt.Errorf("%w; remove it, or set overwrite: true", err)
	case errors.Is(err, atomicfile.ErrNotRegular):
		return fmt.Errorf("%w; write to standard output as %s instead", err, StandardStream)
	default:
		return err
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
		return fmt.Errorf("%s: %w", t.name, err)
	}
	how := "nothing of it is left; " + advice
	if t.file == nil {
		how = "what was written stays"
	}
	return fmt.Errorf("%s: writing failed after %s (%s): %w", t.name, size.Readable(t.written), how, err)
}

// commit has the file be there.
func (t *target) commit() error {
	if t.file == nil {
		return nil
	}
	return advised(t.file.Commit())
}

// discard removes what was written, unless it was committed. A nil target has nothing.
func (t *target) discard() {
	if t != nil {
		t.file.Discard()
	}
}

// plainCause is an error without the name of a function and of a file.
func plainCause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
