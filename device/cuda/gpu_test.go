package cuda_test

import (
	"errors"
	"testing"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/devicetest"
)

// What is here runs on a GPU, and is skipped where there is none.

func newGPU(t testing.TB) *cuda.Device {
	t.Helper()
	d, err := cuda.Open(0, cuda.Options{})
	if errors.Is(err, cuda.ErrUnavailable) || errors.Is(err, cuda.ErrNoDevice) {
		t.Skip(err)
	}
	errIs(t, err, nil)
	return d
}

func TestWithoutADriverTheErrorSaysSo(t *testing.T) {
	all, err := cuda.Devices()
	switch {
	case err == nil:
		t.Logf("there is one: %+v", all)
	case !errors.Is(err, cuda.ErrUnavailable) && !errors.Is(err, cuda.ErrNoDevice):
		t.Errorf("error is %v", err)
	}
}

func TestTheDevicePassesTheSuiteOnAGPU(t *testing.T) {
	errIs(t, newGPU(t).Close(), nil)
	devicetest.Run(t, func(t *testing.T) device.Device { return newGPU(t) }, devicetest.Caps{})
}

// fault is PTX of a kernel that writes where it must not.
const fault = `.version 6.0
.target sm_60
.address_size 64
.visible .entry fault()
{
	.reg .u64 %a;
	.reg .u32 %v;
	mov.u64 %a, 16;
	mov.u32 %v, 1;
	st.global.u32 [%a], %v;
	ret;
}
`

func TestAKernelThatFaultsOnAGPUEndsTheDevice(t *testing.T) {
	d := newGPU(t)
	defer func() { errIs(t, d.Close(), nil) }()
	m, err := d.Load("fault", []byte(fault))
	errIs(t, err, nil)
	f, err := m.Function("fault")
	errIs(t, err, nil)
	s, other := newStream(t, d, "s"), newStream(t, d, "other")
	opened := make(chan struct{})
	defer close(opened)
	errIs(t, other.Do("gate", func() error { <-opened; return nil }), nil)
	errIs(t, f.Launch(s, f.Over(1)), nil)
	for _, s := range []device.Stream{s, other} {
		var failed *device.FailedError
		if err := s.Sync(t.Context()); !errors.As(err, &failed) {
			t.Errorf("stream %q: error is %v, want a FailedError", s.Name(), err)
		}
	}
}
