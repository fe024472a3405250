package table

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice/internal/arena"
	"github.com/seed14ed4225/sluice/mem"
)

// An Allocator is memory for the Arrow arrays of one [Chunk], charged to a reservation
// when Arrow allocates it and given back when Arrow frees it (to the reservation, as long as it
// makes the chunk; to the resource from then on), however long that takes: arrays
// that are retained beyond their chunk stay charged, and safe to use. Use one for each chunk that
// is being made, so that it is known which memory is the chunk's own:
//
//	res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, n)
//	if err != nil {
//		return err
//	}
//	defer res.Release()
//	from := table.NewAllocator(res)
//	batch := ... // built with from
//	chunk := from.Chunk(batch)
//
// Arrow has no way to say that there is too little memory. So if the reservation is too
// small, the Allocator takes more than was reserved, which the statistics show as
// overbooked. Reserve enough: each of Arrow's buffers takes a multiple of 64 bytes. A Builder
// that grows has the old and the new buffer at a time.
//
// Methods are safe for concurrent use.
type Allocator struct {
	res  *mem.Reservation
	from memory.Allocator // instead of the reservation, if that is nil
	made atomic.Bool      // there is a chunk: what is freed from now on goes back to the resource
	mu   struct {
		sync.Mutex
		live map[*byte]lent // by where it begins
	}
}

// lent is a buffer that Arrow has, once for each time that it will free it.
type lent struct {
	buffer *mem.Buffer
	times  int
}

// NewAllocator returns an allocator of host memory from a reservation, which stays the
// caller's to release. From a nil reservation it takes memory of the Go heap, which can be neither
// counted nor spilled; what Arrow frees is used again.
func NewAllocator(res *mem.Reservation) *Allocator {
	return newAllocator(context.Background(), res)
}

// newAllocator is NewAllocator for nodes, which without a reservation allocate what the
// context says.
func newAllocator(ctx context.Context, res *mem.Reservation) *Allocator {
	a := &Allocator{res: res}
	if res == nil {
		a.from = allocator(ctx)
	}
	return a
}

// Chunk returns a chunk that takes over the caller's reference to batch. If all of the batch's
// memory is from this allocator, the chunk can be spilled.
func (a *Allocator) Chunk(batch arrow.RecordBatch) *Chunk {
	if !a.counts() {
		return NewChunk(batch)
	}
	a.made.Store(true)
	return newOwnChunk(batch, a)
}

// counts reports whether the memory is counted.
func (a *Allocator) counts() bool { return a.from == nil }

// Allocate is for Arrow. It panics if the system has no memory left.
func (a *Allocator) Allocate(n int) []byte {
	if !a.counts() {
		return a.from.Allocate(n)
	}
	if n == 0 {
		return []byte{}
	}
	if lacking := int64(n) - a.res.Left(mem.Host); lacking > 0 {
		a.res.Grow(mem.Host, lacking)
	}
	buffer, err := a.res.Alloc(mem.Host, int64(n), nil)
	if err != nil {
		panic(fmt.Errorf("table: allocating %d bytes for a chunk: %w", n, err))
	}
	bytes, err := buffer.Exclusive()
	if err != nil {
		panic(fmt.Errorf("table: memory that was just allocated: %w", err))
	}
	a.adopt(bytes, buffer)
	return bytes
}

// adopt makes a buffer known that begins with these bytes. A reference is given up each
// time that they are freed.
func (a *Allocator) adopt(bytes []byte, buffer *mem.Buffer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.live == nil {
		a.mu.live = make(map[*byte]lent)
	}
	first := unsafe.SliceData(bytes)
	a.mu.live[first] = lent{buffer, a.mu.live[first].times + 1}
}

// owner returns the buffer that begins with these bytes, nil if that is not from here, or
// Arrow has freed it.
func (a *Allocator) owner(bytes []byte) *mem.Buffer {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.live[unsafe.SliceData(bytes)].buffer
}

// Reallocate is for Arrow. What shrinks stays where it is, at its size.
func (a *Allocator) Reallocate(n int, old []byte) []byte {
	if !a.counts() {
		return a.from.Reallocate(n, old)
	}
	if n > 0 && n <= cap(old) {
		return old[:n]
	}
	made := a.Allocate(n)
	copy(made, old)
	a.Free(old)
	return made
}

// Free is for Arrow.
func (a *Allocator) Free(old []byte) {
	if !a.counts() {
		a.from.Free(old)
		return
	}
	if cap(old) == 0 {
		return
	}
	first := unsafe.SliceData(old)
	a.mu.Lock()
	l := a.mu.live[first]
	if l.times--; l.times > 0 {
		a.mu.live[first] = l
	} else {
		delete(a.mu.live, first)
	}
	a.mu.Unlock()
	if a.made.Load() {
		l.buffer.Release()
	} else {
		a.res.TakeBack(l.buffer)
	}
}

type allocatorKey struct{}

// withAllocator makes the nodes that run under the context take their memory
// from mem, where they do not reserve it.
func withAllocator(ctx context.Context, mem memory.Allocator) context.Context {
	return context.WithValue(ctx, allocatorKey{}, mem)
}

// allocator is the one place where a node learns whose memory to use that is not reserved.
func allocator(ctx context.Context) memory.Allocator {
	if mem, ok := ctx.Value(allocatorKey{}).(memory.Allocator); ok {
		return mem
	}
	return &recycled
}

// recycling is memory that is not reserved.
type recycling struct{ arena.Recycler }

// recycled is what all nodes without limits share: the collector empties it as it needs to.
var recycled recycling

func (r *recycling) Allocate(n int) []byte {
	if n == 0 {
		return []byte{}
	}
	return r.Make(int64(n))
}

func (r *recycling) Reallocate(n int, old []byte) []byte {
	if n > 0 && n <= cap(old) {
		return old[:n]
	}
	made := r.Allocate(n)
	copy(made, old)
	r.Free(old)
	return made
}
