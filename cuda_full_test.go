package sluice_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
	"github.com/seed14ed4225/sluice/mem"
)

// crowded is a simulated GPU of room pieces for us, although the limit is of eight. What
// others have can be given back.
func crowded(t *testing.T, room int64) (*cudatest.Sim, *mem.Resource) {
	t.Helper()
	sim := cudatest.New(cudatest.Options{Memory: 16 * piece})
	d, err := sim.Open(0, cuda.Options{})
	errIs(t, err, nil)
	t.Cleanup(func() {
		errIs(t, d.Close(), nil)
		checkSim(t, sim)
	})
	l := limits(64 * piece)
	l[mem.Device], l[mem.Pinned] = mem.Bytes(8*piece), mem.Bytes(piece)
	r := budgetWith(t, mem.Options{Device: d, Limits: l})
	sim.Occupy(0, (16-room)*piece)
	return sim, r
}

// allocates is a node that sends n buffers of device memory, each filled with its number.
func allocates(out *sluice.Channel, n int) func(context.Context) error {
	return func(ctx context.Context) error {
		r := mem.FromContext(ctx)
		s, err := r.Device().NewStream(device.StreamOptions{Name: "fill"})
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		for i := range n {
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
			err = b.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, byte(i)) })
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

// uniform is a node that counts the buffers that hold their number, once all were sent.
func uniform(in, sent *sluice.Channel, n *atomic.Int64) func(context.Context) error {
	return func(ctx context.Context) error {
		if m, err := sent.Recv(ctx); err != io.EOF {
			m.Release()
			return err
		}
		for m, err := range in.All(ctx) {
			if err != nil {
				return err
			}
			b, err := sluice.Peek[*mem.Buffer](&m)
			if err == nil {
				var data []byte
				if data, err = b.Bytes(); err == nil && data[0] == byte(m.Seq()) && data[len(data)-1] == byte(m.Seq()) {
					n.Add(1)
				}
			}
			m.Release()
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// filling runs a network that allocates device memory for n buffers before anybody takes one.
func filling(ctx context.Context, r *mem.Resource, buffers int) (int64, error) {
	net := sluice.NewNetwork("filling", sluice.WithMemory(r), sluice.WithStallAfter(0))
	rows, sent := net.Channel("rows", sluice.Slots(buffers)), net.Channel("sent")
	var n atomic.Int64
	net.Node("fill", allocates(rows, buffers), sluice.Writes(rows, sent))
	net.Node("look", uniform(rows, sent, &n), sluice.Reads(rows, sent).At(mem.Host))
	err := net.Run(ctx)
	return n.Load(), err
}

func TestWhereOthersHaveTakenTheDeviceItIsSpilledInstead(t *testing.T) {
	for _, room := range []int64{1, 3, 7} {
		_, r := crowded(t, room)
		if n, err := filling(t.Context(), r, 20); err != nil || n != 20 {
			t.Errorf("room for %d: %d buffers, %v", room, n, err)
		}
		if s := r.Stats().Kinds[mem.Device]; s.Spilled < (20-room)*piece || s.Overbooked != 0 {
			t.Errorf("room for %d: %+v", room, s)
		}
	}
}

// looksAgain is at which question about its memory a device that is full is asked because
// somebody waits: the first two are for the error, and to know how much is missing.
const looksAgain = 4

func TestADeviceThatOthersHaveTakenIsTriedAgainWhenTheyGiveBack(t *testing.T) {
	sim, r := crowded(t, 0)
	looks := sim.HangCall("cuMemGetInfo", looksAgain)
	filled := later(func() (int64, error) { return filling(t.Context(), r, 20) })
	<-looks.Reached()
	sim.Vacate(0)
	looks.Release()
	<-filled.done
	if filled.err != nil || filled.value != 20 {
		t.Errorf("%d buffers, %v", filled.value, filled.err)
	}
}

func TestADeviceThatOthersKeepIsAnErrorThatSaysSo(t *testing.T) {
	_, r := crowded(t, 0)
	_, err := filling(t.Context(), r, 20)
	var full *device.OutOfMemoryError
	if !errors.As(err, &full) || full.Asked != piece || full.Free != 0 || full.Total != 16*piece || full.Others != 16*piece {
		t.Fatalf("error is %v, want one of a full device", err)
	}
	for _, says := range []string{`node "fill"`, `device "cuda:0"`, "others use", "lower the limit"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("the error does not say %s: %v", says, err)
		}
	}
}

func TestWhoGivesUpDoesNotWaitForOthersToLeaveTheDevice(t *testing.T) {
	sim, r := crowded(t, 0)
	ctx, cancel := context.WithCancelCause(t.Context())
	looks := sim.HangCall("cuMemGetInfo", looksAgain)
	filled := later(func() (int64, error) { return filling(ctx, r, 20) })
	<-looks.Reached()
	cancel(errCancelled)
	looks.Release()
	<-filled.done
	errIs(t, filled.err, errCancelled)
}

func TestARefusalForOnceIsTriedAgain(t *testing.T) {
	for _, nth := range []int{1, 2, 5} {
		sim, r := crowded(t, 16)
		for range 2 { // also after it has given back what the pool keeps
			sim.Fail("cuMemAllocFromPoolAsync", nth, 2)
			nth++
		}
		if n, err := filling(t.Context(), r, 20); err != nil || n != 20 {
			t.Errorf("%d buffers, %v", n, err)
		}
	}
}

func TestWherePinnedMemoryIsLackingItIsSpilledToTheHost(t *testing.T) {
	sim := cudatest.New(cudatest.Options{Memory: 64 * piece})
	d, err := sim.Open(0, cuda.Options{PinnedMemory: piece})
	errIs(t, err, nil)
	t.Cleanup(func() {
		errIs(t, d.Close(), nil)
		checkSim(t, sim)
	})
	l := limits(64 * piece)
	l[mem.Device], l[mem.Pinned] = mem.Bytes(4*piece), mem.Bytes(16*piece)
	r := budgetWith(t, mem.Options{Device: d, Limits: l})
	if n, err := filling(t.Context(), r, 20); err != nil || n != 20 {
		t.Errorf("%d buffers, %v", n, err)
	}
	if s := r.Stats(); s.Kinds[mem.Pinned].Peak == 0 || s.Kinds[mem.Host].Peak == 0 {
		t.Errorf("it was not spilled to both: %+v", s)
	}
}
