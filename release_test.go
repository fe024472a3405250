package sluice_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// bomb is a payload whose Release does not come back as it should.
type bomb struct {
	how      string // "panic" or "exit", or "" for a good one
	released *int
}

func (b bomb) Release() {
	*b.released++
	switch b.how {
	case "panic":
		panic("release")
	case "exit":
		runtime.Goexit()
	}
}

// What nobody received is released by the network, where a panic is nobody's to
// recover from: it ends the run and not the program.
func TestAReleaseThatPanicsOrExitsIsAFailureOfTheRun(t *testing.T) {
	for _, how := range []string{"panic", "exit"} {
		for _, end := range []string{"stop", "fail", "cancel"} {
			t.Run(how+"/"+end, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					released := 0
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					n := sluice.NewNetwork("n")
					a, b := n.Channel("a"), n.Channel("b")
					n.Node("source", func(ctx context.Context) error {
						m := sluice.NewMessage(0, bomb{how, &released})
						if err := a.Send(ctx, &m); err != nil {
							return err
						}
						m = sluice.NewMessage(1, 1)
						return a.Send(ctx, &m)
					}, sluice.Writes(a))
					n.Node("sink", func(ctx context.Context) error {
						synctest.Wait()
						switch end {
						case "stop":
							return nil
						case "fail":
							return errBroken
						}
						cancel()
						<-ctx.Done()
						return ctx.Err()
					}, sluice.Reads(a), sluice.Writes(b))
					n.Node("tail", counts(b, nil), sluice.Reads(b))
					err := n.Run(ctx)
					if err == nil || !strings.Contains(err.Error(), "releasing what nobody received") {
						t.Errorf("Run = %v", err)
					}
					if end == "fail" && !errors.Is(err, errBroken) {
						t.Errorf("Run = %v, which leaves out the node's own error", err)
					}
					if released != 1 {
						t.Errorf("released %d times", released)
					}
				})
			})
		}
	}
}

func TestAStopGoesOnAfterAReleaseThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := sluice.NewChannel("c", sluice.Slots(3))
		released := 0
		for i, how := range []string{"panic", "", ""} {
			mustSend(t, c, sluice.NewMessage(sluice.SeqNum(i), bomb{how, &released}))
		}
		waiting := try(func() error { _, err := c.Meta().Recv(t.Context()); return err })
		waiting.waits(t)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is lost")
				}
			}()
			c.Stop()
		}()
		waiting.returns(t)
		if released != 3 {
			t.Errorf("released %d of 3", released)
		}
	})
}

func TestAReleaseThatPanicsGivesTheTicketBackAndIsCalledOnce(t *testing.T) {
	c := sluice.NewChannel("c")
	throttle, err := sluice.NewThrottle(c, 1)
	errIs(t, err, nil)
	ticket, err := throttle.Acquire(t.Context())
	errIs(t, err, nil)
	released := 0
	m := sluice.NewMessage(0, bomb{"panic", &released})
	errIs(t, ticket.SendHeld(t.Context(), &m), nil)
	m, err = c.Recv(t.Context())
	errIs(t, err, nil)
	func() {
		defer func() { _ = recover() }()
		defer m.Release()
		m.Replace(1)
	}()
	if released != 1 {
		t.Errorf("released %d times", released)
	}
	if _, err := throttle.Acquire(cancelledContext()); err != nil {
		t.Errorf("the ticket is lost: %v", err)
	}
}

type panicsInContent struct{}

func (panicsInContent) Content() mem.Content { panic("content") }

func TestAContentThatPanicsLeavesTheTicketGood(t *testing.T) {
	throttle, err := sluice.NewThrottle(sluice.NewChannel("c"), 1)
	errIs(t, err, nil)
	func() {
		defer func() { _ = recover() }()
		ticket, err := throttle.Acquire(t.Context())
		errIs(t, err, nil)
		defer ticket.Release()
		m := sluice.NewMessage(0, panicsInContent{})
		_, _ = ticket.Send(t.Context(), &m)
	}()
	if _, err := throttle.Acquire(cancelledContext()); err != nil {
		t.Errorf("the ticket is lost: %v", err)
	}
}

// locked is a payload whose Release needs a lock that a waiting node holds.
type locked struct{ mu *sync.Mutex }

func (p locked) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
}

// Every waiter wakes at once: none waits for the Release of what lies in a channel.
func TestAnAbortOfTheNetworkWakesEveryoneBeforeItReleasesAnything(t *testing.T) {
	var mu sync.Mutex
	n := sluice.NewNetwork("n")
	a, b := n.Channel("a"), n.Channel("b")
	n.Node("holder", func(ctx context.Context) error {
		m := sluice.NewMessage(0, locked{&mu})
		if err := a.Send(ctx, &m); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		_, err := b.Recv(ctx)
		return err
	}, sluice.Writes(a), sluice.Reads(b))
	n.Node("broken", func(context.Context) error {
		for b.Stats().Receivers == 0 {
			runtime.Gosched()
		}
		return errBroken
	}, sluice.Writes(b), sluice.Reads(a))
	wantFailed(t, n.Run(context.Background()), "broken")
}

func TestANilContextIsAPanicOfTheNode(t *testing.T) {
	n := sluice.NewNetwork("n")
	c := n.Channel("c")
	n.Node("source", func(context.Context) error {
		for i := range 3 {
			m := sluice.NewMessage(sluice.SeqNum(i), i)
			if err := c.Send(nil, &m); err != nil { //nolint:staticcheck // the mistake is the test
				return err
			}
		}
		return nil
	}, sluice.Writes(c))
	n.Node("sink", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, sluice.Reads(c))
	err := n.Run(context.Background())
	wantFailed(t, err, "source")
	if !strings.Contains(err.Error(), "nil context") {
		t.Errorf("Run = %v", err)
	}
}

// Forty wait for long while two at a time come and go: the channel does not grow.
func TestAChannelDoesNotGrowWithTheContextsThatComeAndGo(t *testing.T) {
	c := sluice.NewChannel("c")
	long, cancel := context.WithCancel(context.Background())
	var waiting sync.WaitGroup
	for range 40 {
		waiting.Go(func() { _, _ = c.Recv(long) })
	}
	for c.Stats().Receivers < 40 {
		runtime.Gosched()
	}
	objects := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapObjects
	}
	pairs := func(n int) {
		for range n {
			a, cancelA := context.WithCancel(context.Background())
			b, cancelB := context.WithCancel(context.Background())
			var both sync.WaitGroup
			both.Go(func() { _, _ = c.Recv(a) })
			both.Go(func() { _, _ = c.Recv(b) })
			for c.Stats().Receivers < 42 {
				runtime.Gosched()
			}
			cancelA()
			cancelB()
			both.Wait()
		}
	}
	pairs(100)
	before := objects()
	pairs(2000)
	if after := objects(); after > before+500 {
		t.Errorf("%d objects became %d", before, after)
	}
	cancel()
	waiting.Wait()
}

// A slice that the caller uses again does not rewire the nodes before.
func TestAPortKeepsItsOwnChannels(t *testing.T) {
	n := sluice.NewNetwork("n")
	cs := make([]*sluice.Channel, 1)
	for _, name := range []string{"a", "b"} {
		c := n.Channel(name)
		cs[0] = c
		n.Node("writes "+name, func(context.Context) error { return nil }, sluice.Writes(cs...))
		n.Node("reads "+name, counts(c, nil), sluice.Reads(cs...))
	}
	errIs(t, n.Run(t.Context()), nil)
}

// freed is a payload that looks whether a ticket is there while it is being freed.
type freed struct {
	throttle *sluice.Throttle
	early    *bool
}

func (f freed) Release() {
	if ticket, err := f.throttle.Acquire(cancelledContext()); err == nil {
		*f.early = true
		ticket.Release()
	}
}

// As long as a payload takes memory, its ticket is out.
func TestAHeldTicketComesBackAfterThePayloadWasFreed(t *testing.T) {
	c := sluice.NewChannel("c")
	throttle, err := sluice.NewThrottle(c, 1)
	errIs(t, err, nil)
	ticket, err := throttle.Acquire(t.Context())
	errIs(t, err, nil)
	early := false
	m := sluice.NewMessage(0, freed{throttle, &early})
	errIs(t, ticket.SendHeld(t.Context(), &m), nil)
	m, err = c.Recv(t.Context())
	errIs(t, err, nil)
	m.Release()
	if early {
		t.Error("the ticket came back before the payload was freed")
	}
	if got := sluice.InHand(throttle); got != 0 {
		t.Errorf("%d tickets in hand", got)
	}
	_, err = throttle.Acquire(cancelledContext())
	errIs(t, err, nil)
}

func TestATicketIsInHandUntilItsSendSucceeds(t *testing.T) {
	c := sluice.NewChannel("c")
	throttle, err := sluice.NewThrottle(c, 2)
	errIs(t, err, nil)
	first, err := throttle.Acquire(t.Context())
	errIs(t, err, nil)
	second, err := throttle.Acquire(t.Context())
	errIs(t, err, nil)
	mustSend(t, c, sluice.NewMessage(0, 0)) // the slot
	m := sluice.NewMessage(1, 1)
	if _, err := first.Send(cancelledContext(), &m); err == nil {
		t.Fatal("sent to a full channel")
	}
	if got := sluice.InHand(throttle); got != 2 {
		t.Errorf("%d tickets in hand after a failed send, want 2", got)
	}
	mustRecv(t, c)
	_, err = first.Send(t.Context(), &m)
	errIs(t, err, nil)
	second.Release()
	if got := sluice.InHand(throttle); got != 0 {
		t.Errorf("%d tickets in hand at the end", got)
	}
}
