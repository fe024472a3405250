package ops_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/ops"
)

// gauge counts those who are somewhere, and remembers the most there ever were.
type gauge struct{ now, most atomic.Int64 }

func (g *gauge) enter() {
	for now := g.now.Add(1); ; {
		most := g.most.Load()
		if now <= most || g.most.CompareAndSwap(most, now) {
			return
		}
	}
}

func (g *gauge) leave() { g.now.Add(-1) }

// permitted is a payload that is counted from the moment its producer was let past
// Acquire. Whether it leaves when it is sent or when it is released is the test's.
type permitted struct {
	gauge  *gauge
	sent   bool // leaves when it is about to be sent
	inside atomic.Bool
}

func (p *permitted) leave() {
	if p.inside.CompareAndSwap(true, false) {
		p.gauge.leave()
	}
}

func (p *permitted) Content() mem.Content {
	if p.sent {
		p.leave()
	}
	return mem.Content{}
}

func (p *permitted) Release() { p.leave() }

func TestHundredThrottledProducersNeverExceedFourTickets(t *testing.T) {
	const producers, tickets, consumers, each = 100, 4, 3, 20
	for name, under := range map[string]func(*sluice.Throttle) ops.SourceOption{
		"until sent":     ops.Under,
		"until released": ops.Holding,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := sluice.NewNetwork("throttled")
				out := net.Channel("out")
				throttle, err := sluice.NewThrottle(out, tickets)
				if err != nil {
					t.Fatal(err)
				}
				var g gauge
				for i := range producers {
					net.Node(ops.Produce(fmt.Sprint("producer ", i), out, func(_ context.Context, seq sluice.SeqNum) (*permitted, error) {
						g.enter()
						if seq == each {
							g.leave()
							return nil, io.EOF
						}
						p := &permitted{gauge: &g, sent: name == "until sent"}
						p.inside.Store(true)
						time.Sleep(time.Millisecond) // the expensive work
						return p, nil
					}, under(throttle)))
				}
				var received atomic.Int64
				for i := range consumers {
					net.Node(fmt.Sprint("consumer ", i), func(ctx context.Context) error {
						for m, err := range out.All(ctx) {
							if err != nil {
								return err
							}
							time.Sleep(time.Millisecond)
							m.Release()
							received.Add(1)
						}
						return nil
					}, sluice.Reads(out))
				}
				run(t, net)
				if most := g.most.Load(); most != tickets {
					t.Errorf("%d were past Acquire at once, want %d", most, tickets)
				}
				if received.Load() != producers*each {
					t.Errorf("%d messages arrived, want %d", received.Load(), producers*each)
				}
			})
		})
	}
}

// throttledSource is a network of a source with so many tickets, and its output.
func throttledSource[T any](tickets int, produce func(context.Context, sluice.SeqNum) (T, error), under func(*sluice.Throttle) ops.SourceOption) (*sluice.Network, *sluice.Channel) {
	net := sluice.NewNetwork("throttled")
	out := net.Channel("out", sluice.Slots(10))
	throttle, err := sluice.NewThrottle(out, tickets)
	if err != nil {
		panic(err)
	}
	net.Node(ops.Produce("source", out, produce, under(throttle)))
	return net, out
}

// The tickets bound the whole path: not the ten slots of the channel, but whoever
// holds the messages.
func TestHoldingKeepsTheTicketUntilTheMessageIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ledger ledger
		net, out := throttledSource(3, func(_ context.Context, seq sluice.SeqNum) (*chunk, error) {
			if live := ledger.live(); live >= 3 {
				t.Errorf("message %d is made while %d are alive", seq, live)
			}
			if seq == 50 {
				return nil, io.EOF
			}
			return ledger.chunk(int(seq), false), nil
		}, ops.Holding)
		mapped, kept := net.Channel("mapped"), net.Channel("kept", sluice.Slots(10))
		net.Node(ops.Map("map", out, mapped, func(_ context.Context, c *chunk) (*chunk, error) { return c, nil }))
		net.Node(ops.Filter("filter", mapped, kept, func(c *chunk) bool { return c.n%3 > 0 }))
		r := readers(net, []*sluice.Channel{kept})[0]
		r.then = func(context.Context, int) error {
			time.Sleep(time.Millisecond)
			return errNext
		}
		run(t, net)
		want := slices.DeleteFunc(upTo(50, 0, 1), func(n int) bool { return n%3 == 0 })
		wantNumbers(t, "the output", r.seqs, want)
		ledger.check(t)
	})
}

// The node keeps no ticket: neither one it did not use nor one whose send failed.
func TestProduceGivesTheTicketBack(t *testing.T) {
	for name, test := range map[string]struct{ end, want error }{
		"at the end":    {io.EOF, nil},
		"when it fails": {errBoom, errBoom},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out := sluice.NewChannel("out", sluice.Slots(10))
				throttle, err := sluice.NewThrottle(out, 1)
				if err != nil {
					t.Fatal(err)
				}
				_, source, _ := ops.Produce("source", out, func(_ context.Context, seq sluice.SeqNum) (int, error) {
					if seq == 3 {
						return 0, test.end
					}
					return 7, nil
				}, ops.Under(throttle))
				if err := source(t.Context()); !errors.Is(err, test.want) {
					t.Errorf("the source returned %v", err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				ticket, err := throttle.Acquire(ctx)
				if err != nil {
					t.Fatalf("no ticket is left: %v", err)
				}
				ticket.Release()
			})
		})
	}
}

func TestProduceNamesTheMessageItFailedAt(t *testing.T) {
	net, out := throttledSource(1, func(_ context.Context, seq sluice.SeqNum) (int, error) {
		if seq == 7 {
			return 0, errBoom
		}
		return 1, nil
	}, ops.Under)
	var got []int
	net.Node(ops.Pull("sink", out, &got))
	err := fails(t, net)
	if !errors.Is(err, errBoom) || !strings.Contains(err.Error(), `node "source": message 7: boom`) {
		t.Errorf("Run returned %v", err)
	}
}

// An io.EOF from deep inside a reader is a truncated file, not the end of the stream.
func TestProduceTakesOnlyABareEOFForTheEnd(t *testing.T) {
	net, out := throttledSource(1, func(context.Context, sluice.SeqNum) (int, error) {
		return 0, fmt.Errorf("reading the footer: %w", io.EOF)
	}, ops.Under)
	var got []int
	net.Node(ops.Pull("sink", out, &got))
	if err := fails(t, net); !strings.Contains(err.Error(), "reading the footer") {
		t.Errorf("Run returned %v", err)
	}
}

func TestProduceEndsWhenNobodyWantsMore(t *testing.T) {
	for _, under := range []func(*sluice.Throttle) ops.SourceOption{ops.Under, ops.Holding} {
		synctest.Test(t, func(t *testing.T) {
			var ledger ledger
			net, out := throttledSource(2, func(_ context.Context, seq sluice.SeqNum) (*chunk, error) {
				return ledger.chunk(int(seq), false), nil
			}, under)
			r := readers(net, []*sluice.Channel{out})[0]
			r.then = func(_ context.Context, read int) error {
				if read == 5 {
					return nil
				}
				return errNext
			}
			run(t, net)
			ledger.check(t)
		})
	}
}

func TestSourceOptionsThatMakeNoSenseAreErrorsOfTheNode(t *testing.T) {
	elsewhere, err := sluice.NewThrottle(sluice.NewChannel("elsewhere"), 1)
	if err != nil {
		t.Fatal(err)
	}
	for want, opt := range map[string]ops.SourceOption{
		"numbered in steps of 0": ops.Numbered(1, 0),
		"under a nil throttle":   ops.Under(nil),
		`the throttle is in front of channel "elsewhere", and the source writes "out"`: ops.Holding(elsewhere),
	} {
		net := sluice.NewNetwork("source")
		out := net.Channel("out")
		var ledger ledger
		net.Node(ops.PushSlice("source", out, []*chunk{ledger.chunk(0, false)}, opt))
		readers(net, []*sluice.Channel{out})
		if err := fails(t, net); !strings.Contains(err.Error(), `node "source": `+want) {
			t.Errorf("Run returned %v, want %q", err, want)
		}
		ledger.check(t)
	}
}
