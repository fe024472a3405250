package arena

import (
	"sync"
	"unsafe"
)

// recycleFrom is the size from which it pays to keep memory: what is smaller, the collector
// gives out again soon enough.
const recycleFrom = 1 << 10

// A Recycler gives out memory of the Go heap, and again what was given back to it. It is
// for memory that nobody limits or counts: fresh memory has to be cleared, collected, and
// touched for the first time, which takes longer than most of what is done with it. What is
// not used for two rounds of the collector is the collector's. What is never given back is,
// too.
//
// In the debug build nothing is given out twice, and what was given back is overwritten, so that a
// late access is noticed.
//
// The zero value is ready. Methods are safe for concurrent use.
type Recycler struct{ classes [classes]sync.Pool }

// Make returns n bytes, aligned as those of an arena are. What is in them is arbitrary.
func (r *Recycler) Make(n int64) []byte {
	if n < recycleFrom || n > 1<<largest {
		return Make(n)
	}
	class, size := sizeClass(n)
	if first, ok := r.classes[class].Get().(*byte); ok {
		return unsafe.Slice(first, size)[:n]
	}
	return Make(size)[:n]
}

// Free takes memory back that Make returned, from its beginning on. Other memory is left to the
// collector. Nobody may touch it afterwards.
func (r *Recycler) Free(mem []byte) {
	size := int64(cap(mem))
	if debugging {
		poison(mem[:size])
		return
	}
	if size < recycleFrom || size > 1<<largest || Address(mem)&(Alignment-1) != 0 {
		return
	}
	if class, whole := sizeClass(size); whole == size {
		r.classes[class].Put(unsafe.SliceData(mem))
	}
}
