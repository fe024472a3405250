package cuda_test

import (
	"context"
	"errors"
	"testing"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
)

// An action queues one operation on a stream, with what it makes the device call.
type action struct {
	call string
	do   func(s device.Stream, dev, pinned *device.Block) error
}

var actions = []action{
	{"cuMemsetD8Async", func(s device.Stream, dev, _ *device.Block) error { return s.Fill(dev.All(), 1) }},
	{"cuMemcpyDtoDAsync", func(s device.Stream, dev, _ *device.Block) error {
		return s.Copy(dev.Span(0, 10), dev.Span(10, 10))
	}},
	{"cuMemcpyHtoDAsync", func(s device.Stream, dev, pinned *device.Block) error { return s.Copy(dev.All(), pinned.All()) }},
	{"cuMemcpyDtoHAsync", func(s device.Stream, dev, pinned *device.Block) error { return s.Copy(pinned.All(), dev.All()) }},
	{"cuMemcpyHtoDAsync", func(s device.Stream, dev, _ *device.Block) error {
		return s.Copy(dev.All(), device.Bytes(make([]byte, dev.Size())))
	}},
}

// blocks allocates what actions work with.
func blocks(t *testing.T, d device.Device, s device.Stream) (dev, pinned *device.Block) {
	t.Helper()
	dev, err := s.Alloc(100)
	errIs(t, err, nil)
	pinned, err = d.AllocPinned(100)
	errIs(t, err, nil)
	t.Cleanup(func() {
		errIs(t, s.Free(dev), nil)
		errIs(t, s.Free(pinned), nil)
	})
	return dev, pinned
}

// refused fails the test unless err is of that call.
func refused(t *testing.T, err error, call string) {
	t.Helper()
	var op *device.OpError
	var why *cuda.Error
	if !errors.As(err, &op) || op.Stream != "s" || !errors.As(err, &why) || why.Call != call {
		t.Fatalf("error is %v, want one of %s on stream s", err, call)
	}
}

func TestWhatTheDriverRefusesAtOnceLeavesTheStreamAsItWas(t *testing.T) {
	for _, a := range actions {
		sim := newSim(t, cudatest.Options{})
		d := newDevice(t, sim, cuda.Options{})
		s := newStream(t, d, "s")
		dev, pinned := blocks(t, d, s)
		sim.Fail(a.call, 1, 1)
		refused(t, a.do(s, dev, pinned), a.call)
		errIs(t, a.do(s, dev, pinned), nil)
		mustSync(t, s)
	}
}

func TestWhatTheDriverRefusesLaterMakesTheStreamFail(t *testing.T) {
	for _, a := range append(actions, action{"cuMemcpyDtoHAsync", func(s device.Stream, dev, _ *device.Block) error {
		return s.Copy(device.Bytes(make([]byte, dev.Size())), dev.All())
	}}) {
		sim := newSim(t, cudatest.Options{})
		d := newDevice(t, sim, cuda.Options{})
		s := newStream(t, d, "s")
		dev, pinned := blocks(t, d, s)
		opened := make(chan struct{})
		errIs(t, s.Do("gate", func() error { <-opened; return nil }), nil)
		errIs(t, a.do(s, dev, pinned), nil)
		sim.Fail(a.call, 1, 1)
		close(opened)
		refused(t, s.Sync(context.Background()), a.call)
		refused(t, s.Err(), a.call)
		errIs(t, d.Err(), nil)
	}
}

func TestAResultThatIsForGoodEndsTheDeviceWhicheverCallHasIt(t *testing.T) {
	work := func(d device.Device, s, other device.Stream) error {
		dev, err := s.Alloc(100)
		if err != nil {
			return err
		}
		defer func() { _ = s.Free(dev) }()
		pinned, err := d.AllocPinned(100)
		if err != nil {
			return err
		}
		defer func() { _ = s.Free(pinned) }()
		for _, a := range actions {
			if err := a.do(s, dev, pinned); err != nil {
				return err
			}
		}
		if err := other.WaitFor(s.Record()); err != nil {
			return err
		}
		if _, err := d.Memory(device.InDevice); err != nil {
			return err
		}
		if err := s.Copy(device.Bytes(make([]byte, 100)), dev.All()); err != nil {
			return err
		}
		if _, err := d.NewStream(device.StreamOptions{}); err != nil {
			return err
		}
		return s.Sync(context.Background())
	}
	for _, call := range []string{
		"cuStreamCreateWithPriority", "cuStreamWaitEvent", "cuEventCreate", "cuEventRecord", "cuEventQuery",
		"cuMemAllocFromPoolAsync", "cuMemHostAlloc", "cuMemcpyHtoDAsync", "cuMemcpyDtoHAsync",
		"cuMemcpyDtoDAsync", "cuMemsetD8Async", "cuMemGetInfo", "cuMemPoolGetAttribute",
	} {
		sim := newSim(t, cudatest.Options{})
		d := newDevice(t, sim, cuda.Options{})
		s, other := newStream(t, d, "s"), newStream(t, d, "other")
		opened := make(chan struct{})
		errIs(t, other.Do("gate", func() error { <-opened; return nil }), nil)
		behind := other.Record()
		resume := func() {}
		if call == "cuStreamWaitEvent" || call == "cuEventQuery" { // are not asked when all is done
			close(opened)
			mustSync(t, other)
			resume = sim.Stall()
		} else {
			defer close(opened)
		}
		sim.Fail(call, 1, 719)
		err := work(d, s, other)
		resume()
		var failed *device.FailedError
		if !errors.As(err, &failed) {
			t.Errorf("%s: error is %v, want a FailedError", call, err)
			continue
		}
		if call != "cuStreamWaitEvent" && call != "cuEventQuery" {
			if err := behind.Wait(context.Background()); !errors.As(err, &failed) { // although the gate is closed
				t.Errorf("%s: who waits is told %v", call, err)
			}
		}
	}
}

func TestClosingDoesNotWaitForADeviceThatHangs(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d, err := sim.Open(0, cuda.Options{})
	errIs(t, err, nil)
	s := newStream(t, d, "s")
	resume := sim.Stall()
	b, err := s.Alloc(5 << 20)
	errIs(t, err, nil)
	got := make([]byte, b.Size())
	errIs(t, s.Fill(b.All(), 1), nil) // none of this waits
	errIs(t, s.Copy(b.All(), device.Bytes(got)), nil)
	errIs(t, s.Copy(device.Bytes(got), b.All()), nil)
	errIs(t, s.Do("never", func() error { t.Error("was called"); return nil }), nil)
	behind := s.Record()
	errIs(t, s.Free(b), nil)
	errIs(t, d.Close(), nil)
	errIs(t, behind.Wait(context.Background()), device.ErrClosed)
	if sim.Check(done()) == nil {
		t.Error("memory went back while the device may be using it")
	}
	resume() // and then everything goes back, which newSim looks at
}

// done returns a context that has ended.
func done() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
