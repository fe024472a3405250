package monitor

import "github.com/seed14ed4225/sluice/device"

// A Category is what a [Timeline] tells work apart by: roughly, which part of a device
// does it.
type Category string

// The categories. Pinned and ordinary memory both are the host's.
const (
	CopyToDevice   Category = "copy to device"
	CopyFromDevice Category = "copy from device"
	CopyOnDevice   Category = "copy on device"
	CopyOnHost     Category = "copy on host"
	Fill           Category = "fill"
	Kernel         Category = "kernel"
	Function       Category = "function" // of Go, see [device.Stream.Do]; the host device's kernels are such
	Other          Category = "other"
)

// categories is the order in which they are shown.
var categories = [...]Category{CopyToDevice, CopyFromDevice, CopyOnDevice, CopyOnHost, Fill, Kernel, Function, Other}

// CategoryOf returns the category of an activity.
func CategoryOf(a device.Activity) Category {
	from, to := a.From == device.InDevice, a.To == device.InDevice
	switch {
	case a.Op == device.OpFill:
		return Fill
	case a.Op == device.OpKernel:
		return Kernel
	case a.Op == device.OpDo:
		return Function
	case a.Op != device.OpCopy:
		return Other
	case from && to:
		return CopyOnDevice
	case from:
		return CopyFromDevice
	case to:
		return CopyToDevice
	}
	return CopyOnHost
}
