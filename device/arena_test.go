package device

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
		if size%alignment != 0 {
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
		var a arena
		a.init(InDevice, limit)
		defer a.close()
		var used int64
		live := map[*hostBlock]byte{}
		var order []*hostBlock
		mark := byte(0)
		t.Repeat(map[string]func(*rapid.T){
			"alloc": func(t *rapid.T) {
				n := rapid.OneOf(rapid.Int64Range(0, 2000), rapid.Int64Range(0, 1<<20), rapid.Just(limit-used)).Draw(t, "n")
				b, err := a.alloc(n)
				if fits := n <= limit-used; (err == nil) != fits {
					t.Fatalf("alloc of %d with %d of %d used: %v", n, used, limit, err)
				}
				if err != nil {
					return
				}
				b.refs.Store(1)
				if int64(len(b.mem)) != n || addressOf(b.mem)%alignment != 0 {
					t.Fatalf("%d bytes at %#x, want %d", len(b.mem), addressOf(b.mem), n)
				}
				mark++
				fill(b.mem, mark)
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
				used -= int64(len(b.mem))
				b.release()
			},
			"": func(t *rapid.T) {
				if info := a.info(); info.Free != limit-used || info.Total != limit {
					t.Fatalf("%+v, want %d of %d used", info, used, limit)
				}
				for b, mark := range live {
					if n := len(b.mem); n > 0 && (b.mem[0] != mark || b.mem[n/2] != mark || b.mem[n-1] != mark) {
						t.Fatal("two blocks share a byte")
					}
				}
			},
		})
	})
}

func TestAQueueKeepsItsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q operations
		var model []int64
		next := int64(0)
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 100).Draw(t, "n") {
					next++
					q.push(&operation{n: next})
					model = append(model, next)
				}
			},
			"unpop": func(*rapid.T) {
				next++
				q.unpop(&operation{n: next})
				model = append([]int64{next}, model...)
			},
			"pop": func(t *rapid.T) {
				for range rapid.IntRange(1, 100).Draw(t, "n") {
					o, some := q.pop()
					if some != (len(model) > 0) {
						t.Fatalf("pop = %v with %d in the queue", some, len(model))
					}
					if !some {
						break
					}
					if o.n != model[0] {
						t.Fatalf("popped %d, want %d", o.n, model[0])
					}
					model = model[1:]
				}
			},
			"": func(t *rapid.T) {
				i := 0
				for o := range q.all() {
					if o.n != model[i] {
						t.Fatalf("operation %d is %d, want %d", i, o.n, model[i])
					}
					i++
				}
				if i != len(model) {
					t.Fatalf("%d operations, want %d", i, len(model))
				}
				for i := range q.ring[:len(q.ring)-q.n] {
					if left := q.at(q.n + i); left.n != 0 {
						t.Fatalf("operation %d was popped and is still reachable", left.n)
					}
				}
			},
		})
	})
}
