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
// [Function.Threads], and at least one block. The kernel has to look whether its number is
// below n. Launch refuses the shape of more threads than a device can have, and that of
// a negative n.
func (f *Function) Over(n int64) Shape {
	block := int64(max(1, f.block))
	blocks := int64(1)
	switch {
	case n < 0:
		blocks = -1
	case n > 0:
		blocks = (n-1)/block + 1
	}
	return Shape{Grid: [3]int{int(blocks)}, Block: [3]int{int(block)}}
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
// which must live until the kernel has run, or uint64(0) for a null pointer. A constant
// needs its type written, as in int32(1): without, it is an int, which is none of these. Their
// number and sizes are checked against what the module's PTX says, or the driver, which knows
// from CUDA 12.4 on; of a cubin on an older driver nobody does, and a mistake does harm. PTX also
// tells numbers with a fraction from others. What the kernel does with the memory nobody can check.
//
// Launch returns at once. After an error nothing was queued. It names the kernel, and the
// argument by its place, from 0 on: a *[device.OpError] for what is wrong with the shape or an
// argument, one that wraps [device.ErrClosed] for a closed module, or one that any operation
// of a stream may have, see [device.Stream]; a stream of another device is an error, too. A
// kernel that faults makes the device fail, with a *[device.FailedError] that names it.
func (f *Function) Launch(on device.Stream, shape Shape, args ...any) error {
	s, ok := on.(*stream)
	switch {
	case on == nil || ok && s == nil:
		return fmt.Errorf("device %q: kernel %q: the stream is nil: give one of the device", f.dev.name, f.name)
	case !ok || s.dev != f.dev:
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
