package extent

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// The model of a file's space is the list of what is taken. Blocks are of all sizes that
// there are, and sometimes as large as to make the file worth cutting.
func TestSpaceIsNeverGivenOutTwiceAndUsedAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s space
		var live []Place
		var taken, peak, length int64
		size := rapid.Int64Range(1, rapid.SampledFrom([]int64{4, 256, 64 << 8}).Draw(t, "largest"))
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				n := size.Draw(t, "pages") * pageSize
				p := Place{s.take(n), n}
				for _, other := range live {
					if p.Off < other.Off+other.Size && other.Off < p.Off+p.Size {
						t.Fatalf("%v overlaps %v", p, other)
					}
				}
				live = append(live, p)
				taken += n
				peak = max(peak, taken)
				length = max(length, p.Off+n)
			},
			"give": func(t *rapid.T) {
				if len(live) == 0 {
					t.Skip("nothing is taken")
				}
				i := rapid.IntRange(0, len(live)-1).Draw(t, "which")
				s.give(live[i].Off, live[i].Size)
				taken -= live[i].Size
				live[i] = live[len(live)-1]
				live = live[:len(live)-1]
			},
			"trim": func(t *rapid.T) {
				failed := false
				s.trim(true, func(end int64) error {
					if end >= length {
						t.Fatalf("a file of %d bytes is cut to %d", length, end)
					}
					if failed = rapid.IntRange(0, 3).Draw(t, "fails") == 0; failed {
						return errors.New("cannot")
					}
					length = end
					return nil
				})
				if _, free := s.freeEnd(); free > max(spareSpace, taken) && !failed {
					t.Fatalf("%d bytes at the end are free and %d taken", free, taken)
				}
			},
			"trim all": func(t *rapid.T) {
				s.trim(false, func(end int64) error { length = end; return nil })
				if _, free := s.freeEnd(); free > 0 {
					t.Fatalf("%d bytes at the end are free", free)
				}
			},
			"": func(t *rapid.T) {
				if err := s.check(live); err != nil {
					t.Fatal(err)
				}
				if got, end := s.stats(); got != taken || end != length || end > 3*peak {
					t.Fatalf("%d of %d bytes are taken, want %d of %d, which is at most 3 times %d", got, end, taken, length, peak)
				}
			},
		})
	})
}

func TestAFreeEndIsMadeLongerRatherThanLeftBehind(t *testing.T) {
	var s space
	s.give(s.take(10*pageSize), 10*pageSize)
	if off := s.take(20 * pageSize); off != 0 || s.mu.end != 20*pageSize {
		t.Errorf("20 pages after 10 free ones are at %d of %d", off, s.mu.end)
	}
}

// A block that is written while the file is being made shorter must not be cut off.
func TestCuttingTheFileLeavesWhatIsBeingWritten(t *testing.T) {
	var s space
	var file struct {
		sync.Mutex
		length int64
	}
	reach := func(end int64) {
		file.Lock()
		defer file.Unlock()
		file.length = max(file.length, end)
	}
	cuts := 0
	truncate := func(end int64) error {
		runtime.Gosched() // others would take space now, if they could
		file.Lock()
		defer file.Unlock()
		file.length = end
		cuts++
		return nil
	}
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 0))
			for range 2000 {
				size := (1 + r.Int64N(2*spareSpace/pageSize)) * pageSize
				off := s.take(size)
				reach(off + size)
				runtime.Gosched()
				file.Lock()
				if off+size > file.length {
					t.Errorf("a block that ends at %d was cut off at %d", off+size, file.length)
				}
				file.Unlock()
				s.give(off, size)
				s.trim(r.IntN(2) == 0, truncate)
			}
		})
	}
	workers.Wait()
	s.trim(false, truncate)
	if _, end := s.stats(); end != 0 || file.length != 0 || cuts == 0 {
		t.Errorf("the file has %d bytes, the space ends at %d, after %d cuts", file.length, end, cuts)
	}
}
