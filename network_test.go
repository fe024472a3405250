package sluice_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice"
)

func goexit() error {
	runtime.Goexit()
	return nil
}

func TestRunDeliversEverythingAndEndsWell(t *testing.T) {
	l := newLedger(t)
	n := sluice.NewNetwork("pipeline")
	raw, hot := n.Channel("raw"), n.Channel("hot", sluice.Slots(3))
	got := 0
	n.Node("source", sends(l, raw, 1000), sluice.Writes(raw))
	n.Node("relay", relays(raw, hot), sluice.Reads(raw), sluice.Writes(hot))
	n.Node("sink", counts(hot, &got), sluice.Reads(hot))
	if err := n.Run(context.Background()); err != nil || got != 1000 {
		t.Errorf("Run = %v after %d messages, want nil after 1000", err, got)
	}
}

func TestANetworkWithoutNodesEndsAtOnce(t *testing.T) {
	if err := sluice.NewNetwork("empty").Run(context.Background()); err != nil {
		t.Errorf("Run = %v", err)
	}
}

func TestChannelsAreClosedOnceTheirLastWriterReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		n := sluice.NewNetwork("n")
		c, other := n.Channel("c", sluice.Slots(4)), n.Channel("other")
		first, second := make(chan struct{}), make(chan struct{})
		after := func(gate chan struct{}, run func(context.Context) error) func(context.Context) error {
			return func(ctx context.Context) error { <-gate; return run(ctx) }
		}
		got := 0
		n.Node("first", after(first, sends(l, c, 1)), sluice.Writes(c, other))
		n.Node("second", after(second, sends(l, c, 2)), sluice.Writes(c))
		n.Node("sink", counts(c, &got), sluice.Reads(c))
		n.Node("other sink", counts(other, nil), sluice.Reads(other))
		result := start(t.Context(), n)

		close(first)
		synctest.Wait()
		wantState(t, c, "open")
		wantState(t, other, "closed")
		close(second)
		if err := <-result; err != nil || got != 3 {
			t.Errorf("Run = %v after %d messages, want nil after 3", err, got)
		}
		wantState(t, c, "closed")
	})
}

func TestClosingLeavesWhatWasSentToTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		n := sluice.NewNetwork("n")
		c := n.Channel("c", sluice.Slots(4))
		got, gate := 0, make(chan struct{})
		n.Node("source", sends(l, c, 4), sluice.Writes(c))
		n.Node("sink", func(ctx context.Context) error {
			<-gate
			return counts(c, &got)(ctx)
		}, sluice.Reads(c))
		result := start(t.Context(), n)
		synctest.Wait()
		wantState(t, c, "closed")
		close(gate)
		if err := <-result; err != nil || got != 4 {
			t.Errorf("Run = %v after %d messages, want nil after 4", err, got)
		}
	})
}

func TestChannelsAreStoppedOnceTheirLastReaderReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		n := sluice.NewNetwork("n")
		c := n.Channel("c")
		n.Node("source", sends(l, c, 1000), sluice.Writes(c))
		gate := make(chan struct{})
		n.Node("first", reads(c, 1), sluice.Reads(c))
		n.Node("second", func(ctx context.Context) error {
			<-gate
			return reads(c, 1)(ctx)
		}, sluice.Reads(c))
		result := start(t.Context(), n)
		synctest.Wait()
		wantState(t, c, "open")
		close(gate)
		if err := <-result; err != nil {
			t.Errorf("Run = %v: a source whose output was stopped ended well", err)
		}
		wantState(t, c, "stopped")
	})
}

// Between the failure and the abort of the channel, its writer returns nil: that must
// not close it, because its reader would take half the data for all of it.
func TestAFailureAbortsEveryChannelBeforeAnythingIsClosed(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := sluice.NewNetwork("n")
				interrupted, goOn := sluice.HoldUp(n)
				c := n.Channel("c")
				gate := make(chan struct{})
				var got error
				n.Node("broken", func(context.Context) error { <-gate; return way.fail() })
				n.Node("writer", func(ctx context.Context) error { <-ctx.Done(); return nil }, sluice.Writes(c))
				n.Node("reader", func(ctx context.Context) error {
					_, got = c.Recv(ctx)
					return got
				}, sluice.Reads(c))
				result := start(t.Context(), n)
				synctest.Wait()
				close(gate)
				<-interrupted
				synctest.Wait()
				wantState(t, c, "open")
				close(goOn)
				err := <-result
				wantFailed(t, err, "broken")
				wantState(t, c, "aborted")
				wantAbort(t, got, nodeErrors(t, err)[0])
			})
		})
	}
}

func TestACancellationAbortsEveryChannelBeforeAnythingIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := sluice.NewNetwork("n")
		interrupted, goOn := sluice.HoldUp(n)
		c := n.Channel("c")
		ctx, cancel := context.WithCancelCause(t.Context())
		var got error
		n.Node("writer", func(ctx context.Context) error { <-ctx.Done(); return nil }, sluice.Writes(c))
		n.Node("reader", func(ctx context.Context) error {
			_, got = c.Recv(ctx)
			return got
		}, sluice.Reads(c))
		result := start(ctx, n)
		synctest.Wait()
		cancel(errBroken)
		<-interrupted
		synctest.Wait()
		wantState(t, c, "open")
		close(goOn)
		if err := <-result; err != errBroken {
			t.Errorf("Run = %v, want the context's cause", err)
		}
		wantState(t, c, "aborted")
		wantAbort(t, got, errBroken)
	})
}

// A node that ends its channels by hand as it leaves, which it need not, leaves after
// the interruption but before the abort has reached its channels.
func TestEndingAChannelByHandAfterAnInterruptionAbortsIt(t *testing.T) {
	ends := []struct {
		name   string
		writer func(*sluice.Channel)
		reader func(*sluice.Channel)
	}{
		{name: "Close", writer: (*sluice.Channel).Close},
		{name: "Drain", writer: func(c *sluice.Channel) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = c.Drain(ctx)
		}},
		{name: "Stop", reader: (*sluice.Channel).Stop},
		{name: "Meta.Close", writer: func(c *sluice.Channel) { c.Meta().Close(); c.Close() }},
	}
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := sluice.NewNetwork("n")
				interrupted, goOn := sluice.HoldUp(n)
				c := n.Channel("c")
				ctx, cancel := context.WithCancelCause(t.Context())
				var got, gotMeta error
				byHand := func(end func(*sluice.Channel)) func(context.Context) error {
					return func(ctx context.Context) error {
						<-ctx.Done()
						<-interrupted
						if end != nil {
							end(c)
						}
						return nil
					}
				}
				n.Node("writer", byHand(end.writer), sluice.Writes(c))
				n.Node("reader", byHand(end.reader), sluice.Reads(c))
				n.Node("another reader", func(ctx context.Context) error {
					_, got = c.Recv(ctx)
					_, gotMeta = c.Meta().Recv(ctx)
					return got
				}, sluice.Reads(c))
				result := start(ctx, n)
				synctest.Wait()
				cancel(errBroken)
				synctest.Wait()
				close(goOn)
				if err := <-result; err != errBroken {
					t.Errorf("Run = %v, want the context's cause", err)
				}
				wantAbort(t, got, errBroken)
				wantAbort(t, gotMeta, errBroken)
			})
		})
	}
}

func TestClosingByHandBeforeAFailureKeepsTheData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		n := sluice.NewNetwork("n")
		c := n.Channel("c", sluice.Slots(3))
		got := 0
		n.Node("source", func(ctx context.Context) error {
			err := sends(l, c, 3)(ctx)
			c.Close()
			time.Sleep(time.Second)
			return errors.Join(err, errBroken)
		}, sluice.Writes(c))
		n.Node("sink", counts(c, &got), sluice.Reads(c))
		wantFailed(t, n.Run(t.Context()), "source")
		if got != 3 {
			t.Errorf("%d messages arrived, want 3", got)
		}
	})
}

func TestAFailureEndsTheContextOfEveryNodeWithItsCause(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			n := sluice.NewNetwork("n")
			var cause error
			n.Node("broken", func(context.Context) error { return way.fail() })
			n.Node("other", func(ctx context.Context) error {
				<-ctx.Done()
				cause = context.Cause(ctx)
				return ctx.Err()
			})
			err := n.Run(context.Background())
			wantFailed(t, err, "broken")
			if cause != err {
				t.Errorf("the context's cause is %v, want %v", cause, err)
			}
		})
	}
}

func panicsDeepDown() { panic("out of the blue") }

func TestAPanicIsAnErrorWithItsStack(t *testing.T) {
	n := sluice.NewNetwork("n")
	n.Node("wild", func(context.Context) error { panicsDeepDown(); return nil })
	err := n.Run(context.Background())
	wantFailed(t, err, "wild")
	var p *sluice.PanicError
	if !errors.As(err, &p) {
		t.Fatalf("Run = %v, want a *PanicError", err)
	}
	if p.Value != "out of the blue" {
		t.Errorf("Value = %v", p.Value)
	}
	for _, where := range []string{"panicsDeepDown", "network_test.go"} {
		wantContains(t, string(p.Stack), where)
		wantContains(t, err.Error(), where)
	}
}

func TestAPanicWithAnErrorWrapsIt(t *testing.T) {
	n := sluice.NewNetwork("n")
	n.Node("wild", func(context.Context) error { panic(errBroken) })
	if err := n.Run(context.Background()); !errors.Is(err, errBroken) {
		t.Errorf("Run = %v, want it to wrap %v", err, errBroken)
	}
}

func TestAPanicWithNilIsAFailure(t *testing.T) {
	n := sluice.NewNetwork("n")
	n.Node("wild", func(context.Context) error { panic(nil) })
	if err, p := n.Run(context.Background()), (*sluice.PanicError)(nil); !errors.As(err, &p) {
		t.Errorf("Run = %v, want a *PanicError", err)
	}
}

func TestGoexitIsAFailure(t *testing.T) {
	n := sluice.NewNetwork("n")
	n.Node("leaver", func(context.Context) error { return goexit() })
	err := n.Run(context.Background())
	wantFailed(t, err, "leaver")
	wantContains(t, err.Error(), "runtime.Goexit")
}

func TestAllNodesComeHomeBeforeRunReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := sluice.NewNetwork("n", sluice.WithStallAfter(0))
		var home atomic.Int32
		for _, name := range []string{"a", "b", "c"} {
			n.Node(name, func(ctx context.Context) error {
				defer home.Add(1)
				<-ctx.Done()
				time.Sleep(time.Hour) // cleans up at leisure
				return nil
			})
		}
		n.Node("broken", returns(errBroken))
		began := time.Now()
		wantFailed(t, n.Run(t.Context()), "broken")
		if home.Load() != 3 || time.Since(began) < time.Hour {
			t.Errorf("Run returned after %v with %d of 3 nodes home", time.Since(began), home.Load())
		}
	})
}

// Every kind of wait, at a channel of the network, is ended by the network's
// interruption: whatever context the node waits with.
func TestAnInterruptionWakesEveryKindOfWait(t *testing.T) {
	contexts := map[string]func(context.Context) context.Context{
		"its own context": func(ctx context.Context) context.Context { return ctx },
		"a derived one": func(ctx context.Context) context.Context {
			ctx, cancel := context.WithTimeout(ctx, 100*time.Hour)
			context.AfterFunc(ctx, cancel)
			return ctx
		},
		"none": func(context.Context) context.Context { return context.Background() },
	}
	for name, with := range contexts {
		t.Run("with "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLedger(t)
				n := sluice.NewNetwork("n", sluice.WithStallAfter(0))
				full, full2, empty, empty2 := n.Channel("full"), n.Channel("full2"), n.Channel("empty"), n.Channel("empty2")
				waits := map[string]func(context.Context) error{
					"Send":  func(ctx context.Context) error { return send(ctx, full, l.message(1)) },
					"SendN": func(ctx context.Context) error { return sendAll(ctx, full, l.messages(1, 2)) },
					"SendAny": func(ctx context.Context) error {
						m := l.message(1)
						defer m.Release()
						_, err := sluice.SendAny(ctx, &m, full, full2)
						return err
					},
					"Recv":    func(ctx context.Context) error { _, err := empty.Recv(ctx); return err },
					"RecvN":   func(ctx context.Context) error { _, err := empty.RecvN(ctx, make([]sluice.Message, 2)); return err },
					"RecvAny": func(ctx context.Context) error { _, _, err := sluice.RecvAny(ctx, empty, empty2); return err },
					"Meta":    func(ctx context.Context) error { _, err := empty.Meta().Recv(ctx); return err },
					"Acquire": func(ctx context.Context) error {
						throttle, err := sluice.NewThrottle(empty, 1)
						if err != nil {
							return err
						}
						if _, err := throttle.Acquire(ctx); err != nil {
							return err
						}
						_, err = throttle.Acquire(ctx)
						return err
					},
				}
				n.Node("filler", func(ctx context.Context) error {
					return errors.Join(send(ctx, full, l.message(0)), send(ctx, full2, l.message(0)), idles(ctx))
				}, sluice.Writes(full, full2, empty, empty2))
				for name, wait := range waits {
					n.Node(name, func(ctx context.Context) error {
						time.Sleep(time.Second) // until the filler has filled
						err := wait(with(ctx))
						if name != "SendN" {
							wantInterruption(t, name, err)
						}
						return err
					})
				}
				n.Node("drainer", func(ctx context.Context) error {
					c := sluice.NewChannel("of no network")
					defer c.Stop()
					if err := send(ctx, c, l.message(0)); err != nil {
						return err
					}
					return c.Drain(ctx)
				})
				n.Node("reader", idles, sluice.Reads(full, full2, empty, empty2))
				n.Node("broken", func(context.Context) error { time.Sleep(time.Minute); return errBroken })
				began := time.Now()
				wantFailed(t, n.Run(t.Context()), "broken")
				if took := time.Since(began); took != time.Minute {
					t.Errorf("Run took %v, want the minute until the failure", took)
				}
			})
		})
	}
}

func sendAll(ctx context.Context, out *sluice.Channel, ms []sluice.Message) error {
	n, err := out.SendN(ctx, ms)
	for i := range ms[n:] {
		ms[n+i].Release()
	}
	return err
}

// wantInterruption checks what a wait of a node ends with when another node failed:
// the abort, or the end of the context, whichever came first.
func wantInterruption(t *testing.T, what string, err error) {
	if abort := (*sluice.AbortError)(nil); err == nil || err == io.EOF ||
		!errors.As(err, &abort) && !errors.Is(err, context.Canceled) {
		t.Errorf("%s = %v, want an *AbortError or context.Canceled", what, err)
	}
}

func TestUnreadMetadataIsReleasedAtTheEndAndHoldsNobodyUp(t *testing.T) {
	for _, way := range append(ways, struct {
		name string
		fail func() error
	}{"nil", func() error { return nil }}) {
		t.Run(way.name, func(t *testing.T) {
			l := newLedger(t)
			n := sluice.NewNetwork("n")
			c := n.Channel("c")
			n.Node("source", func(ctx context.Context) error {
				for i := range 100 {
					m := l.message(i)
					if err := c.Meta().Send(&m); err != nil {
						return err
					}
				}
				_ = way.fail()
				return nil
			}, sluice.Writes(c))
			n.Node("sink", counts(c, nil), sluice.Reads(c))
			_ = n.Run(context.Background())
			if l.live() > 0 {
				t.Errorf("%d payloads are left in the side channel when Run returns", l.live())
			}
			late := l.message(0)
			if err := c.Meta().Send(&late); err == nil {
				t.Error("metadata was taken after the run")
			}
			late.Release()
		})
	}
}

func TestMetadataIsDeliveredAfterTheWriterReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		n := sluice.NewNetwork("n")
		c := n.Channel("c")
		n.Node("source", func(context.Context) error {
			m := l.message(7)
			return c.Meta().Send(&m)
		}, sluice.Writes(c))
		n.Node("sink", func(ctx context.Context) error {
			time.Sleep(time.Second)
			m, err := c.Meta().Recv(ctx)
			if err != nil {
				return err
			}
			m.Release()
			if _, err := c.Meta().Recv(ctx); err != io.EOF {
				t.Errorf("after the last metadata: %v, want io.EOF", err)
			}
			return nil
		}, sluice.Reads(c))
		if err := n.Run(t.Context()); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestWhatALeftBehindGoroutineSendsIsRefusedAfterTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		n := sluice.NewNetwork("n")
		c := n.Channel("c")
		late := make(chan error)
		n.Node("source", func(ctx context.Context) error {
			go func() {
				time.Sleep(time.Hour)
				late <- send(ctx, c, l.message(0))
			}()
			return nil
		}, sluice.Writes(c))
		n.Node("sink", counts(c, nil), sluice.Reads(c))
		if err := n.Run(t.Context()); err != nil {
			t.Errorf("Run = %v", err)
		}
		if err := <-late; !errors.Is(err, sluice.ErrClosed) && !errors.Is(err, sluice.ErrStopped) {
			t.Errorf("Send after the run = %v", err)
		}
	})
}

// A network inside a node: its nodes wait at channels of the outer one.
func TestANetworkRunsInsideANode(t *testing.T) {
	for _, fails := range []bool{false, true} {
		l := newLedger(t)
		outer := sluice.NewNetwork("outer")
		in, out := outer.Channel("in"), outer.Channel("out")
		got := 0
		outer.Node("source", sends(l, in, 100), sluice.Writes(in))
		outer.Node("inner", func(ctx context.Context) error {
			inner := sluice.NewNetwork("inner")
			c := inner.Channel("c")
			inner.Node("first", relays(in, c), sluice.Writes(c))
			inner.Node("second", relays(c, out), sluice.Reads(c))
			return inner.Run(ctx)
		}, sluice.Reads(in), sluice.Writes(out))
		outer.Node("sink", func(ctx context.Context) error {
			if fails {
				return errors.Join(reads(out, 10)(ctx), errBroken)
			}
			return counts(out, &got)(ctx)
		}, sluice.Reads(out))
		err := outer.Run(context.Background())
		switch {
		case !fails && (err != nil || got != 100):
			t.Errorf("Run = %v after %d messages, want nil after 100", err, got)
		case fails:
			wantFailed(t, err, "sink")
		}
	}
}

// The context ends, its watcher aborts the channels, and all nodes come home while a
// payload is still being released: Run waits for that, too.
func TestRunReturnsOnlyWhenEverythingWasReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		n := sluice.NewNetwork("n")
		c := n.Channel("c")
		s := newStubborn()
		n.Node("writer", func(ctx context.Context) error {
			m := sluice.NewMessage(0, s)
			if err := c.Send(ctx, &m); err != nil {
				return err
			}
			<-s.entered
			return ctx.Err()
		}, sluice.Writes(c))
		n.Node("reader", func(ctx context.Context) error {
			<-s.entered
			return ctx.Err()
		}, sluice.Reads(c))
		run := try(func() error { return n.Run(ctx) })
		synctest.Wait()
		cancel()
		run.waits(t)
		close(s.letGo)
		_, err := run.returns(t)
		errIs(t, err, context.Canceled)
	})
}
