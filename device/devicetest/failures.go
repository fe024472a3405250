package devicetest

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/seed14ed4225/sluice/device"
)

var failures = []test{
	{"AFailureIsReportedBehindTheOperationAndNotBefore", func(e *env) {
		s := e.stream("s")
		b := e.alloc(s, 10)
		_, open := e.gate(s)
		before := s.Record()
		e.ok(s.Do("breaks", func() error { return errTest }))
		behind := s.Record()
		e.ok(s.Do("behind", func() error {
			e.Error("a function was called behind a failure")
			return nil
		}))
		last := s.Record()
		open()
		e.ok(e.wait(before))
		for _, ev := range []*device.Event{behind, last} {
			e.culprit(e.wait(ev), "s", "breaks")
		}
		// Who has seen the event sees it everywhere.
		e.culprit(s.Err(), "s", "breaks")
		e.culprit(e.sync(s), "s", "breaks")
		e.culprit(s.Copy(b.All(), device.Bytes(make([]byte, 10))), "s", "breaks")
		e.culprit(s.Do("late", func() error { return nil }), "s", "breaks")
		_, err := s.Alloc(1)
		e.culprit(err, "s", "breaks")
		e.ok(s.Free(b)) // memory does not depend on success
		e.ok(e.d.Err())
		e.ok(e.sync(e.stream("another")))
	}},
	{"AFailureReachesEveryStreamBehindIt", func(e *env) {
		a, b, c, apart := e.stream("a"), e.stream("b"), e.stream("c"), e.stream("apart")
		_, open := e.gate(a)
		good := a.Record()
		e.ok(a.Do("breaks", func() error { return errTest }))
		e.ok(b.WaitFor(a.Record()))
		e.ok(c.WaitFor(b.Record()))
		e.ok(apart.WaitFor(good))
		called := false
		e.ok(c.Do("behind", func() error {
			called = true
			return nil
		}))
		end := c.Record()
		fine := apart.Record()
		open()
		e.culprit(e.wait(end), "a", "breaks")
		e.culprit(e.sync(b), "a", "breaks")
		e.ok(e.wait(fine))
		e.ok(apart.Err())
		if called {
			e.Error("a function was called behind a failure of another stream")
		}
	}},
	{"AStreamThatWaitsForAFailedEventFails", func(e *env) {
		a, b := e.stream("a"), e.stream("b")
		e.ok(a.Do("breaks", func() error { return errTest }))
		ev := a.Record()
		e.culprit(e.wait(ev), "a", "breaks")
		e.ok(b.WaitFor(ev))
		e.culprit(e.sync(b), "a", "breaks")
	}},
	{"TheFirstFailureOfAStreamStays", func(e *env) {
		a, b := e.stream("a"), e.stream("b")
		e.ok(b.Do("second", func() error { return errors.New("another failure") }))
		second := b.Record()
		_, open := e.gate(a)
		e.ok(a.Do("first", func() error { return errTest }))
		first := a.Record()
		e.ok(a.WaitFor(second))
		last := a.Record()
		open()
		for _, ev := range []*device.Event{last, first} {
			e.culprit(e.wait(ev), "a", "first")
		}
		e.culprit(a.Err(), "a", "first")
	}},
	{"AStreamThatHasFailedStillWaitsBeforeItFrees", func(e *env) {
		for _, known := range []bool{false, true} {
			s, uses := e.stream("s"), e.stream("uses")
			b := e.alloc(s, 1000)
			e.ok(uses.WaitFor(s.Record()))
			_, open := e.gate(uses)
			got := make([]byte, 1000)
			e.ok(uses.Fill(b.All(), 1))
			e.ok(uses.Copy(device.Bytes(got), b.All()))
			_, fail := e.gate(s)
			e.ok(s.Do("breaks", func() error { return errTest }))
			if known {
				fail()
				e.is(e.sync(s), errTest)
				e.culprit(s.WaitFor(uses.Record()), "s", "breaks")
			} else {
				e.ok(s.WaitFor(uses.Record()))
				fail()
			}
			e.ok(s.Free(b))
			other := e.stream("other")
			for range 10 {
				c := e.alloc(other, 1000)
				e.ok(other.Fill(c.All(), 2))
			}
			e.ok(e.sync(other))
			open()
			e.ok(e.sync(uses))
			if got[0] != 1 || got[999] != 1 {
				e.Error("the memory was freed before the other stream was done")
			}
		}
	}},
	{"AnEventOfAFailedStreamWaitsForWhatIsInProgress", func(e *env) {
		faults := e.faults()
		breaks := e.stream("breaks")
		e.ok(breaks.Do("breaks", func() error { return errTest }))
		failed := breaks.Record()
		e.is(e.wait(failed), errTest)

		s, frees := e.stream("s"), e.stream("frees")
		b, to := e.alloc(s, 1000), e.pinned(s, 1000)
		reached, release := faults.Hang(device.OpCopy, 1)
		defer release()
		e.ok(s.Copy(to.All(), b.All()))
		e.come("hang", reached)
		e.ok(s.WaitFor(failed))
		behind := s.Record()
		e.pending(behind)
		e.ok(frees.WaitFor(behind))
		e.ok(frees.Free(b))
		last := frees.Record()
		e.ok(e.sync(e.stream("other"))) // lets the device do what it should not
		e.pending(last)
		release()
		e.culprit(e.wait(behind), "breaks", "breaks")
		e.culprit(e.wait(last), "breaks", "breaks")
	}},
	{"AnEventBehindAnOperationThatFailsWaitsForWhatIsBeforeIt", func(e *env) {
		faults := e.faults()
		s := e.stream("s")
		b, to := e.alloc(s, 1000), e.pinned(s, 1000)
		_, open := e.gate(s) // so that the failure is not an error of the call
		is := faults.Fail(device.OpFill, 1)
		reached, release := faults.Hang(device.OpCopy, 1)
		defer release()
		e.ok(s.Copy(to.All(), b.All()))
		e.ok(s.Fill(b.All(), 1))
		behind := s.Record()
		open()
		e.come("hang", reached)
		e.ok(e.sync(e.stream("other")))
		e.pending(behind)
		release()
		e.culpritIs(e.wait(behind), is, "s", "fill of 1000 bytes")
	}},
	{"APanicIsAFailure", func(e *env) {
		s := e.stream("s")
		e.ok(s.Do("panics", func() error { panic(errTest) }))
		err := e.sync(s)
		e.culprit(err, "s", "panics")
		var p *device.PanicError
		if !errors.As(err, &p) || p.Value != any(errTest) || len(p.Stack) == 0 {
			e.Errorf("%v is no PanicError with the value", err)
		}
	}},
	{"MemoryIsFreedBehindAFailure", func(e *env) {
		s := e.stream("s")
		b := e.alloc(s, 1000)
		e.ok(s.Do("breaks", func() error { return errTest }))
		e.ok(s.Free(b))
		e.is(e.sync(s), errTest)
		late, err := e.d.AllocPinned(1000)
		e.ok(err)
		e.ok(s.Free(late))
	}},
	{"EachKindOfOperationCanFail", func(e *env) {
		faults := e.faults()
		for _, c := range []struct {
			op    device.Op
			says  string
			queue func(s device.Stream, a, b *device.Block) error
		}{
			{device.OpCopy, "copy of 100 bytes from device to pinned", func(s device.Stream, a, b *device.Block) error {
				return s.Copy(b.All(), a.All())
			}},
			{device.OpFill, "fill of 100 bytes in device", func(s device.Stream, a, b *device.Block) error { return s.Fill(a.All(), 1) }},
			{device.OpDo, `function "f"`, func(s device.Stream, a, b *device.Block) error { return s.Do("f", func() error { return nil }) }},
			{device.OpFree, "free of 100 bytes of device memory", func(s device.Stream, a, b *device.Block) error { return s.Free(a) }},
		} {
			s := e.stream("s")
			a, b := e.alloc(s, 100), e.pinned(s, 100)
			e.ok(e.sync(s))
			reached, open := e.gate(s) // so that it is not refused at once
			e.come("start of the gate", reached)
			before := s.Record()
			is := faults.Fail(c.op, 1)
			if is == nil {
				e.Logf("no %s can be made to fail", c.says)
				continue
			}
			e.ok(c.queue(s, a, b))
			behind := s.Record()
			open()
			e.is(e.wait(before), nil)
			e.culpritIs(e.wait(behind), is, "s", c.says)
		}
	}},
	{"TheNthOperationFails", func(e *env) {
		s := e.stream("s")
		b := e.alloc(s, 100)
		is := e.faults().Fail(device.OpFill, 3)
		var evs []*device.Event
		_, open := e.gate(s)
		for range 4 {
			e.ok(s.Fill(b.All(), 1))
			evs = append(evs, s.Record())
		}
		open()
		e.ok(e.wait(evs[0]))
		e.ok(e.wait(evs[1]))
		for _, ev := range evs[2:] {
			e.culpritIs(e.wait(ev), is, "s", "fill of 100 bytes")
		}
	}},
	{"AnAllocationThatFailsLeavesTheStreamAsItWas", func(e *env) {
		s := e.stream("s")
		faults := e.faults()
		faults.Exhaust()
		_, err := s.Alloc(10)
		e.isFull(err, 10)
		is := faults.Fail(device.OpAlloc, 1)
		_, err = s.Alloc(10)
		e.culpritIs(err, is, "s", "allocation of 10 bytes")
		e.alloc(s, 10)
		e.ok(e.sync(s))
	}},
	{"AHangHoldsUpOnlyWhatIsBehindIt", func(e *env) {
		s, other := e.stream("s"), e.stream("other")
		b := e.alloc(s, 10)
		reached, release := e.faults().Hang(device.OpFill, 1)
		defer release()
		before := s.Record()
		e.ok(s.Fill(b.All(), 1))
		behind := s.Record()
		e.come("hang", reached)
		e.ok(e.wait(before))
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		e.is(behind.Wait(ctx), context.Canceled)
		e.ok(e.sync(other))
		release()
		e.ok(e.wait(behind))
		e.holds(s, b.All(), 1)
	}},
	{"AFailureForGoodWakesEverybody", stickyFailure},
}

func stickyFailure(e *env) {
	if e.caps.Break == nil {
		e.Skip("this device cannot be made to fail for good")
	}
	const waiters = 50
	held, behind, idle := e.stream("held"), e.stream("behind"), e.stream("idle")
	b := e.alloc(held, 100)
	reached, open := e.gate(held)
	e.come("start of the gate", reached)
	e.ok(held.Free(b))
	e.ok(behind.WaitFor(held.Record()))
	left := e.alloc(behind, 100)
	e.ok(behind.Do("never", func() error {
		e.Error("a function was called after the device had failed")
		return nil
	}))

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	errs := make([]error, waiters)
	var all sync.WaitGroup
	for i := range waiters {
		ev := []device.Stream{held, behind}[i%2].Record()
		all.Go(func() { errs[i] = ev.Wait(ctx) })
	}
	e.ok(e.caps.Break(e.d))
	all.Wait() // although the gate is closed
	for _, err := range errs {
		e.isFailed(err)
	}
	e.isFailed(e.d.Err())
	for _, s := range []device.Stream{held, behind, idle} {
		e.isFailed(e.sync(s))
		e.isFailed(s.Err())
		e.isFailed(s.Do("late", func() error { return nil }))
		_, err := s.Alloc(1)
		e.isFailed(err)
	}
	_, err := e.d.AllocPinned(1)
	e.isFailed(err)
	_, err = e.d.NewStream(device.StreamOptions{})
	e.isFailed(err)
	e.ok(idle.Free(left))
	open()
}

// faults returns the faults of the device, or skips the test.
func (e *env) faults() Faults {
	e.Helper()
	if e.caps.Faults == nil {
		e.Skip("this device cannot be told to misbehave")
	}
	return e.caps.Faults(e.d)
}

// culprit fails the test unless the innermost OpError is of an operation of that
// stream, with these words in its name, and wraps the test's failure.
func (e *env) culprit(err error, stream, op string) {
	e.Helper()
	e.culpritIs(err, func(err error) bool { return errors.Is(err, errTest) }, stream, op)
}

// culpritIs is culprit for another failure.
func (e *env) culpritIs(err error, is func(error) bool, stream, op string) {
	e.Helper()
	if !is(err) {
		e.Fatalf("error is %v, want what was asked for", err)
	}
	var inner *device.OpError
	for at := err; errors.As(at, &inner); at = inner.Err {
	}
	if inner == nil || inner.Stream != stream || !strings.Contains(inner.Op, op) || inner.Device != e.d.Properties().Name {
		e.Fatalf("the culprit is %+v, want %q of stream %q; whole error: %v", inner, op, stream, err)
	}
}

// isOf fails the test unless the error is an OpError of that device and stream.
func (e *env) isOf(err error, name, stream, what string) {
	e.Helper()
	var op *device.OpError
	if !errors.As(err, &op) || op.Device != name || op.Stream != stream || op.Op == "" {
		e.Errorf("%s: %v does not name device, stream and operation", what, err)
	}
}

func (e *env) isFailed(err error) {
	e.Helper()
	var failed *device.FailedError
	if !errors.As(err, &failed) {
		e.Fatalf("error is %v, want a FailedError", err)
	}
}
