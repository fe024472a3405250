package sluice_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed14ed4225/sluice"
)

// The table "who ends a channel, and what the other side sees": one row for each
// call, one test for each cell, done with every way to send and to receive.

var errBoom = errors.New("boom")

// An endingRow is a row of the table.
type endingRow struct {
	name     string
	end      func(*sluice.Channel) // in a goroutine of its own
	state    sluice.ChannelState
	toSender error // what Send gives
	delivers bool  // messages in the buffer
	atEnd    error // what Recv gives after that
}

var endingRows = []endingRow{
	{"Close", (*sluice.Channel).Close, "closed", sluice.ErrClosed, true, io.EOF},
	{"Drain", func(c *sluice.Channel) { _ = c.Drain(context.Background()) }, "closed", sluice.ErrClosed, true, io.EOF},
	{"Stop", (*sluice.Channel).Stop, "stopped", sluice.ErrStopped, false, io.EOF},
	{"Abort", func(c *sluice.Channel) { c.Abort(errBoom) }, "aborted", errBoom, false, errBoom},
}

// apply ends the channel. Drain may go on waiting until the test has emptied it.
func (r endingRow) apply(c *sluice.Channel) {
	go r.end(c)
	synctest.Wait()
}

// isEnd fails the test unless err is the ending's: plain, or an *AbortError that
// names the channel and wraps the cause.
func isEnd(t testing.TB, c *sluice.Channel, err, want error) {
	t.Helper()
	if want != errBoom {
		if err != want {
			t.Errorf("error is %v, want %v itself", err, want)
		}
		return
	}
	var abort *sluice.AbortError
	if !errors.As(err, &abort) || abort.Channel != c.Name() || abort.Cause != errBoom || !errors.Is(err, errBoom) {
		t.Errorf("error is %v, want an AbortError of channel %q with its cause", err, c.Name())
	}
}

// The ways to send one message.
var sendWays = map[string]func(context.Context, *sluice.Channel, *sluice.Message) error{
	"Send": func(ctx context.Context, c *sluice.Channel, m *sluice.Message) error { return c.Send(ctx, m) },
	"SendN": func(ctx context.Context, c *sluice.Channel, m *sluice.Message) error {
		batch := []sluice.Message{*m}
		n, err := c.SendN(ctx, batch)
		if err == nil && n != 1 || err != nil && n != 0 {
			return fmt.Errorf("SendN gives %d, %v", n, err)
		}
		*m = batch[0]
		return err
	},
	"SendAny": func(ctx context.Context, c *sluice.Channel, m *sluice.Message) error {
		_, err := sluice.SendAny(ctx, m, c)
		return err
	},
}

// The ways to receive one message.
var recvWays = map[string]func(context.Context, *sluice.Channel) (sluice.Message, error){
	"Recv": func(ctx context.Context, c *sluice.Channel) (sluice.Message, error) { return c.Recv(ctx) },
	"RecvN": func(ctx context.Context, c *sluice.Channel) (sluice.Message, error) {
		into := make([]sluice.Message, 3)
		n, err := c.RecvN(ctx, into[:1])
		if err == nil && n != 1 || err != nil && n != 0 || !into[1].Empty() {
			return sluice.Message{}, fmt.Errorf("RecvN gives %d, %v", n, err)
		}
		return into[0], err
	},
	"RecvAny": func(ctx context.Context, c *sluice.Channel) (sluice.Message, error) {
		_, m, err := sluice.RecvAny(ctx, c)
		return m, err
	},
	"All": func(ctx context.Context, c *sluice.Channel) (sluice.Message, error) {
		for m, err := range c.All(ctx) {
			return m, err
		}
		return sluice.Message{}, io.EOF
	},
}

func TestEndings(t *testing.T) {
	for _, row := range endingRows {
		t.Run(row.name, func(t *testing.T) {
			for name, way := range sendWays {
				t.Run("later_Send_keeps_its_message/"+name, func(t *testing.T) { row.testLaterSend(t, way) })
				t.Run("waiting_senders_keep_their_message/"+name, func(t *testing.T) { row.testWaitingSenders(t, way) })
			}
			t.Run("later_Acquire", row.testLaterAcquire)
			t.Run("waiting_Acquire", row.testWaitingAcquire)
			verb := "released"
			if row.delivers {
				verb = "delivered"
			}
			for name, way := range recvWays {
				t.Run("buffered_messages_are_"+verb+"/"+name, func(t *testing.T) { row.testBuffered(t, way) })
				t.Run("later_Recv/"+name, func(t *testing.T) { row.testLaterRecv(t, way) })
				t.Run("waiting_receivers/"+name, func(t *testing.T) { row.testWaitingReceivers(t, way) })
			}
			t.Run("later_Drain", row.testLaterDrain)
			t.Run("waiting_Drain", row.testWaitingDrain)
		})
	}
}

func (r endingRow) testLaterSend(t *testing.T, way func(context.Context, *sluice.Channel, *sluice.Message) error) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		c := sluice.NewChannel("c", sluice.Slots(2))
		mustSend(t, c, l.message(0))
		r.apply(c)
		m := l.message(1)
		defer m.Release()
		before := m
		isEnd(t, c, way(cancelledContext(), c, &m), r.toSender)
		if m != before {
			t.Errorf("the message is not as it was")
		}
		if got := c.Stats().State; got != r.state {
			t.Errorf("state is %q", got)
		}
		c.Stop()
	})
}

func (r endingRow) testWaitingSenders(t *testing.T, way func(context.Context, *sluice.Channel, *sluice.Message) error) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		c := sluice.NewChannel("c")
		mustSend(t, c, l.message(0))
		var ms, before [3]sluice.Message
		var waiting [3]*call[struct{}]
		for i := range ms {
			ms[i] = l.message(i + 1)
			before[i] = ms[i]
			waiting[i] = try(func() error { return way(t.Context(), c, &ms[i]) })
			waiting[i].waits(t)
		}
		r.apply(c)
		for i, w := range waiting {
			_, err := w.returns(t)
			isEnd(t, c, err, r.toSender)
			if w.after != 0 {
				t.Errorf("sender %d was woken after %v", i, w.after)
			}
			if ms[i] != before[i] {
				t.Errorf("sender %d does not have its message any more", i)
			}
			ms[i].Release()
		}
		if got := c.Stats().Senders; got != 0 {
			t.Errorf("%d senders are still suspended", got)
		}
		c.Stop()
	})
}

func (r endingRow) testLaterAcquire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, 1)
		r.apply(g.c)
		_, err := g.Acquire(t.Context())
		isEnd(t, g.c, err, r.toSender)
	})
}

func (r endingRow) testWaitingAcquire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, 1)
		mustSend(t, g.c, sluice.NewMessage(0, 0))
		g.acquire(t)
		waiting := later(func() (*sluice.Ticket, error) { return g.Acquire(t.Context()) })
		waiting.waits(t)
		r.apply(g.c)
		_, err := waiting.returns(t)
		isEnd(t, g.c, err, r.toSender)
		g.c.Stop()
	})
}

func (r endingRow) testBuffered(t *testing.T, way func(context.Context, *sluice.Channel) (sluice.Message, error)) {
	synctest.Test(t, func(t *testing.T) {
		const buffered = 5
		l := newLedger(t)
		c := sluice.NewChannel("c", sluice.Slots(8))
		mustSend(t, c, l.messages(0, buffered)...)
		r.apply(c)
		if !r.delivers {
			if l.live() != 0 || c.Len() != 0 {
				t.Errorf("%d payloads alive, %d in the channel", l.live(), c.Len())
			}
			if s := c.Stats(); s.Dropped != buffered || s.Received != 0 || s.Sent != buffered {
				t.Errorf("the statistics say %+v", s)
			}
		} else {
			for i := range buffered {
				m, err := way(cancelledContext(), c)
				if err != nil || m.Seq() != sluice.SeqNum(i) {
					t.Fatalf("message %d: got number %d, %v", i, m.Seq(), err)
				}
				m.Release()
			}
		}
		m, err := way(cancelledContext(), c)
		isEnd(t, c, err, r.atEnd)
		if !m.Empty() {
			t.Error("a message came with the error")
		}
	})
}

func (r endingRow) testLaterRecv(t *testing.T, way func(context.Context, *sluice.Channel) (sluice.Message, error)) {
	synctest.Test(t, func(t *testing.T) {
		c := sluice.NewChannel("c")
		r.apply(c)
		for range 3 {
			m, err := way(cancelledContext(), c)
			isEnd(t, c, err, r.atEnd)
			if m != (sluice.Message{}) {
				t.Error("a message came with the error")
			}
		}
	})
}

func (r endingRow) testWaitingReceivers(t *testing.T, way func(context.Context, *sluice.Channel) (sluice.Message, error)) {
	synctest.Test(t, func(t *testing.T) {
		c := sluice.NewChannel("c")
		var waiting [3]*call[sluice.Message]
		for i := range waiting {
			waiting[i] = later(func() (sluice.Message, error) { return way(t.Context(), c) })
			waiting[i].waits(t)
		}
		r.apply(c)
		for i, w := range waiting {
			m, err := w.returns(t)
			isEnd(t, c, err, r.atEnd)
			if !m.Empty() || w.after != 0 {
				t.Errorf("receiver %d was woken after %v with %v", i, w.after, m)
			}
		}
		if got := c.Stats().Receivers; got != 0 {
			t.Errorf("%d receivers are still suspended", got)
		}
	})
}

func (r endingRow) testLaterDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := sluice.NewChannel("c")
		r.apply(c)
		want := r.toSender
		if r.delivers {
			want = nil
		}
		isEnd(t, c, c.Drain(cancelledContext()), want)
	})
}

func (r endingRow) testWaitingDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		c := sluice.NewChannel("c", sluice.Slots(2))
		mustSend(t, c, l.messages(0, 2)...)
		var waiting [2]*call[struct{}]
		for i := range waiting {
			waiting[i] = try(func() error { return c.Drain(t.Context()) })
			waiting[i].waits(t)
		}
		r.apply(c)
		want := r.toSender
		if r.delivers {
			want = nil
			waiting[0].waits(t)
			mustRecv(t, c)
			waiting[0].waits(t)
			waiting[1].waits(t)
			mustRecv(t, c)
		}
		for _, w := range waiting {
			_, err := w.returns(t)
			isEnd(t, c, err, want)
			if w.after != 0 {
				t.Errorf("woken after %v", w.after)
			}
		}
	})
}

func TestDrainDeliversWhatWasBufferedAndReturnsOnceItIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		c := sluice.NewChannel("c", sluice.Slots(3))
		mustSend(t, c, l.messages(0, 3)...)
		draining := try(func() error { return c.Drain(t.Context()) })
		for i := range 3 {
			draining.waits(t)
			if got := mustRecv(t, c); got != i {
				t.Errorf("received %d, want %d", got, i)
			}
		}
		_, err := draining.returns(t)
		errIs(t, err, nil)
	})
}

func TestDrainOfAnEmptyChannelReturnsAtOnce(t *testing.T) {
	c := sluice.NewChannel("c")
	errIs(t, c.Drain(cancelledContext()), nil)
	if got := c.Stats().State; got != "closed" {
		t.Errorf("state is %q", got)
	}
}

func TestDrainThatIsCancelledLeavesTheChannelClosed(t *testing.T) {
	l := newLedger(t)
	c := sluice.NewChannel("c")
	mustSend(t, c, l.message(0))
	errIs(t, c.Drain(cancelledContext()), context.Canceled)
	m := l.message(1)
	defer m.Release()
	errIs(t, c.Send(t.Context(), &m), sluice.ErrClosed)
	if mustRecv(t, c) != 0 {
		t.Error("the buffered message was lost")
	}
	errIs(t, c.Drain(cancelledContext()), nil)
}

func TestEndingsAreIdempotent(t *testing.T) {
	for _, row := range endingRows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLedger(t)
				c := sluice.NewChannel("c")
				mustSend(t, c, l.message(0))
				row.apply(c)
				before := c.Stats()
				for range 3 {
					row.apply(c)
				}
				if got := c.Stats(); got != before {
					t.Errorf("statistics went from %+v to %+v", before, got)
				}
				m := sluice.NewMessage(9, 9)
				isEnd(t, c, c.Send(t.Context(), &m), row.toSender)
				if row.delivers {
					mustRecv(t, c)
				}
				_, err := c.Recv(t.Context())
				isEnd(t, c, err, row.atEnd)
			})
		})
	}
}

func TestTheFirstEndingWins(t *testing.T) {
	for _, first := range endingRows {
		for _, second := range endingRows {
			for _, waiting := range []int{0, 2} {
				want := first
				if waiting > 0 && first.delivers && !second.delivers {
					want = second // overrides a Close that still has messages waiting
				}
				t.Run(fmt.Sprintf("%s_then_%s_with_%d_waiting", first.name, second.name, waiting), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := newLedger(t)
						c := sluice.NewChannel("c", sluice.Slots(2))
						mustSend(t, c, l.messages(0, waiting)...)
						first.apply(c)
						second.apply(c)
						if got := c.Stats().State; got != want.state {
							t.Errorf("state is %q, want %q", got, want.state)
						}
						m := sluice.NewMessage(9, 9)
						isEnd(t, c, c.Send(t.Context(), &m), want.toSender)
						if want.delivers {
							for range waiting {
								mustRecv(t, c)
							}
						}
						_, err := c.Recv(t.Context())
						isEnd(t, c, err, want.atEnd)
					})
				})
			}
		}
	}
}

func TestStopAndAbortDoNotOverrideACloseThatWasDrained(t *testing.T) {
	for _, row := range endingRows[2:] {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := sluice.NewChannel("c", sluice.Slots(2))
				mustSend(t, c, sluice.NewMessage(0, 0), sluice.NewMessage(1, 1))
				c.Close()
				mustRecv(t, c)
				mustRecv(t, c)
				row.apply(c)
				if got := c.Stats().State; got != "closed" {
					t.Errorf("state is %q: the reader has all the data", got)
				}
				_, err := c.Recv(t.Context())
				errIs(t, err, io.EOF)
				errIs(t, c.Drain(t.Context()), nil)
			})
		})
	}
}

// Whoever waits wakes at the very moment of the ending, in virtual time.
func TestEndingsWakeEveryWaiterAtOnce(t *testing.T) {
	for _, row := range endingRows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLedger(t)
				full, empty := sluice.NewChannel("full"), sluice.NewChannel("empty")
				throttle, err := sluice.NewThrottle(full, 1)
				errIs(t, err, nil)
				_, err = throttle.Acquire(t.Context())
				errIs(t, err, nil)
				mustSend(t, full, l.message(0))

				type waiter struct {
					what string
					at   *sluice.Channel
					want error
					call *call[struct{}]
				}
				var waiters []waiter
				wait := func(what string, at *sluice.Channel, want error, f func() error) {
					w := waiter{what, at, want, try(f)}
					w.call.waits(t)
					waiters = append(waiters, w)
				}
				// With contexts of each sort: none, one that many share, one per call.
				shared, cancelShared := context.WithCancel(t.Context())
				defer cancelShared()
				contexts := []context.Context{context.Background(), shared, shared, shared}
				for range 2 {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					contexts = append(contexts, ctx)
				}
				for _, ctx := range contexts {
					for name, way := range sendWays {
						wait(name, full, row.toSender, func() error {
							m := l.message(1)
							defer m.Release()
							return way(ctx, full, &m)
						})
					}
					wait("Acquire", full, row.toSender, func() error {
						_, err := throttle.Acquire(ctx)
						return err
					})
					for name, way := range recvWays {
						wait(name, empty, row.atEnd, func() error {
							_, err := way(ctx, empty)
							return err
						})
					}
				}
				row.apply(full)
				row.apply(empty)
				for _, w := range waiters {
					if !w.call.over() {
						t.Fatalf("%s still waits", w.what)
					}
					if w.call.after != 0 {
						t.Errorf("%s woke after %v", w.what, w.call.after)
					}
					isEnd(t, w.at, w.call.err, w.want)
				}
				full.Stop()
			})
		})
	}
}

func TestBufferedPayloadsAreReleasedExactlyOnce(t *testing.T) {
	for _, row := range endingRows[2:] {
		for _, opts := range [][]sluice.ChannelOption{{sluice.Slots(5)}, {sluice.Slots(5), sluice.Bytes(100)}} {
			l := newLedger(t)
			c := sluice.NewChannel("c", opts...)
			// The ring has wrapped around.
			for i := range 3 {
				mustSend(t, c, l.heavy(i, 7))
				mustRecv(t, c)
			}
			for i := range 5 {
				mustSend(t, c, l.heavy(i, 7))
			}
			row.end(c)
			row.end(c)
			c.Stop()
			if l.live() != 0 {
				t.Errorf("%s: %d payloads alive", row.name, l.live())
			}
			if s := c.Stats(); s.Dropped != 5 || s.Received != 3 || s.Sent != 8 || s.Bytes != 0 || s.BytesSent != 56 {
				t.Errorf("%s: statistics are %+v", row.name, s)
			}
		}
	}
}

// reentrant is a payload whose Release uses the channel it was in.
type reentrant struct{ release func() }

func (r reentrant) Release() { r.release() }

func TestPayloadsAreReleasedOutsideTheLock(t *testing.T) {
	for _, row := range endingRows[2:] {
		t.Run(row.name, func(t *testing.T) {
			c := sluice.NewChannel("c")
			released := 0
			mustSend(t, c, sluice.NewMessage(0, reentrant{func() {
				released++
				c.Stats()
				c.Stop()
				_, err := c.Recv(t.Context())
				isEnd(t, c, err, row.atEnd)
			}}))
			row.end(c)
			if released != 1 {
				t.Errorf("released %d times", released)
			}
		})
	}
}

func TestAbortOfNilMeansErrAborted(t *testing.T) {
	c := sluice.NewChannel("raw")
	c.Abort(nil)
	_, err := c.Recv(t.Context())
	errIs(t, err, sluice.ErrAborted)
	var abort *sluice.AbortError
	if !errors.As(err, &abort) || abort.Channel != "raw" || abort.Cause != sluice.ErrAborted {
		t.Errorf("error is %#v", err)
	}
}

func TestAbortErrorNamesChannelAndCause(t *testing.T) {
	c := sluice.NewChannel("raw")
	cause := &sluice.NodeError{Node: "scan", Err: fmt.Errorf("file: %w", io.ErrUnexpectedEOF)}
	c.Abort(cause)
	m := sluice.NewMessage(0, 0)
	for what, err := range map[string]error{
		"Send":  c.Send(t.Context(), &m),
		"Drain": c.Drain(t.Context()),
		"Recv":  func() error { _, err := c.Recv(t.Context()); return err }(),
	} {
		var node *sluice.NodeError
		if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.As(err, &node) || node != cause {
			t.Errorf("%s: %v does not unwrap to its cause", what, err)
		}
		for _, part := range []string{`"raw"`, `"scan"`, "file: unexpected EOF"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %s", what, err, part)
			}
		}
	}
}

func TestTheSideChannelGoesWithItsChannel(t *testing.T) {
	for _, row := range endingRows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLedger(t)
				c := sluice.NewChannel("c")
				for i := range 3 {
					m := l.message(i)
					errIs(t, c.Meta().Send(&m), nil)
				}
				row.apply(c)
				m := l.message(9)
				err := c.Meta().Send(&m)
				if !errors.Is(err, row.toSender) {
					t.Errorf("Send to the side channel gives %v", err)
				}
				m.Release()
				if row.delivers {
					for i := range 3 {
						m, err := c.Meta().Recv(cancelledContext())
						if err != nil || m.Seq() != sluice.SeqNum(i) {
							t.Errorf("metadata %d: %v, %v", i, m.Seq(), err)
						}
						m.Release()
					}
				} else if l.live() != 0 {
					t.Errorf("%d unread messages are alive", l.live())
				}
				_, err = c.Meta().Recv(cancelledContext())
				if !errors.Is(err, row.atEnd) {
					t.Errorf("Recv from the side channel gives %v", err)
				}
			})
		})
	}
}

func TestEndingsWakeWhoWaitsAtTheSideChannel(t *testing.T) {
	for _, row := range endingRows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := sluice.NewChannel("c")
				waiting := later(func() (sluice.Message, error) { return c.Meta().Recv(t.Context()) })
				waiting.waits(t)
				row.apply(c)
				_, err := waiting.returns(t)
				errIs(t, err, row.atEnd)
			})
		})
	}
}

func TestASendNThatIsEndedKeepsWhatWasNotSent(t *testing.T) {
	for _, row := range endingRows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLedger(t)
				c := sluice.NewChannel("c", sluice.Slots(2))
				ms := make([]sluice.Message, 6)
				for i := range ms {
					ms[i] = l.weightless(i)
				}
				sending := later(func() (int, error) { return c.SendN(t.Context(), ms) })
				sending.waits(t)
				if mustRecv(t, c) != 0 {
					t.Error("not the first message")
				}
				sending.waits(t)
				row.apply(c)
				n, err := sending.returns(t)
				isEnd(t, c, err, row.toSender)
				if n != 3 {
					t.Errorf("%d were sent, want 3", n)
				}
				for i := range ms {
					if ms[i].Empty() != (i < n) || i >= n && ms[i].Seq() != sluice.SeqNum(i) {
						t.Errorf("message %d is empty: %v, number %d", i, ms[i].Empty(), ms[i].Seq())
					}
					ms[i].Release()
				}
				if row.delivers {
					mustRecv(t, c)
					mustRecv(t, c)
				}
			})
		})
	}
}
