package devicetest

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seed14ed4225/sluice/device"
)

var copies = []test{
	{"EveryDirectionAndOffset", func(e *env) {
		const size = 5000
		places := []device.Place{device.InHost, device.InPinned, device.InDevice}
		r := e.random()
		s := e.stream("s")
		for _, from := range places {
			for _, to := range places {
				e.Run(fmt.Sprintf("%v to %v", from, to), func(t *testing.T) {
					inner := *e
					inner.T = t
					src, dst := inner.area(s, from, size), inner.area(s, to, size)
					for _, n := range []int64{0, 1, 7, 64, 1000, size - 1, size} {
						inner.copyOnce(s, r, src, dst, n)
					}
					for range 30 {
						inner.copyOnce(s, r, src, dst, r.Int64N(size+1))
					}
					e.cleanups = inner.cleanups
				})
			}
		}
	}},
	{"WithinABlock", func(e *env) {
		s := e.stream("s")
		b := e.alloc(s, 300)
		data := noise(e.random(), 300)
		e.ok(s.Copy(b.All(), device.Bytes(data)))
		e.ok(s.Copy(b.Span(200, 100), b.Span(0, 100)))
		copy(data[200:], data[:100])
		if got := e.read(s, b.All()); !bytes.Equal(got, data) {
			e.Fatal("wrong bytes")
		}
	}},
	{"LargeOnesArriveWhole", func(e *env) {
		const size = 9<<20 + 12345
		s := e.stream("s")
		data := noise(e.random(), size)
		a, b, p := e.alloc(s, size), e.alloc(s, size), e.pinned(s, size)
		e.ok(s.Copy(a.All(), device.Bytes(data)))
		e.ok(s.Copy(b.Span(1, size-1), a.Span(0, size-1)))
		e.ok(s.Copy(p.Span(0, size-1), b.Span(1, size-1)))
		e.ok(e.sync(s))
		if !bytes.Equal(p.Bytes()[:size-1], data[:size-1]) {
			e.Fatal("wrong bytes")
		}
	}},
	{"FillTouchesNothingElse", func(e *env) {
		const size = 3 << 20
		s := e.stream("s")
		b := e.alloc(s, size)
		want := make([]byte, size)
		e.ok(s.Fill(b.All(), 0))
		for _, f := range []struct {
			off, n int64
			value  byte
		}{{0, 0, 1}, {5, 1, 2}, {100, 4097, 255}, {10_001, size - 20_002, 77}, {size - 3, 3, 9}} {
			e.ok(s.Fill(b.Span(f.off, f.n), f.value))
			copy(want[f.off:], bytes.Repeat([]byte{f.value}, int(f.n)))
		}
		if !bytes.Equal(e.read(s, b.All()), want) {
			e.Fatal("wrong bytes")
		}
		host := make([]byte, 10)
		e.ok(s.Fill(device.Bytes(host[2:8]), 5))
		e.ok(e.sync(s))
		if want := []byte{0, 0, 5, 5, 5, 5, 5, 5, 0, 0}; !bytes.Equal(host, want) {
			e.Fatalf("host memory is %v, want %v", host, want)
		}
	}},
	{"MistakesAreRefused", func(e *env) {
		s := e.stream("s")
		a, b := e.alloc(s, 100), e.alloc(s, 100)
		e.ok(s.Fill(a.All(), 1))
		e.ok(s.Fill(b.All(), 2))
		host := device.Bytes(make([]byte, 100))
		for _, c := range []struct {
			what     string
			dst, src device.Span
			want     error
		}{
			{"end behind the block", a.Span(1, 100), host, device.ErrOutOfBounds},
			{"begin behind the block", host, a.Span(101, 0), device.ErrOutOfBounds},
			{"negative offset", a.Span(-1, 50), host, device.ErrOutOfBounds},
			{"negative length", a.Span(50, -1), a.Span(0, -1), device.ErrOutOfBounds},
			{"offset that overflows", a.Span(math.MaxInt64, 100), host, device.ErrOutOfBounds},
			{"length that overflows", a.Span(1, math.MaxInt64), host, device.ErrOutOfBounds},
			{"more than there is", a.Span(0, 50), b.All(), device.ErrLength},
			{"less than there is", a.All(), b.Span(0, 50), device.ErrLength},
			{"onto itself", a.All(), a.All(), device.ErrOverlap},
			{"overlap forwards", a.Span(1, 50), a.Span(0, 50), device.ErrOverlap},
			{"overlap backwards", a.Span(0, 50), a.Span(49, 50), device.ErrOverlap},
		} {
			err := s.Copy(c.dst, c.src)
			e.is(err, c.want)
			e.isOf(err, e.d.Properties().Name, "s", c.what)
		}
		e.is(s.Fill(a.Span(0, 101), 3), device.ErrOutOfBounds)
		e.ok(s.Err()) // the stream goes on
		e.holds(s, a.All(), 1)
		e.holds(s, b.All(), 2)
	}},
	{"BlocksOfAnotherDeviceAreRefused", func(e *env) {
		other := e.newDevice(e.T)
		theirs, err := other.NewStream(device.StreamOptions{Name: "theirs"})
		e.ok(err)
		foreign, err := theirs.Alloc(10)
		e.ok(err)
		s := e.stream("s")
		b := e.alloc(s, 10)
		e.is(s.Copy(b.All(), foreign.All()), device.ErrForeign)
		e.is(s.Copy(foreign.All(), b.All()), device.ErrForeign)
		e.is(s.Fill(foreign.All(), 0), device.ErrForeign)
		e.is(s.Free(foreign), device.ErrForeign)
		e.ok(theirs.Free(foreign))
		e.ok(other.Close())
	}},
}

// An area is memory in a place.
type area struct {
	all  device.Span
	host []byte // of ordinary memory
}

func (a area) span(off, n int64) device.Span {
	if a.host != nil {
		return device.Bytes(a.host[off : off+n])
	}
	return a.all.Block().Span(off, n)
}

func (e *env) area(s device.Stream, p device.Place, n int64) area {
	e.Helper()
	switch p {
	case device.InPinned:
		return area{all: e.pinned(s, n).All()}
	case device.InDevice:
		return area{all: e.alloc(s, n).All()}
	}
	host := make([]byte, n)
	return area{all: device.Bytes(host), host: host}
}

// copyOnce copies n random bytes between random offsets, and looks that they arrived
// and nothing else changed.
func (e *env) copyOnce(s device.Stream, r *rand.Rand, src, dst area, n int64) {
	e.Helper()
	size := src.all.Len()
	from, to := r.Int64N(size-n+1), r.Int64N(size-n+1)
	bytesOf, want := noise(r, size), noise(r, size)
	e.ok(s.Copy(src.all, device.Bytes(bytesOf)))
	e.ok(s.Copy(dst.all, device.Bytes(bytes.Clone(want))))
	e.ok(s.Copy(dst.span(to, n), src.span(from, n)))
	copy(want[to:to+n], bytesOf[from:])
	if got := e.read(s, dst.all); !bytes.Equal(got, want) {
		e.Fatalf("%d bytes from offset %d to %d: wrong bytes", n, from, to)
	}
	if got := e.read(s, src.all); !bytes.Equal(got, bytesOf) {
		e.Fatalf("%d bytes from offset %d to %d: the source changed", n, from, to)
	}
}
