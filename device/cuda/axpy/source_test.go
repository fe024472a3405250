//go:build linux && (amd64 || arm64) && !nocuda

package axpy_test

import (
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/seed14ed4225/sluice/device/cuda/axpy"
	"github.com/seed14ed4225/sluice/device/cuda/internal/cudac"
)

// emulation runs the threads of a grid one after another on the processor.
const emulation = `
static unsigned ctaid, nctaid, tid, ntid;
static unsigned __nvvm_read_ptx_sreg_ctaid_x() { return ctaid; }
static unsigned __nvvm_read_ptx_sreg_nctaid_x() { return nctaid; }
static unsigned __nvvm_read_ptx_sreg_tid_x() { return tid; }
static unsigned __nvvm_read_ptx_sreg_ntid_x() { return ntid; }

#include "axpy.cu"

#define RUN(name, number, kernel) \
extern "C" void name(unsigned grid, unsigned block, u64 n, const number *a, const number *x, number *y) \
{ \
	nctaid = grid, ntid = block; \
	for (ctaid = 0; ctaid < nctaid; ctaid++) \
		for (tid = 0; tid < ntid; tid++) \
			kernel(n, *a, x, y); \
}
RUN(run_f32, float, sluice_axpy_f32)
RUN(run_f64, double, sluice_axpy_f64)
`

// TestTheSourceOfTheKernelsDoesWhatGoDoes compiles the kernels for the processor, and runs them
// with grids of all shapes over spans of all lengths and alignments. Whether every number is
// computed, once, and nothing beside them, does not need a GPU to see.
func TestTheSourceOfTheKernelsDoesWhatGoDoes(t *testing.T) {
	compiler, err := exec.LookPath(cudac.Compiler)
	if err != nil {
		t.Skip(cudac.ErrNoCompiler)
	}
	dir := t.TempDir()
	source, library := filepath.Join(dir, "emulation.cc"), filepath.Join(dir, "libemulation.so")
	errIs(t, os.WriteFile(source, []byte(emulation), 0o600), nil)
	out, err := exec.Command(compiler, "-x", "c++", "-Wno-unknown-attributes", "-ffp-contract=off", "-O1", "-I.", "-shared", "-fPIC", "-nostdlib", "-o", library, source).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	handle, err := purego.Dlopen(library, purego.RTLD_NOW)
	errIs(t, err, nil)
	testSource[float32](t, handle, "run_f32")
	testSource[float64](t, handle, "run_f64")
}

func testSource[T number](t *testing.T, handle uintptr, name string) {
	run, err := purego.Dlsym(handle, name)
	errIs(t, err, nil)
	const room = 8 // numbers on either side of y
	r := rand.New(rand.NewPCG(3, 4))
	for _, shape := range [][2]int{{1, 1}, {1, 3}, {2, 2}, {3, 32}, {40, 5}} {
		for n := range 70 {
			for skip := range 16 { // both x and y, by 0 to 3 numbers
				x, y := some[T](r, n+skip%4), some[T](r, 2*room+n)
				x = x[skip%4:]
				at := room + skip/4
				if at+n > len(y) {
					continue
				}
				want := append([]T(nil), y...)
				a := T(math.Pi)
				axpy.Compute(a, x, want[at:at+n])
				purego.SyscallN(run, uintptr(shape[0]), uintptr(shape[1]), uintptr(n), uintptr(unsafe.Pointer(&a)),
					uintptr(unsafe.Pointer(unsafe.SliceData(x))), uintptr(unsafe.Pointer(unsafe.SliceData(y[at:]))))
				for i := range y {
					if !same(y[i], want[i]) {
						t.Fatalf("%s, grid %v, %d numbers, skipping %d: number %d is %v, want %v", name, shape, n, skip, i-at, y[i], want[i])
					}
				}
			}
		}
	}
}
