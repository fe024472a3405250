package cuda_test

import (
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
				Break: func(d device.Device) error {
					sim, _ := sims.Load(d)
					sim.(*cudatest.Sim).Break(0, 700)
					return nil
				},
			})
		})
	}
}
