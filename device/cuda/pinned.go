package cuda

import (
	"fmt"
	"math/bits"
	"sync"
	"unsafe"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// pinnedMemory hands out pinned memory in pieces of slabs, which it asks the driver for
// when they are needed: pinning is slow, and a large pool at start too slow to leave on.
// Freed pieces are used again. A slab goes back to the driver only if the limit
// would not let another be made, or with the device.
type pinnedMemory struct {
	dev   *Device
	limit int64 // bytes handed out at once, as asked for

	mu struct {
		sync.Mutex
		used   int64
		mapped int64
		slabs  map[*slab]struct{}
		free   map[int64][]*piece // by size of the piece
		closed bool
	}
}

const (
	slabBytes = 4 << 20 // a slab of pieces; a larger piece has a slab to itself
	smallest  = 1 << 10 // piece
)

// A slab is memory from the driver, cut into pieces of one size.
type slab struct {
	at     unsafe.Pointer
	bytes  int64
	pieces int
	in     int // pieces handed out
}

// A piece is what is handed out. Its bytes are as asked for, its size is that of its class.
type piece struct {
	bytes []byte
	size  int64
	at    unsafe.Pointer
	of    *slab
	from  *pinnedMemory
	next  *piece // to free with the same mark
}

func (p *piece) address() uint64 { return uint64(uintptr(p.at)) }

func (m *pinnedMemory) init(d *Device, limit int64) {
	m.dev, m.limit = d, limit
	m.mu.slabs, m.mu.free = map[*slab]struct{}{}, map[int64][]*piece{}
}

func (m *pinnedMemory) info() device.MemoryInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	return device.MemoryInfo{Total: m.limit, Free: max(0, m.limit-m.mu.used)}
}

// pieceSize rounds up by at most a quarter: there are four sizes to each power of two.
func pieceSize(n int64) int64 {
	if n <= smallest {
		return smallest
	}
	step := int64(1) << (bits.Len64(uint64(n-1)) - 3)
	return (n + step - 1) &^ (step - 1)
}

// alloc returns a piece of n bytes within the limit, or an *[device.OutOfMemoryError].
func (m *pinnedMemory) alloc(n int64) (*piece, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n > m.limit-m.mu.used {
		return nil, m.full(n)
	}
	return m.take(n)
}

// must is alloc without a limit, for who has to go on.
func (m *pinnedMemory) must(n int64) (*piece, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.take(n)
}

func (m *pinnedMemory) full(n int64) error {
	return &device.OutOfMemoryError{Place: device.InPinned, Asked: n, Free: max(0, m.limit-m.mu.used), Total: m.limit}
}

func (m *pinnedMemory) take(n int64) (*piece, error) {
	if m.mu.closed {
		return nil, &closedError{fmt.Sprintf("device %q", m.dev.name)}
	}
	size := pieceSize(n)
	if len(m.mu.free[size]) == 0 {
		if err := m.grow(n, size); err != nil {
			return nil, err
		}
	}
	free := m.mu.free[size]
	p := free[len(free)-1]
	m.mu.free[size] = free[:len(free)-1]
	p.bytes = unsafe.Slice((*byte)(p.at), size)[:n:n]
	p.of.in++
	m.mu.used += n
	return p, nil
}

// grow gets a slab of pieces of a size.
func (m *pinnedMemory) grow(n, size int64) error {
	s := &slab{pieces: int(max(1, slabBytes/size))}
	s.bytes = int64(s.pieces) * size
	if m.mu.mapped > m.limit-s.bytes {
		m.trim()
	}
	var r driver.Result
	for range 2 {
		r = m.dev.try(func() (r driver.Result) {
			s.at, r = m.dev.drv.MemHostAlloc(uint64(s.bytes), driver.HostAllocPortable)
			return r
		})
		if r != driver.OutOfMemory {
			break
		}
		m.trim()
	}
	switch {
	case r == driver.OutOfMemory:
		return m.full(n)
	case r != driver.Success:
		err := newError(m.dev.drv, "cuMemHostAlloc", r)
		if r.Sticky() {
			return m.dev.fail(err)
		}
		return err
	}
	m.mu.slabs[s] = struct{}{}
	m.mu.mapped += s.bytes
	for i := range s.pieces {
		m.mu.free[size] = append(m.mu.free[size], &piece{at: unsafe.Add(s.at, int64(i)*size), size: size, of: s, from: m})
	}
	return nil
}

// trim gives the slabs back of which nothing is in use.
func (m *pinnedMemory) trim() {
	for size, free := range m.mu.free {
		kept := free[:0]
		for _, p := range free {
			if p.of.in > 0 {
				kept = append(kept, p)
			}
		}
		clear(free[len(kept):])
		m.mu.free[size] = kept
	}
	for s := range m.mu.slabs {
		if s.in == 0 {
			m.unpin(s)
		}
	}
}

func (m *pinnedMemory) unpin(s *slab) {
	delete(m.mu.slabs, s)
	m.mu.mapped -= s.bytes
	m.dev.try(func() driver.Result { return m.dev.drv.MemFreeHost(s.at) })
}

// release gives a piece back that nobody uses any more.
func (p *piece) release() {
	m := p.from
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.used -= int64(len(p.bytes))
	p.bytes, p.next = nil, nil
	p.of.in--
	m.mu.free[p.size] = append(m.mu.free[p.size], p)
}

// close gives everything back to the driver.
func (m *pinnedMemory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.closed = true
	clear(m.mu.free)
	for s := range m.mu.slabs {
		m.unpin(s)
	}
}
