package cudatest

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/seed14ed4225/sluice/device/cuda/axpy"
)

// ownKernels are the kernels of this project, which every simulated driver knows.
func ownKernels() map[string]*Kernel {
	return map[string]*Kernel{
		"sluice_axpy_f32": {
			Params: []int{8, 4, 8, 8},
			Run: func(_ int64, args []uint64, bytes memory) error {
				return runAxpy(math.Float32frombits(uint32(args[1])), args, bytes)
			},
		},
		"sluice_axpy_f64": {
			Params: []int{8, 8, 8, 8},
			Run: func(_ int64, args []uint64, bytes memory) error {
				return runAxpy(math.Float64frombits(args[1]), args, bytes)
			},
		},
	}
}

// memory is what Kernel.Run finds memory with.
type memory = func(at uint64, n int64) ([]byte, error)

// runAxpy has the parameters of the kernel: how many numbers, a, and where x and y are. The
// number of threads does not matter, because they stride.
func runAxpy[T float32 | float64](a T, args []uint64, bytes memory) error {
	numbers := func(at uint64) ([]T, error) {
		size := unsafe.Sizeof(a)
		if at%uint64(size) != 0 {
			return nil, fmt.Errorf("axpy: %#x is not where a %T can be", at, a)
		}
		b, err := bytes(at, int64(args[0])*int64(size))
		return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(size)), err
	}
	x, err := numbers(args[2])
	if err != nil {
		return err
	}
	y, err := numbers(args[3])
	if err == nil {
		axpy.Compute(a, x, y)
	}
	return err
}
