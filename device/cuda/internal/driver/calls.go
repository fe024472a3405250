//go:build linux && (amd64 || arm64) && !nocuda

package driver

import (
	"bytes"
	"unsafe"

	"github.com/ebitengine/purego"
)

// call calls a function of the library. Its result is an int of C: the upper half of the
// register means nothing.
//
// Like purego.SyscallN it makes what its arguments point to stay where it is, and
// alive, until it returns; that goes for arguments that are converted from
// unsafe.Pointer in the call itself, and only for these.
//
//go:uintptrescapes
func call(f uintptr, args ...uintptr) Result {
	r, _, _ := purego.SyscallN(f, args...)
	return Result(uint32(r))
}

// number widens an int of C for a register.
func number(n int) uintptr { return uintptr(uint32(int32(n))) }

func (l *library) Init() Result { return call(l.init, 0) }

func (l *library) DriverGetVersion() (int, Result) {
	var v int32
	r := call(l.driverGetVersion, uintptr(unsafe.Pointer(&v)))
	return int(v), r
}

func (l *library) GetErrorName(of Result) string { return text(l.getErrorName, of) }

func (l *library) GetErrorString(of Result) string { return text(l.getErrorString, of) }

// text calls a function that gives a string that is never freed.
func text(f uintptr, of Result) string {
	var s *byte
	if call(f, uintptr(of), uintptr(unsafe.Pointer(&s))) != Success || s == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(s), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(s, n))
}

func (l *library) DeviceGetCount() (int, Result) {
	var n int32
	r := call(l.deviceGetCount, uintptr(unsafe.Pointer(&n)))
	return int(n), r
}

func (l *library) DeviceGet(ordinal int) (Device, Result) {
	var d Device
	r := call(l.deviceGet, uintptr(unsafe.Pointer(&d)), number(ordinal))
	return d, r
}

func (l *library) DeviceGetName(d Device) (string, Result) {
	var name [256]byte
	r := call(l.deviceGetName, uintptr(unsafe.Pointer(&name)), uintptr(len(name)), number(int(d)))
	return upToNUL(name[:]), r
}

func (l *library) DeviceGetUUID(d Device) ([16]byte, Result) {
	var id [16]byte
	r := call(l.deviceGetUUID, uintptr(unsafe.Pointer(&id)), number(int(d)))
	return id, r
}

func (l *library) DeviceGetPCIBusID(d Device) (string, Result) {
	var id [32]byte
	r := call(l.deviceGetPCIBusID, uintptr(unsafe.Pointer(&id)), uintptr(len(id)), number(int(d)))
	return upToNUL(id[:]), r
}

func upToNUL(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}

func (l *library) DeviceTotalMem(d Device) (uint64, Result) {
	var n uint64
	r := call(l.deviceTotalMem, uintptr(unsafe.Pointer(&n)), number(int(d)))
	return n, r
}

func (l *library) DeviceGetAttribute(attribute int, d Device) (int, Result) {
	var v int32
	r := call(l.deviceGetAttribute, uintptr(unsafe.Pointer(&v)), number(attribute), number(int(d)))
	return int(v), r
}

func (l *library) PrimaryCtxRetain(d Device) (Context, Result) {
	var c Context
	r := call(l.primaryCtxRetain, uintptr(unsafe.Pointer(&c)), number(int(d)))
	return c, r
}

func (l *library) PrimaryCtxRelease(d Device) Result {
	return call(l.primaryCtxRelease, number(int(d)))
}

func (l *library) CtxSetCurrent(c Context) Result { return call(l.ctxSetCurrent, uintptr(c)) }

func (l *library) CtxGetStreamPriorityRange() (least, greatest int, r Result) {
	var from, to int32
	r = call(l.ctxGetStreamPriorityRange, uintptr(unsafe.Pointer(&from)), uintptr(unsafe.Pointer(&to)))
	return int(from), int(to), r
}

func (l *library) MemGetInfo() (free, total uint64, r Result) {
	var f, t uint64
	r = call(l.memGetInfo, uintptr(unsafe.Pointer(&f)), uintptr(unsafe.Pointer(&t)))
	return f, t, r
}

func (l *library) StreamCreateWithPriority(flags uint32, priority int) (Stream, Result) {
	var s Stream
	r := call(l.streamCreateWithPriority, uintptr(unsafe.Pointer(&s)), uintptr(flags), number(priority))
	return s, r
}

func (l *library) StreamDestroy(s Stream) Result { return call(l.streamDestroy, uintptr(s)) }

func (l *library) StreamQuery(s Stream) Result { return call(l.streamQuery, uintptr(s)) }

func (l *library) StreamWaitEvent(s Stream, e Event, flags uint32) Result {
	return call(l.streamWaitEvent, uintptr(s), uintptr(e), uintptr(flags))
}

func (l *library) EventCreate(flags uint32) (Event, Result) {
	var e Event
	r := call(l.eventCreate, uintptr(unsafe.Pointer(&e)), uintptr(flags))
	return e, r
}

func (l *library) EventDestroy(e Event) Result { return call(l.eventDestroy, uintptr(e)) }

func (l *library) EventRecord(e Event, s Stream) Result {
	return call(l.eventRecord, uintptr(e), uintptr(s))
}

func (l *library) EventQuery(e Event) Result { return call(l.eventQuery, uintptr(e)) }

func (l *library) EventElapsedTime(from, to Event) (float32, Result) {
	var ms float32
	r := call(l.eventElapsedTime, uintptr(unsafe.Pointer(&ms)), uintptr(from), uintptr(to))
	return ms, r
}

func (l *library) MemPoolCreate(props *PoolProps) (Pool, Result) {
	var p Pool
	r := call(l.memPoolCreate, uintptr(unsafe.Pointer(&p)), uintptr(unsafe.Pointer(props)))
	return p, r
}

func (l *library) MemPoolDestroy(p Pool) Result { return call(l.memPoolDestroy, uintptr(p)) }

func (l *library) MemPoolSetAttribute(p Pool, attribute int, value uint64) Result {
	return call(l.memPoolSetAttribute, uintptr(p), number(attribute), uintptr(unsafe.Pointer(&value)))
}

func (l *library) MemPoolGetAttribute(p Pool, attribute int) (uint64, Result) {
	var value uint64
	r := call(l.memPoolGetAttribute, uintptr(p), number(attribute), uintptr(unsafe.Pointer(&value)))
	return value, r
}

func (l *library) MemPoolTrimTo(p Pool, keep uint64) Result {
	return call(l.memPoolTrimTo, uintptr(p), uintptr(keep))
}

func (l *library) MemAllocFromPoolAsync(n uint64, p Pool, s Stream) (Pointer, Result) {
	var at Pointer
	r := call(l.memAllocFromPoolAsync, uintptr(unsafe.Pointer(&at)), uintptr(n), uintptr(p), uintptr(s))
	return at, r
}

func (l *library) MemFreeAsync(at Pointer, s Stream) Result {
	return call(l.memFreeAsync, uintptr(at), uintptr(s))
}

func (l *library) MemHostAlloc(n uint64, flags uint32) (unsafe.Pointer, Result) {
	var at unsafe.Pointer
	r := call(l.memHostAlloc, uintptr(unsafe.Pointer(&at)), uintptr(n), uintptr(flags))
	return at, r
}

func (l *library) MemFreeHost(at unsafe.Pointer) Result { return call(l.memFreeHost, uintptr(at)) }

func (l *library) MemcpyHtoDAsync(dst Pointer, src unsafe.Pointer, n uint64, s Stream) Result {
	return call(l.memcpyHtoDAsync, uintptr(dst), uintptr(src), uintptr(n), uintptr(s))
}

func (l *library) MemcpyDtoHAsync(dst unsafe.Pointer, src Pointer, n uint64, s Stream) Result {
	return call(l.memcpyDtoHAsync, uintptr(dst), uintptr(src), uintptr(n), uintptr(s))
}

func (l *library) MemcpyDtoDAsync(dst, src Pointer, n uint64, s Stream) Result {
	return call(l.memcpyDtoDAsync, uintptr(dst), uintptr(src), uintptr(n), uintptr(s))
}

func (l *library) MemsetD8Async(dst Pointer, value byte, n uint64, s Stream) Result {
	return call(l.memsetD8Async, uintptr(dst), uintptr(value), uintptr(n), uintptr(s))
}
