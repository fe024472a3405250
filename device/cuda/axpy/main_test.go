package axpy_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
)

// Every test of the package fails if a goroutine outlives it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func errIs(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

// onEach runs a test on every kind of device, which must hold nothing at its end. That on a GPU
// is skipped where there is none.
func onEach(t *testing.T, test func(*testing.T, device.Device)) {
	t.Run("host", func(t *testing.T) {
		d, err := device.NewHost(device.HostOptions{})
		errIs(t, err, nil)
		test(t, d)
		errIs(t, d.Close(), nil)
	})
	t.Run("simulated", func(t *testing.T) {
		sim := cudatest.New(cudatest.Options{})
		d, err := sim.Open(0, cuda.Options{})
		errIs(t, err, nil)
		test(t, d)
		errIs(t, d.Close(), nil)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		errIs(t, sim.Check(ctx), nil)
	})
	t.Run("GPU", func(t *testing.T) {
		d, err := cuda.Open(0, cuda.Options{})
		if errors.Is(err, cuda.ErrUnavailable) || errors.Is(err, cuda.ErrNoDevice) {
			t.Skip(err)
		}
		errIs(t, err, nil)
		test(t, d)
		errIs(t, d.Close(), nil)
	})
}

func newStream(t testing.TB, d device.Device) device.Stream {
	t.Helper()
	s, err := d.NewStream(device.StreamOptions{Name: "s"})
	errIs(t, err, nil)
	return s
}
