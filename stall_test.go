package sluice_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice"
)

// logbook is a slog.Handler that keeps what it is told.
type logbook struct {
	mu      sync.Mutex
	entries []entry
}

type entry struct {
	at            time.Time
	text          string
	network       string
	cycle         string
	level         slog.Level
	unknownFields []string
}

func (l *logbook) Enabled(context.Context, slog.Level) bool { return true }
func (l *logbook) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logbook) WithGroup(string) slog.Handler            { return l }

func (l *logbook) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := entry{at: r.Time, text: r.Message, level: r.Level}
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "network":
			e.network = a.Value.String()
		case "cycle":
			e.cycle = a.Value.String()
		default:
			e.unknownFields = append(e.unknownFields, a.Key)
		}
		return true
	})
	l.entries = append(l.entries, e)
	return nil
}

func (l *logbook) read() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]entry(nil), l.entries...)
}

// stalling runs the network in virtual time for that long, cancels it, and returns
// the stall reports.
func stalling(t *testing.T, d time.Duration, opts []sluice.NetworkOption, build func(l *ledger, n *sluice.Network)) []entry {
	t.Helper()
	var reports []entry
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		n := sluice.NewNetwork("jammed", append([]sluice.NetworkOption{sluice.WithLogger(slog.New(&book))}, opts...)...)
		build(newLedger(t), n)
		ctx, cancel := context.WithCancelCause(t.Context())
		result := start(ctx, n)
		time.Sleep(d)
		synctest.Wait()
		select {
		case err := <-result:
			t.Fatalf("the network ended by itself: %v", err)
		default:
		}
		reports = book.read()
		cancel(errBroken)
		if err := <-result; err != errBroken {
			t.Errorf("Run = %v, want what the test cancelled it with", err)
		}
	})
	return reports
}

// oneStall is stalling until there must be one report, which it returns.
func oneStall(t *testing.T, build func(l *ledger, n *sluice.Network)) entry {
	t.Helper()
	reports := stalling(t, 2*time.Minute, nil, build)
	if len(reports) != 1 {
		t.Fatalf("%d stall reports, want 1: %v", len(reports), reports)
	}
	return reports[0]
}

func wantNot(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Errorf("%q is out of place in:\n%s", part, text)
		}
	}
}

// The diamond: split fills its left branch before it sends to the right one, and join
// wants all of the right branch before it looks at the left one. Source and sink wait
// too, but are not to blame.
func diamond(l *ledger, n *sluice.Network) {
	in, out := n.Channel("in"), n.Channel("out")
	left, right := n.Channel("left"), n.Channel("right")
	left2, right2 := n.Channel("left, done"), n.Channel("right, done")
	n.Node("source", sends(l, in, 100), sluice.Writes(in))
	n.Node("split", func(ctx context.Context) error {
		for i := range 100 {
			for _, c := range []*sluice.Channel{left, right} {
				for range 10 {
					m, err := in.Recv(ctx)
					if err != nil {
						return err
					}
					if err := send(ctx, c, m); err != nil {
						return fmt.Errorf("round %d: %w", i, err)
					}
				}
			}
		}
		return nil
	}, sluice.Reads(in), sluice.Writes(left, right))
	n.Node("clean", relays(left, left2), sluice.Reads(left), sluice.Writes(left2))
	n.Node("enrich", relays(right, right2), sluice.Reads(right), sluice.Writes(right2))
	n.Node("join", func(ctx context.Context) error {
		if err := relays(right2, out)(ctx); err != nil {
			return err
		}
		return relays(left2, out)(ctx)
	}, sluice.Reads(left2, right2), sluice.Writes(out))
	n.Node("sink", counts(out, nil), sluice.Reads(out))
}

func TestAStallReportOfADeadlockedDiamondNamesTheCycle(t *testing.T) {
	report := oneStall(t, diamond)
	cycle := []string{
		`split waits for clean to receive from "left"`,
		`clean waits for join to receive from "left, done"`,
		`join waits for enrich to send to "right, done"`,
		`enrich waits for split to send to "right"`,
	}
	wantContains(t, report.text, cycle...)
	wantContains(t, report.cycle, cycle...)
	wantNot(t, report.cycle, "source", "sink")
	if got := strings.Count(report.cycle, "waits for"); got != len(cycle) {
		t.Errorf("the cycle has %d steps, want %d: %s", got, len(cycle), report.cycle)
	}
}

func TestAStallReportSaysOfEveryNodeWhatItDoes(t *testing.T) {
	report := oneStall(t, func(l *ledger, n *sluice.Network) {
		diamond(l, n)
		n.Node("early bird", returns(nil))
		n.Node("clock", idles)
	})
	lines := map[string]string{} // by node
	for line := range strings.Lines(report.text) {
		if name, rest, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
			rest, _, _ = strings.Cut(strings.Join(strings.Fields(rest), " "), ".") // whole seconds
			lines[name] = strings.TrimSuffix(rest, "s")
		}
	}
	for name, want := range map[string]string{
		"source":     `waits to send to "in" 30`,
		"split":      `waits to send to "left" 30`,
		"clean":      `waits to send to "left, done" 30`,
		"enrich":     `waits to receive from "right" 30`,
		"join":       `waits to receive from "right, done" 30`,
		"sink":       `waits to receive from "out" 30`,
		"early bird": "done",
		"clock":      "run",
	} {
		if got := lines[name]; got != want {
			t.Errorf("of %q the report says %q, want %q", name, got, want)
		}
	}
	wantContains(t, report.text, `network "jammed" has not moved for 30s`)
	if report.network != "jammed" || report.level != slog.LevelWarn || len(report.unknownFields) > 0 {
		t.Errorf("logged %+v", report)
	}
}

func TestAStallIsReportedOnceAndSoon(t *testing.T) {
	for _, after := range []time.Duration{30 * time.Second, time.Second, 40 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			var stalled time.Time
			opts := []sluice.NetworkOption{sluice.WithStallAfter(after)}
			if after == 30*time.Second {
				opts = nil // the default
			}
			reports := stalling(t, 5*after, opts, func(l *ledger, n *sluice.Network) {
				diamond(l, n)
				n.Node("last to move", func(context.Context) error {
					time.Sleep(6 * after / 10)
					stalled = time.Now()
					return nil
				})
			})
			if len(reports) != 1 {
				t.Fatalf("%d reports, want 1", len(reports))
			}
			if took := reports[0].at.Sub(stalled); took < after || took > after+after/4 {
				t.Errorf("reported %v after it stalled, want %v and little more", took, after)
			}
		})
	}
}

func TestNoStallIsReportedWhileAnythingMoves(t *testing.T) {
	moves := map[string]func(l *ledger, n *sluice.Network){
		"a message now and then": func(l *ledger, n *sluice.Network) {
			c := n.Channel("c")
			n.Node("slow", func(ctx context.Context) error {
				for i := range 100 {
					time.Sleep(20 * time.Second)
					if err := send(ctx, c, l.message(i)); err != nil {
						return err
					}
				}
				return nil
			}, sluice.Writes(c))
			n.Node("other sink", counts(c, nil), sluice.Reads(c))
		},
		"messages into a buffer that nobody reads": func(l *ledger, n *sluice.Network) {
			c := n.Channel("c", sluice.Slots(100))
			n.Node("slow", func(ctx context.Context) error {
				for i := range 100 {
					time.Sleep(20 * time.Second)
					if err := send(ctx, c, l.message(i)); err != nil {
						return err
					}
				}
				return nil
			}, sluice.Writes(c))
			n.Node("other sink", idles, sluice.Reads(c))
		},
		"nodes that end": func(l *ledger, n *sluice.Network) {
			for i := range 12 {
				n.Node(fmt.Sprint("node ", i), func(context.Context) error {
					time.Sleep(time.Duration(i) * 20 * time.Second)
					return nil
				})
			}
		},
	}
	for name, build := range moves {
		t.Run(name, func(t *testing.T) {
			reports := stalling(t, 3*time.Minute, nil, func(l *ledger, n *sluice.Network) {
				diamond(l, n) // jammed, while the rest goes on
				build(l, n)
			})
			if len(reports) > 0 {
				t.Errorf("%d reports: %v", len(reports), reports)
			}
		})
	}
}

func TestAStallIsReportedAgainAfterAMovement(t *testing.T) {
	opts := []sluice.NetworkOption{sluice.WithStallAfter(time.Second)}
	reports := stalling(t, time.Minute, opts, func(l *ledger, n *sluice.Network) {
		c := n.Channel("c", sluice.Slots(100))
		n.Node("slow", func(ctx context.Context) error {
			for i := range 100 {
				time.Sleep(25 * time.Second)
				if err := send(ctx, c, l.message(i)); err != nil {
					return err
				}
			}
			return nil
		}, sluice.Writes(c))
		n.Node("sink", idles, sluice.Reads(c))
	})
	if len(reports) != 3 { // before the first message, and after each of two
		t.Errorf("%d reports in a minute with two movements, want 3", len(reports))
	}
}

func TestStallReportsCanBeTurnedOff(t *testing.T) {
	for _, after := range []time.Duration{0, -time.Second} {
		if reports := stalling(t, 3*time.Minute, []sluice.NetworkOption{sluice.WithStallAfter(after)}, diamond); len(reports) > 0 {
			t.Errorf("with %v: %v", after, reports)
		}
	}
}

func TestAStallReportDoesNotEndTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		var book logbook
		n := sluice.NewNetwork("slow", sluice.WithLogger(slog.New(&book)))
		c := n.Channel("c")
		got := 0
		n.Node("source", func(ctx context.Context) error {
			time.Sleep(2 * time.Minute)
			return sends(l, c, 10)(ctx)
		}, sluice.Writes(c))
		n.Node("sink", counts(c, &got), sluice.Reads(c))
		if err := n.Run(t.Context()); err != nil || got != 10 {
			t.Errorf("Run = %v after %d messages, want nil after 10", err, got)
		}
		if reports := book.read(); len(reports) != 1 {
			t.Errorf("%d reports, want 1", len(reports))
		}
	})
}

func TestANodeThatComputesIsSaidToRunAndToBlockNobodyForGood(t *testing.T) {
	report := oneStall(t, func(l *ledger, n *sluice.Network) {
		there, back := n.Channel("there"), n.Channel("back")
		n.Node("asks", func(ctx context.Context) error {
			if err := send(ctx, there, l.message(0)); err != nil {
				return err
			}
			return reads(back, 1)(ctx)
		}, sluice.Writes(there), sluice.Reads(back))
		n.Node("computes", func(ctx context.Context) error {
			if err := reads(there, 1)(ctx); err != nil {
				return err
			}
			computes(ctx)
			return send(ctx, back, l.message(0))
		}, sluice.Reads(there), sluice.Writes(back))
	})
	wantContains(t, report.text, `asks`, `waits to receive from "back"`)
	if !lineOf(report.text, "computes", "runs") {
		t.Errorf("the report does not say that \"computes\" runs:\n%s", report.text)
	}
	wantNot(t, report.text, "wait for each other")
	if report.cycle != "" {
		t.Errorf("claims a cycle: %s", report.cycle)
	}
}

// A fan-out with backlogs: it moves messages to its outputs through channels of its
// own, which the network does not know, with a goroutine for each.
func TestACycleThroughChannelsInsideANodeIsNamed(t *testing.T) {
	report := oneStall(t, func(l *ledger, n *sluice.Network) {
		left, right := n.Channel("left"), n.Channel("right")
		n.Node("split", func(ctx context.Context) error {
			var forwarding sync.WaitGroup
			defer forwarding.Wait()
			outs := []*sluice.Channel{left, right}
			backlogs := []*sluice.Channel{sluice.NewChannel("backlog of left"), sluice.NewChannel("backlog of right")}
			for i, backlog := range backlogs {
				forwarding.Go(func() {
					defer backlog.Stop()
					_ = relays(backlog, outs[i])(ctx)
				})
				defer backlog.Close()
			}
			for i := range 100 {
				if err := send(ctx, backlogs[0], l.message(i)); err != nil {
					return err
				}
			}
			return nil
		}, sluice.Writes(left, right))
		n.Node("join", func(ctx context.Context) error {
			return reads(right, 1)(ctx)
		}, sluice.Reads(left, right))
	})
	wantContains(t, report.text, `"backlog of left"`, `"backlog of right"`)
	wantContains(t, report.cycle,
		`split waits for join to receive from "left"`,
		`join waits for split to send to "right"`)
}

func TestACycleThroughTicketsIsNamed(t *testing.T) {
	report := oneStall(t, func(l *ledger, n *sluice.Network) {
		rows, plan := n.Channel("rows"), n.Channel("plan")
		throttle, err := sluice.NewThrottle(rows, 1)
		if err != nil {
			t.Fatal(err)
		}
		n.Node("reader", func(ctx context.Context) error {
			ticket, err := throttle.Acquire(ctx)
			if err != nil {
				return err
			}
			defer ticket.Release()
			return reads(plan, 1)(ctx)
		}, sluice.Reads(plan), sluice.Writes(rows))
		n.Node("planner", func(ctx context.Context) error {
			time.Sleep(time.Second) // until the reader has the ticket
			ticket, err := throttle.Acquire(ctx)
			if err != nil {
				return err
			}
			defer ticket.Release()
			return send(ctx, plan, l.message(0))
		}, sluice.Writes(plan, rows))
		n.Node("sink", counts(rows, nil), sluice.Reads(rows))
	})
	wantContains(t, report.text, `waits to get a ticket for "rows"`)
	wantContains(t, report.cycle,
		`reader waits for planner to send to "plan"`,
		`planner waits for reader to release a ticket of "rows"`)
}

func TestACycleThroughHeldTicketsIsNamed(t *testing.T) {
	report := oneStall(t, func(l *ledger, n *sluice.Network) {
		rows := n.Channel("rows", sluice.Slots(10))
		throttle, err := sluice.NewThrottle(rows, 2)
		if err != nil {
			t.Fatal(err)
		}
		n.Node("scan", func(ctx context.Context) error {
			for i := range 10 {
				ticket, err := throttle.Acquire(ctx)
				if err != nil {
					return err
				}
				m := l.message(i)
				if err := ticket.SendHeld(ctx, &m); err != nil {
					m.Release()
					return err
				}
			}
			return nil
		}, sluice.Writes(rows))
		n.Node("hoard", func(ctx context.Context) error {
			var all []sluice.Message
			defer func() {
				for i := range all {
					all[i].Release()
				}
			}()
			for m, err := range rows.All(ctx) {
				if err != nil {
					return err
				}
				all = append(all, m)
			}
			return nil
		}, sluice.Reads(rows))
	})
	wantContains(t, report.cycle,
		`scan waits for hoard to release a ticket of "rows"`,
		`hoard waits for scan to send to "rows"`)
}

// Two nodes that each want the other's metadata first.
func TestACycleThroughSideChannelsIsNamed(t *testing.T) {
	report := oneStall(t, func(l *ledger, n *sluice.Network) {
		there, back := n.Channel("there"), n.Channel("back")
		polite := func(in, out *sluice.Channel) func(context.Context) error {
			return func(ctx context.Context) error {
				m, err := in.Meta().Recv(ctx)
				if err != nil {
					return err
				}
				return out.Meta().Send(&m)
			}
		}
		n.Node("alphonse", polite(back, there), sluice.Reads(back), sluice.Writes(there))
		n.Node("gaston", polite(there, back), sluice.Reads(there), sluice.Writes(back))
	})
	wantContains(t, report.text, `waits to receive from "back (metadata)"`)
	wantContains(t, report.cycle,
		`alphonse waits for gaston to send to "back (metadata)"`,
		`gaston waits for alphonse to send to "there (metadata)"`)
}

func TestANodeThatWaitsForAnyOfSeveralIsStuckOnlyIfAllAre(t *testing.T) {
	build := func(computes bool) func(l *ledger, n *sluice.Network) {
		return func(l *ledger, n *sluice.Network) {
			a, b, back := n.Channel("a"), n.Channel("b"), n.Channel("back")
			n.Node("union", func(ctx context.Context) error {
				_, m, err := sluice.RecvAny(ctx, a, b)
				m.Release()
				return err
			}, sluice.Reads(a, b), sluice.Writes(back))
			n.Node("first", func(ctx context.Context) error { return reads(back, 1)(ctx) }, sluice.Reads(back), sluice.Writes(a))
			n.Node("second", func(ctx context.Context) error {
				if computes {
					return idles(ctx)
				}
				return reads(back, 1)(ctx)
			}, sluice.Reads(back), sluice.Writes(b))
		}
	}
	if cycle := oneStall(t, build(true)).cycle; cycle != "" {
		t.Errorf("claims a cycle while \"second\" may send any time: %s", cycle)
	}
	wantContains(t, oneStall(t, build(false)).cycle, "union waits for first", "first waits for union")
}

// One goroutine of the scan waits for a ticket while another, which holds it, reads a
// file that takes its time: nobody is deadlocked.
func TestAWaitForATicketOfTheNodesOwnIsNoDeadlock(t *testing.T) {
	report := oneStall(t, func(l *ledger, n *sluice.Network) {
		rows := n.Channel("rows")
		throttle, err := sluice.NewThrottle(rows, 1)
		if err != nil {
			t.Fatal(err)
		}
		n.Node("scan", func(ctx context.Context) error {
			var reading sync.WaitGroup
			defer reading.Wait()
			for i := range 2 {
				ticket, err := throttle.Acquire(ctx)
				if err != nil {
					return err
				}
				reading.Go(func() {
					defer ticket.Release()
					computes(ctx)
					m := l.message(i)
					defer m.Release()
					if receipt, err := ticket.Send(ctx, &m); err == nil {
						receipt.Release()
					}
				})
			}
			return nil
		}, sluice.Writes(rows))
		n.Node("sink", counts(rows, nil), sluice.Reads(rows))
	})
	wantContains(t, report.text, `waits to get a ticket for "rows"`)
	wantNot(t, report.text, "wait for each other")
}

// One of two tickets is in the hands of somebody whom the network cannot see at work: a
// second goroutine of the node that waits, or one that is of no node. The other is held
// by a node that is stuck.
func TestATicketInUnseenHandsIsNoDeadlock(t *testing.T) {
	for _, unseen := range []string{"a goroutine of the node", "outside"} {
		t.Run(unseen, func(t *testing.T) {
			report := oneStall(t, func(l *ledger, n *sluice.Network) {
				rows, plan := n.Channel("rows"), n.Channel("plan")
				throttle, err := sluice.NewThrottle(rows, 2)
				if err != nil {
					t.Fatal(err)
				}
				n.Node("reader", func(ctx context.Context) error {
					ticket, err := throttle.Acquire(ctx)
					if err != nil {
						return err
					}
					defer ticket.Release()
					return reads(plan, 1)(ctx)
				}, sluice.Reads(plan), sluice.Writes(rows))
				n.Node("planner", func(ctx context.Context) error {
					by := ctx
					if unseen == "outside" {
						by = context.Background()
					}
					first, err := throttle.Acquire(by)
					if err != nil {
						return err
					}
					defer first.Release()
					time.Sleep(time.Second) // until the reader has the other ticket
					second, err := throttle.Acquire(ctx)
					if err != nil {
						return err
					}
					defer second.Release()
					return send(ctx, plan, l.message(0))
				}, sluice.Writes(plan, rows))
				n.Node("sink", counts(rows, nil), sluice.Reads(rows))
			})
			wantContains(t, report.text, `waits to get a ticket for "rows"`)
			wantNot(t, report.text, "wait for each other")
		})
	}
}

// What was sent with a held ticket is released by whoever has it last, here two
// channels further on.
func TestAWaitForATicketHeldFurtherOnIsNoDeadlockWhileItsHolderRuns(t *testing.T) {
	report := oneStall(t, func(l *ledger, n *sluice.Network) {
		rows, hot := n.Channel("rows"), n.Channel("hot")
		throttle, err := sluice.NewThrottle(rows, 1)
		if err != nil {
			t.Fatal(err)
		}
		n.Node("scan", func(ctx context.Context) error {
			for i := range 2 {
				ticket, err := throttle.Acquire(ctx)
				if err != nil {
					return err
				}
				m := l.message(i)
				if err := ticket.SendHeld(ctx, &m); err != nil {
					m.Release()
					return err
				}
			}
			return nil
		}, sluice.Writes(rows))
		n.Node("filter", relays(rows, hot), sluice.Reads(rows), sluice.Writes(hot))
		n.Node("writer", func(ctx context.Context) error {
			m, err := hot.Recv(ctx)
			computes(ctx)
			m.Release()
			return err
		}, sluice.Reads(hot))
	})
	if !lineOf(report.text, "writer", "runs") {
		t.Errorf("the report does not say that \"writer\" runs:\n%s", report.text)
	}
	wantNot(t, report.text, "wait for each other")
}

// computes is what takes longer than any test, as far as the network can see.
func computes(ctx context.Context) { <-ctx.Done() }

// lineOf reports whether a line of the text has exactly these words.
func lineOf(text string, words ...string) bool {
	for line := range strings.Lines(text) {
		if strings.Join(strings.Fields(line), " ") == strings.Join(words, " ") {
			return true
		}
	}
	return false
}

func TestNoStallIsReportedWhileOnlyMetadataMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		n := sluice.NewNetwork("n", sluice.WithStallAfter(time.Second), sluice.WithLogger(slog.New(&book)))
		c := n.Channel("c")
		n.Node("writer", func(ctx context.Context) error {
			for i := range 100 {
				time.Sleep(100 * time.Millisecond)
				m := sluice.NewMessage(sluice.SeqNum(i), i)
				if err := c.Meta().Send(&m); err != nil {
					return err
				}
			}
			return nil
		}, sluice.Writes(c))
		n.Node("reader", func(ctx context.Context) error {
			for {
				if _, err := c.Meta().Recv(ctx); err != nil {
					return nil
				}
			}
		}, sluice.Reads(c))
		errIs(t, n.Run(t.Context()), nil)
		if entries := book.read(); len(entries) > 0 {
			t.Errorf("reported %v", entries)
		}
	})
}
