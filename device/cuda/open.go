package cuda

import (
	"fmt"
	"runtime"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
	"github.com/seed14ed4225/sluice/internal/machine"
)

// Options are what a device is opened with. The zero value works.
type Options struct {
	// Name is what errors and reports call the device. Default "cuda:" and its number.
	Name string

	// PinnedMemory is how many bytes [Device.AllocPinned] gives out at most. Default a
	// quarter of the machine's memory. Nothing is pinned before it is asked for.
	PinnedMemory int64

	// KeepMemory is how many bytes of device memory the pool keeps for reuse when
	// nobody has them. What is beyond goes back to the driver when it
	// synchronises, and costs time to get again. Default half of the device's memory;
	// 1 keeps nothing, which is kind to other processes.
	KeepMemory int64

	// Trace is told what the device has done. See the package's doc for how well
	// that is known.
	Trace device.Trace
}

// Info says what a device is.
type Info struct {
	Ordinal         int
	Model           string // such as "NVIDIA H100 80GB HBM3"
	UUID            string // such as "GPU-8a5c...", as nvidia-smi shows it; it begins so for a MIG instance, too, where nvidia-smi says MIG-
	PCI             string // domain:bus:device.function
	Capability      [2]int // compute capability, major and minor
	Multiprocessors int
	CopyEngines     int
	Memory          int64  // bytes
	DriverVersion   [2]int // the CUDA version the driver is of

	// Err is why the device could not be asked for all of this, in a list of devices.
	// Its Ordinal is right, what else is known may be zero, and Open fails.
	Err error
}

// Devices lists the devices of this machine, also those that are broken: they have an
// [Info].Err. The error wraps [ErrUnavailable] if there
// is no driver, and [ErrNoDevice] if there is one but no device.
func Devices() ([]Info, error) {
	drv, err := driver.Load()
	if err != nil {
		return nil, err
	}
	return devices(drv)
}

func devices(drv driver.Driver) ([]Info, error) {
	n, err := count(drv)
	if err != nil {
		return nil, err
	}
	all := make([]Info, n)
	for i := range all {
		_, all[i], err = look(drv, i)
		all[i].Ordinal, all[i].Err = i, err
	}
	return all, nil
}

// Open opens a device by its number, from 0 on. It works on the device's primary context,
// which it shares with whatever else in the process uses the device. Opening may
// take a good part of a second; close the device when it is not needed any more. The
// error wraps [ErrUnavailable] or [ErrNoDevice], or is an *[Error].
func Open(ordinal int, opts Options) (*Device, error) {
	if ordinal < 0 { // is wrong with and without a driver
		return OpenDriver(nil, ordinal, opts)
	}
	drv, err := driver.Load()
	if err != nil {
		return nil, fmt.Errorf("opening CUDA device %d: %w", ordinal, err)
	}
	return OpenDriver(drv, ordinal, opts)
}

// OpenDriver is [Open] with another driver: package cudatest has one that needs no
// hardware. Nothing outside of this folder can name the type.
func OpenDriver(drv driver.Driver, ordinal int, opts Options) (*Device, error) {
	d, err := open(drv, ordinal, opts)
	if err != nil {
		return nil, fmt.Errorf("opening CUDA device %d: %w", ordinal, err)
	}
	return d, nil
}

// count starts the driver and returns how many devices it has.
func count(drv driver.Driver) (int, error) {
	r := drv.Init()
	switch r {
	case driver.Success:
	case driver.NoDevice:
		return 0, fmt.Errorf("%w: the driver sees none; look at nvidia-smi and CUDA_VISIBLE_DEVICES: %w", ErrNoDevice, newError(drv, "cuInit", r))
	case driver.SystemNotReady, driver.SystemDriverMismatch:
		return 0, fmt.Errorf("%w: the library and the kernel's module do not fit, or a service is not up; see whether nvidia-smi works: %w", ErrUnavailable, newError(drv, "cuInit", r))
	default:
		return 0, fmt.Errorf("%w: %w", ErrUnavailable, newError(drv, "cuInit", r))
	}
	n, r := drv.DeviceGetCount()
	switch {
	case r != driver.Success:
		return 0, newError(drv, "cuDeviceGetCount", r)
	case n < 0:
		return 0, fmt.Errorf("%w: it says that it has %d devices; see whether nvidia-smi works", ErrUnavailable, n)
	case n == 0:
		return 0, fmt.Errorf("%w: the driver sees none; look at nvidia-smi and CUDA_VISIBLE_DEVICES", ErrNoDevice)
	}
	return n, nil
}

// look asks what a device is. The driver is started.
func look(drv driver.Driver, ordinal int) (at driver.Device, info Info, err error) {
	failed := func(call string, r driver.Result) bool {
		if r != driver.Success && err == nil {
			err = newError(drv, call, r)
		}
		return err != nil
	}
	at, r := drv.DeviceGet(ordinal)
	if failed("cuDeviceGet", r) {
		return at, info, err
	}
	info.Ordinal = ordinal
	info.Model, r = drv.DeviceGetName(at)
	failed("cuDeviceGetName", r)
	id, r := drv.DeviceGetUUID(at)
	failed("cuDeviceGetUuid", r)
	info.UUID = fmt.Sprintf("GPU-%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	info.PCI, r = drv.DeviceGetPCIBusID(at)
	failed("cuDeviceGetPCIBusId", r)
	total, r := drv.DeviceTotalMem(at)
	failed("cuDeviceTotalMem", r)
	info.Memory = int64(total)
	for attribute, to := range map[int]*int{
		driver.AttrMajor:           &info.Capability[0],
		driver.AttrMinor:           &info.Capability[1],
		driver.AttrMultiprocessors: &info.Multiprocessors,
		driver.AttrAsyncEngines:    &info.CopyEngines,
	} {
		*to, r = drv.DeviceGetAttribute(attribute, at)
		failed("cuDeviceGetAttribute", r)
	}
	version, r := drv.DriverGetVersion()
	failed("cuDriverGetVersion", r)
	info.DriverVersion = [2]int{version / 1000, version % 1000 / 10}
	return at, info, err
}

func open(drv driver.Driver, ordinal int, opts Options) (*Device, error) {
	if opts.PinnedMemory < 0 || opts.KeepMemory < 0 {
		return nil, fmt.Errorf("PinnedMemory is %d and KeepMemory %d: give positive numbers, or 0 for the defaults", opts.PinnedMemory, opts.KeepMemory)
	}
	if ordinal < 0 {
		return nil, fmt.Errorf("%w: they are numbered from 0 on", ErrNoDevice)
	}
	n, err := count(drv)
	switch {
	case err != nil:
		return nil, err
	case ordinal >= n && n == 1:
		return nil, fmt.Errorf("%w: there is one, cuda:0", ErrNoDevice)
	case ordinal >= n:
		return nil, fmt.Errorf("%w: there are %d, numbered from 0 to %d", ErrNoDevice, n, n-1)
	}
	at, info, err := look(drv, ordinal)
	if err != nil {
		return nil, err
	}
	for _, need := range []struct {
		attribute int
		what      string
	}{
		{driver.AttrMemoryPools, "memory pools"},
		{driver.AttrUnifiedAddressing, "unified addresses"}, // pinned memory has one address for both
	} {
		if has, r := drv.DeviceGetAttribute(need.attribute, at); r != driver.Success {
			return nil, newError(drv, "cuDeviceGetAttribute", r)
		} else if has == 0 {
			return nil, fmt.Errorf("%w: %s has no %s, which this package needs", ErrNoDevice, info.Model, need.what)
		}
	}
	if opts.Name == "" {
		opts.Name = fmt.Sprintf("cuda:%d", ordinal)
	}
	if opts.PinnedMemory == 0 {
		opts.PinnedMemory = machine.Memory() / 4
	}
	if opts.KeepMemory == 0 {
		opts.KeepMemory = info.Memory / 2
	}
	d := newDevice(drv, at, info, opts)
	if err := d.start(opts); err != nil {
		d.giveBack()
		return nil, err
	}
	return d, nil
}

// start takes from the driver what every device needs. What it got is given back by
// giveBack, also after an error.
func (d *Device) start(opts Options) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var r driver.Result
	if d.ctx, r = d.drv.PrimaryCtxRetain(d.at); r != driver.Success {
		return newError(d.drv, "cuDevicePrimaryCtxRetain", r)
	}
	if r = d.drv.CtxSetCurrent(d.ctx); r != driver.Success {
		return newError(d.drv, "cuCtxSetCurrent", r)
	}
	if d.least, d.greatest, r = d.drv.CtxGetStreamPriorityRange(); r != driver.Success {
		return newError(d.drv, "cuCtxGetStreamPriorityRange", r)
	}
	props := driver.DevicePool(d.at)
	if d.pool, r = d.drv.MemPoolCreate(&props); r != driver.Success {
		return newError(d.drv, "cuMemPoolCreate", r)
	}
	if r = d.drv.MemPoolSetAttribute(d.pool, driver.PoolReleaseThreshold, uint64(opts.KeepMemory)); r != driver.Success {
		return newError(d.drv, "cuMemPoolSetAttribute", r)
	}
	own, r := d.drv.StreamCreateWithPriority(driver.StreamNonBlocking, d.least)
	if r != driver.Success {
		return newError(d.drv, "cuStreamCreateWithPriority", r)
	}
	d.own = &stream{dev: d, name: "own", handle: own}
	return nil
}
