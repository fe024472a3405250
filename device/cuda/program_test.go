package cuda_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
)

func TestAProgramIsLoadedOnceOnEachDeviceAndUnloadedWithIt(t *testing.T) {
	sim := newSim(t, cudatest.Options{Devices: 2})
	p := cuda.NewProgram("ours", axpyPTX(t))
	for i := range 2 {
		d, err := sim.Open(i, cuda.Options{})
		errIs(t, err, nil)
		if n := sim.Calls("cuModuleLoadDataEx"); n != i {
			t.Errorf("loaded %d times before it was needed on device %d", n, i)
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := p.Function(d, axpyName); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := sim.Calls("cuModuleLoadDataEx"); n != i+1 {
			t.Errorf("loaded %d times on %d devices", n, i+1)
		}
		errIs(t, d.Close(), nil)
		if n := sim.Calls("cuModuleUnload"); n != i+1 {
			t.Errorf("unloaded %d times from %d devices", n, i+1)
		}
		_, err = p.Function(d, axpyName)
		errIs(t, err, device.ErrClosed)
	}
}

func TestAProgramThatDidNotLoadIsTriedAgain(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	p := cuda.NewProgram("ours", axpyPTX(t))
	sim.Fail("cuModuleLoadDataEx", 1, 2)
	var why *cuda.Error
	if _, err := p.Function(d, axpyName); !errors.As(err, &why) || why.Code != 2 {
		t.Errorf("error is %v, want that of the driver", err)
	}
	_, err := p.Function(d, axpyName)
	errIs(t, err, nil)
}

func TestAProgramWithoutADeviceIsAnError(t *testing.T) {
	_, err := cuda.NewProgram("ours", axpyPTX(t)).Function(nil, axpyName)
	if err == nil || !strings.Contains(err.Error(), `program "ours": kernel "sluice_axpy_f32": the device is nil`) {
		t.Errorf("error is %v", err)
	}
}
