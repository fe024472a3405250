package cuda

import (
	"fmt"
	"math"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
	"github.com/seed14ed4225/sluice/device/cuda/internal/ptx"
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
// which must live until the kernel has run. Their number and sizes are checked against
// what the module's PTX says, or the driver, which knows from CUDA 12.4 on; of a cubin on an
// older driver nobody does, and a mistake does harm. PTX also tells numbers with a
// fraction from others. What the kernel does with the memory nobody can check.
//
// Launch returns at once. The error is as those of [device.Stream]; nothing was queued then.
// A closed module is [device.ErrClosed]. A kernel that faults makes the device fail, with a
// *[device.FailedError] that names it.
func (f *Function) Launch(on device.Stream, shape Shape, args ...any) error {
	s, ok := on.(*stream)
	if !ok || s.dev != f.dev {
		return fmt.Errorf("device %q: kernel %q: stream %q is of device %q: load the module there, too", f.dev.name, f.name, on.Name(), on.Device().Properties().Name)
	}
	if err := f.of.closedErr(); err != nil {
		return f.dev.said(s, &operation{kind: opLaunch, name: f.name}, err)
	}
	o := operation{kind: opLaunch, name: f.name, launch: &launch{f: f}}
	var err error
	if o.launch.shape, err = shape.check(&f.limits); err != nil {
		return f.dev.opError(s, &o, err)
	}
	if o.launch.values, err = f.check(args); err != nil {
		return f.dev.opError(s, &o, err)
	}
	return s.queue(&o)
}

// check returns the shape as the driver wants it, or what is wrong with it.
func (s Shape) check(l *limits) (driver.Shape, error) {
	full := s
	for _, numbers := range []*[3]int{&full.Grid, &full.Block} {
		for i, n := range numbers {
			if n < 0 || n > math.MaxInt32 {
				return driver.Shape{}, fmt.Errorf("the grid is %v, the block %v: each number must be from 0 to %d", s.Grid, s.Block, math.MaxInt32)
			}
			numbers[i] = max(1, n)
		}
	}
	if s.SharedBytes < 0 || s.SharedBytes > math.MaxInt32 {
		return driver.Shape{}, fmt.Errorf("%d bytes of shared memory", s.SharedBytes)
	}
	if err := l.check(full); err != nil {
		return driver.Shape{}, err
	}
	return driver.Shape{
		GridX: uint32(full.Grid[0]), GridY: uint32(full.Grid[1]), GridZ: uint32(full.Grid[2]),
		BlockX: uint32(full.Block[0]), BlockY: uint32(full.Block[1]), BlockZ: uint32(full.Block[2]),
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
		if f.known {
			if err := f.params[i].check(arg, size); err != nil {
				return nil, fmt.Errorf("argument %d: %w", i, err)
			}
		}
		values[i] = value
	}
	return values, nil
}

// check returns why an argument of a size is not for the parameter.
func (p param) check(arg any, size uint64) error {
	if size != p.bytes {
		return fmt.Errorf("a %T of %d bytes, the kernel wants %d", arg, size, p.bytes)
	}
	fraction := false
	switch arg.(type) {
	case float32, float64:
		fraction = true
	}
	switch {
	case p.kind == ptx.Float && !fraction:
		return fmt.Errorf("a %T, the kernel wants a float%d", arg, 8*p.bytes)
	case p.kind == ptx.Integer && fraction:
		return fmt.Errorf("a %T, the kernel wants an integer or a pointer of %d bytes", arg, p.bytes)
	}
	return nil
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
