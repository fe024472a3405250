package cuda

import (
	"math"
	"math/bits"
	"slices"
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
func (m *pinnedMemory) alloc(n int64) (*piece, error) { return m.take(n, m.limit) }

// must is alloc without a limit, for who has to go on.
func (m *pinnedMemory) must(n int64) (*piece, error) { return m.take(n, math.MaxInt64) }

// take is called by who keeps the device from being given back. The lock is not held while the
// driver is called, which may take its time: others give pieces back meanwhile.
func (m *pinnedMemory) take(n, limit int64) (*piece, error) {
	size := pieceSize(n)
	p, err := m.pick(n, size, limit)
	if p == nil && err == nil {
		p, err = m.grow(n, size)
	}
	if err != nil {
		return nil, err
	}
	p.bytes = unsafe.Slice((*byte)(p.at), size)[:n:n]
	return p, nil
}

// pick takes n bytes from what is used at most, and a piece for them that is free; nil if
// there is none.
func (m *pinnedMemory) pick(n, size, limit int64) (*piece, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n > limit-m.mu.used {
		return nil, m.full(n)
	}
	m.mu.used += n
	last := len(m.mu.free[size]) - 1
	if last < 0 {
		return nil, nil
	}
	p := m.mu.free[size][last]
	m.mu.free[size] = m.mu.free[size][:last]
	p.of.in++
	return p, nil
}

func (m *pinnedMemory) full(n int64) error {
	return &device.OutOfMemoryError{Place: device.InPinned, Asked: n, Free: max(0, m.limit-m.mu.used), Total: m.limit}
}

// grow gets a slab of pieces of a size, and returns one of them for n bytes that are taken
// already.
func (m *pinnedMemory) grow(n, size int64) (*piece, error) {
	s := &slab{pieces: int(max(1, slabBytes/size)), in: 1}
	s.bytes = int64(s.pieces) * size
	m.trim(m.limit - s.bytes)
	r := m.pin(s)
	if r == driver.OutOfMemory {
		m.trim(0)
		r = m.pin(s)
	}
	m.mu.Lock()
	if r != driver.Success {
		m.mu.used -= n
		full := m.full(n)
		m.mu.Unlock()
		if r == driver.OutOfMemory {
			return nil, full
		}
		err := newError(m.dev.drv, "cuMemHostAlloc", r)
		if r.Sticky() {
			return nil, m.dev.fail(err)
		}
		return nil, err
	}
	defer m.mu.Unlock()
	m.mu.slabs[s] = struct{}{}
	m.mu.mapped += s.bytes
	pieces := make([]*piece, s.pieces)
	for i := range pieces {
		pieces[i] = &piece{at: unsafe.Add(s.at, int64(i)*size), size: size, of: s, from: m}
	}
	m.mu.free[size] = append(m.mu.free[size], pieces[1:]...)
	return pieces[0], nil
}

func (m *pinnedMemory) pin(s *slab) driver.Result {
	return m.dev.try(func() (r driver.Result) {
		s.at, r = m.dev.drv.MemHostAlloc(uint64(s.bytes), driver.HostAllocPortable)
		return r
	})
}

// trim gives the slabs back of which nothing is in use, if there is more than so much.
func (m *pinnedMemory) trim(most int64) {
	for _, s := range m.unused(most) {
		m.dev.try(func() driver.Result { return m.dev.drv.MemFreeHost(s.at) })
	}
}

// unused forgets the slabs of which nothing is in use, and returns them, if there is more than
// so much.
func (m *pinnedMemory) unused(most int64) (unused []*slab) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.mapped <= most {
		return nil
	}
	for size, free := range m.mu.free {
		m.mu.free[size] = slices.DeleteFunc(free, func(p *piece) bool { return p.of.in == 0 })
	}
	for s := range m.mu.slabs {
		if s.in == 0 {
			delete(m.mu.slabs, s)
			m.mu.mapped -= s.bytes
			unused = append(unused, s)
		}
	}
	return unused
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

// close gives everything back to the driver. Nobody takes any more.
func (m *pinnedMemory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.mu.slabs {
		m.dev.drv.MemFreeHost(s.at)
	}
	clear(m.mu.slabs)
	clear(m.mu.free)
}
