package devicetest

import (
	"context"
	"os"
	"runtime/pprof"
	"sync"
	"testing"

	"github.com/seed14ed4225/sluice/device"
)

var events = []test{
	{"AnEventCompletesWhenAllBeforeItIsDone", func(e *env) {
		s := e.stream("s")
		before := s.Record()
		_, open := e.gate(s)
		behind := s.Record()
		e.ok(e.wait(before))
		e.pending(behind)
		open()
		e.ok(e.wait(behind))
		if done, err := behind.Query(); !done || err != nil {
			e.Fatalf("Query = %v, %v after Wait", done, err)
		}
		e.come("end of Done", behind.Done())
		if behind.Name() != "s" {
			e.Errorf("the event is named %q, want its stream", behind.Name())
		}
	}},
	{"AnotherStreamWaitsForAnEvent", func(e *env) {
		makes, takes := e.stream("makes"), e.stream("takes")
		b := e.alloc(makes, 100_000)
		got := make([]byte, b.Size())
		_, open := e.gate(makes)
		e.ok(makes.Fill(b.All(), 7))
		e.ok(takes.WaitFor(makes.Record()))
		e.ok(takes.Copy(device.Bytes(got), b.All()))
		taken := takes.Record()
		e.pending(taken)
		open()
		e.ok(e.wait(taken))
		for i, v := range got {
			if v != 7 {
				e.Fatalf("byte %d is %d: the copy did not wait", i, v)
			}
		}
	}},
	{"AWaitIsForTheMomentOfTheRecord", func(e *env) {
		a, b := e.stream("a"), e.stream("b")
		early := a.Record()
		_, open := e.gate(a)
		e.ok(b.WaitFor(early)) // and not for the gate behind it
		e.ok(e.sync(b))
		e.ok(a.WaitFor(early)) // a stream may wait for itself
		open()
		e.ok(e.sync(a))
	}},
	{"WorkSpreadsAndComesTogether", func(e *env) {
		const width, n = 6, 4096
		root, join := e.stream("root"), e.stream("join")
		src, dst := e.alloc(root, n), e.alloc(root, n*width)
		_, open := e.gate(root)
		e.ok(root.Fill(src.All(), 9))
		begun := root.Record()
		for i := range int64(width) {
			s := e.stream("branch")
			e.ok(s.WaitFor(begun))
			e.ok(s.Copy(dst.Span(i*n, n), src.All()))
			e.ok(join.WaitFor(s.Record()))
		}
		open()
		e.holds(join, dst.All(), 9)
	}},
	{"AWaitEndsWithItsContext", func(e *env) {
		s := e.stream("s")
		_, open := e.gate(s)
		behind := s.Record()
		ctx, cancel := context.WithCancel(context.Background())
		result := make(chan error)
		go func() { result <- behind.Wait(ctx) }()
		go func() { result <- s.Sync(ctx) }()
		cancel()
		e.is(<-result, context.Canceled)
		e.is(<-result, context.Canceled)
		e.pending(behind)
		open()
		e.ok(e.wait(behind))
	}},
	{"AnEventThatHasCompletedDoesNotLookAtTheContext", func(e *env) {
		ev := e.stream("s").Record()
		e.ok(e.wait(ev))
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		e.ok(ev.Wait(ctx))
	}},
	{"AThousandWaitersHoldNoThreads", func(e *env) {
		const waiters, few = 1000, 16
		s := e.stream("s")
		_, open := e.gate(s)
		before := threads(e.T)
		var all, started sync.WaitGroup
		errs := make([]error, waiters)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		for i := range waiters {
			ev := s.Record()
			started.Add(1)
			all.Go(func() {
				started.Done()
				errs[i] = ev.Wait(ctx)
			})
		}
		started.Wait()
		e.ok(e.sync(e.stream("other"))) // gives them time to park
		if more := threads(e.T) - before; more > few {
			e.Errorf("%d waiters made %d threads, want no more than %d", waiters, more, few)
		}
		open()
		all.Wait()
		for _, err := range errs {
			e.ok(err)
		}
	}},
}

// threads returns how many threads the process has, or has had where that is not known.
func threads(t *testing.T) int {
	t.Helper()
	if tasks, err := os.ReadDir("/proc/self/task"); err == nil {
		return len(tasks)
	}
	return pprof.Lookup("threadcreate").Count()
}
