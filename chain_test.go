package sluice_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/seed14ed4225/sluice"
)

// chainLength is as many nodes as the race detector can follow, or a hundred thousand.
func chainLength(t *testing.T) int {
	switch {
	case raceDetector:
		return 5_000
	case testing.Short():
		return 10_000
	}
	return 100_000
}

// few messages are enough: each wakes every node of the chain.
const few = 3

// chain returns a network of that many nodes in a row and its first and last channel.
// The one in the middle runs as told, if it is told.
func chain(nodes int, middle func(in, out *sluice.Channel) func(context.Context) error) (n *sluice.Network, first, last *sluice.Channel) {
	n = sluice.NewNetwork("chain")
	first = n.Channel("0")
	last = first
	for i := 1; i <= nodes; i++ {
		in, out := last, n.Channel(fmt.Sprint(i))
		run := relays(in, out)
		if i == nodes/2 && middle != nil {
			run = middle(in, out)
		}
		n.Node(fmt.Sprint(i), run, sluice.Reads(in), sluice.Writes(out))
		last = out
	}
	return n, first, last
}

func TestAChainOfAHundredThousandNodesPassesMessagesThrough(t *testing.T) {
	l := newLedger(t)
	n, first, last := chain(chainLength(t), nil)
	n.Node("source", sends(l, first, few), sluice.Writes(first))
	var got []sluice.SeqNum
	n.Node("sink", func(ctx context.Context) error {
		for m, err := range last.All(ctx) {
			if err != nil {
				return err
			}
			got = append(got, m.Seq())
			m.Release()
		}
		return nil
	}, sluice.Reads(last))
	if err := n.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "what arrived", got, []sluice.SeqNum{0, 1, 2})
}

func TestAChainEndsWhenANodeInTheMiddleFails(t *testing.T) {
	l := newLedger(t)
	var atStart, atEnd error
	n, first, last := chain(chainLength(t), func(in, out *sluice.Channel) func(context.Context) error {
		return func(ctx context.Context) error { return errors.Join(reads(in, few)(ctx), errBroken) }
	})
	n.Node("source", func(ctx context.Context) error {
		if err := sends(l, first, few)(ctx); err != nil {
			return err
		}
		<-ctx.Done()
		atStart = context.Cause(ctx)
		return atStart
	}, sluice.Writes(first))
	n.Node("sink", func(ctx context.Context) error {
		_, atEnd = last.Recv(ctx)
		return atEnd
	}, sluice.Reads(last))
	err := n.Run(context.Background())
	wantFailed(t, err, fmt.Sprint(chainLength(t)/2))
	if !errors.Is(atStart, errBroken) {
		t.Errorf("the source ended with %v, want the failure", atStart)
	}
	wantAbort(t, atEnd, errBroken)
}

func TestAChainEndsWhenItIsCancelled(t *testing.T) {
	l := newLedger(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	n, first, last := chain(chainLength(t), func(in, out *sluice.Channel) func(context.Context) error {
		return func(ctx context.Context) error {
			err := reads(in, few)(ctx)
			cancel(errBroken)
			return errors.Join(err, counts(in, nil)(ctx))
		}
	})
	n.Node("source", func(ctx context.Context) error {
		return errors.Join(sends(l, first, few)(ctx), idles(ctx))
	}, sluice.Writes(first))
	n.Node("sink", counts(last, nil), sluice.Reads(last))
	if err := n.Run(ctx); err != errBroken {
		t.Errorf("Run = %v, want the context's cause", err)
	}
}
