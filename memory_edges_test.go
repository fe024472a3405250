package sluice_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/mem"
)

// ashore is a payload that waits on disk, and of which the test restores what it likes.
type ashore struct {
	restore  func() error
	home     atomic.Bool
	released atomic.Int32
}

func (p *ashore) Content() mem.Content {
	if p.home.Load() {
		return mem.Content{Bytes: mem.Of(mem.Host, 100)}
	}
	return mem.Content{Bytes: mem.Of(mem.Disk, 100)}
}

func (p *ashore) Restore(context.Context, *mem.Reservation) (int64, error) {
	if err := p.restore(); err != nil {
		return 0, err
	}
	p.home.Store(true)
	return 100, nil
}

func (p *ashore) Release() { p.released.Add(1) }

// A long computation between two messages that takes and gives back memory is no stall.
func TestMemoryThatMovesIsNoStall(t *testing.T) {
	for _, works := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			book := &logbook{}
			net := sluice.NewNetwork("long", sluice.WithMemory(budget(t, 4*piece)), sluice.WithLogger(slog.New(book)))
			done := net.Channel("done")
			net.Node("sort", func(ctx context.Context) error {
				for range 20 {
					time.Sleep(5 * time.Second)
					if works {
						res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, piece)
						res.Release()
						if err != nil {
							return err
						}
					}
				}
				return nil
			}, sluice.Writes(done))
			net.Node("wait", func(ctx context.Context) error {
				m, err := done.Recv(ctx)
				m.Release()
				if err == io.EOF {
					err = nil
				}
				return err
			}, sluice.Reads(done))
			errIs(t, net.Run(t.Context()), nil)
			if reported := len(book.read()) > 0; reported == works {
				t.Errorf("memory moves: %v; a stall was reported: %v", works, reported)
			}
		})
	}
}

func TestARestoreThatDoesNotReturnLeavesTheMessage(t *testing.T) {
	for what, leave := range map[string]func(){
		"panic":  func() { panic("a bad sector") },
		"goexit": runtime.Goexit,
	} {
		r := budget(t, 4*piece) // which checks that no reservation is left
		net := sluice.NewNetwork("n", sluice.WithMemory(r))
		c := net.Channel("c", sluice.Slots(4))
		fails := true
		p := &ashore{restore: func() error {
			if fails {
				fails = false
				leave()
			}
			return nil
		}}
		net.Node("a", func(ctx context.Context) error {
			m := sluice.NewMessage(0, p)
			if err := c.Send(ctx, &m); err != nil {
				return err
			}
			return c.Drain(ctx) // comes home only if nothing is counted as on its way
		}, sluice.Writes(c))
		net.Node("b", func(ctx context.Context) error {
			var value any
			left := make(chan struct{})
			go func() {
				defer close(left)
				defer func() { value = recover() }()
				_, _ = c.Recv(ctx)
			}()
			<-left
			if (value != nil) != (what == "panic") {
				t.Errorf("%s: recovered %v", what, value)
			}
			if n := c.Len(); n != 1 {
				t.Errorf("%s: %d messages in the channel, want the one", what, n)
			}
			m, err := c.Recv(ctx)
			m.Release()
			return err
		}, sluice.Reads(c).At(mem.Host))
		errIs(t, net.Run(t.Context()), nil)
		if n := p.released.Load(); n != 1 {
			t.Errorf("%s: released %d times", what, n)
		}
	}
}

// Somebody behind a channel that is not of the network may be at work for as long as it takes.
func TestWhoWaitsForTheWorldOutsideIsNotStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := budget(t, 8*piece)
		net := sluice.NewNetwork("n", sluice.WithMemory(r))
		in := sluice.NewChannel("requests")
		held := make(chan struct{})
		net.Node("asks", func(ctx context.Context) error {
			<-held
			res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, 6*piece)
			res.Release()
			return err
		})
		net.Node("serves", func(ctx context.Context) error {
			res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, 6*piece)
			if err != nil {
				return err
			}
			defer res.Release()
			close(held)
			_, err = in.Recv(ctx)
			return err
		})
		go func() {
			time.Sleep(time.Minute)
			m := sluice.NewMessage(0, 1)
			_ = in.Send(t.Context(), &m)
		}()
		errIs(t, net.Run(t.Context()), nil)
	})
}

func TestWhatIsSharedComesHome(t *testing.T) {
	host, err := device.NewHost(device.HostOptions{DeviceMemory: 8 * piece, PinnedMemory: 8 * piece})
	errIs(t, err, nil)
	t.Cleanup(func() { errIs(t, host.Close(), nil) })
	l := limits(8 * piece)
	l[mem.Device], l[mem.Pinned] = mem.Bytes(8*piece), mem.Bytes(8*piece)
	r := budgetWith(t, mem.Options{Device: host, Limits: l})
	for _, n := range []int{1, 3} { // how many messages share it
		net := sluice.NewNetwork("n", sluice.WithMemory(r))
		c := net.Channel("c", sluice.Slots(4))
		net.Node("a", func(ctx context.Context) error {
			s, err := host.NewStream(device.StreamOptions{Name: "producer"})
			if err != nil {
				return err
			}
			defer s.Close()
			res, err := mem.FromContext(ctx).Reserve(ctx, mem.Device, piece)
			if err != nil {
				return err
			}
			b, err := res.Alloc(mem.Device, piece, s)
			res.Release()
			if err != nil {
				return err
			}
			defer b.Release()
			for i := range n {
				m := sluice.NewMessage(sluice.SeqNum(i), b.Retain())
				if err := c.Send(ctx, &m); err != nil {
					m.Release()
					return err
				}
			}
			return c.Drain(ctx)
		}, sluice.Writes(c))
		net.Node("b", func(ctx context.Context) error {
			for m, err := range c.All(ctx) {
				if err != nil {
					return err
				}
				b, err := sluice.Peek[*mem.Buffer](&m)
				if err == nil {
					_, err = b.Bytes()
				}
				m.Release()
				if err != nil {
					t.Errorf("through a port at host memory came what is in %v: %v", b.Kind(), err)
				}
			}
			return nil
		}, sluice.Reads(c).At(mem.Host))
		errIs(t, net.Run(t.Context()), nil)
	}
}

// shared lies elsewhere, and has no way home.
type shared struct{}

func (shared) Content() mem.Content       { return mem.Content{} }
func (shared) RestoreNeed(mem.Kind) int64 { return 100 }

func TestWhatIsSharedAndCannotComeHomeIsAnError(t *testing.T) {
	net := sluice.NewNetwork("n", sluice.WithMemory(budget(t, 4*piece)))
	c := net.Channel("c")
	net.Node("a", func(ctx context.Context) error {
		m := sluice.NewMessage(7, shared{})
		return c.Send(ctx, &m)
	}, sluice.Writes(c))
	net.Node("b", func(ctx context.Context) error {
		_, err := c.Recv(ctx)
		return err
	}, sluice.Reads(c).At(mem.Host))
	var restore *sluice.RestoreError
	if err := net.Run(t.Context()); !errors.As(err, &restore) || restore.Seq != 7 || restore.To != mem.Host {
		t.Errorf("Run: %v, want a RestoreError", err)
	}
}

// What was spilled, and is left alone, is received without a wait.
func TestReceivingWhatWasSpilledDoesNotLookAtTheContext(t *testing.T) {
	k := newTokens(t, 1, piece)
	k.anywhere = true
	done := make(chan struct{})
	err := k.run(func(ctx context.Context) error {
		defer close(done)
		if err := k.send(ctx); err != nil {
			return err
		}
		want := k.want(ctx, piece)
		(<-k.spilling).goOn <- nil
		<-want.done
		return want.err
	}, func(ctx context.Context) error {
		<-done
		gone, cancel := context.WithCancel(ctx)
		cancel()
		m, err := k.rows.Recv(gone)
		m.Release()
		return err
	})
	errIs(t, err, nil)
}

func TestAChannelCanBeKeptInAgain(t *testing.T) {
	r := budget(t, 8*piece)
	net := sluice.NewNetwork("n", sluice.WithMemory(r))
	net.Node("a", func(ctx context.Context) error {
		c := sluice.NewChannel("own", sluice.Slots(4))
		c.KeepIn(ctx)()
		defer c.KeepIn(ctx)()
		b, err := fill(ctx, 0, 6*piece)
		if err != nil {
			return err
		}
		m := sluice.NewMessage(0, b)
		mustSend(t, c, m)
		res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, 6*piece)
		res.Release()
		c.Stop()
		return err
	})
	errIs(t, net.Run(t.Context()), nil)
}

func TestWhoWaitsForASpillIsSeenToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTokens(t, 1, 3*piece)
		spilling := make(chan struct{})
		err := k.run(func(ctx context.Context) error {
			if err := k.send(ctx); err != nil {
				return err
			}
			impatient, cancel := context.WithCancel(ctx)
			sending := try(func() error { return k.send(impatient) })
			synctest.Wait()
			want := k.want(ctx, 3*piece) // both have to go
			for range 2 {
				<-k.spilling
			}
			cancel()
			synctest.Wait()
			close(spilling)
			synctest.Wait()
			time.Sleep(time.Minute) // far longer than anybody may stand still
			seen := 0
			for _, n := range k.net.Snapshot().Nodes {
				for _, w := range n.Waits {
					if w.To == "see the end of a spill in" && w.On == "rows" {
						seen++
					}
				}
			}
			if seen != 2 {
				t.Errorf("%d are seen to wait for a spill, want the receiver and the sender: %+v", seen, k.net.Snapshot().Nodes)
			}
			for _, made := range k.made {
				made.goOn <- nil
			}
			<-sending.done
			<-want.done
			return want.err
		}, func(ctx context.Context) error {
			<-spilling
			m, err := k.rows.Recv(ctx)
			m.Release()
			return err
		})
		errIs(t, err, nil)
	})
}

// Whatever the order in which receivers fail, the messages are in theirs.
func TestWhatIsPutBackKeepsItsOrder(t *testing.T) {
	const n = 4
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}, {0, 2, 1}, {2, 0, 1}} {
		net := sluice.NewNetwork("n", sluice.WithMemory(budget(t, 4*piece)))
		c := net.Channel("c", sluice.Slots(n))
		var entered, gates [n]chan struct{}
		for i := range n {
			entered[i], gates[i] = make(chan struct{}), make(chan struct{})
		}
		net.Node("a", func(ctx context.Context) error {
			for i := range n {
				failed := i == n-1 // the last is there all the time
				m := sluice.NewMessage(sluice.SeqNum(i), &ashore{restore: func() error {
					if failed {
						return nil
					}
					failed = true
					close(entered[i])
					<-gates[i]
					return errDisk
				}})
				if err := c.Send(ctx, &m); err != nil {
					return err
				}
			}
			return nil
		}, sluice.Writes(c))
		net.Node("b", func(ctx context.Context) error {
			var calls [n - 1]*call[struct{}]
			for i := range calls {
				calls[i] = try(func() error { _, err := c.Recv(ctx); return err })
				<-entered[i]
			}
			for _, i := range order {
				close(gates[i])
				<-calls[i].done
				errIs(t, calls[i].err, errDisk)
			}
			var got []sluice.SeqNum
			for m, err := range c.All(ctx) {
				if err != nil {
					return err
				}
				got = append(got, m.Seq())
				m.Release()
			}
			if !slices.Equal(got, []sluice.SeqNum{0, 1, 2, 3}) {
				t.Errorf("failed in the order %v, came as %v", order, got)
			}
			return nil
		}, sluice.Reads(c).At(mem.Host))
		errIs(t, net.Run(t.Context()), nil)
	}
}

func TestANetworkThatHasNotRunHasNoMemory(t *testing.T) {
	r := budget(t, 4*piece)
	res, err := r.Reserve(t.Context(), mem.Host, piece)
	errIs(t, err, nil)
	defer res.Release()
	net := sluice.NewNetwork("n", sluice.WithMemory(r))
	if s := net.Snapshot().Memory; s.Kinds != (mem.Stats{}).Kinds || s.Nodes != nil {
		t.Errorf("it has %+v", s)
	}
}
