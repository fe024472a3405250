package cuda

import (
	"fmt"
	"slices"
	"strings"
)

// When a kernel faults the driver says so at some later call, and not which kernel it was.
// So each stream remembers which it has launched since it was last known to have
// nothing to do, and the error names them.

// A suspect is a kernel of a stream that may be running, and those launched before it.
type suspect struct {
	name   string
	before *suspect
	depth  int
}

const maxSuspects = 16 // of a stream that never rests

// suspect notes that a kernel is about to be launched, with the order of the stream held. The list is
// read without the lock, by whoever finds that the device has failed.
func (s *stream) suspect(f *Function) {
	last := s.suspects.Load()
	switch {
	case last != nil && last.name == f.name:
		return
	case last == nil || last.depth == maxSuspects:
		s.suspects.Store(&suspect{name: f.name, depth: 1})
	default:
		s.suspects.Store(&suspect{name: f.name, before: last, depth: last.depth + 1})
	}
}

// blame adds to an error that ends the device which kernels may have caused it, with the
// lock of the device held.
func (d *Device) blame(err error) error {
	var names []string
	for s := range d.mu.open {
		for at := s.suspects.Load(); at != nil; at = at.before {
			names = append(names, fmt.Sprintf("%q on stream %q", at.name, s.name))
		}
	}
	if names == nil {
		return err
	}
	slices.Sort(names)
	return fmt.Errorf("%w; kernels that may have been running: %s", err, strings.Join(slices.Compact(names), ", "))
}
