package sluice_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice"
)

func TestRunReturnsTheErrorOfEveryNodeTheFirstFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := sluice.NewNetwork("n")
		after := func(d time.Duration, err error) func(context.Context) error {
			return func(context.Context) error { time.Sleep(d); return err }
		}
		errs := map[string]error{"a": errors.New("third"), "b": errors.New("first"), "c": errors.New("second")}
		n.Node("a", after(3*time.Second, errs["a"]))
		n.Node("b", after(1*time.Second, errs["b"]))
		n.Node("c", after(2*time.Second, errs["c"]))
		n.Node("echo", idles)
		n.Node("fine", returns(nil))
		err := n.Run(t.Context())
		for _, node := range wantFailed(t, err, "b", "c", "a") {
			if node.Err != errs[node.Node] {
				t.Errorf("the error of %q is %v", node.Node, node.Err)
			}
		}
		for name, own := range errs {
			wantContains(t, err.Error(), fmt.Sprintf("node %q: %v", name, own))
		}
	})
}

func TestTheErrorOfASingleNodeIsNotJoined(t *testing.T) {
	n := sluice.NewNetwork("n")
	n.Node("broken", returns(errBroken))
	n.Node("echo", idles)
	err := n.Run(context.Background())
	if node, ok := err.(*sluice.NodeError); !ok || node.Node != "broken" || node.Err != errBroken {
		t.Errorf("Run = %#v, want the *NodeError of \"broken\"", err)
	}
}

// listError is an error that == panics on; holder one that looks comparable to reflect
// but holds what is not.
type listError []string

func (e listError) Error() string { return fmt.Sprint([]string(e)) }

type holder struct{ inner error }

func (e holder) Error() string { return "holding " + e.inner.Error() }
func (e holder) Unwrap() error { return e.inner }

func TestEchoesOfTheInterruptionAreLeftOut(t *testing.T) {
	echoes := map[string]func(ctx context.Context, abort error) error{
		"context's error":          func(ctx context.Context, _ error) error { return ctx.Err() },
		"context's cause":          func(ctx context.Context, _ error) error { return context.Cause(ctx) },
		"context.Canceled":         func(context.Context, error) error { return context.Canceled },
		"abort":                    func(_ context.Context, abort error) error { return abort },
		"abort, wrapped":           func(_ context.Context, abort error) error { return fmt.Errorf("reading: %w", abort) },
		"abort, wrapped by value":  func(_ context.Context, abort error) error { return holder{abort} },
		"context's error, wrapped": func(ctx context.Context, _ error) error { return fmt.Errorf("a: %w", fmt.Errorf("b: %w", ctx.Err())) },
		"joined": func(ctx context.Context, abort error) error {
			return errors.Join(ctx.Err(), fmt.Errorf("and: %w", abort), context.Cause(ctx))
		},
		"two in one text": func(ctx context.Context, abort error) error { return fmt.Errorf("%w, %w", abort, ctx.Err()) },
		"abort of another channel with the network's cause": func(ctx context.Context, _ error) error {
			return &sluice.AbortError{Channel: "private", Cause: context.Cause(ctx)}
		},
	}
	own := errors.New("own")
	kept := map[string]func(ctx context.Context, abort error) error{
		"own error":                        func(context.Context, error) error { return own },
		"own error joined with an echo":    func(ctx context.Context, _ error) error { return errors.Join(ctx.Err(), own) },
		"an echo joined with own error":    func(ctx context.Context, abort error) error { return errors.Join(own, abort) },
		"own error in a text with an echo": func(_ context.Context, abort error) error { return fmt.Errorf("%w after %w", own, abort) },
		"own error deep in a tree": func(ctx context.Context, abort error) error {
			return errors.Join(abort, fmt.Errorf("x: %w", errors.Join(ctx.Err(), fmt.Errorf("y: %w", own))))
		},
		"an abort with another cause": func(context.Context, error) error { return &sluice.AbortError{Channel: "private", Cause: own} },
		"an error that cannot be compared": func(context.Context, error) error {
			return errors.Join(own, listError{"a"})
		},
		"a panic":                   func(context.Context, error) error { panic(own) },
		"a panic with only an echo": func(_ context.Context, abort error) error { panic(abort) },
	}
	interruptions := []struct {
		name string
		end  func(n *sluice.Network) (context.Context, string) // who failed
	}{
		{"failure", func(n *sluice.Network) (context.Context, string) {
			n.Node("broken", func(context.Context) error { time.Sleep(time.Second); return errBroken })
			return context.Background(), "broken"
		}},
		{"cancellation", func(*sluice.Network) (context.Context, string) {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(time.Second, cancel)
			return ctx, ""
		}},
		{"cause", func(*sluice.Network) (context.Context, string) {
			ctx, cancel := context.WithCancelCause(context.Background())
			time.AfterFunc(time.Second, func() { cancel(errBroken) })
			return ctx, ""
		}},
		{"cause that cannot be compared", func(*sluice.Network) (context.Context, string) {
			ctx, cancel := context.WithCancelCause(context.Background())
			time.AfterFunc(time.Second, func() { cancel(listError{"no", "good"}) })
			return ctx, ""
		}},
		{"cause that looks comparable", func(*sluice.Network) (context.Context, string) {
			ctx, cancel := context.WithCancelCause(context.Background())
			time.AfterFunc(time.Second, func() { cancel(holder{listError{"no", "good"}}) })
			return ctx, ""
		}},
	}
	run := func(t *testing.T, end func(*sluice.Network) (context.Context, string), ending func(context.Context, error) error, nodes ...string) {
		synctest.Test(t, func(t *testing.T) {
			n := sluice.NewNetwork("n")
			c := n.Channel("c")
			n.Node("writer", idles, sluice.Writes(c))
			n.Node("reader", func(ctx context.Context) error {
				_, err := c.Recv(ctx)
				<-ctx.Done()
				return ending(ctx, err)
			}, sluice.Reads(c))
			ctx, broken := end(n)
			if broken != "" {
				nodes = append([]string{broken}, nodes...)
			}
			err := n.Run(ctx)
			if len(nodes) > 0 {
				wantFailed(t, err, nodes...)
			} else if fmt.Sprint(err) != fmt.Sprint(context.Cause(ctx)) {
				t.Errorf("Run = %v, want the context's cause %v", err, context.Cause(ctx))
			}
		})
	}
	for _, way := range interruptions {
		for name, ending := range echoes {
			t.Run(way.name+"/"+name+" is left out", func(t *testing.T) { run(t, way.end, ending) })
		}
		for name, ending := range kept {
			t.Run(way.name+"/"+name+" is kept", func(t *testing.T) { run(t, way.end, ending, "reader") })
		}
	}
}

// funcError is an error that is not even deeply equal to itself.
type funcError struct{ text func() string }

func (e funcError) Error() string { return e.text() }

func TestAnAbortByTheNetworkIsAnEchoWhateverItsCause(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	n := sluice.NewNetwork("n")
	c := n.Channel("c")
	n.Node("writer", func(ctx context.Context) error {
		cancel(funcError{func() string { return "out of order" }})
		return idles(ctx)
	}, sluice.Writes(c))
	n.Node("reader", counts(c, nil), sluice.Reads(c))
	if _, ok := n.Run(ctx).(funcError); !ok {
		t.Error("Run does not return the context's cause alone")
	}
}

func TestADeadlineOfTheRunIsEchoedByItsOwnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		n := sluice.NewNetwork("n", sluice.WithStallAfter(0))
		n.Node("echo", func(ctx context.Context) error { <-ctx.Done(); return fmt.Errorf("late: %w", ctx.Err()) })
		n.Node("quiet", func(ctx context.Context) error { <-ctx.Done(); return nil })
		if err := n.Run(ctx); err != context.DeadlineExceeded {
			t.Errorf("Run = %v, want context.DeadlineExceeded", err)
		}
	})
}

// A timeout that a node set itself is a failure of its own, also while the network is
// being cancelled.
func TestATimeoutOfANodesOwnIsItsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := sluice.NewNetwork("n", sluice.WithStallAfter(0))
		n.Node("late", func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			<-ctx.Done()
			return ctx.Err()
		})
		n.Node("also late", func(ctx context.Context) error {
			<-ctx.Done()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			<-ctx.Done()
			return ctx.Err()
		})
		for _, node := range wantFailed(t, n.Run(t.Context()), "late", "also late") {
			if node.Err != context.DeadlineExceeded {
				t.Errorf("%v, want context.DeadlineExceeded", node)
			}
		}
	})
}

func TestAContextsErrorWithoutAnInterruptionIsAFailure(t *testing.T) {
	n := sluice.NewNetwork("n")
	n.Node("confused", returns(context.Canceled))
	wantFailed(t, n.Run(context.Background()), "confused")
}

func TestACancelledRunReturnsTheContextsCause(t *testing.T) {
	endings := map[string]func(context.Context) error{
		"nodes that pass it on":    idles,
		"nodes that return nil":    func(ctx context.Context) error { <-ctx.Done(); return nil },
		"nodes that return a stop": func(ctx context.Context) error { <-ctx.Done(); return sluice.ErrStopped },
	}
	for name, run := range endings {
		for when, cancelled := range map[string]bool{"before Run": true, "while it runs": false} {
			t.Run(name+"/"+when, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(context.Background())
				defer cancel(nil)
				n := sluice.NewNetwork("n")
				c := n.Channel("c")
				n.Node("writer", run, sluice.Writes(c))
				n.Node("reader", idles, sluice.Reads(c))
				if cancelled {
					cancel(errBroken)
				} else {
					n.Node("canceller", func(ctx context.Context) error { cancel(errBroken); return ctx.Err() })
				}
				if err := n.Run(ctx); err != errBroken {
					t.Errorf("Run = %v, want the context's cause", err)
				}
			})
		}
	}
}

// hook is a payload that does something when it is released.
type hook func()

func (h hook) Release() { h() }

// The last node has returned; what it left unread is released, and that cancels the
// context before Run is back.
func TestACancellationAfterTheLastNodeReturnedChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		n := sluice.NewNetwork("n")
		c := n.Channel("c")
		n.Node("writer", func(ctx context.Context) error {
			m := sluice.NewMessage(0, hook(func() { cancel(); synctest.Wait() }))
			return c.Send(ctx, &m)
		}, sluice.Writes(c))
		n.Node("reader", after(time.Second, returns(nil)), sluice.Reads(c))
		if err := n.Run(ctx); err != nil {
			t.Errorf("Run = %v, want nil: every node ended well before the cancellation", err)
		}
	})
}

// slowContext is a context of another make: what is derived from it learns of its end
// a moment later.
type slowContext struct {
	context.Context
	done  chan struct{}
	ended atomic.Bool
}

func (c *slowContext) Done() <-chan struct{} { return c.done }
func (c *slowContext) Err() error {
	if c.ended.Load() {
		return context.Canceled
	}
	return nil
}

// A node that knows the context of Run itself may see its end before the network does,
// and leave: that is not the end of the data.
func TestEOFDoesNotFollowACancellationThatTheNetworkHasYetToHearOf(t *testing.T) {
	for range 100 {
		ctx := &slowContext{Context: context.Background(), done: make(chan struct{})}
		n := sluice.NewNetwork("n")
		c := n.Channel("c")
		n.Node("writer", func(context.Context) error {
			ctx.ended.Store(true)
			close(ctx.done)
			return nil
		}, sluice.Writes(c))
		n.Node("reader", func(ctx context.Context) error {
			_, err := c.Recv(ctx)
			wantAbort(t, err, context.Canceled)
			return err
		}, sluice.Reads(c))
		if err := n.Run(ctx); err != context.Canceled {
			t.Errorf("Run = %v, want context.Canceled", err)
		}
	}
}

// It may also pass on what it saw.
func TestTheErrorOfTheRunsOwnContextIsAnEcho(t *testing.T) {
	for range 100 {
		ctx := &slowContext{Context: context.Background(), done: make(chan struct{})}
		n := sluice.NewNetwork("n")
		n.Node("early", func(context.Context) error {
			ctx.ended.Store(true)
			close(ctx.done)
			return ctx.Err()
		})
		if err := n.Run(ctx); err != context.Canceled {
			t.Fatalf("Run = %v, want context.Canceled alone", err)
		}
	}
}

func TestANodesFailureDuringACancellationIsReported(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := sluice.NewNetwork("n")
	n.Node("canceller", func(ctx context.Context) error { cancel(); return ctx.Err() })
	n.Node("broken", func(ctx context.Context) error { <-ctx.Done(); return errBroken })
	if err := n.Run(ctx); !errors.Is(err, errBroken) {
		t.Errorf("Run = %v, want the error of \"broken\"", err)
	} else {
		wantFailed(t, err, "broken")
	}
}

// stopping builds a network whose source writes to several outputs and ends as told,
// once the first of them was stopped.
func stopping(t *testing.T, end func(context.Context, *sluice.Channel) error, second func(*sluice.Network, *sluice.Channel)) error {
	l := newLedger(t)
	n := sluice.NewNetwork("n")
	first, other := n.Channel("first"), n.Channel("other")
	n.Node("source", func(ctx context.Context) error {
		err := sends(l, first, 1000)(ctx)
		if !errors.Is(err, sluice.ErrStopped) {
			t.Errorf("Send = %v, want ErrStopped", err)
		}
		synctest.Wait()
		return end(ctx, other)
	}, sluice.Writes(first, other))
	n.Node("first reader", reads(first, 1), sluice.Reads(first))
	second(n, other)
	return n.Run(t.Context())
}

func TestAStoppedNodeEndedWellIfAllItWritesWasStopped(t *testing.T) {
	leaves := func(n *sluice.Network, other *sluice.Channel) {
		n.Node("other reader", returns(nil), sluice.Reads(other))
	}
	for name, err := range map[string]error{
		"plain":   sluice.ErrStopped,
		"wrapped": fmt.Errorf("writing: %w", sluice.ErrStopped),
		"joined":  errors.Join(sluice.ErrStopped, sluice.ErrStopped),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if err := stopping(t, func(context.Context, *sluice.Channel) error { return err }, leaves); err != nil {
					t.Errorf("Run = %v, want nil", err)
				}
			})
		})
	}
}

func TestAStoppedNodeFailsIfAnotherOutputIsStillWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := stopping(t,
			func(context.Context, *sluice.Channel) error { return sluice.ErrStopped },
			func(n *sluice.Network, other *sluice.Channel) {
				n.Node("other reader", func(ctx context.Context) error {
					_, err := other.Recv(ctx)
					wantAbort(t, err, sluice.ErrStopped) // and not io.EOF
					return err
				}, sluice.Reads(other))
			})
		wantFailed(t, err, "source")
		wantContains(t, err.Error(), `"other"`)
		if !errors.Is(err, sluice.ErrStopped) {
			t.Errorf("%v does not wrap ErrStopped", err)
		}
	})
}

func TestAStoppedNodeMayHaveClosedItsOtherOutputs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := stopping(t,
			func(_ context.Context, other *sluice.Channel) error { other.Close(); return sluice.ErrStopped },
			func(n *sluice.Network, other *sluice.Channel) {
				n.Node("other reader", counts(other, nil), sluice.Reads(other))
			})
		if err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
}

func TestAStoppedNodesOwnErrorIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := stopping(t,
			func(context.Context, *sluice.Channel) error { return errors.Join(sluice.ErrStopped, errBroken) },
			func(n *sluice.Network, other *sluice.Channel) {
				n.Node("other reader", returns(nil), sluice.Reads(other))
			})
		wantFailed(t, err, "source")
		if !errors.Is(err, errBroken) {
			t.Errorf("%v does not wrap the node's own error", err)
		}
	})
}

func TestAStopWithoutOutputsIsAFailure(t *testing.T) {
	n := sluice.NewNetwork("n")
	n.Node("sink", returns(sluice.ErrStopped))
	wantFailed(t, n.Run(context.Background()), "sink")
}

func TestAStopTravelsUpToTheSource(t *testing.T) {
	l := newLedger(t)
	n := sluice.NewNetwork("n")
	channels := []*sluice.Channel{n.Channel("c0")}
	n.Node("source", sends(l, channels[0], 1_000_000), sluice.Writes(channels[0]))
	for i := range 10 {
		in, out := channels[i], n.Channel(fmt.Sprint("c", i+1))
		channels = append(channels, out)
		n.Node(fmt.Sprint("relay ", i), relays(in, out), sluice.Reads(in), sluice.Writes(out))
	}
	n.Node("sink", reads(channels[10], 5), sluice.Reads(channels[10]))
	if err := n.Run(context.Background()); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
	for _, c := range channels {
		wantState(t, c, "stopped")
	}
}

// One of its outputs was stopped because the network is being interrupted, the other
// has not been aborted yet: the node gives up, and that is not its fault.
func TestAStopDuringAnInterruptionIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := sluice.NewNetwork("n")
		interrupted, goOn := sluice.HoldUp(n)
		c := n.Channel("c")
		n.Node("stopped", func(ctx context.Context) error {
			<-interrupted
			return sluice.ErrStopped
		}, sluice.Writes(c))
		n.Node("reader", idles, sluice.Reads(c))
		ctx, cancel := context.WithCancelCause(t.Context())
		result := start(ctx, n)
		synctest.Wait()
		cancel(errBroken)
		synctest.Wait()
		close(goOn)
		if err := <-result; err != errBroken {
			t.Errorf("Run = %v, want the context's cause", err)
		}
	})
}

func TestReturningEOFIsAMistakeAndTheErrorSaysWhatToReturn(t *testing.T) {
	for name, err := range map[string]error{"plain": io.EOF, "wrapped": fmt.Errorf("reading: %w", io.EOF)} {
		t.Run(name, func(t *testing.T) {
			n := sluice.NewNetwork("n")
			n.Node("confused", returns(err))
			got := n.Run(context.Background())
			wantFailed(t, got, "confused")
			wantContains(t, got.Error(), "return nil at the end of input")
			if !errors.Is(got, io.EOF) {
				t.Errorf("%v does not wrap io.EOF", got)
			}
		})
	}
}

func TestAnErrorThatOnlyLooksLikeEOFIsLeftAlone(t *testing.T) {
	n := sluice.NewNetwork("n")
	n.Node("broken", returns(io.ErrUnexpectedEOF))
	if err := n.Run(context.Background()); err.Error() != `node "broken": unexpected EOF` {
		t.Errorf("Run = %v", err)
	}
}

// A reader of several channels leaves all of them at once: the writer that sees one of
// them stopped must not be told that another is still wanted. The moment between the
// first and the last is short, so there are many of them, many times.
func TestAStoppedNodeEndedWellIfItsOnlyReaderLeft(t *testing.T) {
	for range 50 {
		n := sluice.NewNetwork("n")
		var outs []*sluice.Channel
		for i := range 300 {
			outs = append(outs, n.Channel(fmt.Sprint(i)))
		}
		n.Node("fork", func(ctx context.Context) error {
			for i := 0; ; i++ {
				m := sluice.NewMessage(sluice.SeqNum(i), i)
				if err := outs[0].Send(ctx, &m); err != nil {
					return err
				}
			}
		}, sluice.Writes(outs...))
		n.Node("join", func(context.Context) error {
			for outs[0].Stats().Senders == 0 {
				runtime.Gosched()
			}
			return nil
		}, sluice.Reads(outs...))
		if err := n.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
