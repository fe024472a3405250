package device_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/internal/wait"
)

// polled is an event source that completes its event when it is looked at after the
// work is done, or by itself if it was told to watch.
type polled struct {
	done  bool
	polls atomic.Int64
	poll  func() // if not nil, is called when the event is polled
	watch []*device.Event
}

func (p *polled) Poll(e *device.Event) {
	p.polls.Add(1)
	if p.poll != nil {
		p.poll()
	}
	if p.done {
		e.Complete(nil)
	}
}

func (p *polled) Watch(e *device.Event) { p.watch = append(p.watch, e) }

func TestAnEventIsOnlyWatchedWhenSomebodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var source polled
		e := device.NewEvent("s", &source)
		if done, _ := e.Query(); done || source.polls.Load() != 1 || len(source.watch) != 0 {
			t.Errorf("Query = %v after %d polls, %d watched", done, source.polls.Load(), len(source.watch))
		}
		results := make(chan error)
		for range 3 {
			go func() { results <- e.Wait(context.Background()) }()
		}
		synctest.Wait()
		if len(source.watch) != 1 || source.watch[0] != e {
			t.Errorf("%d watched, want the event once", len(source.watch))
		}
		e.Complete(errTest)
		e.Complete(nil) // too late
		for range 3 {
			errIs(t, <-results, errTest)
		}
		polls := source.polls.Load()
		if _, err := e.Query(); err != errTest || source.polls.Load() != polls { //nolint:errorlint // exactly this
			t.Errorf("Query = %v after %d more polls", err, source.polls.Load()-polls)
		}
	})
}

func TestAnEventThatIsPolledDoneNeedsNoWatch(t *testing.T) {
	source := polled{done: true}
	e := device.NewEvent("s", &source)
	errIs(t, e.Wait(context.Background()), nil)
	<-e.Done()
	if len(source.watch) != 0 {
		t.Error("it was watched")
	}
}

func TestAHostStreamWaitsForAnEventThatIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var source polled
		e := device.NewEvent("far", &source)
		s := newStream(t, newHost(t, device.HostOptions{}), "s")
		errIs(t, s.WaitFor(e), nil)
		end := s.Record()
		synctest.Wait()
		if len(source.watch) != 1 {
			t.Fatal("the event is not watched")
		}
		e.Complete(nil)
		errIs(t, end.Wait(context.Background()), nil)
	})
}

// lateContext ends when it is first asked whether it has, and the event completes then.
type lateContext struct {
	context.Context
	e *device.Event
}

func (c lateContext) Done() <-chan struct{} {
	c.e.Complete(nil)
	done := make(chan struct{})
	close(done)
	return done
}

func (c lateContext) Err() error { return context.Canceled }

func TestAnEventCountsMoreThanAContextThatEndsAtTheSameTime(t *testing.T) {
	for range 100 { // a select takes either
		e := device.NewEvent("s", nil)
		errIs(t, e.Wait(lateContext{context.Background(), e}), nil)
	}
}

func TestAWaitForAnEventIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var clock wait.Clock
		var node wait.Node
		node.Init("owner", &clock)
		ctx, cancel := context.WithCancel(wait.NewContext(context.Background(), &node))
		for _, end := range []func(e *device.Event) error{
			func(e *device.Event) error { e.Complete(nil); return nil },
			func(*device.Event) error { cancel(); return context.Canceled },
		} {
			e := device.NewEvent("copies", nil)
			before := node.Spent(wait.ForEvent)
			result := make(chan error)
			go func() { result <- e.Wait(ctx) }()
			synctest.Wait()
			waits := node.Waits()
			if len(waits) != 1 || waits[0].Reason != wait.ForEvent || waits[0].On.(interface{ Name() string }).Name() != "copies" {
				t.Fatalf("waits are %+v, want one for an event of the stream", waits)
			}
			clock.Set(clock.Now() + time.Second)
			want := end(e)
			errIs(t, <-result, want)
			if left := node.Waits(); len(left) > 0 {
				t.Errorf("%+v are left", left)
			}
			if took := node.Spent(wait.ForEvent) - before; took != time.Second {
				t.Errorf("the wait took %v, want 1s", took)
			}
		}
		if got := wait.ForEvent.String(); got != "see an event of" {
			t.Errorf("a node waits to %s a stream", got)
		}
	})
}
