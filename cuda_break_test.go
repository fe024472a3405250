package sluice_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
	"github.com/seed14ed4225/sluice/mem"
)

// victim is a kernel that does nothing, until the test says that it has faulted.
var victim = cudatest.Kernel{
	Params: []int{8},
	Run:    func(int64, []uint64, func(uint64, int64) ([]byte, error)) error { return nil },
}

// launches is a node that sends buffers on which a kernel is queued, until it is told to stop.
func launches(f *cuda.Function, out *sluice.Channel) func(context.Context) error {
	return func(ctx context.Context) error {
		r := mem.FromContext(ctx)
		s, err := r.Device().NewStream(device.StreamOptions{Name: "kernels"})
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		for i := 0; ; i++ {
			res, err := r.Reserve(ctx, mem.Device, piece)
			if err != nil {
				return err
			}
			b, err := res.Alloc(mem.Device, piece, s)
			res.Release()
			if err != nil {
				return err
			}
			m := sluice.NewMessage(sluice.SeqNum(i), b)
			err = b.Write(func(s device.Stream, dst device.Span) error { return f.Launch(s, f.Over(1), dst) })
			if err == nil {
				err = out.Send(ctx, &m)
			}
			m.Release()
			if err != nil {
				return err
			}
		}
	}
}

// crowd is a node with many goroutines that wait for events of a stream.
func crowd(goroutines int, in *sluice.Channel, waiting *atomic.Int64, ended *atomic.Int64) func(context.Context) error {
	return func(ctx context.Context) error {
		m, err := in.Recv(ctx)
		if err != nil {
			return err
		}
		defer m.Release()
		b, err := sluice.Peek[*mem.Buffer](&m)
		if err != nil {
			return err
		}
		var all sync.WaitGroup
		errs := make([]error, goroutines)
		for i := range goroutines {
			e := b.Stream().Record()
			all.Go(func() {
				waiting.Add(1)
				errs[i] = e.Wait(context.WithoutCancel(ctx)) // nothing but the device wakes it
				ended.Add(1)
			})
		}
		all.Wait()
		return errs[0]
	}
}

// A kernel faults while a thousand goroutines wait for events, messages with queued work wait
// in a channel, a node waits for device memory and the spiller for what it is to spill. All
// come home with an error that names the kernel and a node, nothing is left in the books,
// and the process goes on: on the host device, and on the GPU when it is opened again.
func TestAKernelThatFaultsEndsTheRunAndNothingElse(t *testing.T) {
	const goroutines = 1000
	sim := cudatest.New(cudatest.Options{Memory: 64 << 20})
	defer checkSim(t, sim)
	sim.AddKernel("victim", victim)
	d, err := sim.Open(0, cuda.Options{})
	errIs(t, err, nil)
	module, err := d.Load("kernels", []byte("victim"))
	errIs(t, err, nil)
	f, err := module.Function("victim")
	errIs(t, err, nil)
	l := limits(4 * piece)
	l[mem.Device], l[mem.Pinned] = mem.Bytes(8*piece), mem.Bytes(piece)
	r := budgetWith(t, mem.Options{Device: d, Limits: l})

	resume := sim.Stall()
	net := sluice.NewNetwork("faulting", sluice.WithMemory(r), sluice.WithStallAfter(0))
	rows := net.Channel("rows", sluice.Slots(100))
	var waiting, ended atomic.Int64
	net.Node("launch", launches(f, rows), sluice.Writes(rows))
	net.Node("crowd", crowd(goroutines, rows, &waiting, &ended), sluice.Reads(rows))
	running := try(func() error { return net.Run(t.Context()) })
	for waiting.Load() < goroutines || len(r.Stats().Waiting) == 0 {
		runtime.Gosched()
	}
	sim.Break(0, 700)
	<-running.done
	resume()

	var failed *device.FailedError
	if !errors.As(running.err, &failed) || ended.Load() != goroutines {
		t.Fatalf("%d goroutines have come back, error is %v", ended.Load(), running.err)
	}
	for _, says := range []string{`"victim" on stream "kernels"`, `node "`, `"cuda:0"`, "700"} {
		if !strings.Contains(running.err.Error(), says) {
			t.Errorf("the error does not say %s: %v", says, running.err)
		}
	}
	for k, s := range r.Stats().Kinds {
		if s.Used != 0 || s.Reserved != 0 {
			t.Errorf("%v memory: %+v", mem.Kind(k), s)
		}
	}

	host, end := openHost(t)
	if n, err := onCUDA(t.Context(), t, host); err != nil || n != manyPieces {
		t.Errorf("on the host, later: %d messages, %v", n, err)
	}
	end()
	errIs(t, r.Close(t.Context()), nil)
	errIs(t, d.Close(), nil)
	again, err := sim.Open(0, cuda.Options{})
	errIs(t, err, nil)
	if n, err := onCUDA(t.Context(), t, again); err != nil || n != manyPieces {
		t.Errorf("opened again: %d messages, %v", n, err)
	}
	errIs(t, again.Close(), nil)
}

// One GPU opened twice has one context for both. That one is closed, or its network has ended,
// does not concern the other.
func TestClosingOneOfTwoDevicesOnOneGPULeavesTheOtherAtWork(t *testing.T) {
	sim := cudatest.New(cudatest.Options{Memory: 64 << 20})
	defer checkSim(t, sim)
	stays, err := sim.Open(0, cuda.Options{Name: "stays"})
	errIs(t, err, nil)
	for range 5 {
		goes, err := sim.Open(0, cuda.Options{Name: "goes"})
		errIs(t, err, nil)
		s, err := goes.NewStream(device.StreamOptions{})
		errIs(t, err, nil)
		b, err := s.Alloc(piece)
		errIs(t, err, nil)
		copying := sim.HangCall("cuMemcpyDtoDAsync", 1)
		running := later(func() (int64, error) { return onCUDA(t.Context(), t, stays) })
		<-copying.Reached()
		errIs(t, s.Fill(b.All(), 1), nil)
		errIs(t, s.Free(b), nil)
		errIs(t, goes.Close(), nil) // in the middle
		copying.Release()
		<-running.done
		if running.err != nil || running.value != manyPieces {
			t.Fatalf("%d messages, %v", running.value, running.err)
		}
	}
	errIs(t, stays.Close(), nil)
}
