package sluice_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/seed14ed4225/sluice"
)

// An earlier system of this kind, in another language, failed in ways that cost
// people days. Each test here would catch one of them.

// There, a producer suspended on a full channel while another coroutine drained it
// was told "sent", and its message was lost.
func TestLessonASenderSuspendedDuringADrainKeepsItsMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		c := sluice.NewChannel("c")
		mustSend(t, c, l.message(0))
		m := l.message(1)
		defer m.Release()
		before := m
		sending := try(func() error { return c.Send(t.Context(), &m) })
		sending.waits(t)
		draining := try(func() error { return c.Drain(t.Context()) })
		draining.waits(t)
		_, err := sending.returns(t)
		if err != sluice.ErrClosed || m != before {
			t.Errorf("the suspended sender got %v, and still has its message: %v", err, m == before)
		}
		if got := mustRecv(t, c); got != 0 {
			t.Errorf("received %d", got)
		}
		_, err = draining.returns(t)
		errIs(t, err, nil)
		if s := c.Stats(); s.Sent != 1 || s.Received != 1 {
			t.Errorf("the statistics say %+v", s)
		}
	})
}

// The same without an orchestrated order: whatever a sender was told is true.
func TestLessonWhatASenderIsToldDuringADrainIsTrue(t *testing.T) {
	for range 200 {
		l := newLedger(t)
		c := sluice.NewChannel("c", sluice.Slots(2))
		told := make([]error, 8)
		got := map[int]bool{}
		var all sync.WaitGroup
		for i := range told {
			all.Go(func() {
				m := l.message(i)
				defer m.Release()
				told[i] = c.Send(context.Background(), &m)
			})
		}
		all.Go(func() {
			if err := c.Drain(context.Background()); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			for m := range c.All(context.Background()) {
				got[int(m.Seq())] = true
				m.Release()
			}
		})
		all.Wait()
		for i, err := range told {
			if (err == nil) != got[i] {
				t.Fatalf("sender %d was told %v, and its message was received: %v", i, err, got[i])
			}
		}
	}
}

// There, waiters were served last in, first out, and the first starved.
func TestLessonTheFirstToWaitDoesNotStarve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		c := sluice.NewChannel("c")
		mustSend(t, c, l.message(0))
		first := l.message(1)
		sending := try(func() error { return c.Send(t.Context(), &first) })
		sending.waits(t)
		// Others keep coming, each before there is room again.
		for i := range 10 {
			m := l.message(2 + i)
			other := try(func() error { return c.Send(t.Context(), &m) })
			other.waits(t)
			if got := mustRecv(t, c); got != i {
				t.Fatalf("received %d, want %d", got, i)
			}
			if _, err := sending.returns(t); err != nil {
				t.Fatal(err)
			}
			sending = other
		}
		mustRecv(t, c)
		mustRecv(t, c)
	})
}

// There, draining burnt a processor until the channel was empty. In a bubble time
// moves on only while nobody runs: it would not, if Drain did anything but wait. A
// Drain that sleeps and looks again would return late.
func TestLessonDrainDoesNotRunWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		c := sluice.NewChannel("c")
		mustSend(t, c, l.message(0))
		draining := try(func() error { return c.Drain(t.Context()) })
		draining.waits(t)
		const rest = time.Hour + 12345*time.Nanosecond
		time.Sleep(rest)
		draining.waits(t)
		mustRecv(t, c)
		_, err := draining.returns(t)
		errIs(t, err, nil)
		if draining.after != rest {
			t.Errorf("Drain returned after %v, the channel was empty after %v", draining.after, rest)
		}
	})
}

// There, a send that failed, and a shutdown that discarded the buffer, left the
// message behind in the spill registry, which kept its memory. Here a channel keeps
// nothing of a payload that is not in it, however it left or failed to enter.
func TestLessonAChannelKeepsNothingOfWhatIsNotInIt(t *testing.T) {
	payload := func() (any, weak.Pointer[[64]byte]) {
		p := new([64]byte)
		return p, weak.Make(p)
	}
	sendNew := func(t *testing.T, wantErr bool, f func(*sluice.Message) error) weak.Pointer[[64]byte] {
		p, w := payload()
		m := sluice.NewMessage(0, p)
		if err := f(&m); (err != nil) != wantErr {
			t.Fatalf("error is %v", err)
		}
		return w
	}
	for name, use := range map[string]func(t *testing.T, c *sluice.Channel) weak.Pointer[[64]byte]{
		"a send that was cancelled": func(t *testing.T, c *sluice.Channel) weak.Pointer[[64]byte] {
			mustSend(t, c, sluice.NewMessage(0, "full"))
			return sendNew(t, true, func(m *sluice.Message) error { return c.Send(cancelledContext(), m) })
		},
		"a SendN that was cancelled": func(t *testing.T, c *sluice.Channel) weak.Pointer[[64]byte] {
			mustSend(t, c, sluice.NewMessage(0, "full"))
			return sendNew(t, true, func(m *sluice.Message) error {
				_, err := c.SendN(cancelledContext(), []sluice.Message{*m})
				return err
			})
		},
		"a SendAny that was cancelled": func(t *testing.T, c *sluice.Channel) weak.Pointer[[64]byte] {
			mustSend(t, c, sluice.NewMessage(0, "full"))
			return sendNew(t, true, func(m *sluice.Message) error {
				_, err := sluice.SendAny(cancelledContext(), m, c, c)
				return err
			})
		},
		"a suspended send that was stopped": func(t *testing.T, c *sluice.Channel) weak.Pointer[[64]byte] {
			mustSend(t, c, sluice.NewMessage(0, "full"))
			return sendNew(t, true, func(m *sluice.Message) error {
				var err error
				synctest.Test(t, func(t *testing.T) {
					sending := try(func() error { return c.Send(t.Context(), m) })
					sending.waits(t)
					c.Stop()
					_, err = sending.returns(t)
				})
				return err
			})
		},
		"a buffer that was discarded": func(t *testing.T, c *sluice.Channel) weak.Pointer[[64]byte] {
			w := sendNew(t, false, func(m *sluice.Message) error { return c.Send(t.Context(), m) })
			c.Stop()
			return w
		},
		"a message that was received": func(t *testing.T, c *sluice.Channel) weak.Pointer[[64]byte] {
			w := sendNew(t, false, func(m *sluice.Message) error { return c.Send(t.Context(), m) })
			mustRecv(t, c)
			return w
		},
		"a batch that was received": func(t *testing.T, c *sluice.Channel) weak.Pointer[[64]byte] {
			w := sendNew(t, false, func(m *sluice.Message) error {
				_, err := c.SendN(t.Context(), []sluice.Message{*m})
				return err
			})
			if n, err := c.RecvN(t.Context(), make([]sluice.Message, 2)); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			return w
		},
		"a message that was handed to a waiting receiver": func(t *testing.T, c *sluice.Channel) weak.Pointer[[64]byte] {
			return sendNew(t, false, func(m *sluice.Message) error {
				receiving := recvAny(context.Background(), c, sluice.NewChannel("other"))
				for c.Stats().Receivers == 0 {
					runtime.Gosched()
				}
				err := c.Send(context.Background(), m)
				<-receiving.done
				return err
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := sluice.NewChannel("c")
			w := use(t, c)
			runtime.GC()
			if w.Value() != nil {
				t.Error("the payload is still reachable")
			}
			runtime.KeepAlive(c)
		})
	}
}

// A context that lives as long as the process keeps no channel alive that has ended,
// though the channel watched it.
func TestLessonALongContextKeepsNoEndedChannelAlive(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, row := range endingRows {
		w := func() weak.Pointer[sluice.Channel] {
			c := sluice.NewChannel("c")
			for range 3 {
				receiving := later(func() (sluice.Message, error) { return c.Recv(ctx) })
				for c.Stats().Receivers == 0 {
					runtime.Gosched()
				}
				mustSend(t, c, sluice.NewMessage(0, 0))
				<-receiving.done
			}
			row.end(c)
			return weak.Make(c)
		}()
		runtime.GC()
		if w.Value() != nil {
			t.Errorf("%s: the channel is still reachable", row.name)
		}
	}
}

// The same for a Drain, which waits when the channel is closed already.
func TestLessonALongContextKeepsNoDrainedChannelAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := func() weak.Pointer[sluice.Channel] {
			c := sluice.NewChannel("c")
			mustSend(t, c, sluice.NewMessage(0, 0))
			var draining []*call[struct{}]
			for range 3 {
				d := try(func() error { return c.Drain(ctx) })
				d.waits(t)
				draining = append(draining, d)
			}
			mustRecv(t, c)
			for _, d := range draining {
				_, err := d.returns(t)
				errIs(t, err, nil)
			}
			return weak.Make(c)
		}()
		runtime.GC()
		if w.Value() != nil {
			t.Error("the channel is still reachable")
		}
	})
}

// There, a throttle ticket that was not used never came back, and the network ground
// to a halt after as many errors as there were tickets.
func TestLessonAnUnusedTicketComesBack(t *testing.T) {
	g := newGate(t, 1)
	produce := func(fail bool) error {
		ticket, err := g.Acquire(cancelledContext())
		if err != nil {
			return err
		}
		defer ticket.Release()
		if fail {
			return errBoom
		}
		m := sluice.NewMessage(0, 0)
		receipt, err := ticket.Send(cancelledContext(), &m)
		receipt.Release()
		return err
	}
	for range 10 {
		errIs(t, produce(true), errBoom)
	}
	errIs(t, produce(false), nil)
	mustRecv(t, g.c)
	errIs(t, produce(false), nil)
}

// There, closing the channel did not wake those who waited for a ticket, and
// shutting down hung.
func TestLessonClosingWakesWhoWaitsForATicket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, 1)
		ticket := g.acquire(t)
		waiting := later(func() (*sluice.Ticket, error) { return g.Acquire(context.Background()) })
		waiting.waits(t)
		g.c.Close()
		_, err := waiting.returns(t)
		errIs(t, err, sluice.ErrClosed)
		ticket.Release()
	})
}

// There, a metadata queue that nobody read made drain wait for ever.
func TestLessonUnreadMetadataHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		c := sluice.NewChannel("c")
		for i := range 3 {
			m := l.message(100 + i)
			errIs(t, c.Meta().Send(&m), nil)
		}
		mustSend(t, c, l.message(0))
		draining := try(func() error { return c.Drain(t.Context()) })
		draining.waits(t)
		mustRecv(t, c)
		_, err := draining.returns(t)
		errIs(t, err, nil)
		c.Stop() // as a network does at its end
		if l.live() != 0 {
			t.Errorf("%d messages of metadata are alive", l.live())
		}
	})
}
