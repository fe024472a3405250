package ops_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/ops"
)

// described is a node that sends metadata first, ends the side channel, and then
// sends data.
func (l *ledger) described(out *sluice.Channel, metadata, data int) (func(context.Context) error, sluice.Port) {
	return func(ctx context.Context) error {
		for n := range metadata {
			if err := l.sendSide(out, n); err != nil {
				return err
			}
		}
		out.Meta().Close()
		for n := range data {
			if err := l.send(ctx, out, n); err != nil {
				return err
			}
		}
		return nil
	}, sluice.Writes(out)
}

// readSide reads a side channel to its end.
func readSide(ctx context.Context, in *sluice.Channel) (seqs []int, err error) {
	for {
		m, err := in.Meta().Recv(ctx)
		if errors.Is(err, io.EOF) {
			return seqs, nil
		}
		if err != nil {
			return seqs, err
		}
		seqs = append(seqs, int(m.Seq()))
		m.Release()
	}
}

// In the C++ system, a union reading side channels one after another from branches
// of one fan-out waited in a circle: it takes no data before it has seen the end of
// each side channel, so the fan-out must bring that without first getting rid of data.
func TestUnionReadsSideChannelsOfBranchesOneAfterAnother(t *testing.T) {
	eachBacklog(t, func(t *testing.T, opts []ops.BroadcastOption) {
		var ledger ledger
		net := sluice.NewNetwork("union")
		in := net.Channel("in")
		outs := channels(net, "out", 3)
		source, port := ledger.described(in, 20, 40)
		net.Node("source", source, port)
		net.Node(ops.Broadcast("broadcast", in, outs, append([]ops.BroadcastOption{ops.SideChannel()}, opts...)...))
		data := 0
		net.Node("union", func(ctx context.Context) error {
			for _, branch := range outs {
				seqs, err := readSide(ctx, branch)
				if err != nil {
					return err
				}
				wantNumbers(t, "the side channel of "+branch.Name(), seqs, upTo(20, 0, 1))
			}
			for {
				_, m, err := sluice.RecvAny(ctx, outs...)
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return err
				}
				m.Release()
				data++
			}
		}, sluice.Reads(outs...))
		run(t, net)
		if data != 3*40 {
			t.Errorf("the union has %d messages, want %d", data, 3*40)
		}
		ledger.check(t)
	})
}

func TestSideChannelEndsWithTheDataIfNobodyEndsItBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ledger ledger
		net := sluice.NewNetwork("fan")
		in := net.Channel("in")
		outs := channels(net, "out", 2)
		net.Node("source", func(ctx context.Context) error {
			for n := range 10 {
				if err := ledger.sendSide(in, n); err != nil {
					return err
				}
				if err := ledger.send(ctx, in, n); err != nil {
					return err
				}
			}
			return nil
		}, sluice.Writes(in))
		net.Node(ops.Broadcast("broadcast", in, outs, ops.SideChannel()))
		for _, r := range readers(net, outs[1:]) {
			defer func() { wantNumbers(t, "the data", r.seqs, upTo(10, 0, 1)) }()
		}
		net.Node("reader of both", func(ctx context.Context) error {
			for m, err := range outs[0].All(ctx) {
				if err != nil {
					return err
				}
				m.Release()
			}
			seqs, err := readSide(ctx, outs[0])
			wantNumbers(t, "the side channel", seqs, upTo(10, 0, 1))
			return err // of the other branch nobody reads it, which holds nobody up
		}, sluice.Reads(outs[0]))
		run(t, net)
		ledger.check(t)
	})
}

// One that has gone does not keep the metadata from the others.
func TestSideChannelGoesOnWhenAnOutputLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ledger ledger
		net := sluice.NewNetwork("fan")
		in := net.Channel("in")
		outs := channels(net, "out", 3)
		outs[0].Stop()
		outs[1].Meta().Close() // wanted no more, but the data is
		source, port := ledger.described(in, 10, 10)
		net.Node("source", source, port)
		net.Node(ops.Broadcast("broadcast", in, outs, ops.SideChannel()))
		readers(net, outs[:2])
		net.Node("reader of both", func(ctx context.Context) error {
			seqs, err := readSide(ctx, outs[2])
			wantNumbers(t, "the side channel", seqs, upTo(10, 0, 1))
			if err != nil {
				return err
			}
			for m, err := range outs[2].All(ctx) {
				if err != nil {
					return err
				}
				m.Release()
			}
			return nil
		}, sluice.Reads(outs[2]))
		run(t, net)
		ledger.check(t)
	})
}

// The data of an output may be over before its metadata is.
func TestSideChannelIsCompleteWhenTheDataIsFaster(t *testing.T) {
	eachBacklog(t, func(t *testing.T, opts []ops.BroadcastOption) {
		var ledger ledger
		const metadata = 5
		ledger.onCall = func(c *chunk, _ int, of string) error {
			if of == "Copy" && c.n < metadata {
				time.Sleep(time.Second)
			}
			return nil
		}
		net := sluice.NewNetwork("fan")
		in := net.Channel("in")
		outs := channels(net, "out", 2)
		net.Node("source", func(ctx context.Context) error {
			for n := range metadata {
				if err := ledger.sendSide(in, n); err != nil {
					return err
				}
			}
			return ledger.send(ctx, in, metadata)
		}, sluice.Writes(in))
		net.Node(ops.Broadcast("broadcast", in, outs, append([]ops.BroadcastOption{ops.SideChannel()}, opts...)...))
		for _, out := range outs {
			net.Node("reader of both of "+out.Name(), func(ctx context.Context) error {
				for m, err := range out.All(ctx) {
					if err != nil {
						return err
					}
					m.Release()
				}
				seqs, err := readSide(ctx, out)
				wantNumbers(t, "the side channel of "+out.Name(), seqs, upTo(metadata, 0, 1))
				return err
			}, sluice.Reads(out))
		}
		run(t, net)
		ledger.check(t)
	})
}
