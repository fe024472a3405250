package cuda_test

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
)

// axpyPTX is the kernel of package axpy, with parameters n uint64, a float32, and pointers to x
// and y.
func axpyPTX(t testing.TB) []byte {
	t.Helper()
	image, err := os.ReadFile(filepath.Join("axpy", "axpy.ptx"))
	errIs(t, err, nil)
	return image
}

const axpyName = "sluice_axpy_f32"

// newAxpy loads the kernel on a new device.
func newAxpy(t *testing.T, sim *cudatest.Sim) (*cuda.Device, *cuda.Function) {
	t.Helper()
	d := newDevice(t, sim, cuda.Options{})
	m, err := d.Load("our kernels", axpyPTX(t))
	errIs(t, err, nil)
	f, err := m.Function(axpyName)
	errIs(t, err, nil)
	return d, f
}

func floats(values ...float32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func TestAKernelRunsInItsPlaceInTheStream(t *testing.T) {
	d, f := newAxpy(t, newSim(t, cudatest.Options{}))
	s := newStream(t, d, "s")
	const n = 3
	for _, held := range []bool{false, true} {
		x, err := s.Alloc(4 * n)
		errIs(t, err, nil)
		y, err := s.Alloc(4*n + 4)
		errIs(t, err, nil)
		opened := make(chan struct{})
		if held {
			errIs(t, s.Do("gate", func() error { <-opened; return nil }), nil)
		}
		got := make([]byte, 4*n)
		errIs(t, s.Copy(x.All(), device.Bytes(floats(1, 2, 3))), nil)
		errIs(t, s.Copy(y.Span(4, 4*n), device.Bytes(floats(10, 20, 30))), nil)
		errIs(t, f.Launch(s, f.Over(n), uint64(n), float32(0.5), x, y.Span(4, 4*n)), nil)
		errIs(t, s.Copy(device.Bytes(got), y.Span(4, 4*n)), nil)
		errIs(t, s.Free(x), nil)
		errIs(t, s.Free(y), nil)
		close(opened)
		mustSync(t, s)
		if string(got) != string(floats(10.5, 21, 31.5)) {
			t.Errorf("got %x", got)
		}
	}
}

func TestALaunchLooksAtItsArguments(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d, f := newAxpy(t, sim)
	s := newStream(t, d, "s")
	x, err := s.Alloc(400)
	errIs(t, err, nil)
	gone, err := s.Alloc(400)
	errIs(t, err, nil)
	errIs(t, s.Free(gone), nil)
	host, err := device.NewHost(device.HostOptions{})
	errIs(t, err, nil)
	defer func() { errIs(t, host.Close(), nil) }()
	if got := f.Over(1000).Grid[0]; got != 8 || f.Threads() != 128 {
		t.Errorf("1000 threads are %d blocks of %d", got, f.Threads())
	}
	for n, want := range map[int64]int{0: 1, 1: 1, 128: 1, 129: 2, 256: 2} {
		if got := f.Over(n).Grid[0]; got != want {
			t.Errorf("%d threads are %d blocks, want %d", n, got, want)
		}
	}
	other := newDevice(t, newSim(t, cudatest.Options{}), cuda.Options{Name: "other"})
	good := []any{uint64(1), float32(1), x, x}
	for _, c := range []struct {
		on    device.Stream
		shape cuda.Shape
		args  []any
		says  string
	}{
		{s, f.Over(1), good[:3], "3 arguments, the kernel has 4 parameters"},
		{s, f.Over(1), append(good[:4:4], x), "5 arguments, the kernel has 4 parameters"},
		{s, f.Over(1), []any{uint64(1), float64(1), x, x}, "argument 1: a float64 of 8 bytes, the kernel wants 4"},
		{s, f.Over(1), []any{uint64(1), uint32(1), x, x}, "argument 1: a uint32, the kernel wants a float32"},
		{s, f.Over(1), []any{float64(1), float32(1), x, x}, "argument 0: a float64, the kernel wants an integer"},
		{s, f.Over(1), []any{1, float32(1), x, x}, "argument 0: an int: kernels take int32"},
		{s, f.Over(1), []any{7, float32(1), x, x}, "write int32(7), or int64(7)"},
		{s, f.Over(1), []any{int8(1), float32(1), x, x}, "argument 0: an int8: kernels take"},
		{s, f.Over(1), []any{uint64(1), float32(1), nil, x}, "argument 2: nil: kernels take"},
		{s, f.Over(1), []any{uint64(1), float32(1), (*device.Block)(nil), x}, "argument 2: a nil *device.Block: give a block"},
		{s, f.Over(1), []any{uint64(1), float32(1), x, device.Span{}}, "argument 3: a device.Span of nothing: give a block"},
		{s, f.Over(1), good[:1], "1 argument, the kernel has 4 parameters"},
		{s, f.Over(math.MaxInt64), good, "the grid is [72057594037927936 0 0]"},
		{s, f.Over(-1), good, "the grid is [-1 0 0]"},
		{s, f.Over(math.MinInt64), good, "the grid is [-1 0 0]"},
		{nil, f.Over(1), good, "the stream is nil"},
		{s, f.Over(1), []any{uint64(1), float32(1), x, gone}, "argument 3: block was freed"},
		{s, f.Over(1), []any{uint64(1), float32(1), x, x.Span(1, 400)}, "argument 3: out of bounds"},
		{s, f.Over(1), []any{uint64(1), float32(1), x, device.Bytes(make([]byte, 4))}, "out of reach"},
		{s, cuda.Shape{Grid: [3]int{-1}}, good, "the grid is [-1 0 0]"},
		{s, cuda.Shape{Grid: [3]int{1, 1 << 16}}, good, "a grid of [1 65536 1]: the device takes at most [2147483647 65535 65535]"},
		{s, cuda.Shape{Block: [3]int{2000}}, good, "blocks of [2000 1 1]: the device takes at most [1024 1024 64]"},
		{s, cuda.Shape{Block: [3]int{1, 1, 65}}, good, "and 1024 threads together"},
		{s, cuda.Shape{Block: [3]int{1024, 2}}, good, "blocks of [1024 2 1] are 2048 threads"},
		{s, cuda.Shape{SharedBytes: -1}, good, "-1 bytes of shared memory"},
		{s, cuda.Shape{SharedBytes: 1 << 20}, good, "1048576 bytes of shared memory: the device takes at most 49152"},
		{newStream(t, host, "theirs"), f.Over(1), nil, `stream "theirs" is of device "host"`},
		{newStream(t, other, "theirs"), f.Over(1), nil, `stream "theirs" is of device "other"`},
	} {
		err := f.Launch(c.on, c.shape, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), `kernel "`+axpyName+`"`) {
			t.Errorf("error is %v, want one that says %q", err, c.says)
		}
	}
	errIs(t, s.Free(x), nil)
	mustSync(t, s)
	if n := sim.Calls("cuLaunchKernel"); n != 0 {
		t.Errorf("the driver was asked %d times", n)
	}
}

func TestParametersAreKnownFromPTXIfTheDriverCannotTell(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	sim.Fail("cuFuncGetParamInfo", 1, 801) // as before CUDA 12.4
	d, f := newAxpy(t, sim)
	s := newStream(t, d, "s")
	if err := f.Launch(s, f.Over(1), uint64(1)); err == nil || !strings.Contains(err.Error(), "1 argument, the kernel has 4") {
		t.Errorf("error is %v", err)
	}
	if err := f.Launch(s, f.Over(1), uint64(0), int32(1), uint64(0), uint64(0)); err == nil || !strings.Contains(err.Error(), "argument 1: an int32, the kernel wants a float32") {
		t.Errorf("error is %v", err)
	}
	errIs(t, f.Launch(s, f.Over(1), uint64(0), float32(1), uint64(0), uint64(0)), nil)
	mustSync(t, s)
}

func TestPTXThatDoesNotCompileSaysWhy(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	for name, c := range map[string]struct{ image, says string }{
		"broken": {"nothing", "no Go version of a kernel in this PTX; add one with Sim.AddKernel"},
		// A kernel that is not what the Go version takes it for: PTX and program have drifted apart.
		"drifted": {strings.Replace(string(axpyPTX(t)), ".param .f32", ".param .f64", 1), "in Go they are of"},
	} {
		_, err := d.Load(name, []byte(c.image))
		var compile *cuda.CompileError
		var why *cuda.Error
		if !errors.As(err, &compile) || compile.Module != name || !strings.Contains(compile.Log, c.says) || !strings.Contains(err.Error(), compile.Log) || !errors.As(err, &why) || why.Code != 218 {
			t.Errorf("error is %v, want a CompileError with the log", err)
		}
	}
	if _, err := d.Load("empty", nil); err == nil {
		t.Error("an empty module was loaded")
	}
}

func TestAKernelThatIsNotThereIsToldWithThoseThatAre(t *testing.T) {
	d := newDevice(t, newSim(t, cudatest.Options{}), cuda.Options{})
	m, err := d.Load("ours", axpyPTX(t))
	errIs(t, err, nil)
	for name, says := range map[string]string{
		"sluice_axpi_f32": `module "ours": kernel "sluice_axpi_f32": cuModuleGetFunction: CUDA_ERROR_SIMULATED_500 (500): simulated error 500; did you mean "sluice_axpy_f32"?`,
		"other":           "; have sluice_axpy_f32, sluice_axpy_f64",
	} {
		var why *cuda.Error
		if _, err := m.Function(name); !errors.As(err, &why) || !strings.Contains(err.Error(), says) {
			t.Errorf("error is %v, want one that says %s", err, says)
		}
	}
}

func TestNothingOfAClosedModuleIsLaunched(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d, _ := newAxpy(t, sim)
	m, err := d.Load("short", axpyPTX(t))
	errIs(t, err, nil)
	f, err := m.Function(axpyName)
	errIs(t, err, nil)
	s := newStream(t, d, "s")
	errIs(t, m.Close(), nil)
	errIs(t, m.Close(), nil)
	_, err = m.Function(axpyName)
	errIs(t, err, device.ErrClosed)
	err = f.Launch(s, f.Over(1), uint64(0), float32(1), uint64(0), uint64(0))
	errIs(t, err, device.ErrClosed)
	if !strings.Contains(err.Error(), `kernel "sluice_axpy_f32": device "cuda:0": module "short" is closed`) {
		t.Errorf("error is %v, want one that names the module", err)
	}
	if n := sim.Calls("cuModuleUnload"); n != 1 {
		t.Errorf("unloaded %d times", n)
	}
	mustSync(t, s)
}

func TestAKernelThatFaultsEndsTheDevice(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	sim.AddKernel(axpyName, cudatest.Kernel{Run: func(int64, []uint64, func(uint64, int64) ([]byte, error)) error {
		sim.Break(0, 700)
		return nil
	}})
	d, f := newAxpy(t, sim)
	s := newStream(t, d, "s")
	x, err := s.Alloc(400)
	errIs(t, err, nil)
	idle := newStream(t, d, "idle")
	errIs(t, f.Launch(s, f.Over(1), uint64(1), float32(1), x, x), nil)
	var failed *device.FailedError
	var why *cuda.Error
	err = s.Sync(t.Context())
	if !errors.As(err, &failed) || !errors.As(err, &why) || why.Code != 700 || !strings.Contains(err.Error(), `"sluice_axpy_f32" on stream "s"`) {
		t.Errorf("error is %v, want a FailedError that names the kernel", err)
	}
	if err := idle.Sync(t.Context()); !errors.As(err, &failed) {
		t.Errorf("error is %v, want a FailedError", err)
	}
	errIs(t, s.Free(x), nil)
}

func TestAKernelThatIsOverIsNotBlamed(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d, f := newAxpy(t, sim)
	s := newStream(t, d, "s")
	x, err := s.Alloc(400)
	errIs(t, err, nil)
	y, err := s.Alloc(400)
	errIs(t, err, nil)
	errIs(t, f.Launch(s, f.Over(1), uint64(1), float32(1), x, y), nil)
	mustSync(t, s)
	sim.Break(0, 700)
	var failed *device.FailedError
	if err := s.Fill(x.All(), 1); !errors.As(err, &failed) || strings.Contains(err.Error(), "axpy") {
		t.Errorf("error is %v, want a FailedError that blames nobody", err)
	}
	errIs(t, s.Free(x), nil)
	errIs(t, s.Free(y), nil)
}
