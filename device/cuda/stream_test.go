package cuda_test

import (
	"context"
	"sync"
	"testing"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
)

func TestEventsNobodyWaitsForDoNotPileUp(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	s, other := newStream(t, d, "s"), newStream(t, d, "other")
	b, err := s.Alloc(100)
	errIs(t, err, nil)
	for i := range 1000 {
		errIs(t, s.Fill(b.All(), 1), nil)
		e := s.Record()
		if i%16 == 0 { // lets the device catch up, without asking for events of s
			errIs(t, other.WaitFor(e), nil)
			mustSync(t, other)
		}
	}
	errIs(t, s.Free(b), nil)
	mustSync(t, s)
	if n := sim.Calls("cuEventCreate"); n > 64 {
		t.Errorf("the driver was asked for %d events", n)
	}
}

func TestAnEventThatHasCompletedCompletesAllBeforeIt(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	s, other := newStream(t, d, "s"), newStream(t, d, "other")
	b, err := s.Alloc(100)
	errIs(t, err, nil)
	var events []*device.Event
	for range 5 {
		errIs(t, s.Fill(b.All(), 1), nil)
		events = append(events, s.Record())
	}
	errIs(t, s.WaitFor(events[4]), nil) // for itself: nothing to tell the driver
	if n := sim.Calls("cuStreamWaitEvent"); n != 0 {
		t.Errorf("the stream waits for itself: %d calls", n)
	}
	errIs(t, other.WaitFor(events[4]), nil)
	mustSync(t, other)
	asked := sim.Calls("cuEventQuery")
	for _, i := range []int{4, 0, 3} {
		if done, err := events[i].Query(); !done || err != nil {
			t.Errorf("event %d: %v, %v", i, done, err)
		}
	}
	if n := sim.Calls("cuEventQuery") - asked; n > 1 { // none, if somebody else has asked before
		t.Errorf("the driver was asked %d times, though the first answer says all", n)
	}
	errIs(t, s.Free(b), nil)
}

func TestNothingIsRecordedTwiceForOnePlace(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	s := newStream(t, d, "s")
	resume := sim.Stall()
	b, err := s.Alloc(100)
	errIs(t, err, nil)
	errIs(t, s.Fill(b.All(), 1), nil)
	var events []*device.Event
	for range 100 {
		events = append(events, s.Record())
	}
	if n := sim.Calls("cuEventRecord"); n != 1 {
		t.Errorf("recorded %d times", n)
	}
	resume()
	for _, e := range events {
		errIs(t, e.Wait(context.Background()), nil)
	}
	errIs(t, s.Free(b), nil)
}

func TestNobodyLooksAtEventsThatNobodyWaitsFor(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	s := newStream(t, d, "s")
	b, err := s.Alloc(100)
	errIs(t, err, nil)
	mustSync(t, s)
	before := sim.Calls("cuEventQuery") + sim.Calls("cuStreamQuery")
	for range 20 {
		errIs(t, s.Fill(b.All(), 1), nil)
		_ = s.Record()
	}
	if n := sim.Calls("cuEventQuery") + sim.Calls("cuStreamQuery") - before; n != 0 {
		t.Errorf("the driver was asked %d times", n)
	}
	errIs(t, s.Free(b), nil)
	mustSync(t, s)
}

func TestPinnedMemoryGrowsWhenItIsNeededAndIsUsedAgain(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{PinnedMemory: 16 << 20})
	s := newStream(t, d, "s")
	if n := sim.Calls("cuMemHostAlloc"); n != 0 {
		t.Errorf("%d slabs before any was asked for", n)
	}
	dev, err := s.Alloc(100_000)
	errIs(t, err, nil)
	for range 200 {
		b, err := d.AllocPinned(100_000)
		errIs(t, err, nil)
		errIs(t, s.Copy(dev.All(), b.All()), nil)
		errIs(t, s.Free(b), nil)
		mustSync(t, s)
	}
	if n := sim.Calls("cuMemHostAlloc"); n != 1 {
		t.Errorf("%d slabs for one block at a time", n)
	}
	_, err = d.AllocPinned(16<<20 + 1)
	errIs(t, err, device.ErrOutOfMemory)
	large, err := d.AllocPinned(15 << 20) // the slab in the way goes
	errIs(t, err, nil)
	if n := sim.Calls("cuMemFreeHost"); n != 1 {
		t.Errorf("%d slabs went back to make room", n)
	}
	for i := range 4 { // it tries again after it has given back what it can
		sim.Fail("cuMemHostAlloc", i+1, 2)
	}
	_, err = d.AllocPinned(1000)
	errIs(t, err, device.ErrOutOfMemory)
	errIs(t, s.Free(large), nil)
	errIs(t, s.Free(dev), nil)
	mustSync(t, s)
}

func TestPinnedMemoryIsNotUsedAgainBeforeItsTime(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	s := newStream(t, d, "s")
	dev, err := s.Alloc(1000)
	errIs(t, err, nil)
	first, err := d.AllocPinned(1000)
	errIs(t, err, nil)
	for i := range first.Bytes() {
		first.Bytes()[i] = 1
	}
	resume := sim.Stall()
	errIs(t, s.Copy(dev.All(), first.All()), nil)
	errIs(t, s.Free(first), nil)
	var others []*device.Block
	for range 10 {
		b, err := d.AllocPinned(1000)
		errIs(t, err, nil)
		clear(b.Bytes())
		others = append(others, b)
	}
	resume()
	got := make([]byte, 1000)
	errIs(t, s.Copy(device.Bytes(got), dev.All()), nil)
	mustSync(t, s)
	if got[0] != 1 || got[999] != 1 {
		t.Error("the block was used again before the copy from it was done")
	}
	for _, b := range append(others, dev) {
		errIs(t, s.Free(b), nil)
	}
}

func TestAStreamWaitsForAnotherKindOfDevice(t *testing.T) {
	d := newDevice(t, newSim(t, cudatest.Options{}), cuda.Options{})
	host, err := device.NewHost(device.HostOptions{})
	errIs(t, err, nil)
	defer func() { errIs(t, host.Close(), nil) }()
	ours, theirs := newStream(t, d, "ours"), newStream(t, host, "theirs")
	var order []string
	opened := make(chan struct{})
	errIs(t, theirs.Do("gate", func() error { <-opened; order = append(order, "theirs"); return nil }), nil)
	errIs(t, ours.WaitFor(theirs.Record()), nil)
	errIs(t, ours.Do("ours", func() error { order = append(order, "ours"); return nil }), nil)
	errIs(t, theirs.WaitFor(ours.Record()), nil)
	errIs(t, theirs.Do("last", func() error { order = append(order, "last"); return nil }), nil)
	close(opened)
	mustSync(t, theirs)
	if len(order) != 3 || order[0] != "theirs" || order[1] != "ours" || order[2] != "last" {
		t.Errorf("order is %v", order)
	}
}

func TestAStreamThatIsClosedGoesWhenItIsDone(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	for i := range 20 {
		s := newStream(t, d, "s")
		b, err := s.Alloc(10)
		errIs(t, err, nil)
		late, err := s.Alloc(10)
		errIs(t, err, nil)
		resume := sim.Stall()
		errIs(t, s.Fill(b.All(), 1), nil)
		behind := s.Record()
		errIs(t, s.Close(), nil)
		errIs(t, s.Free(b), nil)
		resume()
		errIs(t, behind.Wait(context.Background()), nil)
		mustSync(t, newStream(t, d, "other"))
		errIs(t, s.Free(late), nil)
		if i == 10 && sim.Calls("cuStreamDestroy") == 0 {
			t.Error("no stream was destroyed")
		}
	}
	if info, err := d.Memory(device.InDevice); err != nil || info.Total == 0 {
		t.Errorf("%+v, %v", info, err)
	}
}

// TestManyStreamsPassWorkAround hands blocks from stream to stream through events whose
// handles are used again and again, while functions hold streams up.
func TestManyStreamsPassWorkAround(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	const streams, rounds, n = 6, 60, 5000
	var ss []device.Stream
	for range streams {
		ss = append(ss, newStream(t, d, "s"))
	}
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			s := ss[w]
			dev, err := s.Alloc(n)
			if err != nil {
				t.Error(err)
				return
			}
			host := make([]byte, n)
			for i := range rounds {
				next := ss[(w+i*(w+1))%streams]
				var errs []error
				errs = append(errs, next.WaitFor(s.Record()))
				s = next
				if i%3 == w%3 {
					errs = append(errs, s.Do("check", func() error { return nil }))
				}
				errs = append(errs, s.Fill(dev.All(), byte(i)), s.Copy(device.Bytes(host), dev.All()))
				if i%4 == 0 {
					errs = append(errs, s.Sync(context.Background()))
					if host[0] != byte(i) || host[n-1] != byte(i) {
						t.Errorf("round %d: got %d and %d", i, host[0], host[n-1])
					}
				}
				for _, err := range errs {
					if err != nil {
						t.Error(err)
						return
					}
				}
			}
			if err := s.Free(dev); err != nil {
				t.Error(err)
			}
			if err := s.Sync(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
