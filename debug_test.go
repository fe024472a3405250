//go:build sluicedebug

package sluice_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice"
)

// numbered is a source that sends messages of these numbers as told.
func numbered(l *ledger, send func(context.Context, *sluice.Message) error, numbers ...int) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, number := range numbers {
			m := l.message(number)
			err := send(ctx, &m)
			m.Release()
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func TestTheDebugBuildRefusesNumbersThatDoNotRise(t *testing.T) {
	sends := map[string]func(c *sluice.Channel) func(context.Context, *sluice.Message) error{
		"Send": func(c *sluice.Channel) func(context.Context, *sluice.Message) error { return c.Send },
		"SendN": func(c *sluice.Channel) func(context.Context, *sluice.Message) error {
			return func(ctx context.Context, m *sluice.Message) error {
				ms := []sluice.Message{*m}
				_, err := c.SendN(ctx, ms)
				*m = ms[0]
				return err
			}
		},
		"SendAny": func(c *sluice.Channel) func(context.Context, *sluice.Message) error {
			return func(ctx context.Context, m *sluice.Message) error {
				_, err := sluice.SendAny(ctx, m, c)
				return err
			}
		},
		"Ticket.Send": func(c *sluice.Channel) func(context.Context, *sluice.Message) error {
			throttle, err := sluice.NewThrottle(c, 1)
			if err != nil {
				t.Fatal(err)
			}
			return func(ctx context.Context, m *sluice.Message) error {
				ticket, err := throttle.Acquire(ctx)
				if err != nil {
					return err
				}
				defer ticket.Release()
				receipt, err := ticket.Send(ctx, m)
				receipt.Release()
				return err
			}
		},
	}
	for name, send := range sends {
		for what, numbers := range map[string][]int{"the same number": {3, 3}, "a smaller one": {7, 8, 5}} {
			t.Run(name+"/"+what, func(t *testing.T) {
				l := newLedger(t)
				n := sluice.NewNetwork("n")
				c := n.Channel("rows")
				n.Node("mixed up", numbered(l, send(c), numbers...), sluice.Writes(c))
				n.Node("sink", counts(c, nil), sluice.Reads(c))
				err := n.Run(context.Background())
				wantFailed(t, err, "mixed up")
				wantContains(t, err.Error(), `"rows"`, "must rise")
			})
		}
	}
}

func TestTheDebugBuildAcceptsWhatRises(t *testing.T) {
	l := newLedger(t)
	n := sluice.NewNetwork("n")
	a, b, c := n.Channel("a"), n.Channel("b"), n.Channel("c")
	n.Node("with gaps", numbered(l, a.Send, 0, 1, 5, 100), sluice.Writes(a))
	n.Node("two outputs", func(ctx context.Context) error {
		if err := numbered(l, b.Send, 5, 6)(ctx); err != nil {
			return err
		}
		return numbered(l, c.Send, 1, 2)(ctx)
	}, sluice.Writes(b, c))
	n.Node("of its own", numbered(l, c.Send, 0, 1), sluice.Writes(c))
	n.Node("sink", func(ctx context.Context) error {
		for {
			_, m, err := sluice.RecvAny(ctx, a, b, c)
			if err != nil {
				return nil
			}
			m.Release()
		}
	}, sluice.Reads(a, b, c))
	if err := n.Run(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestTheDebugBuildLeavesUnorderedPortsAndForeignChannelsOut(t *testing.T) {
	l := newLedger(t)
	n := sluice.NewNetwork("n")
	c := n.Channel("c")
	n.Node("merge", numbered(l, c.Send, 5, 3, 4, 4), sluice.Writes(c).Unordered())
	n.Node("sink", counts(c, nil), sluice.Reads(c))
	n.Node("inside", func(ctx context.Context) error {
		private := sluice.NewChannel("private", sluice.Slots(10))
		defer private.Stop()
		return numbered(l, private.Send, 2, 1)(ctx)
	})
	if err := n.Run(context.Background()); err != nil {
		t.Error(err)
	}
}

// A send that was given up left its message with the caller, who may send it again.
func TestTheDebugBuildAcceptsAMessageThatWasNotSentTheFirstTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		n := sluice.NewNetwork("n")
		c := n.Channel("c")
		patient := func(send func(context.Context, *sluice.Message) error) func(context.Context, *sluice.Message) error {
			return func(ctx context.Context, m *sluice.Message) error {
				for {
					brief, cancel := context.WithTimeout(ctx, time.Second)
					err := send(brief, m)
					cancel()
					if !errors.Is(err, context.DeadlineExceeded) {
						return err
					}
				}
			}
		}
		n.Node("source", numbered(l, patient(c.Send), 0, 1, 2, 3), sluice.Writes(c))
		n.Node("sink", after(time.Minute/2, counts(c, nil)), sluice.Reads(c))
		if err := n.Run(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
