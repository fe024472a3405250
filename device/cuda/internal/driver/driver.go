package driver

import "unsafe"

type (
	// Device is a device, not yet with a context.
	Device int32
	// Context is what the memory and the streams of a device belong to.
	Context uintptr
	// Stream is a queue of work.
	Stream uintptr
	// Event is a mark in a stream, used again and again.
	Event uintptr
	// Pool is what device memory is allocated from.
	Pool uintptr
	// Module is compiled code.
	Module uintptr
	// Function is a kernel in a module.
	Function uintptr
	// Pointer is an address in device memory. It stays a number, because no Go code
	// can follow it.
	Pointer uint64
)

// Flags and attributes, by the numbers of the driver's header.
const (
	StreamNonBlocking  = 1 // no implicit order with the default stream
	EventDefault       = 0 // with the time
	EventDisableTiming = 2
	HostAllocPortable  = 1 // pinned for all contexts

	PoolReleaseThreshold = 4
	PoolReserved         = 5 // bytes the pool holds at present
	PoolUsed             = 7 // bytes of these that are allocated

	AttrMaxThreadsPerBlock = 1
	AttrMaxBlockX          = 2 // and of Y and Z the next two
	AttrMaxGridX           = 5 // likewise
	AttrMaxSharedPerBlock  = 8 // bytes
	AttrMultiprocessors    = 16
	AttrAsyncEngines       = 40
	AttrUnifiedAddressing  = 41
	AttrMajor              = 75 // of the compute capability
	AttrMinor              = 76
	AttrMemoryPools        = 115
)

// PoolProps is CUmemPoolProps as the driver wants it in memory, 88 bytes.
type PoolProps struct {
	AllocType     int32 // 1: pinned, the only one there is
	HandleTypes   int32 // 0: not to be shared with other processes
	LocationType  int32 // 1: a device
	LocationID    int32
	WindowsSecure uintptr
	MaxSize       uint64
	Usage         uint16
	_             [54]byte
}

// DevicePool gives the properties of a pool of the memory of a device.
func DevicePool(d Device) PoolProps {
	return PoolProps{AllocType: 1, LocationType: 1, LocationID: int32(d)}
}

// A Shape says how many threads a kernel is launched with.
type Shape struct {
	GridX, GridY, GridZ    uint32
	BlockX, BlockY, BlockZ uint32
	SharedBytes            uint32
}

// A Driver is what package cuda asks of CUDA.
type Driver interface {
	// These work without a context.
	Init() Result
	DriverGetVersion() (int, Result) // 1000 times major plus 10 times minor
	GetErrorName(Result) string      // "" if the driver does not know it
	GetErrorString(Result) string
	DeviceGetCount() (int, Result)
	DeviceGet(ordinal int) (Device, Result)
	DeviceGetName(Device) (string, Result)
	DeviceGetUUID(Device) ([16]byte, Result)
	DeviceGetPCIBusID(Device) (string, Result)
	DeviceTotalMem(Device) (uint64, Result)
	DeviceGetAttribute(attribute int, d Device) (int, Result)
	PrimaryCtxRetain(Device) (Context, Result)
	PrimaryCtxRelease(Device) Result
	CtxSetCurrent(Context) Result

	// The rest works on the context that is current.
	CtxGetStreamPriorityRange() (least, greatest int, r Result)
	MemGetInfo() (free, total uint64, r Result)

	StreamCreateWithPriority(flags uint32, priority int) (Stream, Result)
	StreamDestroy(Stream) Result
	StreamQuery(Stream) Result
	StreamWaitEvent(s Stream, e Event, flags uint32) Result

	EventCreate(flags uint32) (Event, Result)
	EventDestroy(Event) Result
	EventRecord(Event, Stream) Result
	EventQuery(Event) Result
	// EventElapsedTime gives the milliseconds between two events with the time, the second
	// of which is later, and NotReady if a stream has not come to one of them.
	EventElapsedTime(from, to Event) (float32, Result)

	MemPoolCreate(*PoolProps) (Pool, Result)
	MemPoolDestroy(Pool) Result
	MemPoolSetAttribute(p Pool, attribute int, value uint64) Result
	MemPoolGetAttribute(p Pool, attribute int) (uint64, Result)
	MemPoolTrimTo(p Pool, keep uint64) Result
	MemAllocFromPoolAsync(n uint64, p Pool, s Stream) (Pointer, Result)
	MemFreeAsync(Pointer, Stream) Result

	MemHostAlloc(n uint64, flags uint32) (unsafe.Pointer, Result)
	MemFreeHost(unsafe.Pointer) Result
	MemcpyHtoDAsync(dst Pointer, src unsafe.Pointer, n uint64, s Stream) Result
	MemcpyDtoHAsync(dst unsafe.Pointer, src Pointer, n uint64, s Stream) Result
	MemcpyDtoDAsync(dst, src Pointer, n uint64, s Stream) Result
	MemsetD8Async(dst Pointer, value byte, n uint64, s Stream) Result

	// ModuleLoadDataEx takes PTX, which the driver compiles, or a cubin. The log is what
	// the compiler says against it.
	ModuleLoadDataEx(image []byte) (m Module, log string, r Result)
	ModuleUnload(Module) Result
	ModuleGetFunction(Module, string) (Function, Result)
	// FuncGetParamInfo gives the size of a parameter in bytes, InvalidValue behind the
	// last, and NotSupported if the driver is older than CUDA 12.4 and cannot tell.
	FuncGetParamInfo(f Function, index int) (size uint64, r Result)
	OccupancyMaxPotentialBlockSize(f Function, sharedBytes uint64) (minGrid, block int, r Result)
	// LaunchKernel has read the values when it returns: each is the start of one argument.
	LaunchKernel(f Function, shape Shape, s Stream, values []uint64) Result
}
