package device

import (
	"testing"

	"pgregory.net/rapid"
)

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
