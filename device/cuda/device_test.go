package cuda_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
	"github.com/seed14ed4225/sluice/device/devicetest"
)

func TestTheDevicePassesTheSuiteOnASimulatedDriver(t *testing.T) {
	for _, slow := range []time.Duration{0, 50 * time.Microsecond} {
		t.Run(slow.String(), func(t *testing.T) {
			var sims sync.Map
			devicetest.Run(t, func(t *testing.T) device.Device {
				sim := newSim(t, cudatest.Options{Memory: 256 << 20, Slow: slow})
				d, err := sim.Open(0, cuda.Options{})
				errIs(t, err, nil)
				sims.Store(d, sim)
				return d
			}, devicetest.Caps{
				ExactMemory: true,
				Break: func(d device.Device) error {
					sim, _ := sims.Load(d)
					sim.(*cudatest.Sim).Break(0, 700)
					return nil
				},
				Faults: func(d device.Device) devicetest.Faults {
					sim, _ := sims.Load(d)
					return simFaults{sim.(*cudatest.Sim)}
				},
			})
		})
	}
}

// simFaults make a device misbehave by way of its driver.
type simFaults struct{ sim *cudatest.Sim }

var callsOf = map[device.Op]string{
	device.OpAlloc: "cuMemAllocFromPoolAsync", device.OpFree: "cuMemFreeAsync",
	device.OpCopy: "cuMemcpyDtoHAsync", device.OpFill: "cuMemsetD8Async",
}

func (f simFaults) Fail(op device.Op, nth int) func(error) bool {
	call, some := callsOf[op]
	if !some {
		return nil // the driver has no part in functions
	}
	f.sim.Fail(call, nth, 1)
	return func(err error) bool {
		var why *cuda.Error
		return errors.As(err, &why) && why.Call == call && why.Code == 1
	}
}

func (f simFaults) Exhaust() {
	for nth := 1; nth <= 2; nth++ { // it tries again after it has given back what it keeps
		f.sim.Fail(callsOf[device.OpAlloc], nth, 2)
	}
}

func (f simFaults) Hang(op device.Op, nth int) (<-chan struct{}, func()) {
	h := f.sim.HangWork(callsOf[op], nth)
	return h.Reached(), h.Release
}
