package extent

import "fmt"

// For the tests of package extent_test.
var (
	AlignedMemory = alignedMemory
	OpenPrivate   = openPrivate
	DiskFull      = diskFull
	CreateNamed   = createNamed
)

const (
	BlockSize  = blockSize
	PageSize   = pageSize
	SpareSpace = spareSpace
)

// Wrapped is Faults.Wrap for Options.Open.
func (f *Faults) Wrapped(file File) func(string) (File, error) {
	return func(string) (File, error) { return f.Wrap(file), nil }
}

// Staging returns the bytes of staging memory the store has made. It must be idle.
func (s *Store) Staging() int {
	n := 0
	for range cap(s.slots) {
		t := <-s.slots
		n += len(t.staged) + len(t.packed)
		s.slots <- t
	}
	return n
}

// A Place is where a block lies in the file.
type Place struct{ Off, Size int64 }

// Places returns where the blocks of an extent lie.
func (e *Extent) Places() (places []Place) {
	for _, b := range e.blocks {
		places = append(places, Place{b.off, int64(b.stored)})
	}
	return places
}

// CheckSpace returns an error unless the store's holes and the given blocks are the file.
func (s *Store) CheckSpace(taken []Place) error { return s.space.check(taken) }

func (s *space) check(taken []Place) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := make(map[int64]int64)
	for _, p := range taken {
		at[p.Off] = p.Size
	}
	last := int64(-1)
	r := &s.mu.holes
	var walk func(i int32) error
	walk = func(i int32) error {
		if i == 0 {
			return nil
		}
		n := r.nodes[i]
		if err := walk(n.left); err != nil {
			return err
		}
		if n.off <= last {
			return fmt.Errorf("a hole at %d begins before or where the one before it ends, at %d", n.off, last)
		}
		if most := max(n.size, r.nodes[n.left].most, r.nodes[n.right].most); n.most != most {
			return fmt.Errorf("the hole at %d says that the largest below it is %d, not %d", n.off, n.most, most)
		}
		last = n.off + n.size
		at[n.off] = n.size
		return walk(n.right)
	}
	if err := walk(r.root); err != nil {
		return err
	}
	var off int64
	for len(at) > 0 {
		size, ok := at[off]
		if !ok {
			return fmt.Errorf("nothing is known about the file at %d", off)
		}
		delete(at, off)
		off += size
	}
	if off != s.mu.end {
		return fmt.Errorf("the file ends at %d, not at %d", s.mu.end, off)
	}
	return nil
}
