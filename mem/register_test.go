package mem_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice/mem"
)

// beingSpilled returns a load that is being spilled for a request that waits.
func beingSpilled(ctx context.Context, t *testing.T) (*mem.Registration, *load, context.Context, *asking) {
	r := onDisk(t, 1)
	l := newLoad(t, r, "load", k, 0, &spillLog{})
	l.spilling, l.goOn = make(chan context.Context, 1), make(chan struct{})
	g := r.Register(ctx, "load", l)
	wait, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	a := ask(wait, r, mem.Of(mem.Host, k))
	return g, l, <-l.spilling, a
}

func TestRemoveCancelsASpillAndWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, l, spill, a := beingSpilled(t.Context(), t)
		errIs(t, spill.Err(), nil)
		removed := make(chan struct{})
		go func() { g.Remove(); close(removed) }()
		synctest.Wait()
		errIs(t, spill.Err(), context.Canceled)
		select {
		case <-removed:
			t.Error("removed while it is being spilled")
		default:
		}
		close(l.goOn)
		<-removed
		if l.Content().Bytes[mem.Host] != k {
			t.Error("it was spilled all the same")
		}
		g.Remove() // once is enough, more are harmless
		a.waits(t)
		l.release()
		a.gets(t)
	})
}

func TestTheEndOfItsContextCancelsASpill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		g, l, spill, a := beingSpilled(ctx, t)
		cancel()
		errIs(t, spill.Err(), context.Canceled)
		l.spilling = nil // nobody asks again
		close(l.goOn)
		time.Sleep(time.Second)
		a.waits(t)
		if n := len(l.log.names); n != 1 {
			t.Errorf("spilled %d times though its context has ended", n)
		}
		g.Remove()
		l.release()
		a.gets(t)
	})
}

func TestWhatIsOfferedLaterIsSpilledForWhoWaitsAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := onDisk(t, 1)
		l := newLoad(t, r, "load", k, 0, &spillLog{})
		a := ask(t.Context(), r, mem.Of(mem.Host, k))
		a.waits(t)
		defer r.Register(t.Context(), "load", l).Remove()
		a.gets(t) // at once, not at the spiller's next look
		if a.took != 0 {
			t.Errorf("it took %v", a.took)
		}
	})
}
