package cuda_test

import (
	"cmp"
	"errors"
	"strings"
	"testing"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

func TestOpenSaysWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		call    string
		code    int
		ordinal int
		devices int // 2 if not given
		want    error
		says    string
	}{
		{ordinal: 2, want: cuda.ErrNoDevice, says: "there are 2, numbered from 0 to 1"},
		{ordinal: -1, want: cuda.ErrNoDevice, says: "opening CUDA device -1: no such CUDA device: they are numbered from 0 on"},
		{ordinal: 1, devices: 1, want: cuda.ErrNoDevice, says: "there is one, cuda:0"},
		{call: "cuInit", code: 100, want: cuda.ErrNoDevice, says: "CUDA_VISIBLE_DEVICES"},
		{call: "cuInit", code: 803, want: cuda.ErrUnavailable, says: "nvidia-smi"},
		{call: "cuInit", code: 999, want: cuda.ErrUnavailable, says: "cuInit"},
	} {
		sim := newSim(t, cudatest.Options{Devices: cmp.Or(c.devices, 2)})
		if c.call != "" {
			sim.Fail(c.call, 1, c.code)
		}
		_, err := sim.Open(c.ordinal, cuda.Options{})
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("error is %v, want %v that says %q", err, c.want, c.says)
		}
	}
	if _, err := newSim(t, cudatest.Options{}).Open(0, cuda.Options{PinnedMemory: -1}); err == nil || !strings.Contains(err.Error(), "PinnedMemory") {
		t.Errorf("error is %v, want one about PinnedMemory", err)
	}
}

func TestANumberThatNoDeviceHasIsWrongWithoutADriver(t *testing.T) {
	_, err := cuda.Open(-1, cuda.Options{})
	if !errors.Is(err, cuda.ErrNoDevice) || errors.Is(err, cuda.ErrUnavailable) {
		t.Errorf("error is %v, want ErrNoDevice", err)
	}
}

// wrongCount is a driver that does not know how many devices it has.
type wrongCount struct{ driver.Driver }

func (wrongCount) DeviceGetCount() (int, driver.Result) { return -3, driver.Success }

func TestACountOfDevicesThatMakesNoSenseIsAnError(t *testing.T) {
	drv := wrongCount{newSim(t, cudatest.Options{})}
	_, opened := cuda.OpenDriver(drv, 0, cuda.Options{})
	_, listed := cuda.DevicesOf(drv)
	for _, err := range []error{opened, listed} {
		if !errors.Is(err, cuda.ErrUnavailable) || !strings.Contains(err.Error(), "-3 devices") {
			t.Errorf("error is %v, want one that says how many", err)
		}
	}
}

func TestAnOpenThatFailsGivesEverythingBack(t *testing.T) {
	for _, call := range []string{
		"cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetName", "cuDeviceGetUuid", "cuDeviceGetPCIBusId",
		"cuDeviceTotalMem", "cuDeviceGetAttribute", "cuDriverGetVersion", "cuDevicePrimaryCtxRetain",
		"cuCtxSetCurrent", "cuCtxGetStreamPriorityRange", "cuMemPoolCreate", "cuMemPoolSetAttribute",
		"cuStreamCreateWithPriority",
	} {
		sim := newSim(t, cudatest.Options{})
		sim.Fail(call, 1, 1)
		_, err := sim.Open(0, cuda.Options{})
		var failed *cuda.Error
		if !errors.As(err, &failed) || failed.Call != call || failed.Code != 1 || failed.Name == "" || failed.Text == "" {
			t.Errorf("error is %v, want one of %s", err, call)
		}
	}
}

func TestADeviceSaysWhatItIs(t *testing.T) {
	d := newDevice(t, newSim(t, cudatest.Options{Memory: 1 << 20}), cuda.Options{})
	want := cuda.Info{
		Model: "Simulated GPU", UUID: "GPU-51000000-0000-0000-0000-000000000000", PCI: "0000:01:00.0",
		Capability: [2]int{9, 0}, Multiprocessors: 4, CopyEngines: 2, Memory: 1 << 20, DriverVersion: [2]int{12, 4},
	}
	if got := d.Info(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if p := d.Properties(); p.Name != "cuda:0" || p.Model != "Simulated GPU" {
		t.Errorf("properties are %+v", p)
	}
}

func TestTwoDevicesAreNotMixedUp(t *testing.T) {
	sim := newSim(t, cudatest.Options{Devices: 2})
	var streams []device.Stream
	for i := range 2 {
		d, err := sim.Open(i, cuda.Options{})
		errIs(t, err, nil)
		defer func() { errIs(t, d.Close(), nil) }()
		streams = append(streams, newStream(t, d, "s"))
	}
	for i := range 50 {
		from, to := streams[i%2], streams[(i+1)%2]
		a, err := from.Alloc(100)
		errIs(t, err, nil)
		b, err := to.Alloc(100)
		errIs(t, err, nil)
		between := make([]byte, 100)
		got := make([]byte, 100)
		errIs(t, from.Fill(a.All(), byte(i)), nil)
		errIs(t, from.Copy(device.Bytes(between), a.All()), nil)
		errIs(t, to.WaitFor(from.Record()), nil)
		errIs(t, to.Copy(b.All(), device.Bytes(between)), nil)
		errIs(t, to.Copy(device.Bytes(got), b.All()), nil)
		errIs(t, from.Free(a), nil)
		errIs(t, to.Free(b), nil)
		mustSync(t, to)
		if got[99] != byte(i) {
			t.Fatalf("round %d: got %d", i, got[99])
		}
	}
}

func TestADeviceThatHasFailedCanBeOpenedAgain(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d, err := sim.Open(0, cuda.Options{})
	errIs(t, err, nil)
	s := newStream(t, d, "s")
	b, err := s.Alloc(100)
	errIs(t, err, nil)
	sim.Break(0, 700)
	var failed *device.FailedError
	var why *cuda.Error
	if err := s.Fill(b.All(), 1); !errors.As(err, &failed) || !errors.As(err, &why) || why.Code != 700 {
		t.Fatalf("error is %v, want a FailedError with the code 700", err)
	}
	errIs(t, s.Free(b), nil)
	errIs(t, d.Close(), nil)

	d = newDevice(t, sim, cuda.Options{})
	s = newStream(t, d, "s")
	b, err = s.Alloc(100)
	errIs(t, err, nil)
	errIs(t, s.Fill(b.All(), 1), nil)
	errIs(t, s.Free(b), nil)
	mustSync(t, s)
}
