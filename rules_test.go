package sluice_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// The rules that hold everywhere: a group of tests for each, under its name.

// Rule 1: a successful Send empties the caller's message; on any error the caller
// still owns it, byte for byte.
func TestRuleOwnershipMoves(t *testing.T) {
	open := func(opts ...sluice.ChannelOption) func(*ledger) *sluice.Channel {
		return func(*ledger) *sluice.Channel { return sluice.NewChannel("c", opts...) }
	}
	full := func(l *ledger) *sluice.Channel {
		c := sluice.NewChannel("c")
		_ = c.Send(context.Background(), new(l.message(0)))
		return c
	}
	ended := func(end func(*sluice.Channel)) func(*ledger) *sluice.Channel {
		return func(*ledger) *sluice.Channel {
			c := sluice.NewChannel("c")
			end(c)
			return c
		}
	}
	var wrongType *sluice.TypeError
	for name, test := range map[string]struct {
		channel func(*ledger) *sluice.Channel
		want    func(error) bool
	}{
		"open":            {open(), func(err error) bool { return err == nil }},
		"right type":      {open(sluice.Of[*block]()), func(err error) bool { return err == nil }},
		"right interface": {open(sluice.Of[interface{ Release() }]()), func(err error) bool { return err == nil }},
		"too big":         {open(sluice.Bytes(3)), func(err error) bool { return err == nil }},
		"wrong type":      {open(sluice.Of[string]()), func(err error) bool { return errors.As(err, &wrongType) }},
		"wrong interface": {open(sluice.Of[io.Reader]()), func(err error) bool { return errors.As(err, &wrongType) }},
		"cancelled":       {full, func(err error) bool { return err == context.Canceled }},
		"closed":          {ended((*sluice.Channel).Close), func(err error) bool { return err == sluice.ErrClosed }},
		"stopped":         {ended((*sluice.Channel).Stop), func(err error) bool { return err == sluice.ErrStopped }},
		"aborted":         {ended(func(c *sluice.Channel) { c.Abort(errBoom) }), func(err error) bool { return errors.Is(err, errBoom) }},
	} {
		for way, sendWith := range sendWays {
			t.Run(name+"/"+way, func(t *testing.T) {
				l := newLedger(t)
				c := test.channel(l)
				m := newGate(t, 1).held(t, l.heavy(7, 9)) // with a receipt, too
				before := m
				err := sendWith(cancelledContext(), c, &m)
				if !test.want(err) {
					t.Fatalf("the error is %v", err)
				}
				if err != nil && m != before {
					t.Errorf("the message is %v, was %v", m, before)
				}
				if err == nil && m != (sluice.Message{}) {
					t.Errorf("%v is left of a message that was sent", m)
				}
				m.Release()
				c.Stop()
			})
		}
	}
}

// What was sent comes out as it went in.
func TestRuleOwnershipMovesUnchanged(t *testing.T) {
	l := newLedger(t)
	c := sluice.NewChannel("c")
	m := newGate(t, 1).held(t, l.heavy(7, 9))
	before := m
	for i := range 2 {
		for name, sendWith := range sendWays {
			for other, recvWith := range recvWays {
				errIs(t, sendWith(cancelledContext(), c, &m), nil)
				var err error
				m, err = recvWith(cancelledContext(), c)
				if err != nil || m != before {
					t.Fatalf("%s to %s (%d): %v, %v; want %v", name, other, i, m, err, before)
				}
			}
		}
	}
	m.Release()
}

func TestRuleOwnershipMovesInBatches(t *testing.T) {
	l := newLedger(t)
	c := sluice.NewChannel("c", sluice.Slots(3))
	for _, kind := range []func(int) sluice.Message{l.message, l.weightless} {
		ms := make([]sluice.Message, 5)
		for i := range ms {
			ms[i] = kind(i)
		}
		before := append([]sluice.Message(nil), ms...)
		n, err := c.SendN(cancelledContext(), ms)
		if n != 3 || err != context.Canceled {
			t.Fatalf("SendN gives %d, %v", n, err)
		}
		for i := range ms {
			want := before[i]
			if i < n {
				want = sluice.Message{}
			}
			if ms[i] != want {
				t.Errorf("message %d is %v, want %v", i, ms[i], want)
			}
		}
		into := make([]sluice.Message, 5)
		k, err := c.RecvN(cancelledContext(), into)
		if k != 3 || err != nil {
			t.Fatalf("RecvN gives %d, %v", k, err)
		}
		for i := range into {
			want := before[i]
			if i >= k {
				want = sluice.Message{}
			}
			if into[i] != want {
				t.Errorf("received message %d is %v, want %v", i, into[i], want)
			}
		}
		for i := range ms {
			ms[i].Release()
			into[i].Release()
		}
	}
}

// A batch with a message that the channel would never take goes nowhere.
func TestRuleOwnershipOfABatchThatIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		bad  sluice.Message
		want func(error) bool
	}{
		"empty":      {sluice.Message{}, func(err error) bool { return errors.Is(err, sluice.ErrEmptyMessage) }},
		"wrong type": {sluice.NewMessage(2, 2), func(err error) bool { return errors.As(err, new(*sluice.TypeError)) }},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			c := sluice.NewChannel("c", sluice.Slots(4), sluice.Of[*block]())
			ms := []sluice.Message{l.message(0), l.message(1), test.bad, l.message(3)}
			before := append([]sluice.Message(nil), ms...)
			n, err := c.SendN(t.Context(), ms)
			if n != 0 || !test.want(err) || c.Len() != 0 {
				t.Errorf("SendN gives %d, %v, and %d are in the channel", n, err, c.Len())
			}
			for i := range ms {
				if ms[i] != before[i] {
					t.Errorf("message %d changed", i)
				}
				ms[i].Release()
			}
		})
	}
}

// Rule 2: a context is consulted only when a call has to wait.
func TestRuleCancelSafeWhenThereIsNoNeedToWait(t *testing.T) {
	l := newLedger(t)
	ctx := cancelledContext()
	c := sluice.NewChannel("c", sluice.Slots(8))
	throttle, err := sluice.NewThrottle(c, 1)
	errIs(t, err, nil)
	for name, way := range sendWays {
		m := l.message(0)
		if err := way(ctx, c, &m); err != nil {
			t.Errorf("%s with room: %v", name, err)
		}
	}
	ticket, err := throttle.Acquire(ctx)
	if err != nil {
		t.Fatalf("Acquire with a ticket there: %v", err)
	}
	m := l.message(0)
	if err := ticket.SendHeld(ctx, &m); err != nil {
		t.Errorf("SendHeld with room: %v", err)
	}
	n, err := c.SendN(ctx, l.messages(0, 2))
	if n != 2 || err != nil {
		t.Errorf("SendN with room for all: %d, %v", n, err)
	}
	for name, way := range recvWays {
		if m, err = way(ctx, c); err != nil {
			t.Errorf("%s with messages there: %v", name, err)
		}
		m.Release()
	}
	for c.Len() > 0 {
		mustRecv(t, c)
	}
	if err := c.Drain(ctx); err != nil {
		t.Errorf("Drain with nothing there: %v", err)
	}
}

// contexts are the sorts of context that a call may come with. Each cancel ends the
// calls that wait with it.
var contexts = map[string]func() (context.Context, context.CancelFunc){
	"cancel": func() (context.Context, context.CancelFunc) {
		return context.WithCancel(context.Background())
	},
	"deadline": func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.Background(), time.Hour)
	},
	"derived": func() (context.Context, context.CancelFunc) {
		parent, cancel := context.WithCancel(context.Background())
		ctx, inner := context.WithTimeout(context.WithValue(parent, errBoom, 1), time.Hour)
		return ctx, func() { cancel(); inner() }
	},
	"with a cause": func() (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(context.Background())
		return ctx, func() { cancel(errBoom) }
	},
	"incomparable": func() (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(context.Background())
		return incomparable{ctx, nil}, cancel
	},
}

// incomparable is a context that == panics on.
type incomparable struct {
	context.Context
	_ []int
}

// Each way of waiting ends with its context, whether it is the first that waits with
// it, or one of many, and leaves nothing behind.
func TestRuleCancelSafeWhileWaiting(t *testing.T) {
	for name, newContext := range contexts {
		for _, together := range []int{1, 2, 5} {
			t.Run(fmt.Sprintf("%s/%d", name, together), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLedger(t)
					full, empty := sluice.NewChannel("full"), sluice.NewChannel("empty")
					throttle, err := sluice.NewThrottle(full, 1)
					errIs(t, err, nil)
					ticket, err := throttle.Acquire(t.Context())
					errIs(t, err, nil)
					mustSend(t, full, l.message(0))
					ctx, cancel := newContext()
					defer cancel()
					var calls []*call[struct{}]
					wait := func(f func() error) {
						calls = append(calls, try(f))
						calls[len(calls)-1].waits(t)
					}
					for range together {
						for _, way := range sendWays {
							wait(func() error {
								m := l.message(1)
								defer m.Release()
								before := m
								err := way(ctx, full, &m)
								if m != before {
									t.Error("the message is not with the caller")
								}
								return err
							})
						}
						for _, way := range recvWays {
							wait(func() error {
								m, err := way(ctx, empty)
								if m != (sluice.Message{}) {
									t.Error("a message came with the error")
								}
								return err
							})
						}
						wait(func() error { _, err := throttle.Acquire(ctx); return err })
					}
					closed := sluice.NewChannel("closed")
					mustSend(t, closed, l.message(2))
					wait(func() error { return closed.Drain(ctx) })

					cancel()
					for i, c := range calls {
						if _, err := c.returns(t); err != context.Canceled {
							t.Errorf("call %d gives %v", i, err)
						}
					}
					noneWaits(t, full, empty)
					// What comes now goes to nobody who left.
					ticket.Release()
					_, err = throttle.Acquire(cancelledContext())
					errIs(t, err, nil)
					mustSend(t, empty, l.message(3))
					if mustRecv(t, full) != 0 || full.Len() != 0 || mustRecv(t, empty) != 3 {
						t.Error("a message went to who had left, or came from there")
					}
					mustRecv(t, closed)
				})
			})
		}
	}
}

func TestRuleCancelSafeWithDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := sluice.NewChannel("c")
		for i := range 5 { // the same channel, another context each time
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i+1)*time.Second)
			begin := time.Now()
			_, err := c.Recv(ctx)
			cancel()
			if err != context.DeadlineExceeded || time.Since(begin) != time.Duration(i+1)*time.Second {
				t.Errorf("Recv gives %v after %v", err, time.Since(begin))
			}
		}
	})
}

// Random cancels against random transfers: every payload comes out once, and a send
// that failed has not happened.
func TestRuleCancelSafeUnderLoad(t *testing.T) {
	for name, opts := range map[string][]sluice.ChannelOption{
		"1 slot":  {sluice.Slots(1)},
		"4 slots": {sluice.Slots(4)},
		"bytes":   {sluice.Slots(4), sluice.Bytes(10)},
	} {
		t.Run(name, func(t *testing.T) { cancelStorm(t, opts...) })
	}
}

func cancelStorm(t *testing.T, opts ...sluice.ChannelOption) {
	const senders, receivers, each = 5, 4, 600
	l := newLedger(t)
	a, b := sluice.NewChannel("a", opts...), sluice.NewChannel("b", opts...)
	var mu sync.Mutex
	seen := make([]int, senders*each)
	cancels := 0

	// contextFor gives a context of a random sort, and what to call afterwards.
	var shared struct {
		sync.Mutex
		ctx    context.Context
		cancel context.CancelFunc
	}
	shared.ctx, shared.cancel = context.WithCancel(context.Background())
	defer func() { shared.cancel() }()
	contextFor := func(random *rand.Rand) (context.Context, func()) {
		switch random.IntN(6) {
		case 0:
			return context.Background(), func() {}
		case 1, 2:
			shared.Lock()
			defer shared.Unlock()
			if random.IntN(8) == 0 {
				shared.cancel()
				shared.ctx, shared.cancel = context.WithCancel(context.Background())
			}
			return shared.ctx, func() {}
		case 3:
			return cancelledContext(), func() {}
		case 4:
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(random.IntN(50))*time.Microsecond)
			return ctx, cancel
		default:
			ctx, cancel := context.WithCancel(context.Background())
			var over sync.WaitGroup
			pause := random.IntN(4)
			over.Go(func() {
				for range pause {
					runtime.Gosched()
				}
				cancel()
			})
			return ctx, over.Wait
		}
	}
	failed := func(err error) bool {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			mu.Lock()
			cancels++
			mu.Unlock()
			return true
		}
		t.Error(err)
		return false
	}

	var sending, receiving sync.WaitGroup
	for s := range senders {
		sending.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(s)))
			for k := 0; k < each; {
				ms := make([]sluice.Message, min(1+random.IntN(4), each-k))
				for i := range ms {
					if n := s*each + k + i; random.IntN(2) == 0 {
						ms[i] = l.heavy(n, int64(random.IntN(8)))
					} else {
						ms[i] = l.weightless(n)
					}
				}
				k += len(ms)
				for len(ms) > 0 {
					ctx, done := contextFor(random)
					to, other := a, b
					if random.IntN(2) == 0 {
						to, other = b, a
					}
					n, err := 1, error(nil)
					switch random.IntN(3) {
					case 0:
						err = to.Send(ctx, &ms[0])
					case 1:
						_, err = sluice.SendAny(ctx, &ms[0], to, other)
					default:
						n, err = to.SendN(ctx, ms)
						if err == nil && n != len(ms) {
							t.Errorf("SendN gives %d of %d and no error", n, len(ms))
						}
						ms = ms[n:]
						n = 0
					}
					done()
					if err == nil {
						ms = ms[n:]
					} else if !failed(err) {
						return
					}
					if len(ms) > 0 && ms[0].Empty() {
						t.Error("a message that was not sent is gone")
						return
					}
				}
			}
		})
	}
	for r := range receivers {
		receiving.Go(func() {
			random := rand.New(rand.NewPCG(2, uint64(r)))
			into := make([]sluice.Message, 4)
			live := []*sluice.Channel{a, b}
			for len(live) > 0 {
				ctx, done := contextFor(random)
				from := random.IntN(len(live))
				if r < 2 && len(live) == 2 { // so that each channel always has a reader
					from = r
				}
				n, err := 1, error(nil)
				switch random.IntN(3) {
				case 0:
					into[0], err = live[from].Recv(ctx)
				case 1:
					_, into[0], err = sluice.RecvAny(ctx, live...)
					if err == io.EOF {
						live = nil
					}
				default:
					n, err = live[from].RecvN(ctx, into[:1+random.IntN(4)])
				}
				done()
				switch {
				case err == io.EOF && live != nil:
					live = append(append([]*sluice.Channel(nil), live[:from]...), live[from+1:]...)
				case err == io.EOF:
				case err != nil:
					if !failed(err) {
						return
					}
				default:
					for i := range n {
						mu.Lock()
						seen[into[i].Seq()]++
						mu.Unlock()
						into[i].Release()
					}
				}
			}
		})
	}
	sending.Wait()
	a.Close()
	b.Close()
	receiving.Wait()
	for n, times := range seen {
		if times != 1 {
			t.Fatalf("message %d was received %d times", n, times)
		}
	}
	noneWaits(t, a, b)
	if sa, sb := a.Stats(), b.Stats(); sa.Sent+sb.Sent != senders*each || sa.Received+sb.Received != senders*each || sa.Bytes+sb.Bytes != 0 {
		t.Errorf("the statistics say %+v and %+v", sa, sb)
	}
	if cancels == 0 {
		t.Error("no call was ever cancelled: the test tests nothing")
	}
}

// Rule 3: waiting senders, receivers and ticket holders are served in order, also
// when one of them leaves.
func TestRuleFirstComeFirstServed(t *testing.T) {
	const n, leaves = 6, 2
	inTurn := func(t *testing.T, calls []*call[struct{}], serve func(turn int)) {
		t.Helper()
		for i := range calls {
			if i == leaves {
				continue
			}
			calls[i].waits(t)
			serve(i)
			_, err := calls[i].returns(t)
			errIs(t, err, nil)
			for k := i + 1; k < len(calls); k++ {
				if k != leaves {
					calls[k].waits(t)
				}
			}
		}
	}
	// queue lets n calls wait, one after the other, and one in the middle give up.
	queue := func(t *testing.T, f func(ctx context.Context, i int) error) []*call[struct{}] {
		t.Helper()
		var calls []*call[struct{}]
		ctx, cancel := context.WithCancel(t.Context())
		for i := range n {
			use := t.Context()
			if i == leaves {
				use = ctx
			}
			calls = append(calls, try(func() error { return f(use, i) }))
			calls[i].waits(t)
		}
		cancel()
		_, err := calls[leaves].returns(t)
		errIs(t, err, context.Canceled)
		return calls
	}

	for name, way := range sendWays {
		t.Run("senders/"+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLedger(t)
				c := sluice.NewChannel("c")
				mustSend(t, c, l.message(100))
				calls := queue(t, func(ctx context.Context, i int) error {
					m := l.message(i)
					defer m.Release()
					return way(ctx, c, &m)
				})
				last := 100
				inTurn(t, calls, func(turn int) {
					if got := mustRecv(t, c); got != last {
						t.Errorf("received %d, want %d", got, last)
					}
					last = turn
				})
				mustRecv(t, c)
			})
		})
	}
	for name, way := range recvWays {
		t.Run("receivers/"+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLedger(t)
				c := sluice.NewChannel("c")
				var got [n]int
				calls := queue(t, func(ctx context.Context, i int) error {
					m, err := way(ctx, c)
					got[i] = int(m.Seq())
					m.Release()
					return err
				})
				inTurn(t, calls, func(turn int) { mustSend(t, c, l.message(10+turn)) })
				for i := range got {
					if i != leaves && got[i] != 10+i {
						t.Errorf("receiver %d got %d", i, got[i])
					}
				}
			})
		})
	}
	t.Run("ticket holders", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(t, 1)
			ticket := g.acquire(t)
			calls := queue(t, func(ctx context.Context, _ int) error {
				next, err := g.Acquire(ctx)
				if err == nil {
					ticket = next
				}
				return err
			})
			inTurn(t, calls, func(int) { ticket.Release() })
			ticket.Release()
		})
	})
}

// Nobody overtakes: a small message behind a big one that does not fit waits with
// it, though there would be room, and so does one that comes later.
func TestRuleFirstComeFirstServedWithBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		c := sluice.NewChannel("c", sluice.Slots(8), sluice.Bytes(10))
		mustSend(t, c, l.heavy(0, 6))
		sending := func(n int, bytes int64) *call[struct{}] {
			return try(func() error {
				m := l.heavy(n, bytes)
				defer m.Release()
				return c.Send(t.Context(), &m)
			})
		}
		big := sending(1, 8)
		big.waits(t)
		small := sending(2, 1)
		small.waits(t)
		m := l.weightless(3)
		plain := later(func() (int, error) { return c.SendN(t.Context(), []sluice.Message{m}) })
		plain.waits(t)
		if got := mustRecv(t, c); got != 0 {
			t.Errorf("received %d", got)
		}
		_, err := big.returns(t)
		errIs(t, err, nil)
		_, err = small.returns(t) // 8 + 1 bytes
		errIs(t, err, nil)
		_, err = plain.returns(t)
		errIs(t, err, nil)
		for want := 1; want <= 3; want++ {
			if got := mustRecv(t, c); got != want {
				t.Errorf("received %d, want %d", got, want)
			}
		}
	})
}

// When the one at the head gives up, those behind it that fit are let in.
func TestRuleFirstComeFirstServedWhenTheFirstLeaves(t *testing.T) {
	for name, newContext := range contexts {
		for _, warm := range []int{0, 3} { // how often the channel has seen the context before
			t.Run(fmt.Sprint(name, "/", warm), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLedger(t)
					c := sluice.NewChannel("c", sluice.Slots(8), sluice.Bytes(10))
					ctx, cancel := newContext()
					defer cancel()
					for i := range warm {
						receiving := later(func() (sluice.Message, error) { return c.Recv(ctx) })
						receiving.waits(t)
						mustSend(t, c, l.message(i))
						m, err := receiving.returns(t)
						errIs(t, err, nil)
						m.Release()
					}
					mustSend(t, c, l.heavy(0, 6))
					big := l.heavy(1, 8)
					first := try(func() error { return c.Send(ctx, &big) })
					first.waits(t)
					small := l.heavy(2, 1)
					second := try(func() error { return c.Send(t.Context(), &small) })
					second.waits(t)
					cancel()
					_, err := first.returns(t)
					errIs(t, err, context.Canceled)
					_, err = second.returns(t)
					errIs(t, err, nil)
					big.Release()
					c.Stop()
				})
			})
		}
	}
}

// A message larger than the bound fits an empty channel, and only that.
func TestBytesBoundWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		c := sluice.NewChannel("c", sluice.Slots(100), sluice.Bytes(10))
		for i := range 10 {
			mustSend(t, c, l.heavy(i, 1))
		}
		if s := c.Stats(); s.Bytes != 10 || s.Len != 10 {
			t.Fatalf("statistics are %+v", s)
		}
		huge := l.heavy(10, 1000)
		sending := try(func() error { return c.Send(t.Context(), &huge) })
		for i := range 10 {
			sending.waits(t)
			if got := mustRecv(t, c); got != i {
				t.Errorf("received %d, want %d", got, i)
			}
		}
		_, err := sending.returns(t)
		errIs(t, err, nil)
		if s := c.Stats(); s.Bytes != 1000 || s.BytesSent != 1010 {
			t.Errorf("statistics are %+v", s)
		}
		plain := l.message(11)
		errIs(t, c.Send(cancelledContext(), &plain), context.Canceled)
		plain.Release()
		mustRecv(t, c)
		if s := c.Stats(); s.Bytes != 0 || s.BytesSent != 1010 || s.Len != 0 {
			t.Errorf("statistics are %+v", s)
		}
	})
}

// Messages without memory go by slots alone, whatever went through before.
func TestBytesDoNotHoldUpAPlainBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		c := sluice.NewChannel("c", sluice.Slots(2), sluice.Bytes(10))
		mustSend(t, c, l.heavy(0, 8))
		m := l.heavy(1, 8)
		waited := try(func() error { return c.Send(t.Context(), &m) })
		waited.waits(t)
		mustRecv(t, c)
		_, err := waited.returns(t)
		errIs(t, err, nil)

		mustSend(t, c, l.weightless(2)) // behind 1
		mustRecv(t, c)
		mustSend(t, c, l.heavy(3, 8)) // 2, 3: the slots are full
		batch := []sluice.Message{l.weightless(4)}
		sending := later(func() (int, error) { return c.SendN(t.Context(), batch) })
		sending.waits(t)
		if got := mustRecv(t, c); got != 2 {
			t.Errorf("received %d", got)
		}
		// 3 with its 8 bytes is there, and a slot.
		synctest.Wait()
		if !sending.over() {
			t.Error("a batch without bytes waits, though there is a slot")
		}
		c.Stop()
		synctest.Wait()
		batch[0].Release()
	})
}

// Rule 4: from one producer to one consumer order is kept, whichever way each of
// them sends and receives.
func TestRuleOrder(t *testing.T) {
	for name, opts := range map[string][]sluice.ChannelOption{
		"1 slot": {}, "3 slots": {sluice.Slots(3)}, "64 slots": {sluice.Slots(64)},
		"bytes": {sluice.Slots(8), sluice.Bytes(12)},
	} {
		t.Run(name, func(t *testing.T) {
			const many = 4000
			l := newLedger(t)
			c := sluice.NewChannel("c", opts...)
			sending := try(func() error {
				defer c.Close()
				random := rand.New(rand.NewPCG(1, 1))
				ms := make([]sluice.Message, 8)
				for n := 0; n < many; {
					k := min(random.IntN(9), many-n)
					for i := range k {
						if random.IntN(2) == 0 {
							ms[i] = l.weightless(n + i)
						} else {
							ms[i] = l.heavy(n+i, int64(random.IntN(7)))
						}
					}
					n += k
					if random.IntN(2) == 0 {
						if sent, err := c.SendN(context.Background(), ms[:k]); err != nil || sent != k {
							return fmt.Errorf("SendN gives %d, %w", sent, err)
						}
						continue
					}
					for i := range k {
						if err := c.Send(context.Background(), &ms[i]); err != nil {
							return err
						}
					}
				}
				return nil
			})
			random := rand.New(rand.NewPCG(2, 2))
			into := make([]sluice.Message, 8)
			next := sluice.SeqNum(0)
			for {
				n, err := 1, error(nil)
				if random.IntN(2) == 0 {
					into[0], err = c.Recv(context.Background())
				} else {
					n, err = c.RecvN(context.Background(), into[:1+random.IntN(8)])
				}
				if err == io.EOF {
					break
				}
				errIs(t, err, nil)
				for i := range n {
					if into[i].Seq() != next {
						t.Fatalf("received %d, want %d", into[i].Seq(), next)
					}
					next++
					into[i].Release()
				}
			}
			<-sending.done
			errIs(t, sending.err, nil)
			if next != many {
				t.Errorf("received %d of %d", next, many)
			}
		})
	}
}

func TestRecvNTakesWhatIsThereAndWaitsForTheFirstOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		c := sluice.NewChannel("c", sluice.Slots(2))
		if n, err := c.RecvN(cancelledContext(), nil); n != 0 || err != nil {
			t.Errorf("into nothing: %d, %v", n, err)
		}
		into := make([]sluice.Message, 5)
		receiving := later(func() (int, error) { return c.RecvN(t.Context(), into) })
		receiving.waits(t)
		mustSend(t, c, l.message(0))
		n, err := receiving.returns(t)
		if n != 1 || err != nil || into[0].Seq() != 0 {
			t.Fatalf("got %d, %v", n, err)
		}
		into[0].Release()

		// Those of suspended senders are there, too.
		mustSend(t, c, l.messages(1, 2)...)
		batch := []sluice.Message{l.weightless(3), l.weightless(4), l.weightless(5), l.weightless(6)}
		sending := later(func() (int, error) { return c.SendN(t.Context(), batch) })
		sending.waits(t)
		n, err = c.RecvN(cancelledContext(), into)
		if n != 5 || err != nil {
			t.Fatalf("got %d, %v", n, err)
		}
		for i := range into {
			if into[i].Seq() != sluice.SeqNum(i+1) {
				t.Errorf("message %d has number %d", i, into[i].Seq())
			}
			into[i].Release()
		}
		if n, err := sending.returns(t); n != 4 || err != nil {
			t.Errorf("SendN gives %d, %v", n, err)
		}
		mustRecv(t, c)
	})
}

func TestAllEndsAtEOFAndYieldsOtherErrorsLast(t *testing.T) {
	l := newLedger(t)
	c := sluice.NewChannel("c", sluice.Slots(3))
	mustSend(t, c, l.messages(0, 3)...)
	got := 0
	for m, err := range c.All(t.Context()) {
		errIs(t, err, nil)
		m.Release()
		if got++; got == 1 {
			break // receives nothing more, and leaves the channel as it is
		}
	}
	if c.Len() != 2 || c.Stats().State != sluice.ChannelOpen {
		t.Errorf("after break %d are left, and the channel is %s", c.Len(), c.Stats().State)
	}
	yields := 0
	for m, err := range c.All(cancelledContext()) {
		yields++
		if err != nil && (err != context.Canceled || !m.Empty() || yields != 3) {
			t.Errorf("yield %d: %v, %v", yields, m, err)
		}
		m.Release()
	}
	if yields != 3 {
		t.Errorf("%d yields, want two messages and the error", yields)
	}
	c.Close()
	for range c.All(t.Context()) {
		t.Error("io.EOF was yielded")
	}
}

// measure returns, per message, the allocations and the goroutines started while f
// sends and receives that many messages.
func measure(messages int, f func(messages int)) (allocs, goroutines float64) {
	f(messages / 4) // warm up
	sample := []metrics.Sample{{Name: "/sched/goroutines-created:goroutines"}}
	var before, after runtime.MemStats
	metrics.Read(sample)
	created := sample[0].Value.Uint64()
	runtime.ReadMemStats(&before)
	f(messages)
	runtime.ReadMemStats(&after)
	metrics.Read(sample)
	return float64(after.Mallocs-before.Mallocs) / float64(messages),
		float64(sample[0].Value.Uint64()-created) / float64(messages)
}

// Rule 5: send and receive allocate nothing in steady state and start no goroutine,
// parking included, whichever context they come with.
func TestRuleSendAndReceiveAllocateNothing(t *testing.T) {
	if sluice.DebugBuild {
		t.Skip("the debug build's checks allocate")
	}
	shared, cancel := context.WithCancel(context.Background())
	defer cancel()
	payload := any("payload")
	for name, ctx := range map[string]context.Context{"background": context.Background(), "shared": shared} {
		for _, slots := range []int{1, 16} {
			for _, test := range []struct {
				name       string
				send, recv func(cs []*sluice.Channel, ms []sluice.Message) error
			}{
				{"Send, Recv",
					func(cs []*sluice.Channel, ms []sluice.Message) error { return cs[0].Send(ctx, &ms[0]) },
					func(cs []*sluice.Channel, ms []sluice.Message) (err error) { ms[0], err = cs[0].Recv(ctx); return err }},
				{"SendN, RecvN",
					func(cs []*sluice.Channel, ms []sluice.Message) error { _, err := cs[0].SendN(ctx, ms); return err },
					func(cs []*sluice.Channel, ms []sluice.Message) (err error) {
						for k, n := 0, 0; err == nil && k < len(ms); k += n {
							n, err = cs[0].RecvN(ctx, ms[k:])
						}
						return err
					}},
				{"SendAny, RecvAny",
					func(cs []*sluice.Channel, ms []sluice.Message) error {
						_, err := sluice.SendAny(ctx, &ms[0], cs...)
						return err
					},
					func(cs []*sluice.Channel, ms []sluice.Message) (err error) {
						_, ms[0], err = sluice.RecvAny(ctx, cs...)
						return err
					}},
			} {
				t.Run(fmt.Sprintf("%s/%d slots/%s", test.name, slots, name), func(t *testing.T) {
					cs := newChannels(2, sluice.Slots(slots))
					back := newChannels(2, sluice.Slots(slots))
					ask := make(chan int)
					defer close(ask)
					out, in := make([]sluice.Message, 8), make([]sluice.Message, 8)
					// An echo, so that both sides wait for each other at one slot.
					go func() {
						for rounds := range ask {
							for range rounds {
								if test.recv(cs, in) != nil || test.send(back, in) != nil {
									t.Error("the echo failed")
								}
							}
						}
					}()
					allocs, goroutines := measure(2000, func(rounds int) {
						ask <- rounds
						for range rounds {
							for i := range out {
								out[i] = sluice.NewMessage(1, payload)
							}
							if err := test.send(cs, out); err != nil {
								t.Fatal(err)
							}
							if err := test.recv(back, out); err != nil {
								t.Fatal(err)
							}
						}
					})
					if allocs > 0.02 {
						t.Errorf("%.3f allocations per message", allocs)
					}
					if goroutines > 0.01 {
						t.Errorf("%.3f goroutines started per message", goroutines)
					}
				})
			}
		}
	}
}

// A ticket with its receipt may cost one small object.
func TestRuleATicketCostsOneObject(t *testing.T) {
	if sluice.DebugBuild {
		t.Skip("the debug build's checks allocate")
	}
	g := newGate(t, 1)
	payload := any("payload")
	allocs, _ := measure(1000, func(rounds int) {
		for range rounds {
			ticket, err := g.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			m := sluice.NewMessage(0, payload)
			if err := ticket.SendHeld(t.Context(), &m); err != nil {
				t.Fatal(err)
			}
			m, err = g.c.Recv(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			m.Release()
		}
	})
	if allocs > 1.1 {
		t.Errorf("%.2f allocations per ticket", allocs)
	}
}

// Rule 6: empty messages are refused; Message{} is what failed receives return, for
// which see the tests of the endings.
func TestRuleEmptyMessagesAreRefused(t *testing.T) {
	taken := sluice.NewMessage(3, "taken")
	if _, err := sluice.Take[string](&taken); err != nil {
		t.Fatal(err)
	}
	for name, empty := range map[string]sluice.Message{
		"zero": {}, "nil": sluice.NewMessage(2, nil), "taken": taken,
	} {
		c := sluice.NewChannel("c", sluice.Slots(4))
		for way, sendWith := range sendWays {
			m := empty
			if err := sendWith(t.Context(), c, &m); !errors.Is(err, sluice.ErrEmptyMessage) || m != empty {
				t.Errorf("%s of a message that is %s gives %v", way, name, err)
			}
			c.Stop() // also when the channel has ended
			if err := sendWith(t.Context(), c, &m); !errors.Is(err, sluice.ErrEmptyMessage) {
				t.Errorf("%s of a message that is %s to a stopped channel gives %v", way, name, err)
			}
		}
		if s := c.Stats(); s.Sent != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// queued is a payload whose memory is still being written, by a device maybe: to
// touch it now would be wrong.
type queued struct {
	mu    *sync.Mutex
	calls *[]string
}

func (q queued) call(what string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	*q.calls = append(*q.calls, what)
}

func (q queued) Release()             { q.call("Release") }
func (q queued) Content() mem.Content { q.call("Content"); return mem.Content{} }
func (q queued) Copy(context.Context, *mem.Reservation) (any, error) {
	q.call("Copy")
	return nil, errBoom
}

// Rule 7: a message may travel while work on its buffers is queued. So a channel
// asks its payload for the size and for nothing else, and waits for nothing.
func TestRuleReadyIsNotDone(t *testing.T) {
	var mu sync.Mutex
	var calls []string
	c := sluice.NewChannel("c", sluice.Slots(2), sluice.Bytes(10))
	for _, sendWith := range sendWays {
		for _, recvWith := range recvWays {
			m := sluice.NewMessage(1, queued{&mu, &calls})
			errIs(t, sendWith(cancelledContext(), c, &m), nil)
			_, err := recvWith(cancelledContext(), c)
			errIs(t, err, nil)
		}
	}
	for _, what := range calls {
		if what != "Content" {
			t.Errorf("the channel called %s of a payload that only passed through", what)
		}
	}
}
