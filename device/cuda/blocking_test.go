package cuda_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
)

// A call of the driver may block for as long as the device works: a launch when too many
// are queued, an allocation of pinned memory. What is here says whom that holds up.

// soon fails the test if f does not return while a call is blocked.
func soon(t *testing.T, what string, f func()) {
	t.Helper()
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		f()
	}()
	select {
	case <-returned:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s waits for a call that is blocked", what)
	}
}

// blockings are calls that block, with what makes them.
var blockings = []struct {
	call string
	do   func(d *cuda.Device, s device.Stream, b *device.Block)
}{
	{"cuMemsetD8Async", func(_ *cuda.Device, s device.Stream, b *device.Block) { _ = s.Fill(b.All(), 1) }},
	{"cuEventRecord", func(_ *cuda.Device, s device.Stream, b *device.Block) { _ = s.Fill(b.All(), 1); s.Record() }},
	{"cuMemAllocFromPoolAsync", func(_ *cuda.Device, s device.Stream, _ *device.Block) {
		if b, err := s.Alloc(1); err == nil {
			_ = s.Free(b)
		}
	}},
	{"cuMemHostAlloc", func(d *cuda.Device, s device.Stream, _ *device.Block) {
		if b, err := d.AllocPinned(1 << 20); err == nil {
			_ = s.Free(b)
		}
	}},
	{"cuMemGetInfo", func(d *cuda.Device, _ device.Stream, _ *device.Block) { _, _ = d.Memory(device.InDevice) }},
	{"cuStreamCreateWithPriority", func(d *cuda.Device, _ device.Stream, _ *device.Block) {
		_, _ = d.NewStream(device.StreamOptions{})
	}},
	{"cuEventCreate", func(d *cuda.Device, s device.Stream, b *device.Block) { _ = s.Fill(b.All(), 1); s.Record() }},
}

func TestACallThatBlocksHoldsNobodyElseUp(t *testing.T) {
	for _, c := range blockings {
		t.Run(c.call, func(t *testing.T) {
			sim := newSim(t, cudatest.Options{})
			d := newDevice(t, sim, cuda.Options{})
			full, other := newStream(t, d, "full"), newStream(t, d, "other")
			x, err := full.Alloc(100)
			errIs(t, err, nil)
			y, err := other.Alloc(100)
			errIs(t, err, nil)
			pinned, err := d.AllocPinned(100)
			errIs(t, err, nil)
			mustSync(t, full)
			mustSync(t, other)

			// The other stream is at work, and so is this one, for somebody who waits.
			busy := sim.HangWork("cuMemsetD8Async", 1)
			errIs(t, full.Fill(x.All(), 1), nil)
			early := full.Record()
			<-busy.Reached()
			copying := sim.HangWork("cuMemcpyHtoDAsync", 1)
			errIs(t, other.Copy(y.All(), pinned.All()), nil)
			e := other.Record()
			errIs(t, other.Free(pinned), nil)
			<-copying.Reached()
			_, _ = early.Done(), e.Done() // so that the poller looks at both

			blocked := sim.HangCall(c.call, 1)
			var all sync.WaitGroup
			all.Go(func() { c.do(d, full, x) })
			<-blocked.Reached()
			defer all.Wait()
			defer blocked.Release()

			soon(t, "Query", func() { pending(t, early, "its stream is at work") })
			soon(t, "Err", func() { errIs(t, full.Err(), nil) })
			copying.Release()
			soon(t, "an event of another stream", func() { errIs(t, e.Wait(context.Background()), nil) })
			busy.Release()
			soon(t, "an event of the same stream", func() { errIs(t, early.Wait(context.Background()), nil) })
			soon(t, "another stream", func() {
				errIs(t, other.WaitFor(early), nil)
				errIs(t, other.Fill(y.All(), 1), nil)
				mustSync(t, other)
				errIs(t, other.Free(y), nil)
			})
			if c.call != "cuStreamCreateWithPriority" {
				soon(t, "NewStream", func() { errIs(t, newStream(t, d, "new").Close(), nil) })
			}
			blocked.Release()
			all.Wait()
			errIs(t, full.Free(x), nil)
			mustSync(t, full)
		})
	}
}

func TestClosingDoesNotWaitForACallThatBlocks(t *testing.T) {
	for _, c := range blockings {
		t.Run(c.call, func(t *testing.T) {
			sim := newSim(t, cudatest.Options{})
			d, err := sim.Open(0, cuda.Options{})
			errIs(t, err, nil)
			s := newStream(t, d, "s")
			x, err := s.Alloc(100)
			errIs(t, err, nil)
			mustSync(t, s)
			filling := sim.HangWork("cuMemsetD8Async", 1)
			errIs(t, s.Fill(x.All(), 1), nil)
			e := s.Record()
			<-filling.Reached()

			blocked := sim.HangCall(c.call, 1)
			var all sync.WaitGroup
			all.Go(func() { c.do(d, s, x) })
			<-blocked.Reached()
			defer all.Wait()
			defer blocked.Release()
			soon(t, "Stream.Close", func() { errIs(t, s.Close(), nil) })
			soon(t, "Device.Close", func() { _ = d.Close() })
			soon(t, "a waiter", func() { errIs(t, e.Wait(context.Background()), device.ErrClosed) })
			if sim.Check(done()) == nil {
				t.Error("the driver was given back during a call")
			}
			filling.Release()
		}) // and then everything goes back, which newSim looks at
	}
}

func TestASecondCloseLeavesTheDriverAlone(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d, err := sim.Open(0, cuda.Options{Trace: func(device.Activity) {}})
	errIs(t, err, nil)
	s := newStream(t, d, "s")
	b, err := s.Alloc(100)
	errIs(t, err, nil)
	fetching := sim.HangWork("cuMemcpyDtoHAsync", 1)
	errIs(t, s.Copy(device.Bytes(make([]byte, 100)), b.All()), nil)
	<-fetching.Reached()
	errIs(t, s.Free(b), nil)
	errIs(t, d.Close(), nil)
	fetching.Release()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	errIs(t, sim.Check(ctx), nil) // everything has been given back
	before := sim.Calls("cuCtxSetCurrent")
	errIs(t, d.Close(), nil)
	if n := sim.Calls("cuCtxSetCurrent") - before; n > 0 {
		t.Errorf("a second Close called the driver %d times", n)
	}
}
