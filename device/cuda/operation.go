package cuda

import (
	"fmt"
	"runtime/debug"

	"github.com/seed14ed4225/sluice/device"
)

type opKind uint8

const (
	opAlloc opKind = iota
	opFree
	opCopy
	opFill
	opDo
	opLaunch
	opRecord
	opWait
)

// operation is an operation of a stream, about to be given to the driver or held back.
type operation struct {
	kind   opKind
	value  byte         // to fill with
	place  device.Place // of memory to allocate or free
	n      int64        // bytes to allocate or free
	dst    device.Span  // to copy to or fill
	src    device.Span  // to copy from
	name   string       // of a function or kernel
	f      func() error // to call
	event  *device.Event
	block  *device.Block // to free
	launch *launch
}

// String says what the operation is. It is only called when something went wrong.
func (o *operation) String() string {
	switch o.kind {
	case opAlloc:
		return fmt.Sprintf("allocation of %d bytes of %v memory", o.n, o.place)
	case opFree:
		return fmt.Sprintf("free of %d bytes of %v memory", o.n, o.place)
	case opCopy:
		return fmt.Sprintf("copy of %d bytes from %v to %v", o.dst.Len(), o.src.Place(), o.dst.Place())
	case opFill:
		return fmt.Sprintf("fill of %d bytes in %v", o.dst.Len(), o.dst.Place())
	case opDo:
		return fmt.Sprintf("function %q", o.name)
	case opLaunch:
		return fmt.Sprintf("kernel %q", o.name)
	case opWait:
		if o.event != nil {
			return fmt.Sprintf("wait for stream %q", o.event.Name())
		}
		return "wait for an event"
	}
	return "record of an event"
}

// onHost returns whether Go does the operation, or a part of it that comes last: then the
// stream is held until that is done.
func (o *operation) onHost() bool {
	switch o.kind {
	case opCopy:
		return o.dst.Place() == device.InHost ||
			o.dst.Place() == device.InPinned && o.src.Place() != device.InDevice
	case opFill:
		return o.dst.Place() != device.InDevice
	}
	return o.kind == opDo
}

// works returns whether the driver is given anything for the operation.
func (o *operation) works() bool { return o.kind == opLaunch || o.dst.Len() > 0 }

// hostBytes returns the bytes of a span that does not lie on the device.
func hostBytes(s device.Span) []byte {
	if b := s.Block(); b != nil {
		return b.Bytes()[s.Offset() : s.Offset()+s.Len()]
	}
	return s.Host()
}

// call calls f and makes an error of a panic.
func call(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &device.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}
