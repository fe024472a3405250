package cuda_test

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
)

// axpy adds a times x to y, n numbers: (n uint64, a float32, x, y pointers).
var axpy = cudatest.Kernel{
	Params: []int{8, 4, 8, 8},
	Run: func(threads int64, args []uint64, bytes func(uint64, int64) ([]byte, error)) error {
		n, a := int64(args[0]), math.Float32frombits(uint32(args[1]))
		x, err := bytes(args[2], 4*n)
		if err != nil {
			return err
		}
		y, err := bytes(args[3], 4*n)
		if err != nil {
			return err
		}
		for i := range min(n, threads) {
			at := func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])) }
			binary.LittleEndian.PutUint32(y[4*i:], math.Float32bits(a*at(x)+at(y)))
		}
		return nil
	},
}

// newAxpy loads the kernel on a new device.
func newAxpy(t *testing.T, k cudatest.Kernel) (*cudatest.Sim, *cuda.Device, *cuda.Function) {
	t.Helper()
	sim := newSim(t, cudatest.Options{})
	sim.AddKernel("axpy", k)
	d := newDevice(t, sim, cuda.Options{})
	m, err := d.Load("our kernels", []byte("axpy"))
	errIs(t, err, nil)
	f, err := m.Function("axpy")
	errIs(t, err, nil)
	return sim, d, f
}

func floats(values ...float32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func TestAKernelRunsInItsPlaceInTheStream(t *testing.T) {
	_, d, f := newAxpy(t, axpy)
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
	_, d, f := newAxpy(t, axpy)
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
	for _, c := range []struct {
		on    device.Stream
		shape cuda.Shape
		args  []any
		says  string
	}{
		{s, f.Over(1), []any{uint64(1), float32(1), x}, "3 arguments, the kernel has 4 parameters"},
		{s, f.Over(1), []any{uint64(1), float64(1), x, x}, "argument 1: a float64 of 8 bytes, the kernel wants 4"},
		{s, f.Over(1), []any{1, float32(1), x, x}, "argument 0: a int"},
		{s, f.Over(1), []any{uint64(1), float32(1), x, gone}, "argument 3: block was freed"},
		{s, f.Over(1), []any{uint64(1), float32(1), x, x.Span(1, 400)}, "argument 3: out of bounds"},
		{s, f.Over(1), []any{uint64(1), float32(1), x, device.Bytes(make([]byte, 4))}, "out of reach"},
		{s, cuda.Shape{Grid: [3]int{-1}}, []any{uint64(1), float32(1), x, x}, "the grid is [-1 0 0]"},
		{s, cuda.Shape{SharedBytes: -1}, []any{uint64(1), float32(1), x, x}, "shared"},
		{s, cuda.Shape{Block: [3]int{2000}}, []any{uint64(1), float32(1), x, x}, "cuLaunchKernel"},
		{newStream(t, host, "theirs"), f.Over(1), nil, `stream "theirs" is of device "host"`},
	} {
		err := f.Launch(c.on, c.shape, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), `kernel "axpy"`) {
			t.Errorf("error is %v, want one that says %q", err, c.says)
		}
	}
	errIs(t, s.Free(x), nil)
	mustSync(t, s)
}

func TestModulesSayWhatIsWrong(t *testing.T) {
	sim, d, _ := newAxpy(t, axpy)
	_, err := d.Load("broken", []byte("nothing"))
	var compile *cuda.CompileError
	var why *cuda.Error
	if !errors.As(err, &compile) || compile.Module != "broken" || !strings.Contains(err.Error(), "line 1") || !errors.As(err, &why) || why.Code != 218 {
		t.Errorf("error is %v, want a CompileError with the log", err)
	}
	if _, err := d.Load("empty", nil); err == nil {
		t.Error("an empty module was loaded")
	}
	m, err := d.Load("again", []byte("axpy"))
	errIs(t, err, nil)
	if _, err := m.Function("axpi"); !errors.As(err, &why) || !strings.Contains(err.Error(), `module "again": kernel "axpi"`) {
		t.Errorf("error is %v, want one that names the kernel", err)
	}
	errIs(t, m.Close(), nil)
	errIs(t, m.Close(), nil)
	_, err = m.Function("axpy")
	errIs(t, err, device.ErrClosed)
	if n := sim.Calls("cuModuleUnload"); n != 1 {
		t.Errorf("unloaded %d times", n)
	}
}

func TestAKernelThatFaultsEndsTheDevice(t *testing.T) {
	var sim *cudatest.Sim
	faults := axpy
	faults.Run = func(int64, []uint64, func(uint64, int64) ([]byte, error)) error {
		sim.Break(0, 700)
		return nil
	}
	sim, d, f := newAxpy(t, faults)
	s := newStream(t, d, "s")
	x, err := s.Alloc(400)
	errIs(t, err, nil)
	idle := newStream(t, d, "idle")
	errIs(t, f.Launch(s, f.Over(1), uint64(1), float32(1), x, x), nil)
	var failed *device.FailedError
	var why *cuda.Error
	err = s.Sync(t.Context())
	if !errors.As(err, &failed) || !errors.As(err, &why) || why.Code != 700 || !strings.Contains(err.Error(), `"axpy" on stream "s"`) {
		t.Errorf("error is %v, want a FailedError that names the kernel", err)
	}
	if err := idle.Sync(t.Context()); !errors.As(err, &failed) {
		t.Errorf("error is %v, want a FailedError", err)
	}
	errIs(t, s.Free(x), nil)
}

func TestAKernelThatIsOverIsNotBlamed(t *testing.T) {
	sim, d, f := newAxpy(t, axpy)
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
