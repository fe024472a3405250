package device

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"
)

// alignment of every block of a host device: a cache line, which is also what Arrow
// recommends.
const alignment = 64

// An arena is the memory of one place of a host device: a limit, and pools behind it.
//
// Sizes are rounded up to classes, four to each power of two. Memory is mapped in
// slabs of pieces of one class; a freed piece goes to the front of its class, because
// what was used last is warmest. A slab of which nothing is in use is kept until
// mapping another would go beyond the limit.
type arena struct {
	place Place
	limit int64

	mu struct {
		sync.Mutex
		used    int64            // bytes of blocks, as asked for
		mapped  int64            // bytes of slabs
		classes [classes][]*slab // with pieces to give out, the last first
		slabs   map[*slab]struct{}
		closed  bool
	}
}

// A slab is mapped memory, cut into pieces of one size class.
type slab struct {
	mem    []byte
	class  int
	size   int64 // of a piece
	pieces int
	free   []int // pieces, the last first
}

// A hostBlock is a block of a host device with the memory behind it.
type hostBlock struct {
	Block
	mem   []byte
	arena *arena
	slab  *slab
	piece int
	refs  atomic.Int32 // the owner's, and one per use by an operation in flight
}

// release gives up a reference, and the memory with the last. It returns whether
// others are left.
func (b *hostBlock) release() bool {
	if b.refs.Add(-1) > 0 {
		return true
	}
	b.arena.release(b)
	return false
}

func (a *arena) init(p Place, limit int64) {
	a.place, a.limit = p, limit
	a.mu.slabs = map[*slab]struct{}{}
}

func (a *arena) info() MemoryInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	return MemoryInfo{Total: a.limit, Free: a.limit - a.mu.used}
}

// full returns the error for a request that cannot be met.
func (a *arena) full(n int64) error {
	info := a.info()
	return &OutOfMemoryError{Place: a.place, Asked: n, Free: info.Free, Total: info.Total}
}

// alloc returns a block with n bytes behind it.
func (a *arena) alloc(n int64) (*hostBlock, error) {
	a.mu.Lock()
	s := a.take(n)
	if s == nil {
		a.mu.Unlock()
		return nil, a.full(n)
	}
	last := len(s.free) - 1
	piece := s.free[last]
	s.free = s.free[:last]
	if last == 0 {
		of := &a.mu.classes[s.class]
		*of = (*of)[:len(*of)-1]
	}
	a.mu.used += n
	from := int64(piece) * s.size
	mem := s.mem[from : from+n : from+n]
	poison(mem)
	a.mu.Unlock() // from here on the device may be closed, and the memory gone
	return &hostBlock{mem: mem, arena: a, slab: s, piece: piece}, nil
}

// take returns the slab to take a piece from, the last of its class, or nil.
func (a *arena) take(n int64) *slab {
	if a.mu.closed || n > a.limit-a.mu.used || n > 1<<largest {
		return nil
	}
	class, size := sizeClass(n)
	if of := a.mu.classes[class]; len(of) > 0 {
		return of[len(of)-1]
	}
	s := &slab{class: class, size: size, pieces: piecesPerSlab(size)}
	bytes := size * int64(s.pieces)
	if a.mu.mapped > a.limit-bytes {
		a.trim()
	}
	mem, err := mapMemory(bytes)
	if err != nil { // the machine has less than the limit says
		a.trim()
		if mem, err = mapMemory(bytes); err != nil {
			return nil
		}
	}
	s.mem = mem
	for i := range s.pieces {
		s.free = append(s.free, s.pieces-1-i)
	}
	a.mu.mapped += bytes
	a.mu.slabs[s] = struct{}{}
	a.mu.classes[class] = append(a.mu.classes[class], s)
	return s
}

// release gives the memory of a block back.
func (a *arena) release(b *hostBlock) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := b.slab
	a.mu.used -= int64(len(b.mem))
	s.free = append(s.free, b.piece)
	switch {
	case debugging && len(s.free) == s.pieces: // a slab has one piece then
		a.unmap(s)
	case len(s.free) == 1:
		of := &a.mu.classes[s.class]
		*of = append(*of, s)
	}
}

// trim unmaps every slab of which nothing is in use.
func (a *arena) trim() {
	for class := range a.mu.classes {
		var kept []*slab
		for _, s := range a.mu.classes[class] {
			if len(s.free) == s.pieces {
				a.unmap(s)
			} else {
				kept = append(kept, s)
			}
		}
		a.mu.classes[class] = kept
	}
}

func (a *arena) unmap(s *slab) {
	delete(a.mu.slabs, s)
	a.mu.mapped -= int64(len(s.mem))
	unmapMemory(s.mem)
}

// close gives everything back, in use or not.
func (a *arena) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.closed = true
	for s := range a.mu.slabs {
		a.unmap(s)
	}
	clear(a.mu.classes[:])
}

const (
	smallest = 8  // the smallest class is of 1<<smallest bytes
	largest  = 47 // and the largest of 1<<largest
	classes  = (largest-smallest)*4 + 1

	slabBytes = 1 << 20
)

// sizeClass returns the smallest class that holds n bytes, at most 1<<largest, and the
// size of its pieces, a multiple of the alignment.
func sizeClass(n int64) (class int, size int64) {
	if n <= 1<<smallest {
		return 0, 1 << smallest
	}
	power := bits.Len64(uint64(n-1)) - 1
	quarter := int64(1) << (power - 2)
	step := (n - 1 - 1<<power) / quarter
	return (power-smallest)*4 + int(step) + 1, 1<<power + (step+1)*quarter
}

func piecesPerSlab(size int64) int {
	if debugging { // so that each can be unmapped when it is freed
		return 1
	}
	return int(max(1, slabBytes/size))
}

// addressOf returns where mem begins.
func addressOf(mem []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(mem)))) }
