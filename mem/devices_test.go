package mem_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
)

// onEachDevice runs a test on every kind of device: the host, a GPU whose driver is
// simulated, and a real one, where there is one. open returns a device that must hold
// nothing at the end of the test.
func onEachDevice(t *testing.T, test func(t *testing.T, open func() device.Device)) {
	t.Run("host", func(t *testing.T) {
		test(t, func() device.Device { return newDevice(t, nil) })
	})
	t.Run("simulated", func(t *testing.T) {
		test(t, func() device.Device { return newSimulated(t) })
	})
	t.Run("gpu", func(t *testing.T) {
		d := newGPU(t)
		test(t, func() device.Device { return d })
	})
}

// newSimulated makes a GPU without hardware. That it was used rightly is looked at, too.
func newSimulated(t testing.TB) *cuda.Device {
	t.Helper()
	sim := cudatest.New(cudatest.Options{Memory: 64 << 20})
	d, err := sim.Open(0, cuda.Options{PinnedMemory: 64 << 20})
	errIs(t, err, nil)
	t.Cleanup(func() {
		errIs(t, d.Close(), nil)
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		errIs(t, sim.Check(ctx), nil)
	})
	return d
}

// newGPU opens the first GPU, or skips the test.
func newGPU(t testing.TB) *cuda.Device {
	t.Helper()
	d, err := cuda.Open(0, cuda.Options{})
	if errors.Is(err, cuda.ErrUnavailable) || errors.Is(err, cuda.ErrNoDevice) {
		t.Skip(err)
	}
	errIs(t, err, nil)
	t.Cleanup(func() { errIs(t, d.Close(), nil) })
	return d
}
