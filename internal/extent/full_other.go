//go:build !unix && !windows

package extent

import "errors"

// diskFull stands for what this system says when a file system has no room left, which
// is not known here.
var diskFull = errors.New("no space left on device")

func isDiskFull(err error) bool { return errors.Is(err, diskFull) }
