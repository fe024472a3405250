package arena

import (
	"testing"

	"pgregory.net/rapid"
)

func TestSizeClassesAreCloseAboveAndAligned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, 1<<largest).Draw(t, "n")
		class, size := sizeClass(n)
		if size < n || class < 0 || class >= classes {
			t.Fatalf("class %d of %d bytes", class, size)
		}
		if n > 1<<smallest && size-n >= n/4+1 {
			t.Errorf("%d bytes waste %d", n, size-n)
		}
		if size%Alignment != 0 {
			t.Errorf("pieces of %d bytes are not aligned", size)
		}
		if again, same := sizeClass(size); again != class || same != size {
			t.Errorf("%d bytes are of class %d, but its pieces, of %d bytes, of class %d", n, class, size, again)
		}
	})
}

func TestAnArenaGivesEveryByteToOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(1, 4<<20).Draw(t, "limit")
		var a Arena
		a.Init(limit, limit)
		defer a.Close()
		var used int64
		live := map[*Piece]byte{}
		var order []*Piece
		mark := byte(0)
		t.Repeat(map[string]func(*rapid.T){
			"alloc": func(t *rapid.T) {
				n := rapid.OneOf(rapid.Int64Range(0, 2000), rapid.Int64Range(0, 1<<20), rapid.Just(limit-used)).Draw(t, "n")
				p, ok := a.Alloc(n)
				if fits := n <= limit-used; ok != fits {
					t.Fatalf("alloc of %d with %d of %d used: %v", n, used, limit, ok)
				}
				if !ok {
					return
				}
				b := &p
				if int64(len(b.Bytes)) != n || Address(b.Bytes)%Alignment != 0 {
					t.Fatalf("%d bytes at %#x, want %d", len(b.Bytes), Address(b.Bytes), n)
				}
				mark++
				for i := range b.Bytes {
					b.Bytes[i] = mark
				}
				live[b] = mark
				order = append(order, b)
				used += n
			},
			"free": func(t *rapid.T) {
				if len(order) == 0 {
					t.Skip("nothing is allocated")
				}
				i := rapid.IntRange(0, len(order)-1).Draw(t, "which")
				b := order[i]
				order[i] = order[len(order)-1]
				order = order[:len(order)-1]
				delete(live, b)
				used -= int64(len(b.Bytes))
				a.Free(*b)
			},
			"": func(t *rapid.T) {
				if got := a.Used(); got != used {
					t.Fatalf("%d used, want %d", got, used)
				}
				for b, mark := range live {
					if n := len(b.Bytes); n > 0 && (b.Bytes[0] != mark || b.Bytes[n/2] != mark || b.Bytes[n-1] != mark) {
						t.Fatal("two pieces share a byte")
					}
				}
			},
		})
	})
}

func TestWhatWasUsedLastIsKeptLongest(t *testing.T) {
	if debugging {
		t.Skip("the debug build keeps nothing")
	}
	const mib = 1 << 20
	var a Arena
	a.Init(100*mib, 4*mib)
	defer a.Close()
	var pieces []Piece
	for _, n := range []int64{1 * mib, 2 * mib, 1 * mib} {
		p, ok := a.Alloc(n)
		if !ok {
			t.Fatal("no memory")
		}
		pieces = append(pieces, p)
	}
	for _, p := range []int{2, 1, 0} {
		a.Free(pieces[p])
	}
	if got := a.Mapped(); got != 4*mib {
		t.Errorf("%d mapped, want all that was used", got)
	}
	p, _ := a.Alloc(3 * mib / 2) // makes the first two go: one would not do
	if got := a.Mapped(); got != 5*mib/2 {
		t.Errorf("%d mapped, want the latest and the new one", got)
	}
	again, _ := a.Alloc(1 * mib)
	if Address(again.Bytes) != Address(pieces[0].Bytes) {
		t.Error("what was used last has been unmapped")
	}
	a.Free(p)
	a.Free(again)
}

func TestASlabOfWhichNothingIsInUseIsCutForAnotherClass(t *testing.T) {
	if debugging {
		t.Skip("the debug build keeps nothing")
	}
	var a Arena
	a.Init(100<<20, 2<<20)
	defer a.Close()
	var first [2]Piece // fill what may be kept
	for i := range first {
		first[i], _ = a.Alloc(1 << 20)
	}
	last, old := Address(first[0].Bytes), Address(first[1].Bytes)
	a.Free(first[1])
	a.Free(first[0])
	var small []Piece
	for range 17 { // of which 16 fit a slab
		p, ok := a.Alloc(64 << 10)
		if !ok {
			t.Fatal("no memory")
		}
		small = append(small, p)
	}
	if Address(small[0].Bytes) != old || Address(small[16].Bytes) != last {
		t.Error("slabs are not used again, that one first which was used longest ago")
	}
	if got := a.Mapped(); got != 2<<20 {
		t.Errorf("%d bytes are mapped", got)
	}
	for _, p := range small {
		a.Free(p)
	}
	whole, _ := a.Alloc(1 << 20)
	if got := a.Mapped(); got != 2<<20 || len(whole.Bytes) != 1<<20 {
		t.Errorf("%d bytes are mapped", got)
	}
	a.Free(whole)
}

func TestWhatIsAbandonedIsNeverUsedAgain(t *testing.T) {
	var a Arena
	a.Init(1<<20, 1<<20)
	lost, _ := a.Alloc(1 << 20)
	a.Abandon(lost)
	if a.Used() != 0 || a.Mapped() != 0 {
		t.Errorf("%d used, %d mapped", a.Used(), a.Mapped())
	}
	next, ok := a.Alloc(1 << 20)
	if !ok || Address(next.Bytes) == Address(lost.Bytes) {
		t.Errorf("got %v at the same place", ok)
	}
	a.Free(next)
	a.Close()
	lost.Bytes[0] = 1 // is still there
	a.Abandon(Piece{})
	a.Free(Piece{})
}
