package mem_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice/mem"
)

// spillable is state whose methods are the test's.
type spillable struct {
	content func() mem.Content
	spill   func(context.Context, *mem.Reservation) (int64, error)
}

func (s spillable) Content() mem.Content { return s.content() }

func (s spillable) Spill(ctx context.Context, res *mem.Reservation) (int64, error) {
	return s.spill(ctx, res)
}

// stubborn is state of so many bytes that it says can be spilled, until somebody tries.
func stubborn(n int64, spill func(context.Context, *mem.Reservation) (int64, error)) spillable {
	return spillable{func() mem.Content { return mem.Content{Bytes: mem.Of(mem.Host, n), Spillable: true} }, spill}
}

func TestAVictimThatCannotBeSpilledHidesNoOther(t *testing.T) {
	for name, spill := range map[string]func(context.Context, *mem.Reservation) (int64, error){
		"that fails":       func(context.Context, *mem.Reservation) (int64, error) { return 0, errTest },
		"that does not":    func(context.Context, *mem.Reservation) (int64, error) { return 0, nil },
		"that panics":      func(context.Context, *mem.Reservation) (int64, error) { panic("broken") },
		"that exits":       func(context.Context, *mem.Reservation) (int64, error) { runtime.Goexit(); return 0, nil },
		"too large for it": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts := hostOf(4)
				opts.SpillDir = t.TempDir()
				opts.Limits[mem.Disk] = mem.Bytes(16 << 10)
				r := newResource(t, opts)
				l := newLoad(t, r, "good", 3*k, 0, &spillLog{})
				defer r.Register(t.Context(), "good", l).Remove()
				size := int64(4 * k) // more than the good one: the policy begins with it
				if spill == nil {
					size = 32 << 10
				}
				defer r.Register(t.Context(), "bad", stubborn(size, spill)).Remove()
				a := ask(t.Context(), r, mem.Of(mem.Host, 3*k))
				time.Sleep(time.Second)
				a.gets(t)
			})
		})
	}
}

func TestAPanicInContentIsNotTheEndOfTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := onDisk(t, 4)
		l := newLoad(t, r, "good", 3*k, 0, &spillLog{})
		defer r.Register(t.Context(), "good", l).Remove()
		defer r.Register(t.Context(), "bad", spillable{content: func() mem.Content { panic("gone") }}).Remove()
		a := ask(t.Context(), r, mem.Of(mem.Host, 3*k))
		time.Sleep(time.Second)
		a.gets(t)
	})
}

func TestWhatAPayloadSaysItFreedIsNotWhatCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := onDisk(t, 2)
		held := reserve(t, r, mem.Host, 2*k)
		defer held.Release()
		var tried atomic.Int64
		defer r.Register(t.Context(), "liar", stubborn(k, func(context.Context, *mem.Reservation) (int64, error) {
			tried.Add(1)
			return k, nil
		})).Remove()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := r.Reserve(ctx, mem.Host, k)
		errIs(t, err, context.DeadlineExceeded)
		if n := tried.Load(); n == 0 || n > 1000 {
			t.Errorf("tried %d times in a second", n)
		}
	})
}

func TestRemoveDoesNotWaitForSpillsOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := onDisk(t, 2)
		slow := newLoad(t, r, "slow", 2*k, 0, &spillLog{})
		slow.spilling, slow.goOn = make(chan context.Context, 1), make(chan struct{})
		of := r.Register(t.Context(), "slow", slow)
		other := r.Register(t.Context(), "other", spillable{content: func() mem.Content { return mem.Content{} }})
		a := ask(t.Context(), r, mem.Of(mem.Host, 2*k))
		<-slow.spilling
		removed := make(chan struct{})
		go func() {
			other.Remove()
			close(removed)
		}()
		synctest.Wait()
		select {
		case <-removed:
		default:
			t.Error("it waits")
		}
		close(slow.goOn)
		<-removed
		a.gets(t)
		of.Remove()
	})
}

func TestCloseCancelsASpillAndDoesNotWaitLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := mem.New(mem.Options{
			Limits:   [mem.Kinds]mem.Limit{mem.Host: roomFor(2), mem.Disk: mem.Bytes(1 << 20)},
			SpillDir: t.TempDir(),
		})
		errIs(t, err, nil)
		started, goOn := make(chan context.Context, 1), make(chan struct{})
		res := reserve(t, r, mem.Host, 2*k)
		g := r.Register(t.Context(), "deaf", stubborn(2*k, func(ctx context.Context, _ *mem.Reservation) (int64, error) {
			started <- ctx
			<-goOn
			return 0, ctx.Err()
		}))
		a := ask(t.Context(), r, mem.Of(mem.Host, k))
		spilling := <-started
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		errIs(t, r.Close(ctx), context.DeadlineExceeded)
		if spilling.Err() == nil {
			t.Error("the spill was not cancelled")
		}
		a.returns(t, mem.ErrClosed)
		close(goOn)
		g.Remove()
		res.Release()
		errIs(t, r.Close(t.Context()), nil)
	})
}

func TestWhoWantsMoreThanTheLimitIsOverbookedAtOnce(t *testing.T) {
	r := newResource(t, hostOf(1))
	limit := r.Limit(mem.Host)
	res, over, err := r.Overbook(t.Context(), mem.Of(mem.Host, limit+100))
	errIs(t, err, nil)
	if over != mem.Of(mem.Host, 100) {
		t.Errorf("over by %v", over)
	}
	if over := res.Grow(mem.Host, math.MaxInt64); over < 0 || res.Left(mem.Host) < 0 {
		t.Errorf("an overflow: %d over, %d left", over, res.Left(mem.Host))
	}
	res.Release()
}

func TestWhoWantsHostAndDiskIsSpilledFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := onDisk(t, 2)
		l := newLoad(t, r, "load", 2*k, 0, &spillLog{})
		defer r.Register(t.Context(), "load", l).Remove()
		both := mem.Of(mem.Host, k).Plus(mem.Of(mem.Disk, 4096))
		a := ask(t.Context(), r, both)
		time.Sleep(time.Second)
		a.gets(t)
	})
}

func TestAScopeThatHoldsNothingKeepsNobodyFromWhatIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s, _ := full(t, 6*k)
		s.still.Store(true)
		idle := r.Scope("idle")
		defer idle.Join(func() (bool, uint64) { return false, 0 })() // it runs, for ever
		a := ask(inNode(t.Context(), "asker"), r, mem.Of(mem.Host, 2*k))
		time.Sleep(time.Second / 2)
		a.gets(t)
	})
}

func TestAScopeThatWasClosedRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResource(t, hostOf(2))
		all := reserve(t, r, mem.Host, 2*k)
		scope := r.Scope("scope")
		a := ask(t.Context(), scope, mem.Of(mem.Host, k))
		synctest.Wait()
		errIs(t, scope.Close(t.Context()), nil)
		a.returns(t, mem.ErrClosed)
		all.Release()
		_, err := scope.Reserve(t.Context(), mem.Host, k)
		errIs(t, err, mem.ErrClosed)
		if _, ok := scope.TryReserve(t.Context(), mem.Of(mem.Host, k)); ok {
			t.Error("it gives memory")
		}
	})
}

func TestAResourceTellsWhatItsScopesHold(t *testing.T) {
	r, err := mem.New(hostOf(2))
	errIs(t, err, nil)
	scope := r.Scope("scope")
	res, err := scope.Reserve(inNode(t.Context(), "holder"), mem.Host, k)
	errIs(t, err, nil)
	b, err := res.Alloc(mem.Host, k, nil)
	errIs(t, err, nil)
	if nodes := r.Stats().Nodes; len(nodes) != 1 || nodes[0].Node != "holder" {
		t.Errorf("%+v", nodes)
	}
	leak := errAs[*mem.LeakError](t, r.Close(t.Context()))
	if len(leak.Leaks) != 1 || leak.Leaks[0].Node != "holder" {
		t.Errorf("%v", leak)
	}
	bytes, err := b.Exclusive() // what leaked can still be used
	errIs(t, err, nil)
	bytes[0] = 1
	b.Release()
	errIs(t, r.Close(t.Context()), nil)
}

func TestWhatIsOnDiskIsNotLookedAtUntilItIsOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := onDisk(t, 4)
		var looks, has atomic.Int64
		g := r.Register(t.Context(), "cache", spillable{
			content: func() mem.Content {
				looks.Add(1)
				return mem.Content{Bytes: mem.Of(mem.Host, has.Load()), Spillable: true}
			},
			spill: func(context.Context, *mem.Reservation) (int64, error) { return 0, errors.New("not now") },
		})
		defer g.Remove()
		held := reserve(t, r, mem.Host, 4*k)
		a := ask(t.Context(), r, mem.Of(mem.Host, k))
		time.Sleep(time.Second)
		if looks.Load() != 1 {
			t.Errorf("looked at %d times", looks.Load())
		}
		has.Store(k)
		g.Offer()
		time.Sleep(time.Second)
		if looks.Load() < 3 {
			t.Errorf("looked at %d times after it was offered", looks.Load())
		}
		held.Release()
		a.gets(t)
	})
}
