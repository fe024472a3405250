package arena

import (
	"runtime"
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
// It is no sync.Pool, which loses all it has when the number of processors changes.
//
// The zero value is ready. Methods are safe for concurrent use.
type Recycler struct {
	mu struct {
		sync.Mutex
		fresh, old [classes][]*byte // given back since the last round, and before
		watching   bool             // for the end of a round
	}
}

// A watch is collected, and so ends, with the round of the collector that comes next.
type watch struct{ r *Recycler }

// watch has age called at the end of the round. Callers hold the lock.
func (r *Recycler) watch() {
	r.mu.watching = true
	runtime.SetFinalizer(&watch{r}, func(w *watch) { w.r.age() })
}

// age lets go of what was not used for two rounds.
func (r *Recycler) age() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.watching = false
	for class := range r.mu.fresh {
		r.mu.old[class], r.mu.fresh[class] = r.mu.fresh[class], nil
		if len(r.mu.old[class]) > 0 && !r.mu.watching {
			r.watch()
		}
	}
}

// Make returns n bytes, aligned as those of an arena are. What is in them is arbitrary.
func (r *Recycler) Make(n int64) []byte {
	if n < recycleFrom || n > 1<<largest {
		return Make(n)
	}
	class, size := sizeClass(n)
	if first := r.take(class); first != nil {
		return unsafe.Slice(first, size)[:n]
	}
	return Make(size)[:n]
}

// take returns memory of a class, nil if there is none.
func (r *Recycler) take(class int) *byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, from := range []*[]*byte{&r.mu.fresh[class], &r.mu.old[class]} {
		if last := len(*from) - 1; last >= 0 {
			first := (*from)[last]
			(*from)[last] = nil
			*from = (*from)[:last]
			return first
		}
	}
	return nil
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
		r.mu.Lock()
		defer r.mu.Unlock()
		r.mu.fresh[class] = append(r.mu.fresh[class], unsafe.SliceData(mem))
		if !r.mu.watching {
			r.watch()
		}
	}
}
