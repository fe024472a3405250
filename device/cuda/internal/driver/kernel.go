//go:build linux && (amd64 || arm64) && !nocuda

package driver

import "unsafe"

// Options of the compiler, by the numbers of the driver's header.
const (
	jitErrorLog      = 5
	jitErrorLogBytes = 6
)

func (l *library) ModuleLoadDataEx(image []byte) (m Module, log string, r Result) {
	text := make([]byte, len(image)+1) // PTX ends with a zero
	copy(text, image)
	buffer := make([]byte, 8<<10)
	options := []int32{jitErrorLog, jitErrorLogBytes}
	values := struct { // an array of two pointers in C, one of which is a number
		log   unsafe.Pointer
		bytes uintptr
	}{unsafe.Pointer(&buffer[0]), uintptr(len(buffer))}
	r = call(l.moduleLoadDataEx, uintptr(unsafe.Pointer(&m)), uintptr(unsafe.Pointer(&text[0])),
		uintptr(len(options)), uintptr(unsafe.Pointer(&options[0])), uintptr(unsafe.Pointer(&values)))
	return m, upToNUL(buffer), r
}

func (l *library) ModuleUnload(m Module) Result { return call(l.moduleUnload, uintptr(m)) }

func (l *library) ModuleGetFunction(m Module, name string) (Function, Result) {
	var f Function
	c := append([]byte(name), 0)
	r := call(l.moduleGetFunction, uintptr(unsafe.Pointer(&f)), uintptr(m), uintptr(unsafe.Pointer(&c[0])))
	return f, r
}

func (l *library) FuncGetParamInfo(f Function, index int) (size uint64, r Result) {
	if l.funcGetParamInfo == 0 {
		return 0, NotSupported
	}
	var offset, bytes uint64
	r = call(l.funcGetParamInfo, uintptr(f), uintptr(index), uintptr(unsafe.Pointer(&offset)), uintptr(unsafe.Pointer(&bytes)))
	return bytes, r
}

func (l *library) OccupancyMaxPotentialBlockSize(f Function, sharedBytes uint64) (minGrid, block int, r Result) {
	var g, b int32
	r = call(l.occupancyMaxPotentialBlockSize, uintptr(unsafe.Pointer(&g)), uintptr(unsafe.Pointer(&b)), uintptr(f), 0, uintptr(sharedBytes), 0)
	return int(g), int(b), r
}

func (l *library) LaunchKernel(f Function, shape Shape, s Stream, values []uint64) Result {
	params := make([]unsafe.Pointer, len(values)+1) // at least one, so that there is an address
	for i := range values {
		params[i] = unsafe.Pointer(&values[i])
	}
	return call(l.launchKernel, uintptr(f),
		uintptr(shape.GridX), uintptr(shape.GridY), uintptr(shape.GridZ),
		uintptr(shape.BlockX), uintptr(shape.BlockY), uintptr(shape.BlockZ),
		uintptr(shape.SharedBytes), uintptr(s), uintptr(unsafe.Pointer(&params[0])), 0)
}
