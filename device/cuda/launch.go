package cuda

import (
	"fmt"
	"math"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// A Shape says how many threads a kernel is launched with: a grid of blocks of threads, in
// up to three dimensions. Where a number is 0 it is 1.
type Shape struct {
	Grid        [3]int
	Block       [3]int
	SharedBytes int // of dynamic shared memory, for each block
}

// Over returns the shape for at least n threads in one dimension, in blocks of
// [Function.Threads]. The kernel has to look whether its number is below n.
func (f *Function) Over(n int64) Shape {
	block := int64(max(1, f.block))
	return Shape{Grid: [3]int{int(max(1, (n+block-1)/block))}, Block: [3]int{int(block)}}
}

// launch is a kernel with what it is launched with.
type launch struct {
	f      *Function
	shape  driver.Shape
	values []uint64
}

// Launch queues the kernel on a stream of its device. The arguments are those of the
// kernel, in order: int32, uint32, int64, uint64, float32, float64 for the types of these
// sizes, and for a pointer a [device.Span] or a *[device.Block], of device or pinned memory,
// which must live until the kernel has run. Their number and sizes are checked if the
// driver knows what the kernel wants, from CUDA 12.4 on; before, a mistake here does
// harm. What the kernel does with the memory nobody can check.
//
// The error is as those of [device.Stream]. A kernel that faults makes the device fail.
func (f *Function) Launch(on device.Stream, shape Shape, args ...any) error {
	s, ok := on.(*stream)
	if !ok || s.dev != f.dev {
		return fmt.Errorf("device %q: kernel %q: stream %q is of device %q", f.dev.name, f.name, on.Name(), on.Device().Properties().Name)
	}
	o := operation{kind: opLaunch, name: f.name, launch: &launch{f: f}}
	var err error
	if o.launch.shape, err = shape.check(); err != nil {
		return f.dev.opError(s, &o, err)
	}
	if o.launch.values, err = f.check(args); err != nil {
		return f.dev.opError(s, &o, err)
	}
	return s.queue(&o)
}

func (s Shape) check() (driver.Shape, error) {
	all := [...]int{s.Grid[0], s.Grid[1], s.Grid[2], s.Block[0], s.Block[1], s.Block[2]}
	var is [len(all)]uint32
	for i, n := range all {
		if n < 0 || n > math.MaxInt32 {
			return driver.Shape{}, fmt.Errorf("the grid is %v, the block %v: each number must be from 0 to %d", s.Grid, s.Block, math.MaxInt32)
		}
		is[i] = uint32(max(1, n))
	}
	if s.SharedBytes < 0 || s.SharedBytes > math.MaxInt32 {
		return driver.Shape{}, fmt.Errorf("%d bytes of shared memory", s.SharedBytes)
	}
	return driver.Shape{
		GridX: is[0], GridY: is[1], GridZ: is[2], BlockX: is[3], BlockY: is[4], BlockZ: is[5],
		SharedBytes: uint32(s.SharedBytes),
	}, nil
}

// check returns the arguments as the driver wants them.
func (f *Function) check(args []any) ([]uint64, error) {
	if f.known && len(args) != len(f.params) {
		return nil, fmt.Errorf("%d arguments, the kernel has %d parameters", len(args), len(f.params))
	}
	values := make([]uint64, len(args))
	for i, arg := range args {
		value, size, err := f.value(arg)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i, err)
		}
		if f.known && size != f.params[i] {
			return nil, fmt.Errorf("argument %d: a %T of %d bytes, the kernel wants %d", i, arg, size, f.params[i])
		}
		values[i] = value
	}
	return values, nil
}

// value returns the bits of an argument, lowest first, and how many bytes count.
func (f *Function) value(arg any) (bits, size uint64, err error) {
	switch v := arg.(type) {
	case int32:
		return uint64(uint32(v)), 4, nil
	case uint32:
		return uint64(v), 4, nil
	case float32:
		return uint64(math.Float32bits(v)), 4, nil
	case int64:
		return uint64(v), 8, nil
	case uint64:
		return v, 8, nil
	case float64:
		return math.Float64bits(v), 8, nil
	case *device.Block:
		return f.value(v.All())
	case device.Span:
		if err := device.CheckFill(f.dev, v); err != nil {
			return 0, 0, err
		}
		if v.Place() == device.InHost {
			return 0, 0, fmt.Errorf("ordinary memory is out of reach of a kernel: use device or pinned memory")
		}
		return v.Address(), 8, nil
	}
	return 0, 0, fmt.Errorf("a %T: kernels take int32, uint32, int64, uint64, float32, float64, spans and blocks", arg)
}
