package ops_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/ops"
)

// backlogs are all the backlogs a broadcast can have.
var backlogs = map[string][]ops.BroadcastOption{
	"none":               nil,
	"messages":           {ops.BacklogMessages(2)},
	"bytes":              {ops.BacklogBytes(2 * chunkBytes)},
	"messages and bytes": {ops.BacklogMessages(3), ops.BacklogBytes(2 * chunkBytes)},
	"unbounded":          {ops.BacklogUnbounded()},
}

func eachBacklog(t *testing.T, test func(t *testing.T, opts []ops.BroadcastOption)) {
	for name, opts := range backlogs {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, opts) })
		})
	}
}

// fan is a network of a source, a broadcast, and whoever reads the outputs.
type fan struct {
	net    *sluice.Network
	ledger ledger
	in     *sluice.Channel
	outs   []*sluice.Channel
}

func newFan(outputs, messages int, opts ...ops.BroadcastOption) *fan {
	f := &fan{net: sluice.NewNetwork("fan")}
	f.in = f.net.Channel("in")
	f.outs = channels(f.net, "out", outputs)
	source, port := f.ledger.numbers(f.in, upTo(messages, 0, 1)...)
	f.net.Node("source", source, port)
	f.net.Node(ops.Broadcast("broadcast", f.in, f.outs, opts...))
	return f
}

func TestBroadcastShowsEveryOutputEveryMessageInOrder(t *testing.T) {
	eachBacklog(t, func(t *testing.T, opts []ops.BroadcastOption) {
		f := newFan(3, 100, opts...)
		for _, r := range readers(f.net, f.outs) {
			defer func() { wantNumbers(t, r.in.Name(), r.seqs, upTo(100, 0, 1)) }()
		}
		run(t, f.net)
		f.ledger.check(t)
	})
}

func TestBroadcastOutputsEqualTheInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		net := sluice.NewNetwork("fan")
		slots := rapid.IntRange(1, 4)
		in := net.Channel("in", sluice.Slots(slots.Draw(t, "slots of in")))
		outs := make([]*sluice.Channel, rapid.IntRange(2, 6).Draw(t, "outputs"))
		results := make([][]int, len(outs))
		values := rapid.SliceOfN(rapid.Int(), 0, 50).Draw(t, "values")
		net.Node(ops.PushSlice("source", in, values))
		for i := range outs {
			outs[i] = net.Channel(fmt.Sprint("out", i), sluice.Slots(slots.Draw(t, "slots")))
			net.Node(ops.Pull(fmt.Sprint("sink", i), outs[i], &results[i]))
		}
		backlog := rapid.SampledFrom([]string{"none", "messages", "unbounded"}).Draw(t, "backlog")
		net.Node(ops.Broadcast("broadcast", in, outs, append([]ops.BroadcastOption{ops.Shared()}, backlogs[backlog]...)...))
		if err := net.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		for i, got := range results {
			if !slices.Equal(got, values) {
				t.Errorf("output %d has %v, want %v", i, got, values)
			}
		}
	})
}

// In step, nobody is ahead of a slow reader by more than what the channels hold.
func TestBroadcastWithoutBacklogWaitsForTheSlowest(t *testing.T) {
	for _, test := range []struct {
		opts  []ops.BroadcastOption
		ahead int
	}{
		// One message is with the slow reader, one in its channel, and one on its way
		// there, which the fast reader has seen.
		{nil, 3},
		{[]ops.BroadcastOption{ops.BacklogMessages(5)}, 3 + 5 + 1},
		{[]ops.BroadcastOption{ops.BacklogBytes(5 * chunkBytes)}, 3 + 5 + 1},
		{[]ops.BroadcastOption{ops.BacklogMessages(2), ops.BacklogBytes(5 * chunkBytes)}, 3 + 2 + 1},
		{[]ops.BroadcastOption{ops.BacklogUnbounded()}, 50},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFan(2, 50, test.opts...)
			rs := readers(f.net, f.outs)
			fast, slow := rs[0], rs[1]
			slow.then = func(_ context.Context, read int) error {
				if read == 1 {
					settle(time.Second)
					if len(fast.seqs) != test.ahead {
						t.Errorf("the fast reader has seen %d messages, want %d", len(fast.seqs), test.ahead)
					}
				}
				return errNext
			}
			run(t, f.net)
			f.ledger.check(t)
		})
	}
}

// Each output takes a message when it has room, whatever the others do: a reader of
// both may take the second message of either before the first of the other.
func TestBroadcastOutputsAcceptIndependently(t *testing.T) {
	for first := range 2 {
		synctest.Test(t, func(t *testing.T) {
			f := newFan(2, 20)
			f.net.Node("reader of both", func(ctx context.Context) error {
				for range 10 {
					for _, i := range []int{first, first, 1 - first, 1 - first} {
						m, err := f.outs[i].Recv(ctx)
						if err != nil {
							return err
						}
						m.Release()
					}
				}
				return nil
			}, sluice.Reads(f.outs...))
			run(t, f.net)
			f.ledger.check(t)
		})
	}
}

// The C++ system's unbounded fan-out kept messages after the end of the input when
// a consumer was slow.
func TestBroadcastLeavesNothingBehindForASlowReader(t *testing.T) {
	eachBacklog(t, func(t *testing.T, opts []ops.BroadcastOption) {
		f := newFan(2, 30, opts...)
		rs := readers(f.net, f.outs)
		rs[1].then = func(context.Context, int) error {
			time.Sleep(100 * time.Millisecond)
			return errNext
		}
		run(t, f.net)
		wantNumbers(t, "the fast reader", rs[0].seqs, upTo(30, 0, 1))
		wantNumbers(t, "the slow reader", rs[1].seqs, upTo(30, 0, 1))
		f.ledger.check(t)
	})
}

// A union that reads the branches of one fan-out one after another needs all of the
// second while it takes the first.
func TestUnionReadsBranchesOneAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFan(2, 100, ops.BacklogUnbounded())
		union := f.net.Channel("union", sluice.Slots(1))
		f.net.Node("union", func(ctx context.Context) error {
			for _, in := range f.outs {
				for m, err := range in.All(ctx) {
					if err != nil {
						return err
					}
					if err := union.Send(ctx, &m); err != nil {
						m.Release()
						return err
					}
				}
			}
			return nil
		}, sluice.Reads(f.outs...), sluice.Writes(union).Unordered())
		r := readers(f.net, []*sluice.Channel{union})[0]
		run(t, f.net)
		wantNumbers(t, "the union", r.seqs, append(upTo(100, 0, 1), upTo(100, 0, 1)...))
		f.ledger.check(t)
	})
}

func TestBroadcastGivesTheOriginalAndItsReceiptToTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ledger ledger
		net := sluice.NewNetwork("fan")
		in := net.Channel("in")
		outs := channels(net, "out", 3)
		throttle, err := sluice.NewThrottle(in, 1)
		if err != nil {
			t.Fatal(err)
		}
		net.Node(ops.Produce("source", in, func(_ context.Context, seq sluice.SeqNum) (*chunk, error) {
			if seq == 10 {
				return nil, io.EOF
			}
			return ledger.chunk(int(seq), false), nil
		}, ops.Holding(throttle)))
		net.Node(ops.Broadcast("broadcast", in, outs))
		originals := make([]int, len(outs))
		for i, out := range outs {
			net.Node(out.Name(), func(ctx context.Context) error {
				for m, err := range out.All(ctx) {
					if err != nil {
						return err
					}
					c, err := sluice.Peek[*chunk](&m)
					if err != nil {
						return err
					}
					if c.isCopy == (m.Receipt() != nil) {
						return fmt.Errorf("copy: %v, but receipt: %v", c.isCopy, m.Receipt())
					}
					if !c.isCopy {
						originals[i]++
					}
					m.Release()
				}
				return nil
			}, sluice.Reads(out))
		}
		run(t, net)
		if sum := originals[0] + originals[1] + originals[2]; sum != 10 {
			t.Errorf("%d originals arrived of 10 (%v)", sum, originals)
		}
		if ledger.made != 30 {
			t.Errorf("%d payloads were made for 10 messages to 3 outputs", ledger.made)
		}
		ledger.check(t)
	})
}

func TestBroadcastMakesNoCopiesForOutputsThatLeft(t *testing.T) {
	eachBacklog(t, func(t *testing.T, opts []ops.BroadcastOption) {
		var ledger ledger
		net := sluice.NewNetwork("fan")
		in := net.Channel("in")
		outs := channels(net, "out", 3)
		net.Node("source", func(ctx context.Context) error {
			for n := range 100 {
				if err := ledger.send(ctx, in, n); err != nil {
					return err
				}
				time.Sleep(time.Millisecond) // until everybody has done what follows
			}
			return nil
		}, sluice.Writes(in))
		net.Node(ops.Broadcast("broadcast", in, outs, opts...))
		rs := readers(net, outs)
		for _, r := range rs[1:] {
			r.then = func(context.Context, int) error { return nil }
		}
		run(t, net)
		wantNumbers(t, "the one that stayed", rs[0].seqs, upTo(100, 0, 1))
		want := 100 + 2 // copies of the first message
		if opts != nil {
			want += 2 // and of the second, which found out, behind the backlog, that nobody is there
		}
		if ledger.made != want {
			t.Errorf("%d payloads were made, want %d", ledger.made, want)
		}
		ledger.check(t)
	})
}

func TestBroadcastEndsWhenACopyFails(t *testing.T) {
	eachBacklog(t, func(t *testing.T, opts []ops.BroadcastOption) {
		f := newFan(3, 100, opts...)
		readers(f.net, f.outs)
		copies := 0
		f.ledger.onCall = func(_ *chunk, _ int, of string) error {
			if of == "Copy" {
				if copies++; copies == 20 {
					return errBoom
				}
			}
			return nil
		}
		err := fails(t, f.net)
		if !errors.Is(err, errBoom) || !strings.Contains(err.Error(), `node "broadcast": message 9 of channel "in"`) {
			t.Errorf("Run returned %v", err)
		}
		f.ledger.check(t)
	})
}

// A backlog is inside the node: what its goroutines wait for there is no wait of the
// node, in the reports of the network.
func TestBacklogIsNoWaitOfTheNode(t *testing.T) {
	eachBacklog(t, func(t *testing.T, opts []ops.BroadcastOption) {
		f := newFan(2, 50, opts...)
		look := func(context.Context, int) error {
			settle(time.Millisecond)
			for _, nd := range f.net.Snapshot().Nodes {
				for _, w := range nd.Waits {
					if strings.Contains(w.On, "backlog") {
						t.Errorf("%s waits to %s %s", nd.Name, w.To, w.On)
					}
				}
			}
			return errNext
		}
		rs := readers(f.net, f.outs)
		rs[1].then = look
		run(t, f.net)
	})
}

func TestBroadcastEndsWhenAllOutputsLeft(t *testing.T) {
	eachBacklog(t, func(t *testing.T, opts []ops.BroadcastOption) {
		var ledger ledger
		net := sluice.NewNetwork("fan")
		in := net.Channel("in")
		outs := channels(net, "out", 3)
		net.Node("source without end", func(ctx context.Context) error {
			for n := 0; ; n++ {
				if err := ledger.send(ctx, in, n); err != nil {
					return err
				}
				time.Sleep(time.Millisecond)
			}
		}, sluice.Writes(in))
		net.Node(ops.Broadcast("broadcast", in, outs, opts...))
		for i, r := range readers(net, outs) {
			r.then = func(_ context.Context, read int) error {
				if read == 2+i {
					return nil
				}
				return errNext
			}
		}
		run(t, net)
		ledger.check(t)
	})
}

// A node with backlogs does not wait for the next message to end.
func TestBroadcastEndsWithItsLastOutputWhileTheInputIsSilent(t *testing.T) {
	eachBacklog(t, func(t *testing.T, opts []ops.BroadcastOption) {
		if opts == nil {
			t.Skip("in step it is the next message that finds no output")
		}
		var ledger ledger
		net := sluice.NewNetwork("fan")
		in := net.Channel("in")
		outs := channels(net, "out", 2)
		net.Node("source", func(ctx context.Context) error {
			for n := range 2 {
				if err := ledger.send(ctx, in, n); err != nil {
					return err
				}
				time.Sleep(time.Second)
			}
			for _, nd := range net.Snapshot().Nodes {
				if nd.Name == "broadcast" && nd.State != sluice.NodeDone {
					t.Errorf("the broadcast is %s", nd.State)
				}
			}
			return nil
		}, sluice.Writes(in))
		net.Node(ops.Broadcast("broadcast", in, outs, opts...))
		for _, r := range readers(net, outs) {
			r.then = func(context.Context, int) error { return nil }
		}
		run(t, net)
		ledger.check(t)
	})
}

func TestBroadcastOfPlainValuesNeedsShared(t *testing.T) {
	pushed := func(opts ...ops.BroadcastOption) (*sluice.Network, [][]string) {
		net := sluice.NewNetwork("fan")
		in := net.Channel("in")
		outs := channels(net, "out", 2)
		net.Node(ops.PushSlice("source", in, []string{"a", "b"}))
		net.Node(ops.Broadcast("broadcast", in, outs, opts...))
		results := make([][]string, 2)
		for i, out := range outs {
			net.Node(ops.Pull(fmt.Sprint("sink", i), out, &results[i]))
		}
		return net, results
	}
	net, results := pushed(ops.Shared())
	run(t, net)
	for _, got := range results {
		if !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("an output has %v", got)
		}
	}
	net, _ = pushed()
	if err := fails(t, net); !errors.Is(err, sluice.ErrNotCopyable) || !strings.Contains(err.Error(), "option Shared") {
		t.Errorf("without the option, Run returned %v", err)
	}
}

func TestSharedRefusesPayloadsThatAreReleased(t *testing.T) {
	f := newFan(2, 10, ops.Shared())
	readers(f.net, f.outs)
	if err := fails(t, f.net); !strings.Contains(err.Error(), "*ops_test.chunk has a Release method") {
		t.Errorf("Run returned %v", err)
	}
	f.ledger.check(t)
}

func TestBroadcastThatMakesNoSenseIsAnErrorOfTheNode(t *testing.T) {
	for want, f := range map[string]*fan{
		"a broadcast into 1 outputs":             newFan(1, 1),
		"a backlog of 0 messages":                newFan(2, 1, ops.BacklogMessages(0)),
		"a backlog of -1 bytes":                  newFan(2, 1, ops.BacklogBytes(-1)),
		"backlog is both bounded and unbounded":  newFan(2, 1, ops.BacklogUnbounded(), ops.BacklogBytes(1)),
		"backlog is both bounded and unbounded:": newFan(2, 1, ops.BacklogUnbounded(), ops.BacklogMessages(1)),
	} {
		readers(f.net, f.outs)
		err := fails(t, f.net)
		var failed *sluice.NodeError
		if !errors.As(err, &failed) || failed.Node != "broadcast" || !strings.Contains(err.Error(), want) {
			t.Errorf("Run returned %v, want %q of the node", err, want)
		}
		f.ledger.check(t)
	}
}
