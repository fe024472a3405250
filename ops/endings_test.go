package ops_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/ops"
)

// A subject is a node whose endings are tested.
type subject struct {
	name      string
	ins, outs int
	add       func(net *sluice.Network, ins, outs []*sluice.Channel)
	onGap     error // what it makes of numbers that are left out
}

func broadcast(name string, opts ...ops.BroadcastOption) subject {
	return subject{name: "Broadcast " + name, ins: 1, outs: 3, add: func(net *sluice.Network, ins, outs []*sluice.Channel) {
		net.Node(ops.Broadcast("subject", ins[0], outs, opts...))
	}}
}

var subjects = []subject{
	broadcast("without backlog"),
	broadcast("with a backlog of messages", ops.BacklogMessages(4)),
	broadcast("with a backlog of bytes", ops.BacklogBytes(4*chunkBytes)),
	broadcast("with an unbounded backlog", ops.BacklogUnbounded()),
	broadcast("of side channels, too", ops.SideChannel()),
	broadcast("of side channels, with a backlog", ops.SideChannel(), ops.BacklogMessages(1)),
	{name: "Distribute", ins: 1, outs: 3, add: func(net *sluice.Network, ins, outs []*sluice.Channel) {
		net.Node(ops.Distribute("subject", ins[0], outs))
	}},
	{name: "Merge", ins: 3, outs: 1, add: func(net *sluice.Network, ins, outs []*sluice.Channel) {
		net.Node(ops.Merge("subject", ins, outs[0]))
	}},
	{name: "OrderedMerge", ins: 3, outs: 1, add: func(net *sluice.Network, ins, outs []*sluice.Channel) {
		net.Node(ops.OrderedMerge("subject", ins, outs[0]))
	}},
	{name: "OrderedMerge dense", ins: 3, outs: 1, add: func(net *sluice.Network, ins, outs []*sluice.Channel) {
		net.Node(ops.OrderedMerge("subject", ins, outs[0], ops.Dense(0)))
	}, onGap: ops.ErrMissing},
	{name: "Map", ins: 1, outs: 1, add: func(net *sluice.Network, ins, outs []*sluice.Channel) {
		net.Node(ops.Map("subject", ins[0], outs[0], func(_ context.Context, c *chunk) (*chunk, error) { return c, nil }))
	}},
	{name: "Filter", ins: 1, outs: 1, add: func(net *sluice.Network, ins, outs []*sluice.Channel) {
		net.Node(ops.Filter("subject", ins[0], outs[0], func(c *chunk) bool { return c.n%2 == 0 }))
	}},
}

// A rig is a subject between a source for each input and a reader for each output.
type rig struct {
	net       *sluice.Network
	ledger    ledger
	cancel    context.CancelCauseFunc
	ins, outs []*sluice.Channel
	readers   []*reader
	// Called by source i before message k. The source returns what it returns, if
	// not errNext.
	before func(ctx context.Context, i, k int) error
}

const perSource = 40

func (r *rig) source(i int) func(context.Context) error {
	return func(ctx context.Context) error {
		for k := range perSource {
			if r.before != nil {
				if err := r.before(ctx, i, k); !errors.Is(err, errNext) {
					return err
				}
			}
			if err := r.ledger.sendSide(r.ins[i], k); err != nil { // nobody has to read it
				return err
			}
			if err := r.ledger.send(ctx, r.ins[i], i+k*len(r.ins)); err != nil {
				return err
			}
		}
		return nil
	}
}

func newRig(s subject) *rig {
	r := &rig{net: sluice.NewNetwork(s.name)}
	r.ins = channels(r.net, "in", s.ins)
	r.outs = channels(r.net, "out", s.outs)
	for i, in := range r.ins {
		r.net.Node(fmt.Sprint("source ", i), r.source(i), sluice.Writes(in))
	}
	s.add(r.net, r.ins, r.outs)
	r.readers = readers(r.net, r.outs)
	return r
}

// after makes reader i do something after its third message. The others wait with theirs until that
// is done: a slow reader might be given no third, or do it when all is over.
func (r *rig) after(i int, do func(ctx context.Context) error) {
	done := make(chan struct{})
	for _, other := range r.readers {
		if other.then != nil {
			continue // it does something of its own
		}
		other.then = func(ctx context.Context, read int) error {
			if read == 3 {
				select {
				case <-done:
				case <-ctx.Done():
				}
			}
			return errNext
		}
	}
	r.readers[i].then = func(ctx context.Context, read int) error {
		if read == 3 {
			defer close(done)
			return do(ctx)
		}
		return errNext
	}
}

// endings are the ways in which a network can end, on every side of the subject.
var endings = []struct {
	name string
	set  func(r *rig)
	want error // nil, or what Run's error is
	gap  bool  // numbers are left out
}{
	{name: "end of input", set: func(*rig) {}},
	{name: "no input", set: func(r *rig) {
		r.before = func(context.Context, int, int) error { return nil }
	}},
	{name: "one input ends early", set: func(r *rig) {
		r.before = func(_ context.Context, i, k int) error {
			if i == len(r.ins)-1 && k == 3 {
				return nil
			}
			return errNext
		}
	}, gap: true},
	{name: "one output stopped", set: func(r *rig) {
		r.after(0, func(context.Context) error { return nil })
	}},
	{name: "one output stopped at once, its channel kept", set: func(r *rig) {
		r.outs[0].Stop()
	}},
	{name: "all outputs stopped", set: func(r *rig) {
		for i := range r.readers {
			r.after(i, func(context.Context) error { return nil })
		}
	}},
	{name: "all outputs stopped one after another", set: func(r *rig) {
		for i := range r.readers {
			r.after(i, func(context.Context) error {
				time.Sleep(time.Duration(i) * time.Millisecond)
				return nil
			})
		}
	}},
	{name: "an input aborted", set: func(r *rig) {
		r.before = func(_ context.Context, i, k int) error {
			if i == 0 && k == 10 {
				r.ins[0].Abort(errBoom)
				return nil
			}
			return errNext
		}
	}, want: errBoom},
	{name: "an output aborted", set: func(r *rig) {
		r.after(0, func(context.Context) error {
			r.outs[0].Abort(errBoom)
			return nil
		})
	}, want: errBoom},
	{name: "an output aborted after the others were stopped", set: func(r *rig) {
		r.ledger.onCall = func(_ *chunk, _ int, of string) error {
			if of == "Release" {
				time.Sleep(time.Millisecond) // so that ends are seen before they are over
			}
			return nil
		}
		for i := range r.readers {
			r.after(i, func(context.Context) error {
				if i == 0 {
					time.Sleep(time.Millisecond)
					r.outs[0].Abort(errBoom)
				}
				return nil
			})
		}
	}, want: errBoom},
	{name: "context cancelled", set: func(r *rig) {
		r.after(0, func(context.Context) error {
			r.cancel(errBoom)
			return errNext
		})
	}, want: errBoom},
	{name: "context cancelled while readers are busy", set: func(r *rig) {
		for i := range r.readers {
			r.after(i, func(ctx context.Context) error {
				time.Sleep(time.Second) // until nothing else moves
				r.cancel(errBoom)
				<-ctx.Done()
				return ctx.Err()
			})
		}
	}, want: errBoom},
	{name: "a source fails", set: func(r *rig) {
		r.before = func(_ context.Context, i, k int) error {
			if i == 0 && k == 10 {
				return errBoom
			}
			return errNext
		}
	}, want: errBoom},
	{name: "a reader fails", set: func(r *rig) {
		r.after(0, func(context.Context) error { return errBoom })
	}, want: errBoom},
	{name: "a reader panics", set: func(r *rig) {
		r.after(0, func(context.Context) error { panic(errBoom) })
	}, want: errBoom},
	{name: "a node elsewhere fails", set: func(r *rig) {
		r.net.Node("bystander", func(context.Context) error {
			time.Sleep(10 * time.Millisecond)
			return errBoom
		})
		for i := range r.readers {
			r.readers[i].then = func(context.Context, int) error {
				time.Sleep(time.Millisecond)
				return errNext
			}
		}
	}, want: errBoom},
}

// Whatever ends, on whichever side: the network ends, with the right error, all
// goroutines come home (the bubble sees to that), and every payload is released once.
func TestEveryEndingOnEverySide(t *testing.T) {
	for _, s := range subjects {
		for _, e := range endings {
			t.Run(s.name+"/"+e.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(s)
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					r.cancel = cancel
					e.set(r)

					ctx, stop := context.WithTimeoutCause(ctx, time.Minute, errors.New("the network hangs"))
					defer stop()
					err := r.net.Run(ctx)
					want := e.want
					if e.gap {
						want = s.onGap
					}
					if !errors.Is(err, want) || err != nil && want == nil {
						t.Errorf("Run returned %v, want %v", err, want)
					}
					r.ledger.check(t)
				})
			})
		}
	}
}

// The methods of payloads are not the node's, and are called in whichever goroutine
// sends. One that panics or exits fails the network, not the program, and leaves
// nothing behind.
func TestPayloadThatPanicsOrExitsEndsTheNetworkOnly(t *testing.T) {
	for how, end := range map[string]func(){
		"panics": func() { panic(errBoom) },
		"exits":  runtime.Goexit,
	} {
		for _, s := range subjects {
			t.Run(s.name+"/"+how, func(t *testing.T) {
				for n := 1; n < 60; n++ {
					synctest.Test(t, func(t *testing.T) {
						r := newRig(s)
						r.ledger.onCall = func(_ *chunk, call int, of string) error {
							if call == n && of != "Release" {
								end()
							}
							return nil
						}
						err := fails(t, r.net)
						var panicked *sluice.PanicError
						if how == "panics" && (!errors.Is(err, errBoom) || !errors.As(err, &panicked)) ||
							how == "exits" && !strings.Contains(err.Error(), "runtime.Goexit") {
							t.Errorf("call %d: Run returned %v", n, err)
						}
						r.ledger.check(t)
					})
				}
			})
		}
	}
}
