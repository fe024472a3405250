package sluice_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice"
)

func newChannels(n int, opts ...sluice.ChannelOption) []*sluice.Channel {
	cs := make([]*sluice.Channel, n)
	for i := range cs {
		cs[i] = sluice.NewChannel("c"+string(rune('0'+i)), opts...)
	}
	return cs
}

// anyResult is what RecvAny and SendAny give.
type anyResult struct {
	i int
	m sluice.Message
}

func recvAny(ctx context.Context, cs ...*sluice.Channel) *call[anyResult] {
	return later(func() (anyResult, error) {
		i, m, err := sluice.RecvAny(ctx, cs...)
		return anyResult{i, m}, err
	})
}

func sendAny(ctx context.Context, m *sluice.Message, cs ...*sluice.Channel) *call[int] {
	return later(func() (int, error) { return sluice.SendAny(ctx, m, cs...) })
}

func noneWaits(t testing.TB, cs ...*sluice.Channel) {
	t.Helper()
	for _, c := range cs {
		if s := c.Stats(); s.Senders != 0 || s.Receivers != 0 {
			t.Errorf("channel %q still has %d senders and %d receivers", c.Name(), s.Senders, s.Receivers)
		}
	}
}

func TestRecvAnyTakesWhatIsThere(t *testing.T) {
	cs := newChannels(3)
	mustSend(t, cs[1], sluice.NewMessage(7, "x"))
	i, m, err := sluice.RecvAny(cancelledContext(), cs...)
	if i != 1 || m.Seq() != 7 || err != nil {
		t.Errorf("got %d from channel %d, %v", m.Seq(), i, err)
	}
	i, m, err = sluice.RecvAny(cancelledContext(), cs...)
	if i != -1 || !m.Empty() || err != context.Canceled {
		t.Errorf("with nothing there: channel %d, empty %v, %v", i, m.Empty(), err)
	}
	noneWaits(t, cs...)
}

func TestRecvAnyIsFair(t *testing.T) {
	const rounds = 3000
	cs := newChannels(3)
	var got [3]int
	for range rounds {
		for _, c := range cs {
			if c.Len() == 0 {
				mustSend(t, c, sluice.NewMessage(0, "x"))
			}
		}
		i, _, err := sluice.RecvAny(t.Context(), cs...)
		errIs(t, err, nil)
		got[i]++
	}
	for i, n := range got {
		if n < rounds/4 {
			t.Errorf("channel %d came %d times of %d, though it always had a message: %v", i, n, rounds, got)
		}
	}
}

func TestRecvAnyWaitsForTheFirst(t *testing.T) {
	for k := range 3 {
		synctest.Test(t, func(t *testing.T) {
			l := newLedger(t)
			cs := newChannels(3)
			receiving := recvAny(t.Context(), cs...)
			receiving.waits(t)
			mustSend(t, cs[k], l.message(7))
			got, err := receiving.returns(t)
			if got.i != k || got.m.Seq() != 7 || err != nil {
				t.Errorf("got %d from channel %d, %v", got.m.Seq(), got.i, err)
			}
			got.m.Release()
			noneWaits(t, cs...)
			for i, c := range cs { // nothing is handed to who waits no more
				mustSend(t, c, l.message(i))
				if c.Len() != 1 {
					t.Errorf("channel %d gave its message away", i)
				}
				mustRecv(t, c)
			}
		})
	}
}

func TestRecvAnyIsServedOnceWhenSeveralSendAtTheSameTime(t *testing.T) {
	for range 300 {
		l := newLedger(t)
		cs := newChannels(4)
		receiving := recvAny(context.Background(), cs...)
		var sending sync.WaitGroup
		for i, c := range cs {
			sending.Go(func() { mustSend(t, c, l.message(i)) })
		}
		sending.Wait()
		<-receiving.done
		got, err := receiving.value, receiving.err
		if err != nil || int(got.m.Seq()) != got.i {
			t.Fatalf("got %d from channel %d, %v", got.m.Seq(), got.i, err)
		}
		got.m.Release()
		for i, c := range cs {
			if i == got.i {
				if c.Len() != 0 {
					t.Fatalf("channel %d has %d messages", i, c.Len())
				}
			} else if mustRecv(t, c) != i {
				t.Fatalf("channel %d lost its message", i)
			}
		}
	}
}

func TestRecvAnyReceivesInTurnWithOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		cs := newChannels(2)
		plain := func() *call[sluice.Message] {
			return later(func() (sluice.Message, error) { return cs[0].Recv(t.Context()) })
		}
		first := plain()
		first.waits(t)
		second := recvAny(t.Context(), cs...)
		second.waits(t)
		third := plain()
		third.waits(t)
		for i := range 3 {
			mustSend(t, cs[0], l.message(i))
		}
		m, _ := first.returns(t)
		got, _ := second.returns(t)
		n, _ := third.returns(t)
		if m.Seq() != 0 || got.m.Seq() != 1 || n.Seq() != 2 {
			t.Errorf("served %d, %d, %d", m.Seq(), got.m.Seq(), n.Seq())
		}
		m.Release()
		got.m.Release()
		n.Release()
	})
}

func TestRecvAnyPassesOverWhatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		cs := newChannels(3, sluice.Slots(2))
		mustSend(t, cs[0], l.message(1), l.message(2))
		cs[0].Close()
		for want := range 2 {
			i, m, err := sluice.RecvAny(t.Context(), cs...)
			if i != 0 || int(m.Seq()) != want+1 || err != nil {
				t.Fatalf("what a closed channel had comes first: got %d from %d, %v", m.Seq(), i, err)
			}
			m.Release()
		}
		receiving := recvAny(t.Context(), cs...)
		receiving.waits(t)
		cs[1].Stop()
		receiving.waits(t)
		mustSend(t, cs[2], l.message(3))
		got, err := receiving.returns(t)
		if got.i != 2 || err != nil {
			t.Fatalf("got %d, %v", got.i, err)
		}
		got.m.Release()

		receiving = recvAny(t.Context(), cs...)
		receiving.waits(t)
		cs[2].Close()
		got, err = receiving.returns(t)
		if got.i != -1 || !got.m.Empty() || err != io.EOF {
			t.Errorf("when the last has ended: %d, %v", got.i, err)
		}
		i, _, err := sluice.RecvAny(t.Context(), cs...)
		if i != -1 || err != io.EOF {
			t.Errorf("when all have ended: %d, %v", i, err)
		}
	})
}

func TestAnyOfNoChannelsHasEnded(t *testing.T) {
	if i, m, err := sluice.RecvAny(t.Context()); i != -1 || !m.Empty() || err != io.EOF {
		t.Errorf("RecvAny gives %d, %v", i, err)
	}
	m := sluice.NewMessage(0, 0)
	if i, err := sluice.SendAny(t.Context(), &m); i != -1 || err != sluice.ErrStopped || m.Empty() {
		t.Errorf("SendAny gives %d, %v", i, err)
	}
}

func TestAnyGivesTheAbortOfOneWithItsIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newChannels(3)
		receiving := recvAny(t.Context(), cs...)
		receiving.waits(t)
		cs[1].Abort(errBoom)
		got, err := receiving.returns(t)
		isEnd(t, cs[1], err, errBoom)
		if got.i != 1 || !got.m.Empty() {
			t.Errorf("waiting RecvAny gives index %d", got.i)
		}
		i, _, err := sluice.RecvAny(t.Context(), cs...)
		isEnd(t, cs[1], err, errBoom)
		if i != 1 {
			t.Errorf("later RecvAny gives index %d", i)
		}
		noneWaits(t, cs...)

		cs = newChannels(3)
		for _, c := range cs {
			mustSend(t, c, sluice.NewMessage(0, 0))
		}
		m := sluice.NewMessage(1, 1)
		sending := sendAny(t.Context(), &m, cs...)
		sending.waits(t)
		cs[2].Abort(errBoom)
		i, err = sending.returns(t)
		isEnd(t, cs[2], err, errBoom)
		if i != 2 || m.Empty() {
			t.Errorf("waiting SendAny gives index %d", i)
		}
		i, err = sluice.SendAny(t.Context(), &m, cs...)
		isEnd(t, cs[2], err, errBoom)
		if i != 2 || m.Empty() {
			t.Errorf("later SendAny gives index %d", i)
		}
		noneWaits(t, cs...)
	})
}

func TestAnyMayHaveAChannelTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := sluice.NewChannel("c")
		receiving := recvAny(t.Context(), c, c)
		receiving.waits(t)
		mustSend(t, c, sluice.NewMessage(7, 7))
		got, err := receiving.returns(t)
		if got.m.Seq() != 7 || err != nil {
			t.Errorf("got %d, %v", got.m.Seq(), err)
		}
		noneWaits(t, c)
		receiving = recvAny(t.Context(), c, c)
		receiving.waits(t)
		c.Close()
		if got, err := receiving.returns(t); got.i != -1 || err != io.EOF {
			t.Errorf("at the end: %d, %v", got.i, err)
		}
	})
}

func TestCancelledAnyLeavesEverythingAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		ctx, cancel := context.WithCancel(t.Context())
		empty, full := newChannels(2), newChannels(2)
		for i, c := range full {
			mustSend(t, c, l.message(i))
		}
		receiving := recvAny(ctx, empty...)
		m := l.message(5)
		before := m
		sending := sendAny(ctx, &m, full...)
		receiving.waits(t)
		sending.waits(t)
		cancel()
		got, err := receiving.returns(t)
		if got.i != -1 || !got.m.Empty() || err != context.Canceled {
			t.Errorf("RecvAny gives %d, %v", got.i, err)
		}
		i, err := sending.returns(t)
		if i != -1 || m != before || err != context.Canceled {
			t.Errorf("SendAny gives %d, %v, and the message is as it was: %v", i, err, m == before)
		}
		m.Release()
		noneWaits(t, append(empty, full...)...)
		for i, c := range full {
			if mustRecv(t, c) != i || c.Len() != 0 {
				t.Errorf("full channel %d has something else in it", i)
			}
		}
	})
}

func TestSendAnyTakesTheOneThatHasRoom(t *testing.T) {
	l := newLedger(t)
	cs := newChannels(3)
	mustSend(t, cs[0], l.message(0))
	mustSend(t, cs[2], l.message(2))
	m := l.message(1)
	i, err := sluice.SendAny(cancelledContext(), &m, cs...)
	if i != 1 || err != nil || !m.Empty() {
		t.Fatalf("sent to %d, %v", i, err)
	}
	for i, c := range cs {
		if mustRecv(t, c) != i {
			t.Errorf("channel %d has another message", i)
		}
	}
}

func TestSendAnyPrefersAWaitingReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		cs := newChannels(3, sluice.Slots(4))
		for range 30 {
			for k := range cs {
				receiving := later(func() (sluice.Message, error) { return cs[k].Recv(t.Context()) })
				receiving.waits(t)
				m := l.message(k)
				i, err := sluice.SendAny(t.Context(), &m, cs...)
				if i != k || err != nil {
					t.Fatalf("sent to %d, %v; channel %d has a receiver that waits", i, err, k)
				}
				m, err = receiving.returns(t)
				errIs(t, err, nil)
				m.Release()
			}
		}
	})
}

func TestSendAnySeesAnAbortThoughAnotherAlwaysWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newChannels(3)
		cs[0].Abort(errBoom)
		for range 1000 {
			receiving := later(func() (sluice.Message, error) { return cs[1].Recv(t.Context()) })
			receiving.waits(t)
			m := sluice.NewMessage(0, "x")
			i, err := sluice.SendAny(t.Context(), &m, cs...)
			if err != nil {
				errIs(t, err, errBoom)
				cs[1].Close()
				_, err = receiving.returns(t)
				errIs(t, err, io.EOF)
				if i != 0 {
					t.Errorf("channel %d is said to be aborted", i)
				}
				return
			}
			m, err = receiving.returns(t)
			errIs(t, err, nil)
			m.Release()
		}
		t.Error("a thousand were sent past the channel that was aborted")
	})
}

func TestSendAnyIsFair(t *testing.T) {
	const rounds = 3000
	cs := newChannels(3)
	var got [3]int
	for range rounds {
		m := sluice.NewMessage(0, "x")
		i, err := sluice.SendAny(t.Context(), &m, cs...)
		errIs(t, err, nil)
		got[i]++
		mustRecv(t, cs[i])
	}
	for i, n := range got {
		if n < rounds/4 {
			t.Errorf("channel %d came %d times of %d: %v", i, n, rounds, got)
		}
	}
}

func TestSendAnyWaitsForTheFirst(t *testing.T) {
	for k := range 3 {
		synctest.Test(t, func(t *testing.T) {
			l := newLedger(t)
			cs := newChannels(3)
			for i, c := range cs {
				mustSend(t, c, l.message(i))
			}
			m := l.message(9)
			sending := sendAny(t.Context(), &m, cs...)
			sending.waits(t)
			mustRecv(t, cs[k])
			i, err := sending.returns(t)
			if i != k || err != nil || !m.Empty() {
				t.Errorf("sent to %d, %v", i, err)
			}
			noneWaits(t, cs...)
			for i, c := range cs { // and to no other
				want := i
				if i == k {
					want = 9
				}
				if got := mustRecv(t, c); got != want || c.Len() != 0 {
					t.Errorf("channel %d has %d and %d more", i, got, c.Len())
				}
			}
		})
	}
}

func TestSendAnyPassesOverWhatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		cs := newChannels(3)
		cs[0].Stop()
		mustSend(t, cs[1], l.message(1))
		mustSend(t, cs[2], l.message(2))
		m := l.message(9)
		defer m.Release()
		sending := sendAny(t.Context(), &m, cs...)
		sending.waits(t)
		cs[1].Close()
		sending.waits(t)
		cs[2].Stop()
		i, err := sending.returns(t)
		if i != -1 || err != sluice.ErrStopped || m.Empty() {
			t.Errorf("when the last has ended: %d, %v", i, err)
		}
		i, err = sluice.SendAny(t.Context(), &m, cs...)
		if i != -1 || err != sluice.ErrStopped && err != sluice.ErrClosed || m.Empty() {
			t.Errorf("when all have ended: %d, %v", i, err)
		}
		mustRecv(t, cs[1])
	})
}

func TestSendAnyRefusesWhatOneOfThemWouldNeverTake(t *testing.T) {
	cs := []*sluice.Channel{sluice.NewChannel("any"), sluice.NewChannel("strings", sluice.Of[string]())}
	m := sluice.NewMessage(0, 1)
	i, err := sluice.SendAny(t.Context(), &m, cs...)
	var wrong *sluice.TypeError
	if i != -1 || !errors.As(err, &wrong) || m.Empty() {
		t.Errorf("sent to %d, %v", i, err)
	}
	if i, err := sluice.SendAny(t.Context(), &sluice.Message{}, cs...); i != -1 || err != sluice.ErrEmptyMessage {
		t.Errorf("an empty message: sent to %d, %v", i, err)
	}
}

// A SendAny that was served by one channel leaves its place in the queue of the
// others, and who is behind it there may fit now.
func TestSendAnyThatIsServedElsewhereLetsThoseBehindItIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		a := sluice.NewChannel("a", sluice.Slots(4), sluice.Bytes(10))
		b := sluice.NewChannel("b")
		mustSend(t, a, l.heavy(0, 8))
		mustSend(t, b, l.message(1))
		big := l.heavy(2, 5)
		first := sendAny(t.Context(), &big, a, b)
		first.waits(t)
		small := l.heavy(3, 2)
		second := try(func() error { return a.Send(t.Context(), &small) })
		second.waits(t) // it would fit, but is behind
		mustRecv(t, b)
		if i, err := first.returns(t); i != 1 || err != nil {
			t.Fatalf("sent to %d, %v", i, err)
		}
		_, err := second.returns(t)
		errIs(t, err, nil)
		a.Stop()
		b.Stop()
	})
}

func TestAnyLosesNothingUnderLoad(t *testing.T) {
	const senders, receivers, each = 4, 4, 500
	for _, opts := range [][]sluice.ChannelOption{
		{sluice.Slots(1)}, {sluice.Slots(3), sluice.Bytes(4)},
	} {
		l := newLedger(t)
		cs := newChannels(3, opts...)
		var seen [senders * each]int
		var mu sync.Mutex
		var sending, receiving sync.WaitGroup
		for s := range senders {
			sending.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(s)))
				for k := range each {
					m := l.heavy(s*each+k, int64(random.IntN(6)))
					var err error
					if random.IntN(3) == 0 {
						err = cs[random.IntN(len(cs))].Send(t.Context(), &m)
					} else {
						at := random.Perm(len(cs))[:2]
						_, err = sluice.SendAny(t.Context(), &m, cs[at[0]], cs[at[1]])
					}
					if err != nil {
						t.Error(err)
						m.Release()
					}
				}
			})
		}
		for r := range receivers {
			receiving.Go(func() {
				random := rand.New(rand.NewPCG(2, uint64(r)))
				for {
					var m sluice.Message
					var err error
					if r == 0 { // so that each channel has a reader of its own
						_, m, err = sluice.RecvAny(context.Background(), cs...)
					} else if m, err = cs[r-1].Recv(context.Background()); err == nil && random.IntN(2) == 0 {
						mu.Lock()
						seen[m.Seq()]++
						mu.Unlock()
						m.Release()
						_, m, err = sluice.RecvAny(context.Background(), cs[r-1], cs[r%3])
					}
					if err == io.EOF {
						return
					}
					mu.Lock()
					seen[m.Seq()]++
					mu.Unlock()
					m.Release()
				}
			})
		}
		sending.Wait()
		for _, c := range cs {
			c.Close()
		}
		receiving.Wait()
		for n, times := range seen {
			if times != 1 {
				t.Fatalf("message %d was received %d times", n, times)
			}
		}
		noneWaits(t, cs...)
	}
}

// A node that waits for any of several channels waits once, and only while it does:
// its waits at a channel that has ended are over.
func TestAnyCountsTheWaitOfANodeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := sluice.NewNetwork("n", sluice.WithStallAfter(0))
		a, b := n.Channel("a"), n.Channel("b")
		n.Node("short", func(ctx context.Context) error {
			time.Sleep(10 * time.Second)
			m := sluice.NewMessage(0, 0)
			return a.Send(ctx, &m)
		}, sluice.Writes(a))
		n.Node("long", func(ctx context.Context) error {
			for i := range 10 {
				time.Sleep(time.Minute)
				m := sluice.NewMessage(sluice.SeqNum(i), 0)
				if err := b.Send(ctx, &m); err != nil {
					return err
				}
			}
			return nil
		}, sluice.Writes(b))
		n.Node("both", func(ctx context.Context) error {
			for {
				if _, _, err := sluice.RecvAny(ctx, a, b); err != nil {
					return nil
				}
			}
		}, sluice.Reads(a, b))
		errIs(t, n.Run(t.Context()), nil)
		s := n.Snapshot()
		near := func(what string, got, want time.Duration) {
			t.Helper()
			if got < want-time.Second || got > want+time.Second {
				t.Errorf("%s is %v, want about %v", what, got, want)
			}
		}
		near("the node's wait to receive", s.Nodes[2].RecvWait, 10*time.Minute)
		near("the wait to receive at a", s.Channels[0].RecvWait, 10*time.Second)
		near("the wait to receive at b", s.Channels[1].RecvWait, 10*time.Minute)
	})
}

// Channels become ready while RecvAny and SendAny are still joining their lists.
func TestAnyIsServedOnceWhenItIsReadyWhileItJoins(t *testing.T) {
	for range 20000 {
		var cs []*sluice.Channel
		for range 4 {
			cs = append(cs, sluice.NewChannel("c"))
		}
		var wg sync.WaitGroup
		for i, c := range cs {
			wg.Go(func() {
				m := sluice.NewMessage(sluice.SeqNum(i), i)
				_ = c.Send(context.Background(), &m)
			})
		}
		seen := map[sluice.SeqNum]bool{}
		for range cs {
			_, m, err := sluice.RecvAny(context.Background(), cs...)
			errIs(t, err, nil)
			if seen[m.Seq()] {
				t.Fatalf("number %d came twice", m.Seq())
			}
			seen[m.Seq()] = true
		}
		wg.Wait()
	}
}

// A channel that ends while somebody waits for any of several is not charged with what
// the wait for the others still takes.
func TestAnyChargesAChannelThatEndedOnlyUntilThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := sluice.NewNetwork("n")
		a, b := n.Channel("a"), n.Channel("b")
		n.Node("a", func(context.Context) error { time.Sleep(10 * time.Second); return nil }, sluice.Writes(a))
		n.Node("b", func(ctx context.Context) error {
			time.Sleep(time.Minute)
			m := sluice.NewMessage(0, 0)
			return b.Send(ctx, &m)
		}, sluice.Writes(b))
		n.Node("reader", func(ctx context.Context) error {
			for {
				if _, _, err := sluice.RecvAny(ctx, a, b); err != nil {
					return nil
				}
			}
		}, sluice.Reads(a, b))
		errIs(t, n.Run(t.Context()), nil)
		s := n.Snapshot()
		for what, wait := range map[string]struct{ got, want time.Duration }{
			"a":        {s.Channels[0].RecvWait, 10 * time.Second},
			"b":        {s.Channels[1].RecvWait, time.Minute},
			"the node": {s.Nodes[2].RecvWait, time.Minute},
		} {
			if (wait.got - wait.want).Abs() > 50*time.Millisecond {
				t.Errorf("%s: %v, want %v", what, wait.got, wait.want)
			}
		}
	})
}
