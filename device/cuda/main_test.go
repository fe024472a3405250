package cuda_test

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

var _ device.Device = (*cuda.Device)(nil)

// newSim makes a simulated driver that must have been used rightly at the end of the test.
func newSim(t testing.TB, opts cudatest.Options) *cudatest.Sim {
	t.Helper()
	sim := cudatest.New(opts)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := sim.Check(ctx); err != nil {
			t.Errorf("the driver was used wrongly: %v", err)
		}
	})
	return sim
}

// newDevice opens the first device of a driver, which must hold nothing at the end.
func newDevice(t testing.TB, sim *cudatest.Sim, opts cuda.Options) *cuda.Device {
	t.Helper()
	d, err := sim.Open(0, opts)
	errIs(t, err, nil)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("at the end: %v", err)
		}
	})
	return d
}

func newStream(t testing.TB, d device.Device, name string) device.Stream {
	t.Helper()
	s, err := d.NewStream(device.StreamOptions{Name: name})
	errIs(t, err, nil)
	return s
}

// errIs fails the test unless err is want, or wraps it; a nil want is no error.
func errIs(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

func mustSync(t testing.TB, s device.Stream) {
	t.Helper()
	errIs(t, s.Sync(context.Background()), nil)
}
