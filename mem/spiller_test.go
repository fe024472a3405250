package mem_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice/mem"
)

// A load is memory that a test has others spill, by its own rules.
type load struct {
	name     string
	needed   time.Duration
	size     int64
	log      *spillLog
	fails    error
	spilling chan context.Context // if set, told when a spill begins
	goOn     chan struct{}        // which waits for this then

	mu struct {
		sync.Mutex
		kind   mem.Kind
		charge *mem.Charge
	}
}

// A spillLog is which loads were spilled, in order.
type spillLog struct {
	mu    sync.Mutex
	names []string
}

func (l *spillLog) add(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names = append(l.names, name)
}

func newLoad(t *testing.T, r *mem.Resource, name string, size int64, needed time.Duration, log *spillLog) *load {
	t.Helper()
	l := &load{name: name, needed: needed, size: size, log: log}
	res, err := r.Reserve(inNode(t.Context(), "loader"), mem.Host, size)
	errIs(t, err, nil)
	defer res.Release()
	l.mu.kind = mem.Host
	l.mu.charge, err = res.Charge(mem.Host, size)
	errIs(t, err, nil)
	t.Cleanup(l.release)
	return l
}

func (l *load) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.charge.Release()
}

func (l *load) Content() mem.Content {
	l.mu.Lock()
	defer l.mu.Unlock()
	return mem.Content{Bytes: mem.Of(l.mu.kind, l.size), Spillable: l.mu.kind != mem.Disk}
}

func (l *load) NeededIn() time.Duration { return l.needed }

func (l *load) Spill(ctx context.Context, res *mem.Reservation) (int64, error) {
	l.log.add(l.name)
	if l.spilling != nil {
		l.spilling <- ctx
		<-l.goOn
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
	if l.fails != nil {
		return 0, l.fails
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c, err := res.Charge(mem.Disk, l.size)
	if err != nil {
		return 0, err
	}
	l.mu.charge.Release()
	l.mu.charge, l.mu.kind = c, mem.Disk
	return l.size, nil
}

// loads are several things at one source, in that order.
type loads []*load

func (ls loads) Victims(k mem.Kind, yield func(mem.Victim) bool) {
	for _, l := range ls {
		if l.Content().Bytes[k] > 0 && !yield(l) {
			return
		}
	}
}

func onDisk(t *testing.T, host int64) *mem.Resource {
	return newResource(t, mem.Options{SpillDir: t.TempDir(), Limits: [mem.Kinds]mem.Limit{mem.Host: roomFor(host), mem.Disk: mem.Bytes(1 << 20)}})
}

func TestWhatIsNeededLastIsSpilledFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := onDisk(t, 12)
		log := &spillLog{}
		state := newLoad(t, r, "state", k, mem.Never, log)
		late, small, large, soon := newLoad(t, r, "late", 2*k, 3*time.Second, log), newLoad(t, r, "small", k, time.Second, log),
			newLoad(t, r, "large", 3*k, time.Second, log), newLoad(t, r, "soon", 5*k, 0, log)
		defer r.RegisterSource(t.Context(), "one", loads{late, soon}).Remove()
		defer r.RegisterSource(t.Context(), "two", loads{small}).Remove()
		defer r.RegisterSource(t.Context(), "three", loads{large}).Remove()
		defer r.Register(t.Context(), "state", state).Remove()
		// One at a time, so that nobody is spilled beside another.
		for range 4 {
			ask(t.Context(), r, mem.Of(mem.Host, hostLack(r)+1)).gets(t)
		}
		if want := []string{"state", "late", "large", "small"}; !slices.Equal(log.names, want) {
			t.Errorf("spilled %v, want %v", log.names, want)
		}
	})
}

// hostLack is how much of host memory can be had.
func hostLack(r *mem.Resource) int64 {
	s := r.Stats().Kinds[mem.Host]
	return s.Limit - s.Limit/8 - s.Used - s.Reserved
}

func TestNoMoreIsSpilledThanIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := onDisk(t, 10)
		log := &spillLog{}
		var all loads
		for range 10 {
			all = append(all, newLoad(t, r, "piece", k, time.Second, log))
		}
		defer r.RegisterSource(t.Context(), "all", all).Remove()
		synctest.Wait()
		if len(log.names) != 0 {
			t.Fatalf("%d are spilled though nobody waits", len(log.names))
		}
		ask(t.Context(), r, mem.Of(mem.Host, 3*k)).gets(t)
		if len(log.names) != 3 {
			t.Errorf("%d were spilled for the room of 3", len(log.names))
		}
	})
}

func TestTheSpillerIsThereOnlyWhileSomebodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResource(t, hostOf(1))
		if r.Relieving() {
			t.Error("it is there from the beginning")
		}
		for range 3 {
			held := reserve(t, r, mem.Host, k)
			ctx, cancel := context.WithCancel(t.Context())
			a, b := ask(t.Context(), r, mem.Of(mem.Host, k)), ask(ctx, r, mem.Of(mem.Host, k))
			a.waits(t)
			if !r.Relieving() {
				t.Error("it is not there when somebody waits")
			}
			cancel()
			b.returns(t, context.Canceled)
			if !r.Relieving() {
				t.Error("it has gone while somebody waits")
			}
			held.Release()
			a.gets(t)
			synctest.Wait()
			if r.Relieving() {
				t.Error("it is there when nobody waits")
			}
		}
	})
}

func TestTheSpillerDoesNotWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResource(t, mem.Options{SpillDir: t.TempDir(), Limits: [mem.Kinds]mem.Limit{
			mem.Host: roomFor(2), mem.Disk: mem.Bytes(64 << 10),
		}})
		log := &spillLog{}
		l := newLoad(t, r, "load", k, 0, log)
		defer r.Register(t.Context(), "load", l).Remove()
		disk := reserve(t, r, mem.Disk, 64<<10) // there is no room to spill to
		other := reserve(t, r, mem.Host, k)
		a := ask(t.Context(), r, mem.Of(mem.Host, k))
		time.Sleep(time.Minute)
		a.waits(t)
		if n := len(r.Stats().Waiting); n != 1 || len(log.names) != 0 {
			t.Errorf("%d wait, the spiller among them; spilled: %v", n, log.names)
		}
		other.Release()
		a.gets(t) // by what another gave back: the spiller is in nobody's way

		other = reserve(t, r, mem.Host, k)
		a = ask(t.Context(), r, mem.Of(mem.Host, k))
		a.waits(t)
		disk.Release()
		a.gets(t) // by the spiller, who was told
		other.Release()
	})
}

func TestEachStepGoesOnlyAsFarAsTheLimitsAsk(t *testing.T) {
	for _, c := range []struct {
		fill, ask int64 // buffers on the device, and then how many more, where 4 fit
		want      mem.Amount
	}{
		{4, 1, mem.Amount{3, 1, 0, 0}},
		{4, 2, mem.Amount{2, 2, 0, 0}},
		{4, 3, mem.Amount{1, 2, 1, 0}}, // what finds no pinned memory makes room there first
		{4, 4, mem.Amount{0, 2, 2, 0}},
		{6, 4, mem.Amount{0, 2, 2, 2}},
	} {
		const size = 16 << 10
		limit := func(n int64) mem.Limit { return mem.Bytes(n*size + n*size/7 + 1) }
		r := newResource(t, mem.Options{SpillDir: t.TempDir(), Limits: [mem.Kinds]mem.Limit{
			mem.Device: limit(4), mem.Pinned: limit(2), mem.Host: limit(2), mem.Disk: mem.Bytes(1 << 20),
		}})
		s := newStream(t, r.Device(), "test")
		for i := range c.fill {
			b := alloc(t, r, mem.Device, size, s)
			put(t, b, pattern(size, byte(i)))
			g := r.Register(t.Context(), "buffer", b)
			defer func() {
				g.Remove()
				b.Release()
			}()
		}
		for range c.ask { // one by one
			res := reserve(t, r, mem.Device, size)
			defer res.Release()
		}
		var got mem.Amount
		for kind, s := range r.Stats().Kinds {
			got[kind] = s.Used / size
		}
		disk := r.Stats().Kinds[mem.Disk].Used
		got[mem.Disk] = c.fill - got[mem.Device] - got[mem.Pinned] - got[mem.Host]
		if moved := r.Stats().Kinds[mem.Pinned].Spilled / size; moved != got[mem.Host]+got[mem.Disk] {
			t.Errorf("%d went on from pinned memory, but %d are beyond it: a kind was skipped", moved, got[mem.Host]+got[mem.Disk])
		}
		if got != c.want || (disk > 0) != (c.want[mem.Disk] > 0) {
			t.Errorf("of %d buffers, with %d more wanted, there are %d, want %d", c.fill, c.ask, [4]int64(got), [4]int64(c.want))
		}
	}
}

func TestASpillThatFailsIsToldToWhoFailsBecauseOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := onDisk(t, 2)
		l := newLoad(t, r, "load", 2*k, 0, &spillLog{})
		l.fails = errTest
		defer r.Register(t.Context(), "the load", l).Remove()
		defer r.Join(func() (bool, uint64) { return true, 0 })()
		a := ask(inNode(t.Context(), "asker"), r, mem.Of(mem.Host, 2*k))
		time.Sleep(time.Minute)
		a.returns(t, mem.ErrNoMemory)
		spill := errAs[*mem.SpillError](t, a.err)
		if n := len(l.log.names); n > 1000 {
			t.Errorf("it was tried %d times in about a second", n)
		}
		if spill.Name != "the load" || spill.To != mem.Disk || !errors.Is(spill, errTest) {
			t.Errorf("%v", spill)
		}
	})
}

func TestTheSpillerLeavesRoomToThoseWhoWaitForIt(t *testing.T) {
	const size = 16 << 10
	limit := func(n int64) mem.Limit { return mem.Bytes(n*size + n*size/7 + 1) }
	r := newResource(t, mem.Options{SpillDir: t.TempDir(), Limits: [mem.Kinds]mem.Limit{
		mem.Device: limit(1), mem.Pinned: mem.Bytes(0), mem.Host: limit(2), mem.Disk: mem.Bytes(1 << 20),
	}})
	b := alloc(t, r, mem.Device, size, newStream(t, r.Device(), "test"))
	put(t, b, pattern(size, 1))
	held := reserve(t, r, mem.Host, size)
	waiting := make(chan error)
	go func() {
		res, err := r.Reserve(t.Context(), mem.Host, 2*size)
		res.Release()
		waiting <- err
	}()
	for len(r.Stats().Waiting) == 0 {
		runtime.Gosched()
	}
	g := r.Register(t.Context(), "buffer", b)
	res := reserve(t, r, mem.Device, size) // there would be room on the host, too
	g.Remove()
	if kind := b.Kind(); kind != mem.Disk {
		t.Errorf("it went to %v memory, for which somebody waits", kind)
	}
	b.Release()
	res.Release()
	held.Release()
	errIs(t, <-waiting, nil)
}
