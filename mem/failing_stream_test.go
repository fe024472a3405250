package mem_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
	"github.com/seed14ed4225/sluice/mem"
)

// TestABufferThatIsReadOnAStreamThatFailsStaysUntilItIsRead has the same steps on every
// device. What is freed too early the simulated driver notices.
func TestABufferThatIsReadOnAStreamThatFailsStaysUntilItIsRead(t *testing.T) {
	for _, c := range []struct {
		name string
		open func(t *testing.T) (d device.Device, hang func() (reached <-chan struct{}, release func()))
	}{
		{"host", func(t *testing.T) (device.Device, func() (<-chan struct{}, func())) {
			var faults device.Faults
			return newDevice(t, &faults), func() (<-chan struct{}, func()) {
				h := faults.Hang(device.OpCopy, 1)
				return h.Reached(), h.Release
			}
		}},
		{"cuda", func(t *testing.T) (device.Device, func() (<-chan struct{}, func())) {
			sim := cudatest.New(cudatest.Options{Memory: 64 << 20})
			d, err := sim.Open(0, cuda.Options{PinnedMemory: 64 << 20})
			errIs(t, err, nil)
			t.Cleanup(func() {
				errIs(t, d.Close(), nil)
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
				defer cancel()
				errIs(t, sim.Check(ctx), nil)
			})
			return d, func() (<-chan struct{}, func()) {
				h := sim.HangWork("cuMemcpyDtoHAsync", 1)
				return h.Reached(), h.Release
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, hang := c.open(t)
			r := newResource(t, mem.Options{Device: d})
			own, reader, other := newStream(t, d, "own"), newStream(t, d, "reader"), newStream(t, d, "other")
			b := alloc(t, r, mem.Device, 100, own)
			errIs(t, b.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, 1) }), nil)
			to, err := d.AllocPinned(100)
			errIs(t, err, nil)
			errIs(t, own.Sync(context.Background()), nil)
			errIs(t, other.Do("fails", func() error { return errors.New("no") }), nil)
			failed := other.Record()
			if failed.Wait(context.Background()) == nil {
				t.Fatal("a function that fails is no failure")
			}

			reached, release := hang()
			errIs(t, b.Read(reader, func(src device.Span) error {
				return errors.Join(reader.Copy(to.All(), src), reader.WaitFor(failed))
			}), nil)
			<-reached
			b.Release()
			if used := r.Stats().Kinds[mem.Device].Used; used != 100 {
				t.Errorf("%d bytes count while 100 are still read", used)
			}
			next := alloc(t, r, mem.Device, 100, own) // where the first was, if that has gone
			release()
			next.Release()
			errIs(t, reader.Free(to), nil)
			_ = reader.Sync(context.Background())
		})
	}
}
