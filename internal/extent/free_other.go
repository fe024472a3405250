//go:build !linux

package extent

import (
	"errors"
	"fmt"
)

// Free returns how many bytes a process without privileges can still write to the file
// system of a directory. errors.Is finds errors.ErrUnsupported where that is not known.
func Free(dir string) (int64, error) {
	return 0, fmt.Errorf("free space of %q: %w", dir, errors.ErrUnsupported)
}
