package sluice_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"weak"

	"github.com/seed14ed4225/sluice"
)

// A gate is a throttle in front of a channel with a slot for every ticket.
type gate struct {
	*sluice.Throttle
	c       *sluice.Channel
	tickets int
}

func newGate(t testing.TB, tickets int) *gate {
	t.Helper()
	c := sluice.NewChannel("gated", sluice.Slots(tickets))
	throttle, err := sluice.NewThrottle(c, tickets)
	errIs(t, err, nil)
	return &gate{throttle, c, tickets}
}

// acquire takes a ticket that must be there.
func (g *gate) acquire(t testing.TB) *sluice.Ticket {
	t.Helper()
	ticket, err := g.Acquire(cancelledContext())
	errIs(t, err, nil)
	return ticket
}

// held sends m with a held receipt and returns it as it comes out of the channel.
func (g *gate) held(t testing.TB, m sluice.Message) sluice.Message {
	t.Helper()
	ticket := g.acquire(t)
	defer ticket.Release()
	errIs(t, ticket.SendHeld(cancelledContext(), &m), nil)
	m, err := g.c.Recv(cancelledContext())
	errIs(t, err, nil)
	return m
}

// out counts the tickets that are out, by taking all the others for a moment.
func (g *gate) out(t testing.TB) int {
	t.Helper()
	free := 0
	for {
		ticket, err := g.Acquire(cancelledContext())
		if err != nil {
			errIs(t, err, context.Canceled)
			break
		}
		free++
		defer ticket.Release()
	}
	if free > g.tickets {
		t.Errorf("%d of %d tickets are free", free, g.tickets)
	}
	return g.tickets - free
}

func TestThrottleNeedsATicket(t *testing.T) {
	for _, tickets := range []int{0, -1} {
		throttle, err := sluice.NewThrottle(sluice.NewChannel("raw"), tickets)
		if throttle != nil || err == nil || !strings.Contains(err.Error(), `"raw"`) {
			t.Errorf("with %d tickets: %v, %v; want an error that names the channel", tickets, throttle, err)
		}
	}
}

func TestNoMoreProducersThanTicketsArePastAcquire(t *testing.T) {
	const tickets, producers, rounds = 4, 30, 40
	l := newLedger(t)
	c := sluice.NewChannel("c", sluice.Slots(2))
	throttle, err := sluice.NewThrottle(c, tickets)
	errIs(t, err, nil)
	var past, peak atomic.Int64
	var producing, consuming sync.WaitGroup
	for range producers {
		producing.Go(func() {
			for i := range rounds {
				ticket, err := throttle.Acquire(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				now := past.Add(1)
				for old := peak.Load(); now > old && !peak.CompareAndSwap(old, now); old = peak.Load() {
				}
				if i%5 == 0 {
					past.Add(-1)
					ticket.Release()
					continue
				}
				m := l.message(i)
				receipt, err := ticket.Send(t.Context(), &m)
				if err != nil {
					t.Error(err)
				}
				past.Add(-1)
				receipt.Release()
				ticket.Release()
			}
		})
	}
	for range 3 {
		consuming.Go(func() {
			for m := range c.All(context.Background()) {
				m.Release()
			}
		})
	}
	producing.Wait()
	c.Close()
	consuming.Wait()
	if peak.Load() > tickets {
		t.Errorf("%d were past Acquire with %d tickets", peak.Load(), tickets)
	}
	g := gate{throttle, c, tickets}
	if _, err := g.Acquire(t.Context()); err != sluice.ErrClosed {
		t.Errorf("Acquire at the end gives %v", err)
	}
}

func TestReleaseOfAnUnusedTicketGivesItBack(t *testing.T) {
	g := newGate(t, 2)
	a, b := g.acquire(t), g.acquire(t)
	if g.out(t) != 2 {
		t.Fatalf("%d tickets out, want 2", g.out(t))
	}
	a.Release()
	a.Release() // counts once
	if g.out(t) != 1 {
		t.Errorf("%d tickets out after one was given back, want 1", g.out(t))
	}
	b.Release()
	if g.out(t) != 0 {
		t.Errorf("%d tickets out after all were given back", g.out(t))
	}
}

func TestReleasedTicketGoesToWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, 1)
		first := g.acquire(t)
		second := later(func() (*sluice.Ticket, error) { return g.Acquire(t.Context()) })
		second.waits(t)
		first.Release()
		ticket, err := second.returns(t)
		errIs(t, err, nil)
		if g.out(t) != 1 {
			t.Errorf("%d tickets out", g.out(t))
		}
		ticket.Release()
	})
}

func TestTicketPermitsOneSend(t *testing.T) {
	l := newLedger(t)
	g := newGate(t, 2)
	ticket := g.acquire(t)
	m := l.message(0)
	receipt, err := ticket.Send(t.Context(), &m)
	errIs(t, err, nil)
	if !m.Empty() || receipt == nil {
		t.Fatal("Send left the message or gave no receipt")
	}
	m = l.message(1)
	defer m.Release()
	if r, err := ticket.Send(t.Context(), &m); r != nil || err != sluice.ErrTicketUsed {
		t.Errorf("the second Send gives %v, %v", r, err)
	}
	if err := ticket.SendHeld(t.Context(), &m); err != sluice.ErrTicketUsed {
		t.Errorf("SendHeld after Send gives %v", err)
	}
	if m.Empty() || m.Receipt() != nil {
		t.Error("a refused send changed the message")
	}
	ticket.Release() // a no-op after Send
	if g.out(t) != 1 {
		t.Errorf("%d tickets out while the receipt is, want 1", g.out(t))
	}
	receipt.Release()
	receipt.Release()
	if g.out(t) != 0 {
		t.Errorf("%d tickets out after the receipt was released", g.out(t))
	}
	if mustRecv(t, g.c) != 0 {
		t.Error("another message came")
	}
}

func TestTicketGivenBackCannotSend(t *testing.T) {
	g := newGate(t, 1)
	ticket := g.acquire(t)
	ticket.Release()
	m := sluice.NewMessage(0, 1)
	if _, err := ticket.Send(t.Context(), &m); err != sluice.ErrTicketUsed {
		t.Errorf("Send gives %v", err)
	}
	if err := ticket.SendHeld(t.Context(), &m); err != sluice.ErrTicketUsed {
		t.Errorf("SendHeld gives %v", err)
	}
	if m.Empty() || g.c.Len() != 0 {
		t.Error("the message was sent")
	}
}

func TestFailedSendLeavesTheTicketGood(t *testing.T) {
	for name, sendWith := range map[string]func(*sluice.Ticket, context.Context, *sluice.Message) error{
		"Send": func(k *sluice.Ticket, ctx context.Context, m *sluice.Message) error {
			receipt, err := k.Send(ctx, m)
			if err != nil && receipt != nil {
				return errors.New("a failed Send gives a receipt")
			}
			receipt.Release()
			return err
		},
		"SendHeld": (*sluice.Ticket).SendHeld,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			g := newGate(t, 1)
			ticket := g.acquire(t)
			mustSend(t, g.c, l.message(0))
			m := l.message(1)
			before := m

			errIs(t, sendWith(ticket, cancelledContext(), &m), context.Canceled)
			if m != before {
				t.Error("the failed send changed the message")
			}
			if g.out(t) != 1 {
				t.Error("the failed send gave the ticket back")
			}
			errIs(t, sendWith(ticket, t.Context(), &sluice.Message{}), sluice.ErrEmptyMessage)

			mustRecv(t, g.c)
			errIs(t, sendWith(ticket, t.Context(), &m), nil)
			if mustRecv(t, g.c) != 1 || g.out(t) != 0 {
				t.Errorf("%d tickets out in the end", g.out(t))
			}
		})
	}
}

func TestFailedSendHeldLeavesNothingOnTheTicket(t *testing.T) {
	l := newLedger(t)
	upstream, g := newGate(t, 1), newGate(t, 1)
	m := upstream.held(t, l.message(0))
	ticket := g.acquire(t)
	mustSend(t, g.c, l.message(1))
	errIs(t, ticket.SendHeld(cancelledContext(), &m), context.Canceled)

	mustRecv(t, g.c)
	receipt, err := ticket.Send(t.Context(), &m)
	errIs(t, err, nil)
	receipt.Release()
	if upstream.out(t) != 1 {
		t.Error("the receipt of the second ticket returned that of the first, which rides on the message")
	}
	mustRecv(t, g.c)
	if upstream.out(t) != 0 || g.out(t) != 0 {
		t.Errorf("%d and %d tickets out in the end", upstream.out(t), g.out(t))
	}
}

func TestReleaseDuringASendCountsIfTheSendFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		g := newGate(t, 1)
		ticket := g.acquire(t)
		mustSend(t, g.c, l.message(0))
		ctx, cancel := context.WithCancel(t.Context())
		m := l.message(1)
		defer m.Release()
		sending := try(func() error { return ticket.SendHeld(ctx, &m) })
		sending.waits(t)
		ticket.Release()
		if g.out(t) != 1 {
			t.Error("the ticket came back while its send is under way")
		}
		other := sluice.NewMessage(9, 9)
		if _, err := ticket.Send(t.Context(), &other); err != sluice.ErrTicketUsed {
			t.Errorf("a second send meanwhile gives %v", err)
		}
		cancel()
		_, err := sending.returns(t)
		errIs(t, err, context.Canceled)
		if g.out(t) != 0 {
			t.Error("the ticket did not come back after the send failed")
		}
		mustRecv(t, g.c)
	})
}

func TestReleaseDuringASendIsANoOpIfTheSendSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		g := newGate(t, 1)
		ticket := g.acquire(t)
		mustSend(t, g.c, l.message(0))
		m := l.message(1)
		sending := try(func() error { return ticket.SendHeld(t.Context(), &m) })
		sending.waits(t)
		ticket.Release()
		mustRecv(t, g.c)
		_, err := sending.returns(t)
		errIs(t, err, nil)
		if g.out(t) != 1 {
			t.Error("the ticket came back before the message was released")
		}
		mustRecv(t, g.c)
		if g.out(t) != 0 {
			t.Errorf("%d tickets out in the end", g.out(t))
		}
	})
}

func TestEndOfTheChannelWakesAcquireWithItsError(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(*sluice.Channel)
		want error
	}{
		"Close": {(*sluice.Channel).Close, sluice.ErrClosed},
		"Drain": {func(c *sluice.Channel) { _ = c.Drain(cancelledContext()) }, sluice.ErrClosed},
		"Stop":  {(*sluice.Channel).Stop, sluice.ErrStopped},
		"Abort": {func(c *sluice.Channel) { c.Abort(io.ErrShortWrite) }, io.ErrShortWrite},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate(t, 1)
				ticket := g.acquire(t)
				waiting := make([]*call[*sluice.Ticket], 3)
				for i := range waiting {
					waiting[i] = later(func() (*sluice.Ticket, error) { return g.Acquire(t.Context()) })
					waiting[i].waits(t)
				}
				test.end(g.c)
				for _, w := range waiting {
					k, err := w.returns(t)
					errIs(t, err, test.want)
					if k != nil || w.after != 0 {
						t.Errorf("got %v after %v", k, w.after)
					}
				}
				_, err := g.Acquire(t.Context())
				errIs(t, err, test.want)
				m := sluice.NewMessage(0, 1)
				_, err = ticket.Send(t.Context(), &m)
				errIs(t, err, test.want)
				if m.Empty() {
					t.Error("the failed send took the message")
				}
				ticket.Release() // harmless
				_, err = g.Acquire(t.Context())
				errIs(t, err, test.want)
			})
		})
	}
}

func TestReceiptReleaseIsHarmless(t *testing.T) {
	t.Run("on nil", func(t *testing.T) {
		var r *sluice.Receipt
		r.Release()
	})
	t.Run("twice, also late, when others have tickets", func(t *testing.T) {
		g := newGate(t, 1)
		m := sluice.NewMessage(0, 1)
		old, err := g.acquire(t).Send(t.Context(), &m)
		errIs(t, err, nil)
		old.Release()
		next := g.acquire(t)
		old.Release()
		if g.out(t) != 1 {
			t.Error("a late Release returned the ticket of another producer")
		}
		next.Release()
		old.Release()
		if g.out(t) != 0 {
			t.Errorf("%d tickets out", g.out(t))
		}
	})
	t.Run("after the channel ended", func(t *testing.T) {
		g := newGate(t, 1)
		m := sluice.NewMessage(0, 1)
		receipt, err := g.acquire(t).Send(t.Context(), &m)
		errIs(t, err, nil)
		g.c.Stop()
		receipt.Release()
		if _, err := g.Acquire(t.Context()); err != sluice.ErrStopped {
			t.Errorf("Acquire gives %v", err)
		}
	})
	t.Run("by many at once", func(t *testing.T) {
		g := newGate(t, 2)
		m := sluice.NewMessage(0, 1)
		receipt, err := g.acquire(t).Send(t.Context(), &m)
		errIs(t, err, nil)
		other := g.acquire(t)
		var all sync.WaitGroup
		for range 8 {
			all.Go(receipt.Release)
		}
		all.Wait()
		if g.out(t) != 1 {
			t.Errorf("%d tickets out, want the other one", g.out(t))
		}
		other.Release()
	})
}

func TestSendHeldKeepsTheTicketUntilTheLastHolderReleases(t *testing.T) {
	l := newLedger(t)
	g := newGate(t, 1)
	m := g.held(t, l.message(3))
	if m.Receipt() == nil || g.out(t) != 1 {
		t.Fatalf("receipt %v, %d tickets out", m.Receipt(), g.out(t))
	}

	// The consumer passes the message on, with another payload in it.
	b, err := sluice.Take[*block](&m)
	errIs(t, err, nil)
	b.Release()
	m.Replace(l.block(4, 0))
	next := sluice.NewChannel("next")
	mustSend(t, next, m)
	if g.out(t) != 1 {
		t.Error("the ticket came back before the last holder had the message")
	}
	m, err = next.Recv(t.Context())
	errIs(t, err, nil)
	if m.Receipt() == nil {
		t.Fatal("the receipt was lost on the way")
	}
	m.Receipt().Release() // early, by hand
	if g.out(t) != 0 {
		t.Error("the ticket did not come back")
	}
	m.Release()
	if g.out(t) != 0 || l.live() != 0 {
		t.Errorf("%d tickets out and %d payloads alive in the end", g.out(t), l.live())
	}
}

func TestHeldReceiptComesBackWhenTheMessageIsDropped(t *testing.T) {
	for name, end := range map[string]func(*sluice.Channel){
		"Stop":  (*sluice.Channel).Stop,
		"Abort": func(c *sluice.Channel) { c.Abort(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			g := newGate(t, 1)
			next := sluice.NewChannel("next")
			mustSend(t, next, g.held(t, l.message(0)))
			end(next)
			if g.out(t) != 0 || l.live() != 0 {
				t.Errorf("%d tickets out and %d payloads alive", g.out(t), l.live())
			}
		})
	}
}

func TestReceiptsChainThroughSeveralThrottles(t *testing.T) {
	l := newLedger(t)
	gates := []*gate{newGate(t, 1), newGate(t, 2), newGate(t, 3)}
	m := l.message(7)
	for _, g := range gates {
		m = g.held(t, m)
	}
	for i, g := range gates {
		if g.out(t) != 1 {
			t.Errorf("throttle %d has %d tickets out while the message lives, want 1", i, g.out(t))
		}
	}
	m.Release()
	for i, g := range gates {
		if g.out(t) != 0 {
			t.Errorf("throttle %d has %d tickets out after the message is gone", i, g.out(t))
		}
	}
}

func TestPlainSendLeavesTheReceiptOfAnotherThrottleOnTheMessage(t *testing.T) {
	l := newLedger(t)
	upstream, g := newGate(t, 1), newGate(t, 1)
	m := upstream.held(t, l.message(7))
	receipt, err := g.acquire(t).Send(t.Context(), &m)
	errIs(t, err, nil)
	receipt.Release()
	if g.out(t) != 0 || upstream.out(t) != 1 {
		t.Errorf("%d and %d tickets out, want 0 and the held 1", g.out(t), upstream.out(t))
	}
	mustRecv(t, g.c)
	if upstream.out(t) != 0 {
		t.Error("the held receipt was lost")
	}
}

func TestThrottleBoundsTheWholePathWithHeldReceipts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const tickets = 3
		l := newLedger(t)
		c := sluice.NewChannel("c", sluice.Slots(100))
		throttle, err := sluice.NewThrottle(c, tickets)
		errIs(t, err, nil)
		produced := 0
		producer := try(func() error {
			defer c.Close()
			for i := range 10 {
				ticket, err := throttle.Acquire(t.Context())
				if err != nil {
					return err
				}
				produced++
				m := l.message(i)
				if err := ticket.SendHeld(t.Context(), &m); err != nil {
					return err
				}
			}
			return nil
		})
		for i := range 10 {
			synctest.Wait()
			if want := min(i+tickets, 10); produced != want {
				t.Fatalf("%d were produced while %d had been released, want %d", produced, i, want)
			}
			m, err := c.Recv(t.Context())
			errIs(t, err, nil)
			synctest.Wait()
			if want := min(i+tickets, 10); produced != want {
				t.Fatalf("%d were produced when the consumer had received but not released %d", produced, i)
			}
			m.Release()
		}
		_, err = producer.returns(t)
		errIs(t, err, nil)
	})
}

func TestSeveralThrottlesOfOneChannelAreIndependent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := sluice.NewChannel("c")
		a, err := sluice.NewThrottle(c, 1)
		errIs(t, err, nil)
		b, err := sluice.NewThrottle(c, 1)
		errIs(t, err, nil)
		_, err = a.Acquire(t.Context())
		errIs(t, err, nil)
		_, err = b.Acquire(t.Context())
		errIs(t, err, nil)
		atA := later(func() (*sluice.Ticket, error) { return a.Acquire(t.Context()) })
		atB := later(func() (*sluice.Ticket, error) { return b.Acquire(t.Context()) })
		atA.waits(t)
		atB.waits(t)
		c.Abort(io.ErrNoProgress)
		_, err = atA.returns(t)
		errIs(t, err, io.ErrNoProgress)
		_, err = atB.returns(t)
		errIs(t, err, io.ErrNoProgress)
	})
}

// A ticket belongs to one producer. Using it from several goroutines is a mistake,
// but not one that corrupts anything: one send goes through.
func TestConcurrentMisuseOfATicketSendsOnce(t *testing.T) {
	for range 50 {
		l := newLedger(t)
		g := newGate(t, 2)
		ticket := g.acquire(t)
		var all sync.WaitGroup
		var sent, refused atomic.Int64
		for i := range 6 {
			all.Go(func() {
				if i == 5 {
					ticket.Release()
					return
				}
				m := l.message(i)
				defer m.Release()
				var err error
				if i%2 == 0 {
					err = ticket.SendHeld(t.Context(), &m)
				} else {
					var r *sluice.Receipt
					r, err = ticket.Send(t.Context(), &m)
					r.Release()
				}
				switch err {
				case nil:
					sent.Add(1)
				case sluice.ErrTicketUsed:
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if sent.Load() > 1 || sent.Load()+refused.Load() != 5 || g.c.Len() != int(sent.Load()) {
			t.Fatalf("%d sent, %d refused, %d in the channel", sent.Load(), refused.Load(), g.c.Len())
		}
		if g.c.Len() > 0 {
			mustRecv(t, g.c)
		}
		if g.out(t) != 0 {
			t.Fatalf("%d tickets out in the end", g.out(t))
		}
	}
}

// Tickets are never reused, and somebody may hold on to one for long: to a receipt
// that rides on a message, say. That must not keep those of others in memory.
func TestAnOldReceiptKeepsNoLaterTicketAlive(t *testing.T) {
	g := newGate(t, 3)
	sent := func(ticket *sluice.Ticket) *sluice.Receipt {
		m := sluice.NewMessage(1, 1)
		receipt, err := ticket.Send(t.Context(), &m)
		errIs(t, err, nil)
		mustRecv(t, g.c)
		return receipt
	}
	first, next := g.acquire(t), g.acquire(t)
	old := sent(first)
	var later []weak.Pointer[sluice.Ticket]
	for range 5 {
		last := next
		next = g.acquire(t) // while the last is in use
		later = append(later, weak.Make(last))
		sent(last).Release()
	}
	runtime.GC()
	for i, w := range later {
		if w.Value() != nil {
			t.Errorf("ticket %d, which was used and returned, is still reachable", i)
		}
	}
	runtime.KeepAlive(g)
	runtime.KeepAlive(old)
}

func TestAcquireThatWasGrantedIsNotLostToACancel(t *testing.T) {
	g := newGate(t, 1)
	for range 2000 {
		ticket := g.acquire(t)
		ctx, cancel := context.WithCancel(context.Background())
		waiting := later(func() (*sluice.Ticket, error) { return g.Acquire(ctx) })
		var both sync.WaitGroup
		both.Go(cancel)
		both.Go(ticket.Release)
		both.Wait()
		<-waiting.done
		if waiting.err == nil {
			waiting.value.Release()
		} else if waiting.err != context.Canceled || waiting.value != nil {
			t.Fatalf("got %v, %v", waiting.value, waiting.err)
		}
		if g.out(t) != 0 {
			t.Fatal("the ticket was lost")
		}
	}
}
