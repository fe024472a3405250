package extent

import (
	"fmt"
	"math"
	"math/bits"
	"syscall"
)

// Free returns how many bytes a process without privileges can still write to the file
// system of a directory. errors.Is finds errors.ErrUnsupported where that is not known.
func Free(dir string) (int64, error) {
	var fs syscall.Statfs_t
	for {
		err := syscall.Statfs(dir, &fs)
		if err == nil {
			break
		}
		if err != syscall.EINTR {
			return 0, fmt.Errorf("free space of %q: %w", dir, err)
		}
	}
	over, free := bits.Mul64(fs.Bavail, uint64(fs.Bsize))
	if over > 0 || free > math.MaxInt64 {
		return math.MaxInt64, nil
	}
	return int64(free), nil
}
