package sluice_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/internal/extent"
	"github.com/seed14ed4225/sluice/mem"
)

const manyPieces = 24 // go through the networks here, in room for 4

var errDisk = errors.New("a bad sector")

// faultyDisk is a budget of four pieces on a disk that misbehaves.
func faultyDisk(t *testing.T, faults *extent.Faults) *mem.Resource {
	return budgetWith(t, mem.Options{Limits: limits(4 * piece), Files: faults.Open})
}

// hoarding runs a network in which a node keeps all messages before it passes them on, so
// that they have to be spilled. What the sink gets is checked.
func hoarding(t *testing.T, r *mem.Resource, sink func(rows *sluice.Channel, n *atomic.Int64) func(context.Context) error) (int64, error) {
	net := sluice.NewNetwork("hoarding", sluice.WithMemory(r), sluice.WithStallAfter(0))
	rows, kept := net.Channel("rows"), net.Channel("kept")
	var n atomic.Int64
	net.Node("fill", fills(rows, manyPieces), sluice.Writes(rows))
	net.Node("keep", keeps(rows, kept), sluice.Reads(rows), sluice.Writes(kept))
	net.Node("look", sink(kept, &n), sluice.Reads(kept).At(mem.Host))
	err := net.Run(t.Context())
	if s := kept.Stats(); err == nil && (s.BytesSent != manyPieces*piece || s.Received != manyPieces) {
		t.Errorf("the channel counts %d messages and %d bytes", s.Received, s.BytesSent)
	}
	return n.Load(), err
}

// retries is looks for who tries again when a message could not be restored, and notes
// the errors.
func retries(failures *[]error) func(*sluice.Channel, *atomic.Int64) func(context.Context) error {
	return func(in *sluice.Channel, n *atomic.Int64) func(context.Context) error {
		return func(ctx context.Context) error {
			for {
				m, err := in.Recv(ctx)
				var restore *sluice.RestoreError
				if errors.As(err, &restore) && len(*failures) < 10 {
					*failures = append(*failures, err)
					continue
				}
				if err == io.EOF {
					return nil
				}
				if err != nil {
					return err
				}
				b, err := sluice.Peek[*mem.Buffer](&m)
				if err == nil {
					err = filled(b, int(n.Load())) // in order, in spite of the failures
				}
				m.Release()
				if err != nil {
					return err
				}
				n.Add(1)
			}
		}
	}
}

func TestASpillThatFailsForOnceIsTriedAgain(t *testing.T) {
	for what, strike := range map[string]func(f *extent.Faults, nth int){
		"open":        func(f *extent.Faults, nth int) { f.Fail(extent.OpOpen, 1, errDisk) },
		"write":       func(f *extent.Faults, nth int) { f.Fail(extent.OpWrite, nth, errDisk) },
		"short write": func(f *extent.Faults, nth int) { f.Short(extent.OpWrite, nth) },
	} {
		for _, nth := range []int{1, 2, 7} {
			var faults extent.Faults
			strike(&faults, nth)
			r := faultyDisk(t, &faults)
			if n, err := hoarding(t, r, looks); err != nil || n != manyPieces {
				t.Errorf("%s %d failed: %d messages, %v", what, nth, n, err)
			}
			wantWithin(t, r)
		}
	}
}

func TestOnAFullDiskTheRunFailsWithThatForACause(t *testing.T) {
	for _, size := range []int64{0, 3 * piece} {
		var faults extent.Faults
		faults.Full(size)
		_, err := hoarding(t, faultyDisk(t, &faults), looks)
		var spill *mem.SpillError
		if !errors.Is(err, mem.ErrNoMemory) || !errors.Is(err, extent.ErrDiskFull) || !errors.As(err, &spill) {
			t.Fatalf("on a disk of %d bytes: %v", size, err)
		}
		if spill.To != mem.Disk || spill.Name == "" || !strings.Contains(err.Error(), "disk is full") {
			t.Errorf("the error does not say what happened: %v", err)
		}
	}
}

// What was spilled before the disk was full comes back only if there is room for it. So
// the run may end with an error, but then that says why.
func TestOnADiskThatBecomesFullTheRunGoesOnOrSaysWhy(t *testing.T) {
	var faults extent.Faults
	faults.Full(2 * piece)
	r := faultyDisk(t, &faults)
	net := sluice.NewNetwork("frugal", sluice.WithMemory(r))
	rows := net.Channel("rows", sluice.Slots(manyPieces))
	var n atomic.Int64
	net.Node("fill", fills(rows, 4*manyPieces), sluice.Writes(rows))
	net.Node("look", looks(rows, &n), sluice.Reads(rows).At(mem.Host))
	err := net.Run(t.Context())
	if err == nil && n.Load() != 4*manyPieces || err != nil && !errors.Is(err, extent.ErrDiskFull) {
		t.Errorf("%d messages, %v", n.Load(), err)
	}
}

func TestAReadThatFailsNamesTheMessageAndCanBeTriedAgain(t *testing.T) {
	for what, c := range map[string]struct {
		strike func(f *extent.Faults, nth int)
		is     func(error) bool
	}{
		"read": {
			func(f *extent.Faults, nth int) { f.Fail(extent.OpRead, nth, errDisk) },
			func(err error) bool { return errors.Is(err, errDisk) },
		},
		"short read": {
			func(f *extent.Faults, nth int) { f.Short(extent.OpRead, nth) },
			func(err error) bool { return errors.As(err, new(*extent.IOError)) },
		},
		"flipped bit": {
			func(f *extent.Faults, nth int) { f.Flip(extent.OpRead, nth, 12345) },
			func(err error) bool { return errors.As(err, new(*extent.CorruptError)) },
		},
	} {
		for _, nth := range []int{1, 5} {
			var faults extent.Faults
			c.strike(&faults, nth)
			_, err := hoarding(t, faultyDisk(t, &faults), looks)
			var restore *sluice.RestoreError
			if !errors.As(err, &restore) || !c.is(err) || restore.Channel != "kept" || restore.To != mem.Host {
				t.Errorf("%s %d: %v", what, nth, err)
			}

			faults = extent.Faults{}
			c.strike(&faults, nth)
			var failures []error
			n, err := hoarding(t, faultyDisk(t, &faults), retries(&failures))
			if err != nil || n != manyPieces || len(failures) != 1 || !c.is(failures[0]) {
				t.Errorf("%s %d, tried again: %d messages, %v, after %v", what, nth, n, err, failures)
			}
		}
	}
}

func TestABitThatFlipsOnDiskIsNeverDelivered(t *testing.T) {
	for _, bit := range []int64{0, 8*piece - 1, 77_777} {
		for _, compress := range []mem.Compression{mem.Off, mem.LZ4, mem.Zstd} {
			var faults extent.Faults
			faults.Flip(extent.OpWrite, 3, bit)
			r := budgetWith(t, mem.Options{Limits: limits(4 * piece), Files: faults.Open, Compress: compress})
			n, err := hoarding(t, r, looks)
			var restore *sluice.RestoreError
			var corrupt *extent.CorruptError
			if compress != mem.Off && err == nil && n == manyPieces {
				continue // it fell on the padding behind what was compressed
			}
			if !errors.As(err, &restore) || !errors.As(err, &corrupt) || restore.Channel != "kept" {
				t.Errorf("bit %d, %v: %v", bit, compress, err)
			}
		}
	}
}

// onDevice runs a network with a node that works on a device that misbehaves. There is room
// for three pieces on the device, for one in pinned memory and for four on the host.
func onDevice(ctx context.Context, t *testing.T, faults *device.Faults) (int64, error) {
	d, err := device.NewHost(device.HostOptions{Name: "faulty", DeviceMemory: 3 * piece, PinnedMemory: piece, Faults: faults})
	errIs(t, err, nil)
	t.Cleanup(func() { errIs(t, d.Close(), nil) }) // after that of the budget
	l := limits(4 * piece)
	l[mem.Device], l[mem.Pinned] = mem.Bytes(3*piece), mem.Bytes(piece)
	r := budgetWith(t, mem.Options{Device: d, Limits: l})
	t.Cleanup(func() { settled(r) })

	net := sluice.NewNetwork("on a device", sluice.WithMemory(r), sluice.WithStallAfter(0))
	rows, computed := net.Channel("rows"), net.Channel("computed", sluice.Slots(manyPieces))
	var n atomic.Int64
	net.Node("fill", fills(rows, manyPieces), sluice.Writes(rows))
	done := net.Channel("done")
	net.Node("compute", func(ctx context.Context) error {
		for m, err := range rows.All(ctx) {
			if err == nil {
				err = computed.Send(ctx, &m)
			}
			m.Release()
			if err != nil {
				return err
			}
		}
		return nil
	}, sluice.Reads(rows).At(mem.Device), sluice.Writes(computed, done))
	net.Node("look", func(ctx context.Context) error {
		// Once all was computed: more than fits in memory of any kind.
		if m, err := done.Recv(ctx); err != io.EOF {
			m.Release()
			return err
		}
		return looks(computed, &n)(ctx)
	}, sluice.Reads(computed).At(mem.Host), sluice.Reads(done))
	err = net.Run(ctx)
	return n.Load(), err
}

// settled waits for what a device has yet to free, when it hangs no longer.
func settled(r *mem.Resource) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); runtime.Gosched() {
		var used int64
		for _, k := range r.Stats().Kinds {
			used += k.Used
		}
		if used == 0 {
			return
		}
	}
}

func TestDeviceMemoryIsSpilledThroughEveryKind(t *testing.T) {
	if n, err := onDevice(t.Context(), t, nil); err != nil || n != manyPieces {
		t.Errorf("%d messages, %v", n, err)
	}
}

func TestADeviceThatFailsAtSomethingIsTheCauseOfTheError(t *testing.T) {
	broken := errors.New("broken silicon")
	for what, strike := range map[string]func(f *device.Faults, nth int){
		"allocation":      func(f *device.Faults, nth int) { f.Fail(device.OpAlloc, nth, broken) },
		"copy":            func(f *device.Faults, nth int) { f.Fail(device.OpCopy, nth, broken) },
		"out of memory":   func(f *device.Faults, nth int) { f.Fail(device.OpAlloc, nth, device.ErrOutOfMemory) },
		"device at alloc": func(f *device.Faults, nth int) { f.Break(device.OpAlloc, nth, broken) },
		"device at copy":  func(f *device.Faults, nth int) { f.Break(device.OpCopy, nth, broken) },
	} {
		for _, nth := range []int{1, 4, 9, 30} {
			faults := &device.Faults{}
			strike(faults, nth)
			n, err := onDevice(t.Context(), t, faults)
			switch {
			case err == nil && n == manyPieces: // it was the spiller's, who tried something else
			case err == nil:
				t.Errorf("%s %d: %d messages, and no error", what, nth, n)
			case errors.Is(err, broken) || errors.Is(err, device.ErrOutOfMemory):
			default:
				t.Errorf("%s %d: the error does not name its cause: %v", what, nth, err)
			}
		}
	}
}

func TestCancellingBringsEveryNodeHomeFromADeviceThatHangs(t *testing.T) {
	for _, nth := range []int{1, 5, 12} {
		faults := &device.Faults{}
		hang := faults.Hang(device.OpCopy, nth)
		t.Cleanup(hang.Release) // before the resource is closed
		ctx, cancel := context.WithCancelCause(t.Context())
		running := later(func() (int64, error) { return onDevice(ctx, t, faults) })
		<-hang.Reached()
		cancel(errCancelled)
		<-running.done
		if !errors.Is(running.err, errCancelled) {
			t.Errorf("copy %d hangs: %v", nth, running.err)
		}
		var leak *mem.LeakError
		if errors.As(running.err, &leak) {
			for _, l := range leak.Leaks {
				if l.Used != (mem.Amount{}) || l.Reserved != (mem.Amount{}) || l.Queued == (mem.Amount{}) {
					t.Errorf("copy %d hangs, and not only what it uses is left: %v", nth, leak)
				}
			}
		}
		hang.Release()
	}
}

func TestASenderThatGivesUpWaitsForTheSpillOfWhatItHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTokens(t, 1, 8*piece)
		done := make(chan struct{})
		err := k.run(func(ctx context.Context) error {
			if err := k.send(ctx); err != nil {
				return err
			}
			impatient, cancel := context.WithCancel(ctx)
			sending := try(func() error { return k.send(impatient) })
			synctest.Wait()
			want := k.want(ctx, 6*piece)
			victim := <-k.spilling
			cancel()
			synctest.Wait()
			if victim.number != 1 || sending.over() || victim.released.Load() {
				t.Errorf("message %d is being spilled; the send has returned: %v", victim.number, sending.over())
			}
			k.made[0].goOn <- nil // which the spiller may try then
			victim.goOn <- errDisk
			<-sending.done
			errIs(t, sending.err, context.Canceled)
			<-want.done
			close(done)
			return want.err
		}, func(ctx context.Context) error {
			<-done
			for m, err := range k.rows.All(ctx) {
				if err != nil {
					return err
				}
				m.Release()
			}
			return nil
		})
		errIs(t, err, nil)
	})
}
