package sluice_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/ops"
)

// keeps is a node that takes everything in before it sends any of it on.
func keeps(in, out *sluice.Channel) func(context.Context) error {
	return func(ctx context.Context) error {
		var state hoard
		defer state.release()
		registered := mem.FromContext(ctx).Register(ctx, "state", &state)
		defer registered.Remove()
		for m, err := range in.All(ctx) {
			if err != nil {
				return err
			}
			b, err := sluice.Take[*mem.Buffer](&m)
			if err != nil {
				m.Release()
				return err
			}
			state.add(m.Seq(), b)
			registered.Offer()
		}
		for {
			m, ok := state.next()
			if !ok {
				return nil
			}
			if err := out.Send(ctx, &m); err != nil {
				m.Release()
				return err
			}
		}
	}
}

// wantWithin fails the test unless the limit for host memory held, and had to be fought for.
func wantWithin(t *testing.T, r *mem.Resource) {
	t.Helper()
	s := r.Stats().Kinds[mem.Host]
	if s.Peak > s.Limit || s.Overbooked > 0 || s.Spilled == 0 {
		t.Errorf("%+v", s)
	}
}

func TestNeighboursEachOfWhichWouldFillTheLimitAloneAllFinish(t *testing.T) {
	const messages = 40
	for _, pieces := range []int64{4, 6, 10} { // each of the nodes keeps 40
		r := budget(t, pieces*piece)
		net := sluice.NewNetwork("neighbours", sluice.WithMemory(r))
		a, b, c := net.Channel("a"), net.Channel("b"), net.Channel("c")
		var n atomic.Int64
		net.Node("fill", fills(a, messages), sluice.Writes(a))
		net.Node("keep", keeps(a, b), sluice.Reads(a), sluice.Writes(b))
		net.Node("keep too", keeps(b, c), sluice.Reads(b).At(mem.Host), sluice.Writes(c))
		net.Node("look", looks(c, &n), sluice.Reads(c).At(mem.Host))
		if err := net.Run(t.Context()); err != nil || n.Load() != messages {
			t.Errorf("in %d pieces: %d messages, %v", pieces, n.Load(), err)
		}
		wantWithin(t, r)
	}
}

func TestAFanOutOfBranchesAHundredfoldApartFinishes(t *testing.T) {
	const messages, apart = 300, 100
	r := budget(t, 10*piece)
	net := sluice.NewNetwork("fan-out", sluice.WithMemory(r))
	rows, quick, slow := net.Channel("rows"), net.Channel("quick"), net.Channel("slow")
	net.Node("fill", fills(rows, messages), sluice.Writes(rows))
	net.Node(ops.Broadcast("fan", rows, []*sluice.Channel{quick, slow}, ops.BacklogUnbounded()))
	var n, lag atomic.Int64
	var taken sync.Cond
	taken.L = &sync.Mutex{}
	net.Node("quick", func(ctx context.Context) error {
		for m, err := range quick.All(ctx) {
			if err != nil {
				return err
			}
			b, err := sluice.Peek[*mem.Buffer](&m)
			if err == nil {
				err = filled(b, int(m.Seq()))
			}
			m.Release()
			if err != nil {
				return err
			}
			taken.L.Lock()
			n.Add(1)
			taken.L.Unlock()
			taken.Broadcast()
		}
		return nil
	}, sluice.Reads(quick).At(mem.Host))
	var seen int64
	net.Node("slow", func(ctx context.Context) error {
		defer context.AfterFunc(ctx, taken.Broadcast)()
		for m, err := range slow.All(ctx) {
			if err != nil {
				return err
			}
			b, err := sluice.Peek[*mem.Buffer](&m)
			if err == nil {
				err = filled(b, int(m.Seq()))
			}
			m.Release()
			if err != nil {
				return err
			}
			seen++
			taken.L.Lock()
			for n.Load() < min(messages, apart*seen) && ctx.Err() == nil {
				taken.Wait()
			}
			lag.Store(max(lag.Load(), n.Load()-seen))
			taken.L.Unlock()
		}
		return nil
	}, sluice.Reads(slow).At(mem.Host))
	if err := net.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n.Load() != messages || seen != messages || lag.Load() < messages/2 {
		t.Errorf("the quick branch saw %d, the slow one %d, and was %d behind", n.Load(), seen, lag.Load())
	}
	wantWithin(t, r)
}

// That neither starves is for the order of service to see to, which is tested in mem: how
// far one is ahead of the other at a moment is up to the scheduler.
func TestTwoNetworksInOneResourceFinish(t *testing.T) {
	const messages, slots = 200, 20
	r := budget(t, 12*piece)
	var running sync.WaitGroup
	var done [2]atomic.Int64
	for i := range done {
		net := sluice.NewNetwork(fmt.Sprintf("network %d", i), sluice.WithMemory(r))
		a, b := net.Channel("a", sluice.Slots(slots)), net.Channel("b", sluice.Slots(slots))
		net.Node("fill", fills(a, messages), sluice.Writes(a))
		net.Node("pass", func(ctx context.Context) error {
			for m, err := range a.All(ctx) {
				if err == nil {
					err = b.Send(ctx, &m)
				}
				m.Release()
				if err != nil {
					return err
				}
			}
			return nil
		}, sluice.Reads(a), sluice.Writes(b))
		net.Node("look", looks(b, &done[i]), sluice.Reads(b).At(mem.Host))
		running.Go(func() {
			if err := net.Run(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if done[0].Load() != messages || done[1].Load() != messages {
		t.Errorf("%d and %d messages", done[0].Load(), done[1].Load())
	}
	wantWithin(t, r)
}

// standoff runs two nodes in a limit: one holds memory and waits for the other, which
// asks for more.
func standoff(t *testing.T, limit, holds int64, ask func(ctx context.Context, r *mem.Resource) error) error {
	r := budget(t, limit)
	net := sluice.NewNetwork("standoff", sluice.WithMemory(r))
	word := net.Channel("word")
	holding := make(chan struct{})
	net.Node("hold", func(ctx context.Context) error {
		res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, holds)
		if err != nil {
			return err
		}
		defer res.Release()
		close(holding)
		m, err := word.Recv(ctx)
		m.Release()
		return err
	}, sluice.Reads(word))
	net.Node("ask", func(ctx context.Context) error {
		<-holding
		if err := ask(ctx, mem.FromContext(ctx)); err != nil {
			return err
		}
		m := sluice.NewMessage(1, "go on")
		return word.Send(ctx, &m)
	}, sluice.Writes(word))
	return net.Run(t.Context())
}

func TestWhenEverybodyWaitsWhatIsSetAsideIsGivenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := standoff(t, 8*piece, 7*piece, func(ctx context.Context, r *mem.Resource) error {
			if _, ok := r.TryReserve(context.Background(), mem.Of(mem.Host, piece)); ok {
				t.Error("what is set aside is given to whoever asks")
			}
			began := time.Now()
			res, err := r.Reserve(ctx, mem.Host, piece)
			res.Release()
			if took := time.Since(began); took > 100*time.Millisecond {
				t.Errorf("it took %v", took)
			}
			return err
		})
		errIs(t, err, nil)
	})
}

func TestARequestThatCannotBeMetSaysWhatLimitWouldDoAndThatDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct{ holds, need int64 }{{7, 2}, {4, 5}, {8, 8}, {1, 8}} {
			ask := func(ctx context.Context, r *mem.Resource) error {
				res, err := r.Reserve(ctx, mem.Host, c.need*piece)
				res.Release()
				return err
			}
			err := standoff(t, 8*piece, c.holds*piece, ask)
			var lack *mem.NoMemoryError
			if !errors.As(err, &lack) || !errors.Is(err, mem.ErrNoMemory) {
				t.Fatalf("holding %d and asking for %d of 8: %v", c.holds, c.need, err)
			}
			if lack.Node != "ask" || lack.Kind != mem.Host || lack.Need != c.need*piece || lack.Smallest != (c.holds+c.need)*piece {
				t.Errorf("holding %d and asking for %d of 8: %+v", c.holds, c.need, lack)
			}
			errIs(t, standoff(t, lack.Smallest, c.holds*piece, ask), nil)
			if err := standoff(t, lack.Smallest-1, c.holds*piece, ask); !errors.Is(err, mem.ErrNoMemory) {
				t.Errorf("a limit lower than the smallest does, too: %v", err)
			}
		}
	})
}

func TestOverbookingReportsByHowMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, need := range []int64{1, 3, 10} { // 10 is more than the limit by itself
			err := standoff(t, 8*piece, 7*piece, func(ctx context.Context, r *mem.Resource) error {
				res, over, err := r.Overbook(ctx, mem.Of(mem.Host, need*piece))
				defer res.Release()
				if want := mem.Of(mem.Host, (need-1)*piece); over != want {
					t.Errorf("over by %v, want %v", over, want)
				}
				if s := r.Stats().Kinds[mem.Host]; s.Overbooked != (need-1)*piece {
					t.Errorf("%+v", s)
				}
				return err
			})
			errIs(t, err, nil)
		}
	})
}

// A node that waits for an event of a device goes on by itself: nobody fails because of it.
func TestWhoWaitsForAnEventIsNotStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := budget(t, 8*piece)
		net := sluice.NewNetwork("computing", sluice.WithMemory(r), sluice.WithStallAfter(0))
		holding, computing := make(chan struct{}), make(chan struct{})
		net.Node("compute", func(ctx context.Context) error {
			res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, 8*piece)
			if err != nil {
				return err
			}
			defer res.Release()
			close(holding)
			s, err := r.Device().NewStream(device.StreamOptions{})
			if err != nil {
				return err
			}
			defer s.Close()
			if err := s.Do("a long kernel", func() error { <-computing; return nil }); err != nil {
				return err
			}
			return s.Record().Wait(ctx)
		})
		net.Node("ask", func(ctx context.Context) error {
			<-holding
			time.AfterFunc(time.Minute, func() { close(computing) })
			res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, 2*piece)
			res.Release()
			return err
		})
		errIs(t, net.Run(t.Context()), nil)
	})
}
