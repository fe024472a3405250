// Package axpy computes y = a*x + y over the numbers in memory of a device, whichever device
// that is. It is the smallest thing worth a kernel, and the example of how one is
// packed: CUDA C, the PTX made of it, embedded, and the same in Go for the host device.
//
//	err := axpy.Float32(s, 0.5, x.All(), y.Span(0, x.Size()))
//
// The bits of the result are the same on every device, those of a NaN apart: the product is
// rounded, then the sum.
package axpy

import (
	_ "embed"
	"errors"
	"fmt"
	"unsafe"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
)

//go:generate go run ../internal/cudac/cmd/cudac axpy.cu

//go:embed axpy.ptx
var ptx []byte

// program is loaded on each CUDA device when first something is queued there, and unloaded
// with the device.
var program = cuda.NewProgram("axpy", ptx)

// Float32 queues y = a*x + y on a stream, where x and y hold numbers of type float32 in the
// device's byte order, that of the machine. It returns at once, except for the first time
// on a CUDA device, which is when the driver compiles the kernel.
//
// The spans are of the stream's device, in device or pinned memory, as long as each other,
// a whole number of numbers long (none is fine), begin at a multiple of a number's size, and
// do not overlap. Both belong to the device until what was queued is done; the caller still
// owns their blocks, and may free them on the same stream at once. It is fastest when both
// begin at a multiple of 16 bytes, as blocks do.
//
// After an error nothing was queued. It is a *[device.OpError] about what is wrong with the
// spans ([device.ErrForeign], [device.ErrFreed], [device.ErrOutOfBounds], [device.ErrLength],
// [device.ErrOverlap], or none of these), one that wraps [errors.ErrUnsupported] if the device
// is neither a *[cuda.Device] nor a *[device.Host], one of [cuda.Device.Load], or one
// that any operation of a stream may have, see [device.Stream].
//
// There is a function for each type, rather than one for all, because a type that follows
// from how a constant is written is easily the wrong one.
func Float32(s device.Stream, a float32, x, y device.Span) error {
	return queue(s, "sluice_axpy_f32", a, x, y)
}

// Float64 is [Float32] for numbers of type float64.
func Float64(s device.Stream, a float64, x, y device.Span) error {
	return queue(s, "sluice_axpy_f64", a, x, y)
}

// Compute is what the kernels compute, in Go: it sets y[i] to a*x[i] + y[i] for every i of x.
// The host device runs it. It panics if y is shorter than x.
func Compute[T float32 | float64](a T, x, y []T) {
	y = y[:len(x)]
	for i, v := range x {
		// The conversion rounds. Without it some processors would fuse the operations.
		y[i] = T(a*v) + y[i] //nolint:unconvert // see above: it is not the same without
	}
}

func queue[T float32 | float64](s device.Stream, kernel string, a T, x, y device.Span) error {
	d := s.Device()
	size := int64(unsafe.Sizeof(a))
	refused := func(err error) error {
		return &device.OpError{Device: d.Properties().Name, Stream: s.Name(), Op: fmt.Sprintf("axpy over %d bytes of %T", y.Len(), a), Err: err}
	}
	if err := check(d, size, x, y); err != nil {
		return refused(err)
	}
	switch d := d.(type) {
	case *cuda.Device:
		f, err := program.Function(d, kernel)
		if err != nil {
			return err
		}
		n := y.Len() / size
		return f.Launch(s, f.Over(n/(vector/size)), uint64(n), a, x, y)
	case *device.Host:
		from, to := numbers[T](d, x), numbers[T](d, y)
		return s.Do(fmt.Sprintf("axpy of %T", a), func() error {
			Compute(a, from, to)
			return nil
		})
	}
	return refused(fmt.Errorf("%w on a %T: it runs on a *cuda.Device and a *device.Host", errors.ErrUnsupported, d))
}

// vector is how many bytes a thread of the kernel takes at once. It strides where these are
// too few threads.
const vector = 16

// check returns what is wrong with the spans for numbers of a size.
func check(d device.Device, size int64, x, y device.Span) error {
	for _, s := range []struct {
		name string
		device.Span
	}{{"x", x}, {"y", y}} {
		if err := device.CheckFill(d, s.Span); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		switch {
		case s.Place() == device.InHost:
			return fmt.Errorf("%s: ordinary memory is out of reach of a kernel: copy it to device or pinned memory", s.name)
		case s.Len()%size != 0:
			return fmt.Errorf("%s: %w: %d bytes are not a whole number of numbers of %d", s.name, device.ErrLength, s.Len(), size)
		case s.Address()%uint64(size) != 0:
			return fmt.Errorf("%s: begins at byte %d of its block, which must be a multiple of %d", s.name, s.Offset(), size)
		}
	}
	if x.Len() != y.Len() {
		return fmt.Errorf("%w: x has %d bytes, y %d", device.ErrLength, x.Len(), y.Len())
	}
	if a, b, n := x.Address(), y.Address(), uint64(y.Len()); a < b+n && b < a+n {
		return fmt.Errorf("x and y: %w", device.ErrOverlap)
	}
	return nil
}

// numbers returns the memory behind a span that has been checked.
func numbers[T float32 | float64](d *device.Host, s device.Span) []T {
	b := d.Bytes(s.Block())[s.Offset():][:s.Len()]
	var t T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(t)))
}
