//go:build !linux

package atomicfile

import (
	"errors"
	"os"
)

// openTemp opens a file in a directory with a name that nobody looks for.
func openTemp(dir string) (*os.File, string, error) { return createTemp(dir) }

// linkNameless is for files without a name, which there are none of here.
func linkNameless(*os.File, string) error { return errors.ErrUnsupported }
