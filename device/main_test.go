package device_test

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed14ed4225/sluice/device"
)

// Every test of the package fails if a goroutine outlives it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newHost makes a host device that must hold nothing at the end of the test.
func newHost(t testing.TB, opts device.HostOptions) *device.Host {
	t.Helper()
	d, err := device.NewHost(opts)
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

var errTest = errors.New("test failure")
