package axpy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda/axpy"
)

// number is what a kernel computes with.
type number interface{ float32 | float64 }

func bytesOf[T number](v []T) []byte {
	var t T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(t)))
}

// some returns n numbers: those where rounding is hard, then any.
func some[T number](r *rand.Rand, n int, hard ...float64) []T {
	v := make([]T, n)
	for i := range v {
		if i < len(hard) {
			v[i] = T(hard[i])
		} else {
			v[i] = T(math.Ldexp(r.Float64()-0.5, r.IntN(60)-30))
		}
	}
	return v
}

// round gives back its argument in a way that no compiler sees through, so that what goes in is
// rounded.
//
//go:noinline
func round[T number](v T) T { return v }

// same returns whether two numbers have the same bits, or are both none.
func same[T number](a, b T) bool {
	x, y := float64(a), float64(b)
	return math.Float64bits(x) == math.Float64bits(y) || math.IsNaN(x) && math.IsNaN(y)
}

// only returns whether all bytes have a value.
func only(value byte, all []byte) bool {
	return bytes.Count(all, []byte{value}) == len(all)
}

func testAnswers[T number](t *testing.T, d device.Device, run func(s device.Stream, a T, x, y device.Span) error) {
	r := rand.New(rand.NewPCG(1, 2))
	s := newStream(t, d)
	var zero T
	size := int64(unsafe.Sizeof(zero))
	huge, tiny := float64(math.MaxFloat32), float64(math.SmallestNonzeroFloat32)
	if size == 8 {
		huge, tiny = math.MaxFloat64, math.SmallestNonzeroFloat64
	}
	for _, n := range []int{0, 1, 2, 3, 4, 5, 127, 1000, 70_001} {
		for _, skip := range [][2]int64{{0, 0}, {1, 1}, {3, 4}, {4, 1}} { // numbers before x and y
			a := T(r.NormFloat64())
			x := some[T](r, n, huge, tiny, math.Inf(1), math.NaN(), math.Copysign(0, -1), 3*tiny)
			y := some[T](r, n, huge, -tiny, math.Inf(-1), 1, 0, tiny)
			want := make([]T, n)
			for i := range want {
				want[i] = round(a*x[i]) + y[i]
			}
			length := int64(n) * size
			xs, err := s.Alloc(length + skip[0]*size)
			errIs(t, err, nil)
			ys, err := s.Alloc(length + skip[1]*size + 7)
			errIs(t, err, nil)
			errIs(t, s.Fill(ys.All(), 0xa5), nil)
			at := ys.Span(skip[1]*size, length)
			errIs(t, s.Copy(xs.Span(skip[0]*size, length), device.Bytes(bytesOf(x))), nil)
			errIs(t, s.Copy(at, device.Bytes(bytesOf(y))), nil)
			errIs(t, run(s, a, xs.Span(skip[0]*size, length), at), nil)
			all := make([]byte, ys.Size())
			errIs(t, s.Copy(device.Bytes(all), ys.All()), nil)
			errIs(t, s.Free(xs), nil) // in the order of the stream: at once
			errIs(t, s.Free(ys), nil)
			errIs(t, s.Sync(t.Context()), nil)
			got := make([]T, n)
			copy(bytesOf(got), all[skip[1]*size:])
			for i := range got {
				if !same(got[i], want[i]) {
					t.Fatalf("%d numbers, skipping %d: y[%d] is %v, want %v*%v + %v = %v", n, skip, i, got[i], a, x[i], y[i], want[i])
				}
			}
			if before, behind := all[:skip[1]*size], all[skip[1]*size+length:]; !only(0xa5, before) || !only(0xa5, behind) {
				t.Fatalf("%d numbers, skipping %d: it wrote beside y: %x and %x", n, skip, before, behind)
			}
		}
	}
}

func TestTheResultHasTheSameBitsOnEveryDevice(t *testing.T) {
	onEach(t, func(t *testing.T, d device.Device) {
		testAnswers(t, d, axpy.Float32)
		testAnswers(t, d, axpy.Float64)
	})
}

func TestPinnedMemoryWillDo(t *testing.T) {
	onEach(t, func(t *testing.T, d device.Device) {
		s := newStream(t, d)
		b, err := d.AllocPinned(32)
		errIs(t, err, nil)
		copy(b.Bytes(), bytesOf([]float64{1, 2, 30, 40}))
		errIs(t, axpy.Float64(s, 0.5, b.Span(0, 16), b.Span(16, 16)), nil)
		errIs(t, s.Sync(t.Context()), nil)
		if got := fmt.Sprint(unsafe.Slice((*float64)(unsafe.Pointer(&b.Bytes()[0])), 4)); got != "[1 2 30.5 41]" {
			t.Errorf("got %v", got)
		}
		errIs(t, s.Free(b), nil)
	})
}

func TestWhatCannotBeDoneIsRefusedAndNothingIsQueued(t *testing.T) {
	onEach(t, func(t *testing.T, d device.Device) {
		s := newStream(t, d)
		other, err := device.NewHost(device.HostOptions{Name: "other"})
		errIs(t, err, nil)
		foreign, err := other.AllocPinned(64)
		errIs(t, err, nil)
		b, err := s.Alloc(128)
		errIs(t, err, nil)
		freed, err := s.Alloc(64)
		errIs(t, err, nil)
		errIs(t, s.Free(freed), nil)
		errIs(t, s.Fill(b.All(), 7), nil)
		y := b.Span(64, 64)
		for _, c := range []struct {
			x, y device.Span
			is   error // or nil for one that has no name
			says string
		}{
			{b.Span(0, 32), y, device.ErrLength, "lengths differ: x has 32 bytes, y 64"},
			{b.Span(0, 12), b.Span(16, 12), device.ErrLength, "x: lengths differ: 12 bytes are not a whole number of numbers of 8"},
			{b.Span(4, 32), b.Span(40, 32), nil, "x: begins at byte 4 of its block, which must be a multiple of 8"},
			{b.Span(0, 32), b.Span(36, 32), nil, "y: begins at byte 36"},
			{b.Span(8, 64), y, device.ErrOverlap, "x and y: source and destination overlap"},
			{y, y, device.ErrOverlap, "overlap"},
			{b.Span(96, 64), y, device.ErrOutOfBounds, "x: out of bounds"},
			{b.Span(0, 64), b.Span(96, 64), device.ErrOutOfBounds, "y: out of bounds"},
			{b.Span(-8, 64), y, device.ErrOutOfBounds, "x: out of bounds"},
			{freed.All(), y, device.ErrFreed, "x: block was freed"},
			{foreign.All(), y, device.ErrForeign, `x: block is of device "other"`},
			{device.Bytes(make([]byte, 64)), y, nil, "x: ordinary memory is out of reach of a kernel"},
			{b.Span(0, 64), device.Bytes(make([]byte, 64)), nil, "y: ordinary memory"},
		} {
			err := axpy.Float64(s, 2, c.x, c.y)
			var op *device.OpError
			if !errors.As(err, &op) || op.Stream != "s" || !strings.Contains(err.Error(), c.says) || !strings.Contains(op.Op, "bytes of float64") {
				t.Errorf("error is %v, want one of stream s that says %q", err, c.says)
			}
			if c.is != nil {
				errIs(t, err, c.is)
			}
		}
		got := make([]byte, 128)
		errIs(t, s.Copy(device.Bytes(got), b.All()), nil)
		errIs(t, s.Sync(t.Context()), nil)
		if !only(7, got) {
			t.Errorf("something was written: %x", got)
		}
		errIs(t, s.Free(b), nil)
		errIs(t, newStream(t, other).Free(foreign), nil)
		errIs(t, other.Close(), nil)
	})
}

// strange is a device that nobody has heard of.
type strange struct{ device.Device }

type strangeStream struct {
	device.Stream
	d device.Device
}

func (s strangeStream) Device() device.Device { return s.d }

func TestADeviceThatHasNoKernelSaysSo(t *testing.T) {
	host, err := device.NewHost(device.HostOptions{})
	errIs(t, err, nil)
	d := strange{host}
	s := newStream(t, host)
	b := device.NewBlock(device.BlockSpec{Device: d, Place: device.InDevice, Size: 16, Address: 0x1000})
	err = axpy.Float32(strangeStream{s, d}, 1, b.Span(0, 8), b.Span(8, 8))
	errIs(t, err, errors.ErrUnsupported)
	if !strings.Contains(err.Error(), "axpy_test.strange") {
		t.Errorf("error is %v, want one that names the device's type", err)
	}
	errIs(t, host.Close(), nil)
}

func TestAStreamThatHasEndedSaysSo(t *testing.T) {
	onEach(t, func(t *testing.T, d device.Device) {
		boom := errors.New("boom")
		s := newStream(t, d)
		b, err := s.Alloc(32)
		errIs(t, err, nil)
		errIs(t, s.Do("fails", func() error { return boom }), nil)
		errIs(t, s.Sync(t.Context()), boom)
		errIs(t, axpy.Float32(s, 1, b.Span(0, 16), b.Span(16, 16)), boom)
		shut := newStream(t, d)
		errIs(t, shut.Close(), nil)
		errIs(t, axpy.Float32(shut, 1, b.Span(0, 16), b.Span(16, 16)), device.ErrClosed)
		errIs(t, s.Free(b), nil)
	})
}

func ExampleFloat32() {
	d, err := device.NewHost(device.HostOptions{}) // or cuda.Open(0, cuda.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := d.NewStream(device.StreamOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := d.AllocPinned(24)
	if err != nil {
		fmt.Println(err)
		return
	}
	v := unsafe.Slice((*float32)(unsafe.Pointer(&b.Bytes()[0])), 6)
	copy(v, []float32{1, 2, 3, 10, 20, 30})
	err = axpy.Float32(s, 0.5, b.Span(0, 12), b.Span(12, 12))
	if err := errors.Join(err, s.Sync(context.Background())); err != nil { // until then v is the device's
		fmt.Println(err)
		return
	}
	fmt.Println(v[3:])
	fmt.Println(s.Free(b))
	fmt.Println(d.Close())
	// Output:
	// [10.5 21 31.5]
	// <nil>
	// <nil>
}
