package cuda

import (
	"fmt"
	"math"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda/internal/ptx"
)

// check returns the arguments as the driver wants them.
func (f *Function) check(args []any) ([]uint64, error) {
	if f.known && len(args) != len(f.params) {
		return nil, fmt.Errorf("%s, the kernel has %s", counted(len(args), "argument"), counted(len(f.params), "parameter"))
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
		return fmt.Errorf("%s of %d bytes, the kernel wants %d", typeOf(arg), size, p.bytes)
	}
	fraction := false
	switch arg.(type) {
	case float32, float64:
		fraction = true
	}
	switch {
	case p.kind == ptx.Float && !fraction:
		return fmt.Errorf("%s, the kernel wants a float%d", typeOf(arg), 8*p.bytes)
	case p.kind == ptx.Integer && fraction:
		return fmt.Errorf("%s, the kernel wants an integer or a pointer of %d bytes", typeOf(arg), p.bytes)
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
		if v == nil {
			return 0, 0, fmt.Errorf("a nil *device.Block: %s", nullHint)
		}
		return f.value(v.All())
	case device.Span:
		if v.Block() == nil && v.Host() == nil {
			return 0, 0, fmt.Errorf("a device.Span of nothing: %s", nullHint)
		}
		if err := device.CheckFill(f.dev, v); err != nil {
			return 0, 0, err
		}
		if v.Place() == device.InHost {
			return 0, 0, fmt.Errorf("ordinary memory is out of reach of a kernel: use device or pinned memory")
		}
		return v.Address(), 8, nil
	}
	err = fmt.Errorf("%s: kernels take int32, uint32, int64, uint64, float32, float64, spans and blocks", typeOf(arg))
	switch v := arg.(type) {
	case nil:
		err = fmt.Errorf("%w; %s", err, nullHint)
	case int: // what a constant without a type is
		err = fmt.Errorf("%w; write int32(%d), or int64(%d)", err, v, v)
	}
	return 0, 0, err
}

// nullHint is for who has passed nothing in place of a pointer.
const nullHint = "give a block or a span of one, or uint64(0) for a null pointer"

// typeOf names the type of an argument with its article.
func typeOf(arg any) string {
	if arg == nil {
		return "nil"
	}
	name := fmt.Sprintf("%T", arg)
	if name[0] == 'i' { // of int and its like
		return "an " + name
	}
	return "a " + name
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
