package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// distinct returns an error if two of the files that are named are one, of which the one
// would destroy the other.
func (s *settings) distinct() error {
	named := []struct{ flag, name string }{{"-in", s.in}, {"-out", s.out}, {"-trace", s.trace}}
	for i, a := range named {
		for _, b := range named[:i] {
			if a.name == "" || b.name == "" {
				continue
			}
			of, err := os.Stat(a.name)
			other, errOther := os.Stat(b.name)
			if a.name == b.name || err == nil && errOther == nil && of.Mode().IsRegular() && os.SameFile(of, other) {
				return fmt.Errorf("%s %s and %s %s are one file", b.flag, b.name, a.flag, a.name)
			}
		}
	}
	return nil
}

// files are what a run reads and writes.
type files struct {
	in, out, trace *os.File // no trace is nil
	remove         []string
}

// openFiles opens them, and makes those that were not named.
func openFiles(ctx context.Context, s *settings) (f *files, err error) {
	f = &files{}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if s.in == "" {
		if f.in, err = f.temporary("sluice-in-*"); err == nil {
			err = writeFloats(ctx, f.in, s.size/bytesPerFloat)
		}
	} else {
		f.in, s.size, err = openFloats(s.in)
	}
	if err != nil {
		return f, err
	}
	if s.out == "" {
		f.out, err = f.temporary("sluice-out-*")
	} else {
		f.out, err = create(s.out)
	}
	if err == nil && s.trace != "" {
		f.trace, err = os.Create(s.trace)
	}
	return f, err
}

// temporary makes a file that goes with the process, where the system can have it so, or else
// when it is closed.
func (f *files) temporary(pattern string) (*os.File, error) {
	file, err := os.CreateTemp("", pattern)
	if err == nil && os.Remove(file.Name()) != nil {
		f.remove = append(f.remove, file.Name())
	}
	return file, err
}

// traceTo is where the timeline is written, or nil.
func (f *files) traceTo() io.Writer {
	if f.trace == nil {
		return nil
	}
	return f.trace
}

func (f *files) Close() error {
	var errs []error
	for _, file := range []*os.File{f.in, f.out, f.trace} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	for _, name := range f.remove {
		errs = append(errs, os.Remove(name))
	}
	return errors.Join(errs...)
}

// openFloats opens a file to read.
func openFloats(name string) (*os.File, int64, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, 0, err
	case !info.Mode().IsRegular(): // opening a pipe would wait
		return nil, 0, fmt.Errorf("%s is not a regular file", name)
	case info.Size()%bytesPerFloat != 0:
		return nil, 0, fmt.Errorf("%s has %d bytes, which is no whole number of float32", name, info.Size())
	}
	file, err := os.Open(name)
	return file, info.Size(), err
}

// create makes a file to write pieces to, wherever they belong.
func create(name string) (*os.File, error) {
	if info, err := os.Stat(name); err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0 {
		return nil, fmt.Errorf("%s is a pipe: pieces are written as they come back, which may be in another order", name)
	}
	return os.Create(name)
}

// writeFloats fills a file with n floats: 0, 1, 2 and so on up to 999, again and again.
func writeFloats(ctx context.Context, f *os.File, n int64) error {
	const count, times = 1000, 1000
	block := make([]byte, 0, count*times*bytesPerFloat)
	for i := range count * times {
		block = binary.NativeEndian.AppendUint32(block, math.Float32bits(float32(i%count)))
	}
	for left := n * bytesPerFloat; left > 0; left -= int64(len(block)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := f.Write(block[:min(left, int64(len(block)))]); err != nil {
			return fmt.Errorf("making a file to read: %w", err)
		}
	}
	return nil
}
