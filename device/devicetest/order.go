package devicetest

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/seed14ed4225/sluice/device"
)

var order = []test{
	{"FunctionsAreCalledInOrder", func(e *env) {
		const calls = 200
		s := e.stream("s")
		var got []int
		for i := range calls {
			e.ok(s.Do(fmt.Sprint(i), func() error {
				got = append(got, i)
				return nil
			}))
		}
		e.ok(e.sync(s))
		for i, v := range got {
			if v != i {
				e.Fatalf("call %d was of function %d", i, v)
			}
		}
		if len(got) != calls {
			e.Fatalf("%d calls, want %d", len(got), calls)
		}
	}},
	{"QueuingDoesNotWaitForTheWork", func(e *env) {
		s := e.stream("s")
		reached, open := e.gate(s)
		e.come("start of the gate", reached)
		b := e.alloc(s, 1000)
		p := e.pinned(s, 1000)
		e.ok(s.Fill(b.All(), 3))
		e.ok(s.Copy(p.All(), b.All()))
		event := s.Record()
		e.ok(s.WaitFor(event))
		last := s.Record()
		e.pending(event)
		e.pending(last)
		open()
		e.ok(e.wait(last))
		if p.Bytes()[999] != 3 {
			e.Fatal("the copy was not done in order")
		}
	}},
	{"AStreamThatIsHeldUpHoldsUpNoOther", func(e *env) {
		held, free := e.stream("held"), e.stream("free")
		reached, open := e.gate(held)
		behind := held.Record()
		e.come("start of the gate", reached)
		b := e.alloc(free, 1<<20)
		e.ok(free.Fill(b.All(), 1))
		e.ok(e.sync(free))
		e.pending(behind)
		open()
		e.ok(e.wait(behind))
	}},
	{"SeveralGoroutinesMayShareAStream", func(e *env) {
		const goroutines, each = 8, 100
		s := e.stream("s")
		var last [goroutines]int // no lock: the stream calls one function at a time
		var all sync.WaitGroup
		errs := make([]error, goroutines)
		for g := range goroutines {
			all.Go(func() {
				for i := range each {
					err := s.Do("count", func() error {
						if last[g] != i {
							return fmt.Errorf("function %d of goroutine %d came after %d", i, g, last[g])
						}
						last[g]++
						return nil
					})
					if err != nil {
						errs[g] = err
						return
					}
				}
			})
		}
		all.Wait()
		for _, err := range errs {
			e.ok(err)
		}
		e.ok(e.sync(s))
		for g, n := range last {
			if n != each {
				e.Errorf("%d functions of goroutine %d were called, want %d", n, g, each)
			}
		}
	}},
	{"AFunctionMayQueueMore", func(e *env) {
		s := e.stream("s")
		called := make(chan struct{})
		e.ok(s.Do("outer", func() error {
			return s.Do("inner", func() error {
				close(called)
				return nil
			})
		}))
		e.come("call of the inner function", called)
		e.ok(e.sync(s))
	}},
	{"RandomWorkDoesWhatItsOrderSays", randomWork},
}

// randomWork queues random operations on streams that random events order fully, and
// compares with the same done at once on plain slices.
func randomWork(e *env) {
	const rounds, steps, blocks, size = 6, 80, 4, 3000
	r := e.random()
	for range rounds {
		streams := []device.Stream{e.stream("a"), e.stream("b"), e.stream("c")}
		s := streams[0]
		var is, want [blocks][]byte
		var on [blocks]device.Span
		for i := range blocks {
			want[i] = noise(r, size)
			is[i] = bytes.Clone(want[i])
			switch i % 3 {
			case 0, 1:
				b := e.alloc(s, size)
				e.ok(s.Copy(b.All(), device.Bytes(is[i])))
				on[i] = b.All()
			case 2:
				b := e.pinned(s, size)
				e.ok(s.Copy(b.All(), device.Bytes(is[i])))
				on[i] = b.All()
			}
		}
		for range steps {
			if next := streams[r.IntN(len(streams))]; next != s {
				e.ok(next.WaitFor(s.Record()))
				s = next
			}
			n := r.Int64N(size)
			from, to := r.Int64N(size-n+1), r.Int64N(size-n+1)
			i, j := r.IntN(blocks), r.IntN(blocks)
			if i == j || r.IntN(4) == 0 {
				value := byte(r.Uint32())
				e.ok(s.Fill(on[i].Block().Span(to, n), value))
				copy(want[i][to:], bytes.Repeat([]byte{value}, int(n)))
				continue
			}
			e.ok(s.Copy(on[i].Block().Span(to, n), on[j].Block().Span(from, n)))
			copy(want[i][to:to+n], want[j][from:])
		}
		for i := range blocks {
			e.ok(s.Copy(device.Bytes(is[i]), on[i]))
		}
		e.ok(e.sync(s))
		for i := range blocks {
			if !bytes.Equal(is[i], want[i]) {
				e.Fatalf("block %d differs", i)
			}
		}
	}
}
