package cuda_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
)

// failedEvent returns an event that has completed with an error.
func failedEvent(t *testing.T, d device.Device) *device.Event {
	t.Helper()
	s := newStream(t, d, "fails")
	errIs(t, s.Do("fails", func() error { return errors.New("no") }), nil)
	e := s.Record()
	if e.Wait(context.Background()) == nil {
		t.Fatal("a function that fails is no failure")
	}
	return e
}

func pending(t *testing.T, e *device.Event, what string) {
	t.Helper()
	if done, err := e.Query(); done {
		t.Errorf("the event has completed (%v) while %s", err, what)
	}
}

func TestAnEventOfAFailedStreamWaitsForWhatIsInProgress(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	s, frees := newStream(t, d, "s"), newStream(t, d, "frees")
	dev, err := s.Alloc(100)
	errIs(t, err, nil)
	pinned, err := d.AllocPinned(100)
	errIs(t, err, nil)
	failed := failedEvent(t, d)

	copying := sim.HangWork("cuMemcpyHtoDAsync", 1)
	errIs(t, s.Copy(dev.All(), pinned.All()), nil)
	<-copying.Reached()
	errIs(t, s.WaitFor(failed), nil) // and s has failed, too
	e := s.Record()
	pending(t, e, "the copy before it is in progress")
	errIs(t, frees.WaitFor(e), nil)
	errIs(t, frees.Free(dev), nil)
	last := frees.Record()
	pending(t, last, "what it waits for has not completed")
	copying.Release()
	for _, e := range []*device.Event{e, last} {
		var op *device.OpError
		if err := e.Wait(context.Background()); !errors.As(err, &op) || op.Op != `wait for stream "fails"` && op.Stream != "frees" {
			t.Errorf("error is %v, want what the stream has failed with", err)
		}
	}
	errIs(t, s.Free(pinned), nil)
	// At the end the simulated driver says whether the copy wrote to what had been freed.
}

func TestAnEventBehindARefusedOperationWaitsForWhatIsBeforeIt(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	s := newStream(t, d, "s")
	dev, err := s.Alloc(100)
	errIs(t, err, nil)
	pinned, err := d.AllocPinned(100)
	errIs(t, err, nil)
	gate := make(chan struct{})
	errIs(t, s.Do("gate", func() error { <-gate; return nil }), nil)
	copying := sim.HangWork("cuMemcpyHtoDAsync", 1)
	sim.Fail("cuMemsetD8Async", 1, 1)
	errIs(t, s.Copy(dev.All(), pinned.All()), nil)
	errIs(t, s.Fill(dev.All(), 1), nil)
	e := s.Record()
	called := false
	errIs(t, s.Do("behind", func() error { called = true; return nil }), nil)
	close(gate)
	<-copying.Reached()
	s2 := newStream(t, d, "other") // the worker of s goes on meanwhile
	mustSync(t, s2)
	pending(t, e, "the copy is still reading the pinned memory")
	copying.Release()
	refused(t, e.Wait(context.Background()), "cuMemsetD8Async")
	errIs(t, s.Free(dev), nil)
	errIs(t, s.Free(pinned), nil)
	refused(t, s.Sync(context.Background()), "cuMemsetD8Async")
	if called {
		t.Error("a function was called behind a failure")
	}
}

func TestAWaitThatTheDriverRefusesIsDoneInGo(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	s, frees := newStream(t, d, "s"), newStream(t, d, "frees")
	dev, err := s.Alloc(100)
	errIs(t, err, nil)
	mustSync(t, s)
	filling := sim.HangWork("cuMemsetD8Async", 1)
	errIs(t, s.Fill(dev.All(), 1), nil)
	<-filling.Reached()
	sim.Fail("cuStreamWaitEvent", 1, 1)
	sim.Fail("cuStreamWaitEvent", 2, 1)
	errIs(t, frees.WaitFor(s.Record()), nil)
	errIs(t, frees.Free(dev), nil)
	last := frees.Record()
	pending(t, last, "the other stream is at work")
	filling.Release()
	errIs(t, last.Wait(context.Background()), nil)
	errIs(t, frees.Err(), nil)
}

func TestAStreamWhoseHandleCannotBeMadeAgainStillWaitsBeforeItFrees(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	s, frees := newStream(t, d, "s"), newStream(t, d, "frees")
	dev, err := s.Alloc(100)
	errIs(t, err, nil)
	errIs(t, frees.Close(), nil)
	filling := sim.HangWork("cuMemsetD8Async", 1)
	errIs(t, s.Fill(dev.All(), 1), nil)
	<-filling.Reached()
	for n := range 5 {
		sim.Fail("cuStreamCreateWithPriority", n+1, 2)
	}
	errIs(t, frees.WaitFor(s.Record()), nil)
	errIs(t, frees.Free(dev), nil)
	filling.Release()
	mustSync(t, frees)
	errIs(t, d.Err(), nil)
}

func TestAFreeThatHasNoStreamFreesAllTheSame(t *testing.T) {
	sim := newSim(t, cudatest.Options{Memory: 1 << 20})
	d := newDevice(t, sim, cuda.Options{})
	s := newStream(t, d, "s")
	x, err := s.Alloc(1 << 20)
	errIs(t, err, nil)
	mustSync(t, s)
	errIs(t, s.Close(), nil)
	sim.Fail("cuStreamCreateWithPriority", 1, 2)
	errIs(t, s.Free(x), nil)
	if n := sim.Calls("cuMemFreeAsync"); n != 1 {
		t.Errorf("%d blocks were freed, want one", n)
	}
}

func TestWhatCannotBeRecordedIsLearnedOtherwise(t *testing.T) {
	for _, c := range []struct {
		call string
		code int
	}{{"cuEventCreate", 2}, {"cuEventRecord", 2}, {"cuEventRecord", 400}, {"cuEventQuery", 2}} {
		sim := newSim(t, cudatest.Options{})
		d := newDevice(t, sim, cuda.Options{})
		s, waits := newStream(t, d, "s"), newStream(t, d, "waits")
		x, err := s.Alloc(100)
		errIs(t, err, nil)
		pinned, err := d.AllocPinned(100)
		errIs(t, err, nil)
		filling := sim.HangWork("cuMemsetD8Async", 1)
		errIs(t, s.Fill(x.All(), 1), nil)
		<-filling.Reached()
		sim.Fail(c.call, 1, c.code)
		e := s.Record()
		pending(t, e, c.call+" was refused")
		errIs(t, s.Free(pinned), nil)
		errIs(t, waits.WaitFor(e), nil)
		last := waits.Record()
		pending(t, last, "what it waits for has not completed")
		filling.Release()
		errIs(t, e.Wait(context.Background()), nil)
		errIs(t, last.Wait(context.Background()), nil)
		errIs(t, d.Err(), nil)
		errIs(t, s.Free(x), nil)
		mustSync(t, s)
	}
}

func TestADeviceThatDoesNotEvenSayWhetherItIsDoneHasFailed(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	s := newStream(t, d, "s")
	x, err := s.Alloc(100)
	errIs(t, err, nil)
	sim.Fail("cuEventQuery", 1, 400)
	sim.Fail("cuStreamQuery", 1, 400)
	sim.Fail("cuStreamQuery", 2, 400)
	var failed *device.FailedError
	if err := s.Sync(context.Background()); err != nil && !errors.As(err, &failed) { // who asks at the same time may still be told that it is done
		t.Errorf("error is %v, want a FailedError", err)
	}
	if err := d.Err(); !errors.As(err, &failed) {
		t.Errorf("of the device: error is %v, want a FailedError", err)
	}
	errIs(t, s.Free(x), nil)
}

func TestStagingMemoryOfAFailedCopyComesBack(t *testing.T) {
	const size = 3 << 20 // several parts
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	early := 0
	for i := range 40 {
		s := newStream(t, d, "s")
		b, err := s.Alloc(size)
		errIs(t, err, nil)
		mustSync(t, s)
		sim.Fail("cuMemcpyDtoHAsync", 2, 1)
		errIs(t, s.Copy(device.Bytes(make([]byte, size)), b.All()), nil)
		refused(t, s.Sync(context.Background()), "cuMemcpyDtoHAsync")
		errIs(t, s.Free(b), nil)
		errIs(t, s.Close(), nil)
		if i == 3 {
			early = sim.Calls("cuMemHostAlloc")
		}
	}
	if n := sim.Calls("cuMemHostAlloc"); n > early {
		t.Errorf("the driver was asked for pinned memory %d times by 4 copies that failed, and %d times by 40", early, n)
	}
}

func TestAStreamThatCannotBeDestroyedIsDestroyedLater(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	s := newStream(t, d, "s")
	sim.Fail("cuStreamDestroy", 1, 2)
	errIs(t, s.Close(), nil)
	newStream(t, d, "another") // makes the device look for streams to forget
	if n := sim.Calls("cuStreamDestroy"); n != 2 {
		t.Errorf("%d attempts, want 2", n)
	}
}

func TestTheSimulatedDriverTakesAFreeInProgressWhenTheContextGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSim(t, cudatest.Options{Slow: 50 * time.Millisecond})
		d := newDevice(t, sim, cuda.Options{})
		s := newStream(t, d, "s")
		b, err := s.Alloc(100)
		errIs(t, err, nil)
		x, err := s.Alloc(100)
		errIs(t, err, nil)
		for _, use := range []func() error{
			func() error { return s.Free(b) },
			func() error { return s.Fill(x.All(), 1) },
		} {
			errIs(t, use(), nil)
		}
		time.Sleep(125 * time.Millisecond) // the allocations are over, the free has begun
		sim.Break(0, 700)
		errIs(t, s.Free(x), nil)
		errIs(t, d.Close(), nil)
		time.Sleep(time.Second)
	})
}
