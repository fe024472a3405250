package mem_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/internal/wait"
	"github.com/seed14ed4225/sluice/mem"
)

// A nodeName is the owner of a node's waits.
type nodeName string

func (n nodeName) Name() string { return string(n) }

// inNode returns a context as a network gives it to a node.
func inNode(ctx context.Context, name string) context.Context {
	n := &wait.Node{}
	n.Init(nodeName(name), &wait.Clock{})
	return wait.NewContext(ctx, n)
}

// A standing is what a member says.
type standing struct {
	still atomic.Bool
	moves atomic.Uint64
}

func (s *standing) join(r *mem.Resource) (leave func()) {
	return r.Join(func() (bool, uint64) { return s.still.Load(), s.moves.Load() })
}

// full is a resource of 8,000 bytes of which a node holds some, and somebody who says
// whether everybody waits.
func full(t *testing.T, held int64) (*mem.Resource, *standing, *mem.Reservation) {
	r := newResource(t, mem.Options{Limits: [mem.Kinds]mem.Limit{mem.Host: mem.Bytes(8 * k)}})
	s := &standing{}
	leave := s.join(r)
	t.Cleanup(leave)
	res, err := r.Reserve(inNode(t.Context(), "holder"), mem.Host, held)
	errIs(t, err, nil)
	t.Cleanup(res.Release)
	return r, s, res
}

func TestTheOldestWhoIsContentWithItGetsWhatIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s, _ := full(t, 7*k)
		patience, cancel := context.WithCancel(t.Context())
		large := ask(inNode(patience, "large"), r, mem.Of(mem.Host, 2*k))
		small := ask(inNode(t.Context(), "small"), r, mem.Of(mem.Host, k))
		later := ask(inNode(t.Context(), "later"), r, mem.Of(mem.Host, k))
		time.Sleep(time.Hour)
		small.waits(t) // as long as somebody works
		s.still.Store(true)
		time.Sleep(50 * time.Millisecond)
		small.returns(t, nil)
		large.waits(t)
		later.waits(t)
		s.still.Store(false) // small goes on
		small.res.Release()
		s.still.Store(true)
		time.Sleep(50 * time.Millisecond)
		later.gets(t)
		cancel()
		large.returns(t, context.Canceled)
	})
}

func TestARequestFailsOnlyAfterAStandstillThatLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s, _ := full(t, 7*k)
		a := ask(inNode(t.Context(), "asker"), r, mem.Of(mem.Host, 2*k))
		s.still.Store(true)
		for range 20 { // something moves now and then
			time.Sleep(700 * time.Millisecond)
			a.waits(t)
			s.moves.Add(1)
		}
		time.Sleep(2 * time.Second)
		a.returns(t, mem.ErrNoMemory)
		lack := errAs[*mem.NoMemoryError](t, a.err)
		if want := (mem.NoMemoryError{Kind: mem.Host, Need: 2 * k, Limit: 8 * k, Taken: 7 * k, Smallest: 9 * k, Node: "asker"}); *lack != want {
			t.Errorf("%+v, want %+v", *lack, want)
		}
	})
}

func TestOneMemberWhoWorksKeepsWhatIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s, _ := full(t, 7*k)
		s.still.Store(true)
		busy := &standing{}
		leave := busy.join(r)
		a := ask(inNode(t.Context(), "asker"), r, mem.Of(mem.Host, k))
		time.Sleep(time.Hour)
		a.waits(t)
		leave()
		time.Sleep(50 * time.Millisecond)
		a.gets(t)
	})
}

func TestWhileADeviceHasYetToFreeMemoryNobodyFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s, _ := full(t, k)
		stream := newStream(t, r.Device(), "long")
		res, err := r.Reserve(inNode(t.Context(), "holder"), mem.Host, 6*k)
		errIs(t, err, nil)
		b, err := res.Alloc(mem.Host, 6*k, stream)
		errIs(t, err, nil)
		done := make(chan struct{})
		errIs(t, b.Write(func(s device.Stream, _ device.Span) error {
			return s.Do("a long kernel", func() error { <-done; return nil })
		}), nil)
		b.Release()
		s.still.Store(true)
		a := ask(inNode(t.Context(), "asker"), r, mem.Of(mem.Host, 5*k))
		time.Sleep(time.Minute)
		a.waits(t)
		close(done)
		time.Sleep(50 * time.Millisecond)
		a.gets(t)
	})
}

func TestNobodyFailsSoonWhileOthersThanNodesHoldMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s, _ := full(t, 6*k)
		s.still.Store(true)
		outside, ok := r.TryReserve(t.Context(), mem.Of(mem.Host, k))
		if !ok {
			t.Fatal("no room")
		}
		a := ask(inNode(t.Context(), "asker"), r, mem.Of(mem.Host, 2*k))
		time.Sleep(20 * time.Second)
		a.waits(t)
		outside.Release()
		time.Sleep(time.Second / 2)
		a.gets(t)

		// Nor does it wait for ever.
		outside, ok = r.TryReserve(t.Context(), mem.Of(mem.Host, k))
		if !ok {
			t.Fatal("no room")
		}
		defer outside.Release()
		b := ask(inNode(t.Context(), "asker"), r, mem.Of(mem.Host, 2*k))
		time.Sleep(time.Minute)
		b.returns(t, mem.ErrNoMemory)
	})
}

func TestWhoOverbooksGetsWhatOthersWouldFailFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s, _ := full(t, 7*k)
		s.still.Store(true)
		ctx := inNode(t.Context(), "bold")
		var over mem.Amount
		a := asks(func() (res *mem.Reservation, err error) {
			res, over, err = r.Overbook(ctx, mem.Of(mem.Host, 4*k))
			return res, err
		})
		time.Sleep(500 * time.Millisecond)
		a.waits(t) // somebody might still go on
		time.Sleep(2 * time.Second)
		a.gets(t)
		if want := mem.Of(mem.Host, 3*k); over != want {
			t.Errorf("over by %v, want %v", over, want)
		}
	})
}

// In real time: it is about what the processors do.
func TestNobodyFailsSoonWhileTheProcessComputes(t *testing.T) {
	if testing.Short() {
		t.Skip("it computes for longer than a standstill has to last")
	}
	r, s, held := full(t, 6*k)
	s.still.Store(true)
	asked := make(chan error, 1)
	go func() {
		res, err := r.Reserve(inNode(t.Context(), "asker"), mem.Host, 4*k)
		res.Release()
		asked <- err
	}()
	began, before := time.Now(), mem.CPUTime()
	for time.Since(began) < 1500*time.Millisecond { // as another goroutine of a node that waits
		runtime.Gosched()
	}
	got := mem.CPUTime() - before
	held.Release()
	err := <-asked
	if got < 750*time.Millisecond {
		t.Skipf("the machine is crowded: of 1.5s, the process had a processor for %v", got)
	}
	errIs(t, err, nil)
}
