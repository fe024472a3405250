package extent

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// A File is what a store keeps extents in. Its methods are called by many goroutines at
// once, on ranges that do not overlap, with offsets, lengths and memory that are multiples
// of 4 KiB.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Close() error
}

// createNamed makes a file that has a name, private to the user.
func createNamed(dir string, flags int) (*os.File, error) {
	for try := 0; ; try++ {
		name := filepath.Join(dir, fmt.Sprintf("sluice-%016x.spill", rand.Uint64()))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|flags, 0o600)
		if !os.IsExist(err) || try == 100 {
			return f, err
		}
	}
}
