package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
)

const bytesPerFloat = 4

// open opens what is read and written. cleanUp removes what was made for the run.
func (s *settings) open() (in, out *os.File, cleanUp func(), err error) {
	var remove []string
	var opened []*os.File
	cleanUp = func() {
		for _, f := range opened {
			_ = f.Close() // also that which failed; out was closed before
		}
		for _, name := range remove {
			_ = os.Remove(name)
		}
	}
	if s.in == "" {
		if in, err = os.CreateTemp("", "sluice-in-*"); err == nil {
			remove = append(remove, in.Name())
			err = writeFloats(in, s.size/bytesPerFloat)
		}
	} else if in, err = os.Open(s.in); err == nil {
		s.size, err = wholeFloats(in)
	}
	if in != nil {
		opened = append(opened, in)
	}
	if err == nil && s.out == "" {
		if out, err = os.CreateTemp("", "sluice-out-*"); err == nil {
			remove = append(remove, out.Name())
		}
	} else if err == nil {
		err = differ(s.in, s.out)
		if err == nil {
			out, err = os.Create(s.out)
		}
	}
	if err != nil {
		cleanUp()
		return nil, nil, nil, err
	}
	return in, out, cleanUp, nil
}

// differ returns an error if two names are of one file, of which creating the one would
// empty the other.
func differ(in, out string) error {
	a, err := os.Stat(in)
	if err != nil {
		return nil // there is no input, or it was just opened and is gone
	}
	if b, err := os.Stat(out); err == nil && os.SameFile(a, b) {
		return fmt.Errorf("-out %s is the file that is read", out)
	}
	return nil
}

func wholeFloats(f *os.File) (int64, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return 0, err
	case !info.Mode().IsRegular():
		return 0, fmt.Errorf("%s is not a regular file", f.Name())
	case info.Size()%bytesPerFloat != 0:
		return 0, fmt.Errorf("%s has %d bytes, which is no whole number of float32", f.Name(), info.Size())
	}
	return info.Size(), nil
}

// writeFloats fills a file with n floats: 0, 1, 2 and so on up to 999, again and again.
func writeFloats(f *os.File, n int64) error {
	block := make([]byte, 0, 1000*bytesPerFloat)
	for i := range 1000 {
		block = binary.NativeEndian.AppendUint32(block, math.Float32bits(float32(i)))
	}
	for left := n * bytesPerFloat; left > 0; left -= int64(len(block)) {
		if _, err := f.Write(block[:min(left, int64(len(block)))]); err != nil {
			return errors.Join(fmt.Errorf("making a file to read: %w", err), f.Close())
		}
	}
	return nil
}
