package extent

import "sync"

// spareSpace is how much free space the end of the file may have, at least, before the
// file is made shorter: overwriting costs about half of making a file longer, and making
// it shorter costs, too.
const spareSpace = 64 << 20

// space knows which bytes of the file are taken. Blocks are put into the first hole that
// holds them, which keeps the front of the file full and lets its end become free.
type space struct {
	// growing is held while the end of the file moves, also when that waits for the
	// system, and is taken before mu. So holes can be used and made, and statistics
	// read, while the file is being made shorter.
	growing sync.Mutex

	mu struct {
		sync.Mutex
		holes runs
		end   int64 // nothing is taken behind it
		taken int64
	}
}

// take finds room for a block of size bytes, whole pages.
func (s *space) take(size int64) (off int64) {
	if off, ok := s.takeHole(size); ok {
		return off
	}
	s.growing.Lock()
	defer s.growing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	off, ok := s.mu.holes.take(size)
	if !ok {
		off = s.mu.end
		if at, n := s.mu.holes.last(); n > 0 && at+n == s.mu.end {
			s.mu.holes.remove(at)
			off = at
		}
		s.mu.end = off + size
	}
	s.mu.taken += size
	return off
}

func (s *space) takeHole(size int64) (off int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if off, ok = s.mu.holes.take(size); ok {
		s.mu.taken += size
	}
	return off, ok
}

// give makes the space of a block a hole.
func (s *space) give(off, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.holes.add(off, size)
	s.mu.taken -= size
}

// trim makes the file shorter when more of its end is free than may be: all of it, when
// nothing is to spare. A file that cannot be made shorter stays as it is, and the
// next trim tries again; its free end is used meanwhile, so nothing is lost by that.
func (s *space) trim(spare bool, truncate func(end int64) error) {
	// Whoever holds growing makes up for the TryLock that fails: a trim by looking again, a
	// take because it would not be there if the end had much room.
	for ok := true; ok && s.wantsTrim(spare) && s.growing.TryLock(); {
		ok = s.cutEnd(truncate)
		s.growing.Unlock()
	}
}

// cutEnd gives the free end of the file back. The caller holds growing, so that nobody is
// given space that is about to be cut off.
func (s *space) cutEnd(truncate func(end int64) error) (ok bool) {
	s.mu.Lock()
	off, size := s.freeEnd()
	if size > 0 {
		s.mu.holes.remove(off)
		s.mu.end = off
	}
	s.mu.Unlock()
	if size == 0 || truncate(off) == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.end = off + size
	s.mu.holes.add(off, size)
	return false
}

func (s *space) wantsTrim(spare bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, size := s.freeEnd()
	if spare {
		return size > max(spareSpace, s.mu.taken)
	}
	return size > 0
}

// freeEnd returns the hole at the end of the file, of size 0 when there is none.
func (s *space) freeEnd() (off, size int64) {
	if off, size = s.mu.holes.last(); off+size == s.mu.end {
		return off, size
	}
	return s.mu.end, 0
}

func (s *space) stats() (taken, end int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.taken, s.mu.end
}
