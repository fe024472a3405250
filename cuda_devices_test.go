package sluice_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
)

// A deviceOpener returns a device that holds nothing, for one run. end gives it back, and
// fails the test if the run has left something on it.
type deviceOpener func(t testing.TB) (d device.Device, end func())

// testDevices are what tests run on that are to hold on every device.
var testDevices = []struct {
	name   string
	opener func(t testing.TB) deviceOpener
}{
	{"host", func(testing.TB) deviceOpener { return openHost }},
	{"simulated", func(testing.TB) deviceOpener { return openSimulated }},
	{"gpu", openGPU},
}

func openHost(t testing.TB) (device.Device, func()) {
	t.Helper()
	d, err := device.NewHost(device.HostOptions{DeviceMemory: 1 << 20, PinnedMemory: 1 << 20})
	errIs(t, err, nil)
	return d, func() { errIs(t, d.Close(), nil) }
}

func openSimulated(t testing.TB) (device.Device, func()) {
	t.Helper()
	sim := cudatest.New(cudatest.Options{Memory: 1 << 20})
	d, err := sim.Open(0, cuda.Options{PinnedMemory: 1 << 20})
	errIs(t, err, nil)
	return d, func() {
		errIs(t, d.Close(), nil)
		checkSim(t, sim)
	}
}

// checkSim fails the test unless a simulated driver was used rightly, and got everything
// back.
func checkSim(t testing.TB, sim *cudatest.Sim) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := sim.Check(ctx); err != nil {
		t.Errorf("the driver was used wrongly: %v", err)
	}
}

// openGPU opens a GPU for the whole test, because that takes a good part of a second, and
// skips the test where there is none.
func openGPU(t testing.TB) deviceOpener {
	t.Helper()
	d, err := cuda.Open(0, cuda.Options{})
	if errors.Is(err, cuda.ErrUnavailable) || errors.Is(err, cuda.ErrNoDevice) {
		t.Skip(err)
	}
	errIs(t, err, nil)
	t.Cleanup(func() { errIs(t, d.Close(), nil) })
	return func(testing.TB) (device.Device, func()) { return d, func() {} }
}
