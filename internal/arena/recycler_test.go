package arena

import (
	"runtime"
	"slices"
	"testing"
)

func TestARecyclerGivesOutAgainWhatItGotBack(t *testing.T) {
	if debugging {
		t.Skip("the debug build gives out nothing twice")
	}
	const rounds, n = 400, 1<<20 - 100
	var r Recycler
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		r.Free(r.Make(n))
	}
	runtime.ReadMemStats(&after)
	// Rounds of the collector may take what is there.
	if taken := after.TotalAlloc - before.TotalAlloc; taken > rounds*n/2 {
		t.Errorf("%d bytes taken from the heap for %d rounds with %d bytes each", taken, rounds, n)
	}
}

func TestARecyclersMemoryIsAlignedAndOfTheSizeAskedFor(t *testing.T) {
	var r Recycler
	for _, n := range []int64{0, 1, recycleFrom - 1, recycleFrom, recycleFrom + 1, 5000, 1 << 20, 1<<20 + 1} {
		for range 3 {
			mem := r.Make(n)
			if int64(len(mem)) != n || Address(mem)%Alignment != 0 {
				t.Errorf("%d bytes at %#x, where %d were asked for", len(mem), Address(mem), n)
			}
			r.Free(mem[:n/2])
		}
	}
}

// What comes back may be from elsewhere, or cut by whoever had it.
func TestARecyclerLeavesOtherMemoryAlone(t *testing.T) {
	var r Recycler
	others := make([]byte, 1<<16)
	r.Free(others[64:5000:5000]) // aligned, but of no size that is given out
	r.Free(others[1:2049:2049])  // of such a size, but not aligned
	r.Free(nil)
	if debugging {
		clear(others)
	}
	for n := int64(recycleFrom); n <= 1<<16; n += recycleFrom {
		mem := r.Make(n)
		for i := range mem {
			mem[i] = 1
		}
	}
	if slices.Contains(others, 1) {
		t.Error("memory that is not the recycler's is given out")
	}
}

func TestARecyclerLetsGoOfWhatNobodyUses(t *testing.T) {
	if debugging {
		t.Skip("the debug build keeps nothing")
	}
	var r Recycler
	mem := r.Make(1 << 20)
	gone := make(chan struct{})
	runtime.AddCleanup(&mem[0], func(done chan struct{}) { close(done) }, gone)
	r.Free(mem)
	mem = nil
	for {
		select {
		case <-gone:
			return
		default:
			runtime.GC()
		}
	}
}
