//go:build !linux

package extent

import "os"

// openPrivate opens a file in dir that is removed at once, or by Close where a file in use
// has to have a name.
func openPrivate(dir string) (File, error) {
	f, err := createNamed(dir, 0)
	if err != nil {
		return nil, err
	}
	if os.Remove(f.Name()) == nil {
		return f, nil
	}
	return named{f}, nil
}

// named is a file that has its name until it is closed.
type named struct{ *os.File }

func (f named) Close() error {
	err := f.File.Close()
	if gone := os.Remove(f.Name()); err == nil {
		err = gone
	}
	return err
}
