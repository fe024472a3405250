package mem_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice/mem"
)

// k is the size of most requests here.
const k = 1000

// roomFor is the limit in which n requests of k bytes fit beside what is set aside.
func roomFor(n int64) mem.Limit { return mem.Bytes(n*k + n*k/7 + 1) }

func hostOf(n int64) mem.Options {
	return mem.Options{Limits: [mem.Kinds]mem.Limit{mem.Host: roomFor(n)}}
}

// An asking is a request that a goroutine has made.
type asking struct {
	done chan struct{}
	res  *mem.Reservation
	err  error
	took time.Duration
}

func asks(f func() (*mem.Reservation, error)) *asking {
	a := &asking{done: make(chan struct{})}
	began := time.Now()
	go func() {
		defer close(a.done)
		a.res, a.err = f()
		a.took = time.Since(began)
	}()
	synctest.Wait()
	return a
}

func ask(ctx context.Context, r *mem.Resource, need mem.Amount) *asking {
	return asks(func() (*mem.Reservation, error) { return r.ReserveAll(ctx, need) })
}

func (a *asking) waits(t *testing.T) {
	t.Helper()
	synctest.Wait()
	select {
	case <-a.done:
		t.Fatalf("it has returned, with %v", a.err)
	default:
	}
}

// gets fails the test unless the request was granted, and gives back what it got.
func (a *asking) gets(t *testing.T) {
	t.Helper()
	a.returns(t, nil)
	a.res.Release()
}

func (a *asking) returns(t *testing.T, want error) {
	t.Helper()
	synctest.Wait()
	select {
	case <-a.done:
		errIs(t, a.err, want)
	default:
		t.Fatal("it still waits")
	}
}

func TestRequestsAreServedInTheOrderInWhichTheyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResource(t, hostOf(1))
		first := reserve(t, r, mem.Host, k)
		const waiting = 64
		var order []int
		var all sync.WaitGroup
		for i := range waiting {
			all.Go(func() {
				res, err := r.Reserve(t.Context(), mem.Host, k)
				if err != nil {
					t.Error(err)
				}
				order = append(order, i) // one at a time has room
				res.Release()
			})
			synctest.Wait()
		}
		if n := len(r.Stats().Waiting); n != waiting {
			t.Errorf("%d wait", n)
		}
		first.Release()
		all.Wait()
		for i := range order {
			if order[i] != i {
				t.Fatalf("served in the order %v", order)
			}
		}
	})
}

func TestALargeRequestIsNotOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResource(t, hostOf(8))
		some, other := reserve(t, r, mem.Host, 3*k), reserve(t, r, mem.Host, k)
		large := ask(t.Context(), r, mem.Of(mem.Host, 6*k))
		small := ask(t.Context(), r, mem.Of(mem.Host, k)) // there is room for it
		large.waits(t)
		small.waits(t)
		if _, ok := r.TryReserve(context.Background(), mem.Of(mem.Host, 1)); ok {
			t.Error("TryReserve overtakes those who wait")
		}
		other.Release() // enough for the small one, not for the large one
		small.waits(t)
		some.Release()
		small.gets(t)
		large.gets(t)
	})
}

func TestKindsDoNotHoldEachOtherUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResource(t, hostOf(1))
		held := reserve(t, r, mem.Host, k)
		host := ask(t.Context(), r, mem.Of(mem.Host, k))
		host.waits(t)
		ask(t.Context(), r, mem.Of(mem.Device, k)).gets(t)

		both := ask(t.Context(), r, mem.Of(mem.Host, 1).Plus(mem.Of(mem.Pinned, k)))
		both.waits(t)
		pinned := ask(t.Context(), r, mem.Of(mem.Pinned, k)) // lines up behind both
		pinned.waits(t)
		ask(t.Context(), r, mem.Of(mem.Device, k)).gets(t)
		held.Release()
		host.gets(t)
		both.gets(t)
		pinned.gets(t)
	})
}

func TestWhoseContextEndsLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResource(t, hostOf(8))
		held := reserve(t, r, mem.Host, 4*k)
		ctx, cancel := context.WithCancel(t.Context())
		large := ask(ctx, r, mem.Of(mem.Host, 6*k))
		small := ask(t.Context(), r, mem.Of(mem.Host, k))
		small.waits(t)
		cancel()
		large.returns(t, context.Canceled)
		small.gets(t) // what was behind it fits now, and nobody gave anything back
		if n := len(r.Stats().Waiting); n != 0 {
			t.Errorf("%d still wait", n)
		}
		held.Release()
	})
}

func TestAContextIsLookedAtOnlyToWait(t *testing.T) {
	r := newResource(t, hostOf(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	res, err := r.Reserve(ctx, mem.Host, k)
	errIs(t, err, nil)
	_, err = r.Reserve(ctx, mem.Host, k)
	errIs(t, err, context.Canceled)
	res.Release()
}

func TestARequestLargerThanTheLimitFailsAtOnce(t *testing.T) {
	r := newResource(t, mem.Options{Limits: [mem.Kinds]mem.Limit{mem.Host: mem.Bytes(k)}})
	_, err := r.Reserve(t.Context(), mem.Host, k+1)
	lack := errAs[*mem.NoMemoryError](t, err)
	if want := (mem.NoMemoryError{Kind: mem.Host, Need: k + 1, Limit: k, Smallest: k + 1}); *lack != want || !errors.Is(err, mem.ErrNoMemory) {
		t.Errorf("%+v, want %+v", *lack, want)
	}
	res, err := r.Reserve(t.Context(), mem.Host, k) // all of it can be had
	errIs(t, err, nil)
	res.Release()
	_, err = r.Reserve(t.Context(), mem.Host, -1)
	if err == nil || !strings.Contains(err.Error(), "negative") {
		t.Errorf("a negative request: %v", err)
	}
	if _, ok := r.TryReserve(context.Background(), mem.Of(mem.Host, -1)); ok {
		t.Error("a negative amount can be had")
	}
}

func TestOnlyWhoHasAKindToHimselfGetsWhatIsSetAside(t *testing.T) {
	r := newResource(t, mem.Options{Limits: [mem.Kinds]mem.Limit{mem.Host: mem.Bytes(8 * k)}})
	res := reserve(t, r, mem.Host, 7*k)
	if _, ok := r.TryReserve(context.Background(), mem.Of(mem.Host, 1)); ok {
		t.Error("what is set aside was given")
	}
	res.Release()
	if res, ok := r.TryReserve(context.Background(), mem.Of(mem.Host, 8*k)); !ok {
		t.Error("the whole limit cannot be had though nobody has any")
	} else {
		res.Release()
	}
}

func TestCloseSendsThoseWhoWaitHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := mem.New(hostOf(1))
		errIs(t, err, nil)
		held := reserve(t, r, mem.Host, k)
		a, b := ask(t.Context(), r, mem.Of(mem.Host, k)), ask(t.Context(), r, mem.Of(mem.Host, k))
		leak := errAs[*mem.LeakError](t, r.Close(t.Context()))
		if len(leak.Leaks) != 1 || leak.Leaks[0].Reserved != mem.Of(mem.Host, k) || !strings.Contains(leak.Error(), "outside of any node") {
			t.Errorf("%v", leak)
		}
		a.returns(t, mem.ErrClosed)
		b.returns(t, mem.ErrClosed)
		_, err = r.Reserve(t.Context(), mem.Host, 1)
		errIs(t, err, mem.ErrClosed)
		if _, ok := r.TryReserve(context.Background(), mem.Amount{}); ok {
			t.Error("a closed resource promises memory")
		}
		held.Release()
		errIs(t, r.Close(t.Context()), nil)
	})
}

func TestWhatIsLeftOfAReservationIsCounted(t *testing.T) {
	r := newResource(t, hostOf(8))
	res := reserve(t, r, mem.Host, 3*k)
	errIs(t, res.GiveBack(mem.Host, k), nil)
	lack := errAs[*mem.OverdrawnError](t, res.GiveBack(mem.Host, 3*k))
	if *lack != (mem.OverdrawnError{Kind: mem.Host, Need: 3 * k, Left: 2 * k}) {
		t.Errorf("%+v", lack)
	}
	charge, err := res.Charge(mem.Host, k)
	errIs(t, err, nil)
	_, err = res.Charge(mem.Host, 2*k)
	errAs[*mem.OverdrawnError](t, err)
	if err := res.GiveBack(mem.Host, -1); err == nil {
		t.Error("less than nothing was given back")
	}
	if s := r.Stats().Kinds[mem.Host]; res.Left(mem.Host) != k || s.Used != k || s.Reserved != k || s.Peak != 3*k {
		t.Errorf("%d left, %+v", res.Left(mem.Host), s)
	}
	res.Release()
	res.Release()
	if s := r.Stats().Kinds[mem.Host]; s.Used != k || s.Reserved != 0 {
		t.Errorf("after Release %+v", s)
	}
	charge.Release()
	charge.Release()
	wantUsed(t, r, mem.Amount{})
}

func TestGrowingSaysByHowMuchTheLimitIsExceeded(t *testing.T) {
	r := newResource(t, mem.Options{Limits: [mem.Kinds]mem.Limit{mem.Host: mem.Bytes(2 * k)}})
	res := reserve(t, r, mem.Host, k)
	if over := res.Grow(mem.Host, k); over != 0 {
		t.Errorf("over by %d within the limit", over)
	}
	if over := res.Grow(mem.Host, 3*k); over != 3*k || res.Left(mem.Host) != 5*k {
		t.Errorf("over by %d, %d left", over, res.Left(mem.Host))
	}
	res.Release()
	if s := r.Stats().Kinds[mem.Host]; s.Overbooked != 3*k {
		t.Errorf("%+v", s)
	}
}

func TestWithoutAResourceNothingIsCountedAndNothingWaits(t *testing.T) {
	var r *mem.Resource
	res, err := r.Reserve(t.Context(), mem.Host, 1<<60)
	if res != nil || err != nil {
		t.Errorf("%v, %v", res, err)
	}
	if _, over, err := r.Overbook(t.Context(), mem.Of(mem.Host, 1<<60)); over != (mem.Amount{}) || err != nil {
		t.Errorf("over by %v, %v", over, err)
	}
	if _, ok := r.TryReserve(context.Background(), mem.Of(mem.Host, 1<<60)); !ok {
		t.Error("nothing can be had")
	}
	c, err := res.Charge(mem.Host, 1)
	c.Release()
	res.Release()
	r.Join(nil)()
	r.Register(t.Context(), "nothing", nil).Remove()
	if err != nil || res.Grow(mem.Host, 1) != 0 || res.GiveBack(mem.Host, 1) != nil || r.Scope("x") != nil || r.Close(t.Context()) != nil {
		t.Error("a nil resource does something")
	}
}
