package sluice_test

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// nodeOf and channelOf find a part of a snapshot by name.
func nodeOf(t *testing.T, s sluice.Snapshot, name string) sluice.NodeSnapshot {
	t.Helper()
	for _, n := range s.Nodes {
		if n.Name == name {
			return n
		}
	}
	t.Fatalf("no node %q in %v", name, s)
	return sluice.NodeSnapshot{}
}

func channelOf(t *testing.T, s sluice.Snapshot, name string) sluice.ChannelSnapshot {
	t.Helper()
	for _, c := range s.Channels {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no channel %q in %v", name, s)
	return sluice.ChannelSnapshot{}
}

func wantEqual(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestASnapshotBeforeTheRunHasTheShape(t *testing.T) {
	n := sluice.NewNetwork("shape")
	a, b, c := n.Channel("a"), n.Channel("b", sluice.Slots(7)), n.Channel("c")
	n.Node("join", returns(nil), sluice.Reads(b), sluice.Writes(c), sluice.Reads(a))
	n.Node("source", returns(nil), sluice.Writes(a, b).Unordered())
	n.Node("sink", returns(nil), sluice.Reads(c))
	want := sluice.Snapshot{
		Network: "shape",
		Nodes: []sluice.NodeSnapshot{
			{Name: "join", State: sluice.NodePending, Reads: []string{"b", "a"}, Writes: []string{"c"}},
			{Name: "source", State: sluice.NodePending, Writes: []string{"a", "b"}},
			{Name: "sink", State: sluice.NodePending, Reads: []string{"c"}},
		},
		Channels: []sluice.ChannelSnapshot{
			{Name: "a", ChannelStats: sluice.ChannelStats{State: "open", Slots: 1}},
			{Name: "b", ChannelStats: sluice.ChannelStats{State: "open", Slots: 7}},
			{Name: "c", ChannelStats: sluice.ChannelStats{State: "open", Slots: 1}},
		},
	}
	wantEqual(t, "snapshot", n.Snapshot(), want)
}

// observed runs a network in virtual time and takes a snapshot after each of the
// times, then cancels it.
func observed(t *testing.T, build func(l *ledger, n *sluice.Network), look ...func(t *testing.T, s sluice.Snapshot)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := sluice.NewNetwork("observed", sluice.WithStallAfter(0))
		build(newLedger(t), n)
		ctx, cancel := context.WithCancel(t.Context())
		result := start(ctx, n)
		for _, look := range look {
			time.Sleep(time.Second)
			synctest.Wait()
			look(t, n.Snapshot())
		}
		cancel()
		<-result
	})
}

// after runs a node after a time.
func after(d time.Duration, run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return run(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// about allows for the resolution of the clock.
func about(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if diff := (got - want).Abs(); diff > 20*time.Millisecond {
		t.Errorf("%s: %v, want about %v", what, got, want)
	}
}

func TestASnapshotSaysWhatEveryNodeWaitsFor(t *testing.T) {
	observed(t, func(l *ledger, n *sluice.Network) {
		full, empty, quiet := n.Channel("full"), n.Channel("empty"), n.Channel("quiet")
		throttle, err := sluice.NewThrottle(quiet, 1)
		if err != nil {
			t.Fatal(err)
		}
		n.Node("sender", sends(l, full, 10), sluice.Writes(full))
		n.Node("receiver", counts(empty, nil), sluice.Reads(empty))
		n.Node("ticket holder", func(ctx context.Context) error {
			ticket, err := throttle.Acquire(ctx)
			if err != nil {
				return err
			}
			defer ticket.Release()
			return idles(ctx)
		}, sluice.Writes(quiet))
		n.Node("ticket waiter", after(time.Second/2, func(ctx context.Context) error {
			_, err := throttle.Acquire(ctx)
			return err
		}), sluice.Writes(quiet))
		n.Node("drainer", func(ctx context.Context) error {
			private := sluice.NewChannel("private")
			defer private.Stop()
			if err := send(ctx, private, l.message(0)); err != nil {
				return err
			}
			return private.Drain(ctx)
		})
		n.Node("metadata reader", func(ctx context.Context) error {
			_, err := quiet.Meta().Recv(ctx)
			return err
		}, sluice.Reads(quiet))
		n.Node("computer", idles, sluice.Reads(full), sluice.Writes(empty))
		n.Node("early bird", after(time.Second/4, returns(nil)))
		n.Node("left something behind", func(ctx context.Context) error {
			go func() { _, _ = quiet.Recv(ctx) }()
			return nil
		}, sluice.Reads(quiet))
	}, func(t *testing.T, s sluice.Snapshot) {
		wantEqual(t, "elapsed", s.Elapsed, time.Second)
		for name, want := range map[string]sluice.Wait{
			"sender":          {To: "send to", On: "full", For: time.Second},
			"receiver":        {To: "receive from", On: "empty", For: time.Second},
			"ticket waiter":   {To: "get a ticket for", On: "quiet", For: time.Second / 2},
			"drainer":         {To: "drain", On: "private", For: time.Second},
			"metadata reader": {To: "receive from", On: "quiet (metadata)", For: time.Second},
		} {
			nd := nodeOf(t, s, name)
			if nd.State != sluice.NodeWaiting || len(nd.Waits) != 1 {
				t.Errorf("node %q is %s with waits %v, want one wait", name, nd.State, nd.Waits)
				continue
			}
			got := nd.Waits[0]
			about(t, name, got.For, want.For)
			got.For = want.For
			wantEqual(t, name, got, want)
			wantEqual(t, name+" elapsed", nd.Elapsed, time.Second)
		}
		for name, want := range map[string]sluice.NodeState{
			"computer": sluice.NodeRunning, "ticket holder": sluice.NodeRunning, "early bird": sluice.NodeDone,
			"left something behind": sluice.NodeDone,
		} {
			nd := nodeOf(t, s, name)
			if nd.State != want || len(nd.Waits) > 0 {
				t.Errorf("node %q is %s with waits %v, want %s", name, nd.State, nd.Waits, want)
			}
		}
		wantEqual(t, "elapsed of the early bird", nodeOf(t, s, "early bird").Elapsed, time.Second/4)
		full := channelOf(t, s, "full")
		wantEqual(t, "full", []int{full.Len, full.Senders, full.Receivers}, []int{1, 1, 0})
		empty := channelOf(t, s, "empty")
		wantEqual(t, "empty", []int{empty.Len, empty.Senders, empty.Receivers}, []int{0, 0, 1})
	})
}

// A wait in progress counts as much as one that is over, and is not counted again
// when it is.
func TestWaitTimesCountWaitsInProgress(t *testing.T) {
	waited := func(send, recv time.Duration) func(*testing.T, sluice.Snapshot) {
		return func(t *testing.T, s sluice.Snapshot) {
			t.Helper()
			about(t, "send wait of the source", nodeOf(t, s, "source").SendWait, send)
			about(t, "send wait of the channel", channelOf(t, s, "slow").SendWait, send)
			about(t, "receive wait of the sink", nodeOf(t, s, "sink").RecvWait, recv)
			about(t, "receive wait of the channel", channelOf(t, s, "late").RecvWait, recv)
			wantEqual(t, "other waits", []time.Duration{
				nodeOf(t, s, "source").RecvWait, nodeOf(t, s, "source").TicketWait,
				nodeOf(t, s, "sink").SendWait, channelOf(t, s, "slow").RecvWait, channelOf(t, s, "late").SendWait,
			}, make([]time.Duration, 5))
		}
	}
	observed(t, func(l *ledger, n *sluice.Network) {
		slow, late := n.Channel("slow"), n.Channel("late")
		n.Node("source", func(ctx context.Context) error {
			if err := sends(l, slow, 2)(ctx); err != nil { // waits until 2.5 s with the second
				return err
			}
			return idles(ctx)
		}, sluice.Writes(slow))
		n.Node("relay", func(ctx context.Context) error {
			if err := after(2500*time.Millisecond, reads(slow, 1))(ctx); err != nil {
				return err
			}
			return after(time.Second, sends(l, late, 1))(ctx) // at 3.5 s
		}, sluice.Reads(slow), sluice.Writes(late))
		n.Node("sink", func(ctx context.Context) error {
			if err := reads(late, 1)(ctx); err != nil {
				return err
			}
			return idles(ctx)
		}, sluice.Reads(late))
	},
		waited(1*time.Second, 1*time.Second),
		waited(2*time.Second, 2*time.Second),
		waited(2500*time.Millisecond, 3*time.Second),
		waited(2500*time.Millisecond, 3500*time.Millisecond),
		waited(2500*time.Millisecond, 3500*time.Millisecond),
	)
}

func TestTheTimeOfATicketWaitCounts(t *testing.T) {
	observed(t, func(l *ledger, n *sluice.Network) {
		c := n.Channel("c")
		throttle, err := sluice.NewThrottle(c, 1)
		if err != nil {
			t.Fatal(err)
		}
		n.Node("source", func(ctx context.Context) error {
			first, err := throttle.Acquire(ctx)
			if err != nil {
				return err
			}
			time.AfterFunc(1500*time.Millisecond, first.Release)
			if _, err = throttle.Acquire(ctx); err != nil {
				return err
			}
			return idles(ctx)
		}, sluice.Writes(c))
		n.Node("sink", idles, sluice.Reads(c))
	}, func(t *testing.T, s sluice.Snapshot) {
		about(t, "in progress", nodeOf(t, s, "source").TicketWait, time.Second)
	}, func(t *testing.T, s sluice.Snapshot) {
		about(t, "over", nodeOf(t, s, "source").TicketWait, 1500*time.Millisecond)
		wantEqual(t, "state", nodeOf(t, s, "source").State, sluice.NodeRunning)
	})
}

// A node that waits for any of several channels waits once, whichever of them have
// ended already and however often it has waited before; each channel counts it.
func TestAWaitForAnyOfSeveralCountsOnceForTheNode(t *testing.T) {
	for _, ended := range []int{-1, 0, 1} { // which of the channels has ended already
		t.Run(fmt.Sprint("ended=", ended), func(t *testing.T) {
			names := []string{"a", "b", "c"}
			observed(t, func(l *ledger, n *sluice.Network) {
				var ins []*sluice.Channel
				for i, name := range names {
					in := n.Channel(name)
					ins = append(ins, in)
					n.Node("source of "+name, func(ctx context.Context) error {
						if i == ended {
							return after(time.Second/2, sends(l, in, 1))(ctx)
						}
						return after(1500*time.Millisecond, sends(l, in, 1))(ctx)
					}, sluice.Writes(in))
				}
				n.Node("union", func(ctx context.Context) error {
					received := 3
					for range received {
						_, m, err := sluice.RecvAny(ctx, ins...)
						if err != nil {
							return err
						}
						m.Release()
					}
					return idles(ctx)
				}, sluice.Reads(ins...))
			}, func(t *testing.T, s sluice.Snapshot) { // 1 s
				union := nodeOf(t, s, "union")
				about(t, "in progress", union.RecvWait, time.Second)
				var on []string
				for _, w := range union.Waits {
					on = append(on, w.On)
				}
				slices.Sort(on)
				want := slices.Clone(names)
				if ended >= 0 {
					want = slices.Delete(want, ended, ended+1)
				}
				wantEqual(t, "waits on", on, want)
			}, func(t *testing.T, s sluice.Snapshot) { // 2 s
				about(t, "over", nodeOf(t, s, "union").RecvWait, 1500*time.Millisecond)
				for i, name := range names {
					want := 1500 * time.Millisecond
					if i == ended {
						want = time.Second / 2
					}
					about(t, "at "+name, channelOf(t, s, name).RecvWait, want)
				}
			})
		})
	}
}

// The channels end one after another while the node waits for all of them.
func TestAWaitForAnyCountsThoughSomeOfTheChannelsEndMeanwhile(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
		observed(t, func(l *ledger, n *sluice.Network) {
			var ins []*sluice.Channel
			for i, at := range order {
				in := n.Channel(fmt.Sprint("in ", i))
				ins = append(ins, in)
				n.Node(fmt.Sprint("source ", i), after(time.Duration(at)*time.Second+time.Second/2, returns(nil)), sluice.Writes(in))
			}
			n.Node("union", func(ctx context.Context) error {
				if _, _, err := sluice.RecvAny(ctx, ins...); err != io.EOF {
					return err
				}
				return idles(ctx)
			}, sluice.Reads(ins...))
		}, func(t *testing.T, s sluice.Snapshot) {
			about(t, "one ended", nodeOf(t, s, "union").RecvWait, time.Second)
		}, func(t *testing.T, s sluice.Snapshot) {
			about(t, "two ended", nodeOf(t, s, "union").RecvWait, 2*time.Second)
		}, func(t *testing.T, s sluice.Snapshot) {
			about(t, "over", nodeOf(t, s, "union").RecvWait, 2500*time.Millisecond)
		})
	}
}

func TestAWaitToSendToAnyCountsOnceForTheNode(t *testing.T) {
	observed(t, func(l *ledger, n *sluice.Network) {
		a, b := n.Channel("a"), n.Channel("b")
		n.Node("share", func(ctx context.Context) error {
			for i := range 3 {
				m := l.message(i)
				if _, err := sluice.SendAny(ctx, &m, a, b); err != nil {
					m.Release()
					return err
				}
			}
			return idles(ctx)
		}, sluice.Writes(a, b))
		n.Node("worker", after(1500*time.Millisecond, func(ctx context.Context) error {
			if err := reads(a, 1)(ctx); err != nil {
				return err
			}
			return idles(ctx)
		}), sluice.Reads(a, b))
	}, func(t *testing.T, s sluice.Snapshot) {
		about(t, "in progress", nodeOf(t, s, "share").SendWait, time.Second)
		wantEqual(t, "waits", len(nodeOf(t, s, "share").Waits), 2)
	}, func(t *testing.T, s sluice.Snapshot) {
		about(t, "over", nodeOf(t, s, "share").SendWait, 1500*time.Millisecond)
		for _, name := range []string{"a", "b"} {
			about(t, "at "+name, channelOf(t, s, name).SendWait, 1500*time.Millisecond)
		}
	})
}

func TestTheGoroutinesOfANodeWaitAtTheSameTime(t *testing.T) {
	observed(t, func(l *ledger, n *sluice.Network) {
		in, out := n.Channel("in"), n.Channel("out")
		n.Node("busy", func(ctx context.Context) error {
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() { _ = counts(in, nil)(ctx) })
			}
			all.Go(func() { _ = sends(l, out, 10)(ctx) })
			all.Wait()
			return ctx.Err()
		}, sluice.Reads(in), sluice.Writes(out))
		n.Node("rest", idles, sluice.Reads(out), sluice.Writes(in))
	}, func(t *testing.T, s sluice.Snapshot) {
		busy := nodeOf(t, s, "busy")
		wantEqual(t, "waits", len(busy.Waits), 4)
		wantEqual(t, "state", busy.State, sluice.NodeWaiting)
		about(t, "receive wait of three goroutines", busy.RecvWait, 3*time.Second)
		about(t, "of the channel", channelOf(t, s, "in").RecvWait, 3*time.Second)
		about(t, "send wait", busy.SendWait, time.Second)
	})
}

// Channels that are not of the network: made by the node itself, or of a network
// around or inside it.
func TestWaitsAtForeignChannelsAreRecordedWithTheNode(t *testing.T) {
	observed(t, func(l *ledger, n *sluice.Network) {
		private, other := sluice.NewChannel("private"), sluice.NewChannel("other")
		n.Node("waiter", func(ctx context.Context) error {
			if err := reads(private, 1)(ctx); err != nil {
				return err
			}
			_, _, err := sluice.RecvAny(ctx, private, other)
			return err
		})
		n.Node("feeder", after(1500*time.Millisecond, func(ctx context.Context) error {
			return send(ctx, private, l.message(0))
		}))
	}, func(t *testing.T, s sluice.Snapshot) {
		waiter := nodeOf(t, s, "waiter")
		about(t, "in progress", waiter.RecvWait, time.Second)
		wantEqual(t, "waits", len(waiter.Waits), 1)
		wantEqual(t, "on", waiter.Waits[0].On, "private")
	}, func(t *testing.T, s sluice.Snapshot) {
		waiter := nodeOf(t, s, "waiter")
		about(t, "over, and for any of two", waiter.RecvWait, 2*time.Second)
		wantEqual(t, "waits", len(waiter.Waits), 2)
	}, func(t *testing.T, s sluice.Snapshot) {
		about(t, "a second later", nodeOf(t, s, "waiter").RecvWait, 3*time.Second)
	})
}

func TestASnapshotCountsMessagesAndBytes(t *testing.T) {
	observed(t, func(l *ledger, n *sluice.Network) {
		c := n.Channel("c", sluice.Slots(10))
		n.Node("source", func(ctx context.Context) error {
			for i := range 5 {
				if err := send(ctx, c, l.heavy(i, 100)); err != nil {
					return err
				}
			}
			return idles(ctx)
		}, sluice.Writes(c))
		n.Node("sink", func(ctx context.Context) error {
			if err := reads(c, 2)(ctx); err != nil {
				return err
			}
			return after(1500*time.Millisecond, returns(nil))(ctx)
		}, sluice.Reads(c))
	}, func(t *testing.T, s sluice.Snapshot) {
		wantEqual(t, "c", channelOf(t, s, "c").ChannelStats, sluice.ChannelStats{
			State: "open", Slots: 10, Len: 3, Bytes: 300, Memory: mem.Of(mem.Host, 300), Sent: 5, Received: 2, BytesSent: 500,
		})
	}, func(t *testing.T, s sluice.Snapshot) {
		wantEqual(t, "c, stopped", channelOf(t, s, "c").ChannelStats, sluice.ChannelStats{
			State: "stopped", Slots: 10, Sent: 5, Received: 2, Dropped: 3, BytesSent: 500,
		})
	})
}

func TestASnapshotAfterTheRunStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		n := sluice.NewNetwork("n")
		c := n.Channel("c")
		n.Node("source", func(ctx context.Context) error {
			if err := sends(l, c, 3)(ctx); err != nil {
				return err
			}
			time.Sleep(time.Second)
			return errBroken
		}, sluice.Writes(c))
		n.Node("sink", func(ctx context.Context) error {
			// Left behind: it would wait, if the end of the run did not end the channel.
			return counts(c, nil)(ctx)
		}, sluice.Reads(c))
		n.Node("fine", returns(nil))
		wantFailed(t, n.Run(t.Context()), "source")
		s := n.Snapshot()
		wantEqual(t, "elapsed", s.Elapsed, time.Second)
		for name, want := range map[string]sluice.NodeState{"source": sluice.NodeFailed, "sink": sluice.NodeDone, "fine": sluice.NodeDone} {
			wantEqual(t, name, nodeOf(t, s, name).State, want)
			if waits := nodeOf(t, s, name).Waits; len(waits) > 0 {
				t.Errorf("%q still waits: %v", name, waits)
			}
		}
		about(t, "receive wait", nodeOf(t, s, "sink").RecvWait, time.Second)
		wantEqual(t, "channel", channelOf(t, s, "c").State, sluice.ChannelAborted)
		time.Sleep(time.Hour)
		wantEqual(t, "an hour later", n.Snapshot(), s)
	})
}

// Under the race detector this shows that snapshots are safe at any time. They are
// taken in the very moment in which waits end and begin (time is virtual, but the
// goroutines do run at once), and must not count a wait twice: as one that is over and
// as one that is going on.
func TestSnapshotsOfARunningNetworkAreSafeAndCountNothingTwice(t *testing.T) {
	const step = 52 * time.Millisecond // off the ticks of the network's clock
	const rounds = 200
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		n := sluice.NewNetwork("n")
		a, b, c := n.Channel("a"), n.Channel("b", sluice.Slots(3)), n.Channel("c")
		n.Node("source", func(ctx context.Context) error {
			for i := range rounds {
				for k := range 3 {
					if err := send(ctx, a, l.heavy(3*i+k, 10)); err != nil {
						return err
					}
				}
				time.Sleep(step)
			}
			return nil
		}, sluice.Writes(a))
		n.Node("relay", relays(a, b), sluice.Reads(a), sluice.Writes(b))
		n.Node("any", func(ctx context.Context) error {
			for {
				_, m, err := sluice.RecvAny(ctx, b, c)
				if err != nil {
					return nil
				}
				m.Release()
			}
		}, sluice.Reads(b, c))
		n.Node("never", func(ctx context.Context) error { time.Sleep(rounds * step); return nil }, sluice.Writes(c))
		result := start(t.Context(), n)
		for range rounds {
			time.Sleep(step)
			for range 10 {
				wantPlausible(t, n.Snapshot())
			}
			if t.Failed() {
				break // one report is enough
			}
		}
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}

func wantPlausible(t *testing.T, s sluice.Snapshot) {
	const slack = 5 * time.Millisecond // the resolution of the clock
	for _, nd := range s.Nodes {
		if sum := nd.SendWait + nd.RecvWait; sum > s.Elapsed+slack {
			t.Errorf("node %q has waited %v in %v: %+v", nd.Name, sum, s.Elapsed, nd)
		}
	}
	for _, c := range s.Channels {
		if c.RecvWait > s.Elapsed+slack {
			t.Errorf("channel %q was waited for %v in %v: %+v", c.Name, c.RecvWait, s.Elapsed, c)
		}
		if c.Sent != c.Received+c.Dropped+uint64(c.Len) || c.Bytes != 10*int64(c.Len) {
			t.Errorf("channel %q after %v: %+v", c.Name, s.Elapsed, c)
		}
	}
}
