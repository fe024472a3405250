package cudatest

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// Init is of the driver.
func (s *Sim) Init() driver.Result { return s.plain("cuInit") }

// plain is a call that needs no context.
func (s *Sim) plain(call string) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.strike(call)
}

// DriverGetVersion is of the driver.
func (s *Sim) DriverGetVersion() (int, driver.Result) { return 12040, s.plain("cuDriverGetVersion") }

// GetErrorName is of the driver.
func (s *Sim) GetErrorName(r driver.Result) string { return fmt.Sprintf("CUDA_ERROR_SIMULATED_%d", r) }

// GetErrorString is of the driver.
func (s *Sim) GetErrorString(r driver.Result) string { return fmt.Sprintf("simulated error %d", r) }

// DeviceGetCount is of the driver.
func (s *Sim) DeviceGetCount() (int, driver.Result) {
	return s.opts.Devices, s.plain("cuDeviceGetCount")
}

// DeviceGet is of the driver.
func (s *Sim) DeviceGet(ordinal int) (driver.Device, driver.Result) {
	if ordinal < 0 || ordinal >= s.opts.Devices {
		return 0, driver.InvalidDevice
	}
	return driver.Device(ordinal), s.plain("cuDeviceGet")
}

// DeviceGetName is of the driver.
func (s *Sim) DeviceGetName(driver.Device) (string, driver.Result) {
	return "Simulated GPU", s.plain("cuDeviceGetName")
}

// DeviceGetUUID is of the driver.
func (s *Sim) DeviceGetUUID(d driver.Device) ([16]byte, driver.Result) {
	return [16]byte{0: 0x51, 15: byte(d)}, s.plain("cuDeviceGetUuid")
}

// DeviceGetPCIBusID is of the driver.
func (s *Sim) DeviceGetPCIBusID(d driver.Device) (string, driver.Result) {
	return fmt.Sprintf("0000:%02X:00.0", int(d)+1), s.plain("cuDeviceGetPCIBusId")
}

// DeviceTotalMem is of the driver.
func (s *Sim) DeviceTotalMem(driver.Device) (uint64, driver.Result) {
	return uint64(s.opts.Memory), s.plain("cuDeviceTotalMem")
}

// DeviceGetAttribute is of the driver.
func (s *Sim) DeviceGetAttribute(attribute int, _ driver.Device) (int, driver.Result) {
	values := map[int]int{
		driver.AttrMajor: 9, driver.AttrMinor: 0, driver.AttrMultiprocessors: 4,
		driver.AttrAsyncEngines: 2, driver.AttrUnifiedAddressing: 1, driver.AttrMemoryPools: 1,
		driver.AttrMaxThreadsPerBlock: maxThreads, driver.AttrMaxSharedPerBlock: maxShared,
		driver.AttrMaxBlockX: maxThreads, driver.AttrMaxBlockX + 1: maxThreads, driver.AttrMaxBlockX + 2: 64,
		driver.AttrMaxGridX: math.MaxInt32, driver.AttrMaxGridX + 1: math.MaxUint16, driver.AttrMaxGridX + 2: math.MaxUint16,
	}
	return values[attribute], s.plain("cuDeviceGetAttribute")
}

// PrimaryCtxRetain is of the driver.
func (s *Sim) PrimaryCtxRetain(at driver.Device) (driver.Context, driver.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.strike("cuDevicePrimaryCtxRetain"); r != driver.Success {
		return 0, r
	}
	d := s.mu.devices[at]
	if d.retained == 0 {
		d.sticky, d.broken = driver.Success, make(chan struct{})
	}
	d.retained++
	return d.ctx, driver.Success
}

// PrimaryCtxRelease is of the driver. With the last release everything of the context goes.
func (s *Sim) PrimaryCtxRelease(at driver.Device) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuDevicePrimaryCtxRelease"
	if r := s.strike(call); r != driver.Success {
		return r
	}
	d := s.mu.devices[at]
	if d.retained == 0 {
		return s.violate(driver.InvalidContext, "%s: the context of device %d is not retained", call, at)
	}
	if d.retained--; d.retained > 0 {
		return driver.Success
	}
	for h, st := range s.mu.streams {
		if st.dev == d && st.destroyed {
			delete(s.mu.streams, h)
		}
	}
	if d.sticky != driver.Success { // nothing could be freed
		s.mu.allocs = slices.DeleteFunc(s.mu.allocs, func(a *alloc) bool { return a.dev == d })
	}
	return driver.Success
}

// CtxSetCurrent is of the driver.
func (s *Sim) CtxSetCurrent(ctx driver.Context) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuCtxSetCurrent"
	if r := s.strike(call); r != driver.Success {
		for _, d := range s.mu.devices {
			if d.ctx == ctx && r.Sticky() {
				d.lose(r)
			}
		}
		return r
	}
	id, known := thread()
	if !known {
		return driver.Success
	}
	if ctx == 0 {
		delete(s.mu.current, id)
		return driver.Success
	}
	for _, d := range s.mu.devices {
		if d.ctx == ctx && d.retained > 0 {
			s.mu.current[id] = ctx
			return driver.Success
		}
	}
	return s.violate(driver.InvalidContext, "%s: %#x is no context, or was given up", call, ctx)
}
