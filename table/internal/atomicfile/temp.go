package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// tempName is a name in a directory that nobody looks for.
func tempName(dir string) string {
	return filepath.Join(dir, fmt.Sprintf(".sluice-%016x.tmp", rand.Uint64()))
}

// mostTries is how often a name is tried that is taken, which none ever is.
const mostTries = 100

// createTemp makes a file with such a name.
func createTemp(dir string) (*os.File, string, error) {
	for try := 0; ; try++ {
		name := tempName(dir)
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) || try == mostTries {
			return f, name, err
		}
	}
}

// nameTemp gives such a name to a file without one.
func nameTemp(file *os.File, dir string) (string, error) {
	for try := 0; ; try++ {
		name := tempName(dir)
		err := linkNameless(file, name)
		if !errors.Is(err, fs.ErrExist) || try == mostTries {
			return name, err
		}
	}
}
