package extent_test

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"unsafe"

	"github.com/seed14ed4225/sluice/internal/extent"
)

// A memFile is a file in memory. It is fast, refuses what direct I/O would refuse, and
// lets the race detector, which does not see what the kernel does, see who
// touches memory that is being written or read.
type memFile struct {
	mu struct {
		sync.Mutex
		data      []byte
		truncated int
		closed    bool
	}
}

func (f *memFile) open(string) (extent.File, error) { return f, nil }

func (f *memFile) WriteAt(b []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(b, off); err != nil {
		return 0, err
	}
	if end := int(off) + len(b); end > len(f.mu.data) {
		f.mu.data = append(f.mu.data, make([]byte, end-len(f.mu.data))...)
	}
	return copy(f.mu.data[off:], b), nil
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(b, off); err != nil {
		return 0, err
	}
	if off >= int64(len(f.mu.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.mu.data[off:])
	if int(off)+n == len(f.mu.data) {
		return n, io.EOF // as an io.ReaderAt may
	}
	return n, nil
}

func (f *memFile) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.truncated++
	if size > int64(len(f.mu.data)) {
		return fmt.Errorf("the file of %d bytes is to be made longer, %d", len(f.mu.data), size)
	}
	f.mu.data = f.mu.data[:size]
	return nil
}

func (f *memFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.closed {
		return errors.New("closed twice")
	}
	f.mu.closed = true
	return nil
}

func (f *memFile) check(b []byte, off int64) error {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	if f.mu.closed || off%extent.PageSize != 0 || len(b)%extent.PageSize != 0 || at%extent.PageSize != 0 {
		return fmt.Errorf("%d bytes of memory at %x for offset %d, closed: %v", len(b), at, off, f.mu.closed)
	}
	return nil
}
