package cudatest

import (
	"fmt"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// simPool is a memory pool. What is freed it keeps for reuse, up to its threshold, as
// the pieces that they were: they are not put together to larger ones.
type simPool struct {
	dev       *simDevice
	threshold uint64
	used      int64
	kept      int64
	pieces    []int64 // kept, by size
}

// take returns whether the pool has n bytes, or gets them from the device, with the lock held.
func (p *simPool) take(n, free int64) bool {
	if i, _ := slices.BinarySearch(p.pieces, n); i < len(p.pieces) && p.pieces[i] == n {
		p.pieces = slices.Delete(p.pieces, i, i+1)
		p.kept -= n
	} else if n > free {
		return false
	}
	p.used += n
	return true
}

// free takes n bytes back, with the lock held.
func (p *simPool) free(n int64) {
	p.used -= n
	if uint64(p.kept+n) <= p.threshold {
		i, _ := slices.BinarySearch(p.pieces, n)
		p.pieces = slices.Insert(p.pieces, i, n)
		p.kept += n
	}
}

// free returns how many bytes of a device nobody has, with the lock held.
func (s *Sim) free(d *simDevice) int64 {
	free := s.opts.Memory - d.foreign
	for _, p := range s.mu.pools {
		if p.dev == d {
			free -= p.used + p.kept
		}
	}
	return max(0, free)
}

// Occupy takes n bytes of a device's memory, at most what is free, as another process does.
// It returns how many it took.
func (s *Sim) Occupy(ordinal int, n int64) (taken int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.mu.devices[ordinal]
	taken = min(n, s.free(d))
	d.foreign += taken
	return taken
}

// Vacate gives back what Occupy took of a device.
func (s *Sim) Vacate(ordinal int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.devices[ordinal].foreign = 0
}

// An alloc is device memory. Its life is that of its stream's work: it begins and ends
// when the stream comes to it.
type alloc struct {
	at      driver.Pointer
	mem     []byte
	dev     *simDevice
	pool    *simPool
	freeing bool // the free has been queued
	begun   bool
	over    bool
}

// hostMemory is pinned memory.
type hostMemory struct {
	mem   []byte
	using atomic.Int64 // operations queued
}

const (
	page  = 4096
	guard = 1 << 20 // between allocations, so that no overrun hits another
)

// MemGetInfo is of the driver.
func (s *Sim) MemGetInfo() (free, total uint64, r driver.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, r := s.enter("cuMemGetInfo")
	if r != driver.Success {
		return 0, 0, r
	}
	return uint64(s.free(d)), uint64(s.opts.Memory), driver.Success
}

// MemPoolCreate is of the driver.
func (s *Sim) MemPoolCreate(props *driver.PoolProps) (driver.Pool, driver.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuMemPoolCreate"
	d, r := s.enter(call)
	if r != driver.Success {
		return 0, r
	}
	if props.AllocType != 1 || props.LocationType != 1 || props.LocationID != int32(d.at) {
		return 0, s.violate(driver.InvalidValue, "%s: %+v on device %d", call, *props, d.at)
	}
	h := driver.Pool(s.handle())
	s.mu.pools[h] = &simPool{dev: d}
	return h, driver.Success
}

func (s *Sim) pool(call string, h driver.Pool) (*simPool, driver.Result) {
	p := s.mu.pools[h]
	if p == nil {
		return nil, s.violate(driver.InvalidHandle, "%s: there is no pool %#x", call, h)
	}
	return p, driver.Success
}

// MemPoolDestroy is of the driver.
func (s *Sim) MemPoolDestroy(h driver.Pool) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuMemPoolDestroy"
	d, r := s.enter(call)
	if d == nil {
		return r
	}
	if _, bad := s.pool(call, h); bad != driver.Success {
		return bad
	}
	delete(s.mu.pools, h)
	return r
}

// MemPoolSetAttribute is of the driver.
func (s *Sim) MemPoolSetAttribute(h driver.Pool, attribute int, value uint64) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuMemPoolSetAttribute"
	if _, r := s.enter(call); r != driver.Success {
		return r
	}
	p, r := s.pool(call, h)
	if r != driver.Success {
		return r
	}
	if attribute != driver.PoolReleaseThreshold {
		return s.violate(driver.InvalidValue, "%s: attribute %d", call, attribute)
	}
	p.threshold = value
	return driver.Success
}

// MemPoolGetAttribute is of the driver.
func (s *Sim) MemPoolGetAttribute(h driver.Pool, attribute int) (uint64, driver.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuMemPoolGetAttribute"
	if _, r := s.enter(call); r != driver.Success {
		return 0, r
	}
	p, r := s.pool(call, h)
	if r != driver.Success {
		return 0, r
	}
	switch attribute {
	case driver.PoolReserved:
		return uint64(p.used + p.kept), driver.Success
	case driver.PoolUsed:
		return uint64(p.used), driver.Success
	case driver.PoolReleaseThreshold:
		return p.threshold, driver.Success
	}
	return 0, s.violate(driver.InvalidValue, "%s: attribute %d", call, attribute)
}

// MemPoolTrimTo is of the driver.
func (s *Sim) MemPoolTrimTo(h driver.Pool, keep uint64) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuMemPoolTrimTo"
	if _, r := s.enter(call); r != driver.Success {
		return r
	}
	p, r := s.pool(call, h)
	if r != driver.Success {
		return r
	}
	for uint64(p.kept) > keep {
		last := len(p.pieces) - 1
		p.kept -= p.pieces[last]
		p.pieces = p.pieces[:last]
	}
	return driver.Success
}

// MemAllocFromPoolAsync is of the driver.
func (s *Sim) MemAllocFromPoolAsync(n uint64, ph driver.Pool, sh driver.Stream) (driver.Pointer, driver.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuMemAllocFromPoolAsync"
	d, r := s.enter(call)
	if r != driver.Success {
		return 0, r
	}
	p, r := s.pool(call, ph)
	if r != driver.Success {
		return 0, r
	}
	st, r := s.stream(call, d, sh)
	switch {
	case r != driver.Success:
		return 0, r
	case n == 0:
		return 0, s.violate(driver.InvalidValue, "%s: of no bytes", call)
	case p.dev != d:
		return 0, s.violate(driver.InvalidValue, "%s: pool %#x is of another device", call, ph)
	case n > uint64(s.opts.Memory) || !p.take(int64(n), s.free(d)):
		return 0, driver.OutOfMemory
	}
	a := &alloc{at: s.mu.at, mem: make([]byte, n), dev: d, pool: p}
	for i := range min(len(a.mem), page) {
		a.mem[i] = 0xdb // nobody may rely on what is there
	}
	s.mu.at += driver.Pointer((n+2*guard-1)/guard) * guard
	s.mu.allocs = append(s.mu.allocs, a) // addresses rise
	st.push(func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		a.begun = true
		return nil
	})
	return a.at, driver.Success
}

// MemFreeAsync is of the driver.
func (s *Sim) MemFreeAsync(at driver.Pointer, sh driver.Stream) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuMemFreeAsync"
	d, r := s.enter(call)
	if r != driver.Success {
		return r
	}
	st, r := s.stream(call, d, sh)
	if r != driver.Success {
		return r
	}
	a := s.allocated(at)
	if a == nil || a.at != at || a.freeing {
		return s.violate(driver.InvalidValue, "%s: %#x is no block, or was freed", call, at)
	}
	a.freeing = true
	st.push(func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !a.begun {
			return fmt.Errorf("%s: %#x is freed on a stream that has not waited for its allocation", call, at)
		}
		a.over = true
		a.pool.free(int64(len(a.mem)))
		if i := slices.Index(s.mu.allocs, a); i >= 0 { // else it went with a context that was lost
			s.mu.allocs = slices.Delete(s.mu.allocs, i, i+1)
		}
		return nil
	})
	return r
}

// allocated returns what lies at an address.
func (s *Sim) allocated(at driver.Pointer) *alloc {
	i, exact := slices.BinarySearchFunc(s.mu.allocs, at, func(a *alloc, at driver.Pointer) int {
		switch {
		case a.at < at:
			return -1
		case a.at > at:
			return 1
		}
		return 0
	})
	switch {
	case exact:
		return s.mu.allocs[i]
	case i > 0 && at < s.mu.allocs[i-1].at+driver.Pointer(len(s.mu.allocs[i-1].mem)):
		return s.mu.allocs[i-1]
	}
	return nil
}

// bytes returns device memory at the moment a stream comes to use it.
func (s *Sim) bytes(call string, d *simDevice, at driver.Pointer, n uint64) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.allocated(at)
	switch {
	case a == nil:
		return nil, fmt.Errorf("%s: %d bytes at %#x: no memory is there, or it has been freed", call, n, at)
	case a.dev != d:
		return nil, fmt.Errorf("%s: %#x is memory of another device", call, at)
	case !a.begun:
		return nil, fmt.Errorf("%s: %#x is used on a stream that has not waited for its allocation", call, at)
	case uint64(at-a.at)+n > uint64(len(a.mem)):
		return nil, fmt.Errorf("%s: %d bytes at %#x reach beyond the block of %d at %#x", call, n, at, len(a.mem), a.at)
	}
	return a.mem[at-a.at:][:n], nil
}

// MemHostAlloc is of the driver.
func (s *Sim) MemHostAlloc(n uint64, flags uint32) (unsafe.Pointer, driver.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuMemHostAlloc"
	if _, r := s.enter(call); r != driver.Success {
		return nil, r
	}
	if n == 0 || flags != driver.HostAllocPortable {
		return nil, s.violate(driver.InvalidValue, "%s: %d bytes, flags %d", call, n, flags)
	}
	mem := make([]byte, n+page)
	skip := -uintptr(unsafe.Pointer(&mem[0])) & (page - 1)
	h := &hostMemory{mem: mem[skip:][:n]}
	s.mu.pinned = append(s.mu.pinned, h)
	return unsafe.Pointer(&h.mem[0]), driver.Success
}

// MemFreeHost is of the driver.
func (s *Sim) MemFreeHost(at unsafe.Pointer) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuMemFreeHost"
	d, r := s.enter(call)
	if d == nil {
		return r
	}
	i := slices.IndexFunc(s.mu.pinned, func(h *hostMemory) bool { return unsafe.Pointer(&h.mem[0]) == at })
	if i < 0 {
		return s.violate(driver.InvalidValue, "%s: %p is not pinned", call, at)
	}
	if n := s.mu.pinned[i].using.Load(); n > 0 && d.sticky == driver.Success {
		return s.violate(driver.InvalidValue, "%s: %p is used by %d operations", call, at, n)
	}
	s.mu.pinned = slices.Delete(s.mu.pinned, i, i+1)
	return r
}

// host returns pinned memory, with the lock held.
func (s *Sim) host(at unsafe.Pointer, n uint64) (*hostMemory, []byte) {
	for _, h := range s.mu.pinned {
		if off := uintptr(at) - uintptr(unsafe.Pointer(&h.mem[0])); off < uintptr(len(h.mem)) {
			if uint64(off)+n > uint64(len(h.mem)) {
				return nil, nil
			}
			return h, h.mem[off:][:n]
		}
	}
	return nil, nil
}

// MemcpyHtoDAsync is of the driver.
func (s *Sim) MemcpyHtoDAsync(dst driver.Pointer, src unsafe.Pointer, n uint64, sh driver.Stream) driver.Result {
	return s.copyHost("cuMemcpyHtoDAsync", dst, src, n, sh, func(dev, host []byte) { copy(dev, host) })
}

// MemcpyDtoHAsync is of the driver.
func (s *Sim) MemcpyDtoHAsync(dst unsafe.Pointer, src driver.Pointer, n uint64, sh driver.Stream) driver.Result {
	return s.copyHost("cuMemcpyDtoHAsync", src, dst, n, sh, func(dev, host []byte) { copy(host, dev) })
}

func (s *Sim) copyHost(call string, at driver.Pointer, hostAt unsafe.Pointer, n uint64, sh driver.Stream, move func(dev, host []byte)) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, r := s.enter(call)
	if r != driver.Success {
		return r
	}
	st, r := s.stream(call, d, sh)
	if r != driver.Success {
		return r
	}
	h, host := s.host(hostAt, n)
	if h == nil {
		return s.violate(driver.InvalidValue, "%s: %d bytes at %p are not pinned", call, n, hostAt)
	}
	h.using.Add(1)
	st.push(s.work(call, d, func() error {
		defer h.using.Add(-1)
		dev, err := s.bytes(call, d, at, n)
		if err == nil {
			move(dev, host)
		}
		return err
	}))
	return driver.Success
}

// MemcpyDtoDAsync is of the driver.
func (s *Sim) MemcpyDtoDAsync(dst, src driver.Pointer, n uint64, sh driver.Stream) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuMemcpyDtoDAsync"
	d, r := s.enter(call)
	if r != driver.Success {
		return r
	}
	st, r := s.stream(call, d, sh)
	if r != driver.Success {
		return r
	}
	if dst < src+driver.Pointer(n) && src < dst+driver.Pointer(n) {
		return s.violate(driver.InvalidValue, "%s: %d bytes from %#x to %#x overlap", call, n, src, dst)
	}
	st.push(s.work(call, d, func() error {
		from, err := s.bytes(call, d, src, n)
		if err != nil {
			return err
		}
		to, err := s.bytes(call, d, dst, n)
		copy(to, from)
		return err
	}))
	return driver.Success
}

// MemsetD8Async is of the driver.
func (s *Sim) MemsetD8Async(dst driver.Pointer, value byte, n uint64, sh driver.Stream) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuMemsetD8Async"
	d, r := s.enter(call)
	if r != driver.Success {
		return r
	}
	st, r := s.stream(call, d, sh)
	if r != driver.Success {
		return r
	}
	st.push(s.work(call, d, func() error {
		to, err := s.bytes(call, d, dst, n)
		for i := range to {
			to[i] = value
		}
		return err
	}))
	return driver.Success
}
