package cuda_test

import (
	"strings"
	"testing"

	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// lacks is a driver whose devices lack something.
type lacks struct {
	driver.Driver
	attribute int
}

func (l lacks) DeviceGetAttribute(attribute int, d driver.Device) (int, driver.Result) {
	value, r := l.Driver.DeviceGetAttribute(attribute, d)
	if attribute == l.attribute {
		value = 0
	}
	return value, r
}

func TestADeviceThatLacksWhatIsNeededIsNotOpened(t *testing.T) {
	for attribute, says := range map[int]string{
		driver.AttrMemoryPools:       "Simulated GPU has no memory pools",
		driver.AttrUnifiedAddressing: "Simulated GPU has no unified addresses",
	} {
		_, err := cuda.OpenDriver(lacks{newSim(t, cudatest.Options{}), attribute}, 0, cuda.Options{})
		errIs(t, err, cuda.ErrNoDevice)
		if !strings.Contains(err.Error(), says) {
			t.Errorf("error is %v, want one that says %q", err, says)
		}
	}
}

func TestADeviceThatCannotBeAskedIsListedWithItsError(t *testing.T) {
	sim := newSim(t, cudatest.Options{Devices: 3})
	for _, call := range []string{"cuDeviceGet", "cuDeviceGetName", "cuDeviceTotalMem"} {
		sim.Fail(call, 2, 999)
		all, err := cuda.DevicesOf(sim)
		errIs(t, err, nil)
		if len(all) != 3 || all[0].Err != nil || all[1].Err == nil || all[1].Ordinal != 1 || all[2].Err != nil || all[2].Model == "" {
			t.Errorf("%s fails for one of three: listed %+v", call, all)
		}
	}
}
