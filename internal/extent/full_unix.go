//go:build unix

package extent

import (
	"errors"
	"syscall"
)

// diskFull is what this system says when a file system has no room left.
var diskFull error = syscall.ENOSPC

func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
