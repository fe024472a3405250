//go:build linux && (amd64 || arm64) && !nocuda

package driver

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Soname is what the driver's library is called. It comes with the driver, not with the
// toolkit.
const Soname = "libcuda.so.1"

// A library is the driver's library with the addresses of the functions in it. It is
// never unloaded: threads of its own run in it.
type library struct {
	init, driverGetVersion, getErrorName, getErrorString                          uintptr
	deviceGetCount, deviceGet, deviceGetName, deviceGetUUID, deviceGetPCIBusID    uintptr
	deviceTotalMem, deviceGetAttribute                                            uintptr
	primaryCtxRetain, primaryCtxRelease, ctxSetCurrent, ctxGetStreamPriorityRange uintptr
	memGetInfo                                                                    uintptr
	streamCreateWithPriority, streamDestroy, streamQuery, streamWaitEvent         uintptr
	eventCreate, eventDestroy, eventRecord, eventQuery, eventElapsedTime          uintptr
	memPoolCreate, memPoolDestroy, memPoolSetAttribute, memPoolGetAttribute       uintptr
	memPoolTrimTo, memAllocFromPoolAsync, memFreeAsync, memHostAlloc, memFreeHost uintptr
	memcpyHtoDAsync, memcpyDtoHAsync, memcpyDtoDAsync, memsetD8Async              uintptr
	moduleLoadDataEx, moduleUnload, moduleGetFunction, launchKernel               uintptr
	occupancyMaxPotentialBlockSize                                                uintptr
	funcGetParamInfo                                                              uintptr // 0 before CUDA 12.4
}

// symbols gives the functions by the names without version: which version is meant
// follows from the CUDA version that is asked for, see bind.
func (l *library) symbols() map[string]*uintptr {
	return map[string]*uintptr{
		"cuInit":                           &l.init,
		"cuDriverGetVersion":               &l.driverGetVersion,
		"cuGetErrorName":                   &l.getErrorName,
		"cuGetErrorString":                 &l.getErrorString,
		"cuDeviceGetCount":                 &l.deviceGetCount,
		"cuDeviceGet":                      &l.deviceGet,
		"cuDeviceGetName":                  &l.deviceGetName,
		"cuDeviceGetUuid":                  &l.deviceGetUUID,
		"cuDeviceGetPCIBusId":              &l.deviceGetPCIBusID,
		"cuDeviceTotalMem":                 &l.deviceTotalMem,
		"cuDeviceGetAttribute":             &l.deviceGetAttribute,
		"cuDevicePrimaryCtxRetain":         &l.primaryCtxRetain,
		"cuDevicePrimaryCtxRelease":        &l.primaryCtxRelease,
		"cuCtxSetCurrent":                  &l.ctxSetCurrent,
		"cuCtxGetStreamPriorityRange":      &l.ctxGetStreamPriorityRange,
		"cuMemGetInfo":                     &l.memGetInfo,
		"cuStreamCreateWithPriority":       &l.streamCreateWithPriority,
		"cuStreamDestroy":                  &l.streamDestroy,
		"cuStreamQuery":                    &l.streamQuery,
		"cuStreamWaitEvent":                &l.streamWaitEvent,
		"cuEventCreate":                    &l.eventCreate,
		"cuEventDestroy":                   &l.eventDestroy,
		"cuEventRecord":                    &l.eventRecord,
		"cuEventQuery":                     &l.eventQuery,
		"cuEventElapsedTime":               &l.eventElapsedTime,
		"cuMemPoolCreate":                  &l.memPoolCreate,
		"cuMemPoolDestroy":                 &l.memPoolDestroy,
		"cuMemPoolSetAttribute":            &l.memPoolSetAttribute,
		"cuMemPoolGetAttribute":            &l.memPoolGetAttribute,
		"cuMemPoolTrimTo":                  &l.memPoolTrimTo,
		"cuMemAllocFromPoolAsync":          &l.memAllocFromPoolAsync,
		"cuMemFreeAsync":                   &l.memFreeAsync,
		"cuMemHostAlloc":                   &l.memHostAlloc,
		"cuMemFreeHost":                    &l.memFreeHost,
		"cuMemcpyHtoDAsync":                &l.memcpyHtoDAsync,
		"cuMemcpyDtoHAsync":                &l.memcpyDtoHAsync,
		"cuMemcpyDtoDAsync":                &l.memcpyDtoDAsync,
		"cuMemsetD8Async":                  &l.memsetD8Async,
		"cuModuleLoadDataEx":               &l.moduleLoadDataEx,
		"cuModuleUnload":                   &l.moduleUnload,
		"cuModuleGetFunction":              &l.moduleGetFunction,
		"cuLaunchKernel":                   &l.launchKernel,
		"cuOccupancyMaxPotentialBlockSize": &l.occupancyMaxPotentialBlockSize,
	}
}

// Load returns the driver of this machine, loaded once. Every error wraps
// [ErrUnavailable] and says what to do.
var Load = sync.OnceValues(func() (Driver, error) { return LoadFile(Soname) })

// LoadFile loads a library that has the driver's interface.
func LoadFile(name string) (Driver, error) {
	// Why loading or looking up has failed is kept by the thread, and asked for in a
	// second call.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	handle, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("%w: install NVIDIA's driver, or give the container its devices: %w", ErrUnavailable, err)
	}
	l := new(library)
	if err := l.bind(name, handle); err != nil {
		return nil, err
	}
	return l, nil
}

// bind finds every function by way of cuGetProcAddress, which is asked for the functions
// as they were in [MinVersion]: a later driver has several versions of some under names
// that only headers map, and their parameters differ.
func (l *library) bind(name string, handle uintptr) (err error) {
	// The version goes first: a driver that is too old lacks the rest, and says less.
	if l.driverGetVersion, err = purego.Dlsym(handle, "cuDriverGetVersion"); err != nil {
		return &SymbolError{name, "cuDriverGetVersion"}
	}
	version, r := l.DriverGetVersion()
	if r != Success {
		return fmt.Errorf("%w: %s does not tell its version (result %d); reinstall NVIDIA's driver, 525 or later", ErrUnavailable, name, r)
	}
	if version < MinVersion {
		return fmt.Errorf("%w: %s is of CUDA %d.%d, %d.%d or later is needed: install NVIDIA's driver 525 or later",
			ErrUnavailable, name, version/1000, version%1000/10, MinVersion/1000, MinVersion%1000/10)
	}
	getProcAddress, err := purego.Dlsym(handle, "cuGetProcAddress_v2")
	if err != nil {
		return &SymbolError{name, "cuGetProcAddress_v2"}
	}
	symbols := l.symbols()
	for _, symbol := range slices.Sorted(maps.Keys(symbols)) { // so that the same one is missing each time
		if !find(getProcAddress, symbol, MinVersion, symbols[symbol]) {
			return &SymbolError{name, symbol}
		}
	}
	if version >= paramInfoVersion {
		find(getProcAddress, "cuFuncGetParamInfo", paramInfoVersion, &l.funcGetParamInfo)
	}
	return nil
}

// paramInfoVersion is of the first driver that tells the parameters of a kernel.
const paramInfoVersion = 12040

// find asks the driver for a function as of a version, for explicit streams.
func find(getProcAddress uintptr, symbol string, version uintptr, address *uintptr) bool {
	c := append([]byte(symbol), 0)
	var at uintptr
	var status int32 // 0: found
	r, _, _ := purego.SyscallN(getProcAddress,
		uintptr(unsafe.Pointer(&c[0])), uintptr(unsafe.Pointer(&at)), version, 0, uintptr(unsafe.Pointer(&status)))
	*address = at
	return Result(r) == Success && status == 0 && at != 0
}
