package arena

import (
	"cmp"
	"slices"
	"sync"
	"unsafe"
)

// An Arena hands out pieces of memory. Sizes are rounded up to classes, four to each
// power of two. Memory is mapped in slabs of pieces of one class; a freed piece goes to
// the front of its class, because what was used last is warmest. A slab of which
// nothing is in use is kept until mapping another would go beyond what may be kept: then it
// is cut anew, for another class, or unmapped.
//
// Make one with Init. Methods are safe for concurrent use.
type Arena struct {
	limit int64
	keep  int64

	mu struct {
		sync.Mutex
		used    int64            // bytes of pieces, as asked for
		mapped  int64            // bytes of slabs
		classes [classes][]*slab // with pieces to give out, the last first
		slabs   map[*slab]struct{}
		emptied int64 // how often a slab has become empty
		closed  bool
	}
}

// A slab is mapped memory, cut into pieces of one size class.
type slab struct {
	mem     []byte
	class   int
	size    int64 // of a piece
	pieces  int
	free    []int // pieces, the last first
	emptied int64 // when it was last in use, counted by the arena
}

func (s *slab) empty() bool { return len(s.free) == s.pieces }

// A Piece is memory of an arena. Whoever allocated it gives it back with [Arena.Free],
// once. The zero Piece is of no bytes, and need not be given back.
type Piece struct {
	Bytes []byte
	slab  *slab
	index int
}

// Init makes the arena ready. It hands out at most limit bytes, as asked for. Memory
// that nobody uses is kept as long as no more than keep bytes are mapped; what is in
// use may take more than that, because sizes are rounded up.
func (a *Arena) Init(limit, keep int64) {
	a.limit, a.keep = limit, keep
	a.mu.slabs = map[*slab]struct{}{}
}

// Limit returns how many bytes may be in use.
func (a *Arena) Limit() int64 { return a.limit }

// Used returns how many bytes are in use, as asked for.
func (a *Arena) Used() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.used
}

// Mapped returns how many bytes the system has been asked for.
func (a *Arena) Mapped() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.mapped
}

// Alloc returns a piece of n bytes, which are not cleared. It returns false if that is
// beyond the limit, the system has no memory, or the arena is closed.
func (a *Arena) Alloc(n int64) (Piece, bool) {
	a.mu.Lock()
	defer a.mu.Unlock() // until it is poisoned: an arena that is closed unmaps it
	s := a.take(n)
	if s == nil {
		return Piece{}, false
	}
	last := len(s.free) - 1
	index := s.free[last]
	s.free = s.free[:last]
	if last == 0 {
		of := &a.mu.classes[s.class]
		*of = (*of)[:len(*of)-1]
	}
	a.mu.used += n
	from := int64(index) * s.size
	mem := s.mem[from : from+n : from+n]
	poison(mem)
	return Piece{Bytes: mem, slab: s, index: index}, true
}

// take returns the slab to take a piece from, the last of its class, or nil.
func (a *Arena) take(n int64) *slab {
	if a.mu.closed || n > a.limit-a.mu.used || n > 1<<largest {
		return nil
	}
	class, size := sizeClass(n)
	if of := a.mu.classes[class]; len(of) > 0 {
		return of[len(of)-1]
	}
	s := &slab{class: class, size: size, pieces: piecesPerSlab(size)}
	if s.mem = a.slabMemory(slabSize(size, s.pieces)); s.mem == nil {
		return nil
	}
	for i := range s.pieces {
		s.free = append(s.free, s.pieces-1-i)
	}
	a.mu.mapped += int64(len(s.mem))
	a.mu.slabs[s] = struct{}{}
	a.mu.classes[class] = append(a.mu.classes[class], s)
	return s
}

// slabMemory returns memory for a slab of so many bytes, or of a little more; nil if there is none.
func (a *Arena) slabMemory(bytes int64) []byte {
	if a.mu.mapped > a.keep-bytes {
		if mem := a.recycle(bytes); mem != nil {
			return mem
		}
		a.trim(a.mu.mapped - (a.keep - bytes))
	}
	mem, err := mapMemory(bytes)
	if err != nil { // the machine has less than the limit says
		a.trim(a.mu.mapped)
		if mem, err = mapMemory(bytes); err != nil {
			return nil
		}
	}
	return mem
}

// recycle takes the memory of a slab of which nothing is in use, has been so for longest, and is
// as large: what is unmapped and mapped again has to be cleared by the system, page by page.
func (a *Arena) recycle(bytes int64) []byte {
	var found *slab
	for _, of := range a.mu.classes {
		for _, s := range of {
			n := int64(len(s.mem))
			if s.empty() && n >= bytes && n <= bytes+bytes/4 && (found == nil || s.emptied < found.emptied) {
				found = s
			}
		}
	}
	if found == nil {
		return nil
	}
	a.forget(found)
	return found.mem
}

// Free gives a piece back. Nobody may touch its bytes afterwards.
func (a *Arena) Free(p Piece) {
	s := p.slab
	if s == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.used -= int64(len(p.Bytes))
	if a.mu.closed {
		return // which has unmapped it
	}
	s.free = append(s.free, p.index)
	if s.empty() {
		if debugging { // a slab has one piece then
			a.unmap(s)
			return
		}
		a.mu.emptied++
		s.emptied = a.mu.emptied
	}
	if len(s.free) == 1 {
		of := &a.mu.classes[s.class]
		*of = append(*of, s)
	}
}

// Abandon is Free for a piece that somebody out of reach may still write, such as a
// device that has failed: nobody gets it again, and it is never unmapped.
func (a *Arena) Abandon(p Piece) {
	if p.slab == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.used -= int64(len(p.Bytes))
	// The others of its slab come back to it, but it is never empty again.
	if _, mapped := a.mu.slabs[p.slab]; mapped {
		delete(a.mu.slabs, p.slab) // so that Close leaves it alone
		a.mu.mapped -= int64(len(p.slab.mem))
	}
}

// trim unmaps slabs of which nothing is in use, those first that have been so for
// longest, until it has unmapped that many bytes.
func (a *Arena) trim(bytes int64) {
	var empty []*slab
	for _, of := range a.mu.classes {
		for _, s := range of {
			if s.empty() {
				empty = append(empty, s)
			}
		}
	}
	slices.SortFunc(empty, func(s, t *slab) int { return cmp.Compare(s.emptied, t.emptied) })
	for _, s := range empty {
		if bytes <= 0 {
			return
		}
		bytes -= int64(len(s.mem))
		a.forget(s)
		unmapMemory(s.mem)
	}
}

// forget takes a slab of which nothing is in use out of the arena.
func (a *Arena) forget(s *slab) {
	of := &a.mu.classes[s.class]
	i := slices.Index(*of, s)
	*of = slices.Delete(*of, i, i+1)
	delete(a.mu.slabs, s)
	a.mu.mapped -= int64(len(s.mem))
}

func (a *Arena) unmap(s *slab) {
	delete(a.mu.slabs, s)
	a.mu.mapped -= int64(len(s.mem))
	unmapMemory(s.mem)
}

// Close gives everything back, in use or not, but for what was abandoned.
func (a *Arena) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.closed = true
	for s := range a.mu.slabs {
		a.unmap(s)
	}
	clear(a.mu.classes[:])
}

// Make returns n bytes of the Go heap, aligned as those of an arena are.
func Make(n int64) []byte {
	lines := make([][Alignment]byte, (n+Alignment-1)/Alignment+1)
	mem := unsafe.Slice(&lines[0][0], len(lines)*Alignment)
	skip := int64(-Address(mem) & (Alignment - 1))
	return mem[skip : skip+n : skip+n]
}

// Address returns where mem begins.
func Address(mem []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(mem)))) }
