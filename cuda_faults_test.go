package sluice_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
	"github.com/seed14ed4225/sluice/mem"
)

// onCUDA runs a network with a node that works on a device, in a budget of three pieces of
// device memory, one of pinned memory and four on the host, so that what is computed goes
// through every kind to the disk and back. It returns how many messages came with the right
// bytes.
func onCUDA(ctx context.Context, t *testing.T, d device.Device) (int64, error) {
	l := limits(4 * piece)
	l[mem.Device], l[mem.Pinned] = mem.Bytes(3*piece), mem.Bytes(piece)
	dir := t.TempDir()
	r, err := mem.New(mem.Options{Device: d, Limits: l, SpillDir: dir})
	errIs(t, err, nil)
	streams, err := device.NewStreamPool(d, 2, device.StreamOptions{Name: "compute"})
	errIs(t, err, nil)
	defer func() { _ = streams.Close() }() // which may be refused: its streams go with the device

	net := sluice.NewNetwork("on a device", sluice.WithMemory(r), sluice.WithStallAfter(0))
	rows, computed := net.Channel("rows"), net.Channel("computed", sluice.Slots(manyPieces))
	done := net.Channel("done")
	var n atomic.Int64
	net.Node("fill", fills(rows, manyPieces), sluice.Writes(rows))
	net.Node("compute", onStreams(streams, rows, computed), sluice.Reads(rows).At(mem.Device), sluice.Writes(computed, done))
	net.Node("look", func(ctx context.Context) error {
		// Once all was computed: more than fits in memory of any kind.
		if m, err := done.Recv(ctx); err != io.EOF {
			m.Release()
			return err
		}
		return looks(computed, &n)(ctx)
	}, sluice.Reads(computed).At(mem.Host), sluice.Reads(done))
	err = net.Run(ctx)

	// However it ended, nothing is left.
	for k, s := range r.Stats().Kinds {
		if s.Used != 0 || s.Reserved != 0 || s.Overbooked != 0 {
			t.Errorf("%v memory at the end: %+v, after %v", mem.Kind(k), s, err)
		}
	}
	if leak := r.Close(context.Background()); leak != nil {
		t.Errorf("%v, after %v", leak, err)
	}
	return n.Load(), err
}

// onStreams is a node that queues work on what its port has brought to the device, and sends
// it on before that is done.
func onStreams(streams *device.StreamPool, in, out *sluice.Channel) func(context.Context) error {
	return func(ctx context.Context) error {
		for m, err := range in.All(ctx) {
			if err == nil {
				err = compute(&m, streams)
			}
			if err == nil {
				err = out.Send(ctx, &m)
			}
			m.Release()
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func compute(m *sluice.Message, streams *device.StreamPool) error {
	b, err := sluice.Peek[*mem.Buffer](m)
	if err != nil {
		return err
	}
	s, err := streams.Stream()
	if err != nil {
		return err
	}
	if err := b.Rebind(s); err != nil {
		return err
	}
	return b.Write(thereAndBack)
}

// faultyCalls are the functions of the driver that such a network calls, and those that
// give something back, which may be refused only once.
var faultyCalls = map[string]bool{
	"cuCtxSetCurrent": true, "cuDevicePrimaryCtxRelease": true,
	"cuStreamCreateWithPriority": false, "cuStreamDestroy": true, "cuStreamQuery": false, "cuStreamWaitEvent": false,
	"cuEventCreate": false, "cuEventDestroy": true, "cuEventRecord": false, "cuEventQuery": false,
	"cuMemAllocFromPoolAsync": false, "cuMemFreeAsync": true, "cuMemHostAlloc": false, "cuMemFreeHost": true,
	"cuMemcpyHtoDAsync": false, "cuMemcpyDtoHAsync": false, "cuMemcpyDtoDAsync": false, "cuMemsetD8Async": false,
	"cuMemGetInfo": false, "cuMemPoolGetAttribute": false, "cuMemPoolDestroy": true,
}

// TestWhicheverCallOfTheDriverFailsARunEndsAndLeavesNothing lets every function of the driver
// fail in turn, at every call of it or some of them, once for itself, once for want of
// memory and once for good. The run goes well or says which call it was; nobody hangs,
// and nothing is left in the books, nor with the driver, unless that is what it has refused
// to take back.
func TestWhicheverCallOfTheDriverFailsARunEndsAndLeavesNothing(t *testing.T) {
	const invalid, full, illegal = 1, 2, 700
	sim := cudatest.New(cudatest.Options{Memory: 64 << 20})
	runFaulty(t, sim)
	struck, well := 0, 0
	slower := 2
	if raceDetector || testing.Short() {
		slower = 1
	}
	for call, givesBack := range faultyCalls {
		calls := sim.Calls(call)
		for nth := 1; nth <= max(calls, 1); nth += max(1, nth/slower) {
			for _, code := range []int{invalid, full, illegal} {
				sim := cudatest.New(cudatest.Options{Memory: 64 << 20})
				failed := faultyRun(t, sim, call, nth, code, givesBack)
				if failed {
					struck++
				} else {
					well++
				}
				if t.Failed() {
					t.Fatalf("call %d of %s returned %d", nth, call, code)
				}
			}
		}
	}
	t.Logf("%d runs failed and %d went well", struck, well)
}

func runFaulty(t *testing.T, sim *cudatest.Sim) {
	d, err := sim.Open(0, cuda.Options{})
	errIs(t, err, nil)
	n, err := onCUDA(t.Context(), t, d)
	if err != nil || n != manyPieces {
		t.Errorf("%d messages, %v", n, err)
	}
	errIs(t, d.Close(), nil)
	checkSim(t, sim)
}

func faultyRun(t *testing.T, sim *cudatest.Sim, call string, nth, code int, givesBack bool) (failed bool) {
	d, err := sim.Open(0, cuda.Options{})
	errIs(t, err, nil)
	last := sim.Calls(call) + nth
	sim.Fail(call, nth, code)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	n, err := onCUDA(ctx, t, d)
	var why *cuda.Error
	switch {
	case err == nil && n == manyPieces: // it was tried again, or nobody minded
	case err == nil:
		t.Errorf("%d messages, and no error", n)
	case errors.As(err, &why) && why.Code == code && (why.Call == call || code == 700 || call == "cuCtxSetCurrent"):
		// When the device is lost, another thread may be told first, in another call. And
		// cuCtxSetCurrent is a part of every call.
	case code == 2 && errors.Is(err, device.ErrOutOfMemory):
	default:
		t.Errorf("the error does not name the call: %v", err)
	}
	inRun := sim.Calls(call) >= last
	errIs(t, d.Close(), nil)
	if givesBack && (!inRun || call != "cuMemFreeAsync") {
		return err != nil // it has refused to take something back, and is not asked again
	}
	checkSim(t, sim)
	return err != nil
}
