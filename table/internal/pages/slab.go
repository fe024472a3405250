package pages

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// trusted is how many bytes are allocated on a file's word about how many rows it
// has. What is larger must earn its room page by page.
const trusted = 64 << 20

// A slab is an Arrow buffer being filled with values of one width.
type slab[T arrow.FixedWidthType] struct {
	mem memory.Allocator
	buf *memory.Buffer
	n   int
}

// extend makes room for k more values and returns it, uninitialised. total is the
// most there will be in the end; memory for more is never taken.
func (s *slab[T]) extend(k, total int) []T {
	if s.buf == nil {
		s.buf = memory.NewResizableBuffer(s.mem)
	}
	if need := (s.n + k) * width[T](); need > s.buf.Cap() {
		room := max(need, total*width[T]())
		if room > trusted {
			room = min(room, max(need, 2*s.buf.Cap()))
		}
		s.buf.Reserve(room)
	}
	s.buf.ResizeNoShrink((s.n + k) * width[T]())
	tail := arrow.GetData[T](s.buf.Bytes())[s.n:]
	s.n += k
	return tail
}

// slabBytes is how many bytes a slab of n values takes: Arrow rounds them up.
func slabBytes(n, width int64) int64 { return (n*width + 63) &^ 63 }

// take gives the buffer away. One that is much larger than its content is copied into
// one that is not: allocators need not give back what is cut off.
func (s *slab[T]) take() *memory.Buffer {
	if s.buf == nil {
		s.extend(0, 0)
	}
	buf := s.buf
	s.buf, s.n = nil, 0
	if slack := buf.Cap() - buf.Len(); slack > 4096 && slack > buf.Len()/4 {
		exact := memory.NewResizableBuffer(s.mem)
		exact.Resize(buf.Len())
		copy(exact.Bytes(), buf.Bytes())
		buf.Release()
		return exact
	}
	return buf
}

func (s *slab[T]) release() {
	if s.buf != nil {
		s.buf.Release()
		s.buf = nil
	}
}

// validity is the bitmap of an optional column. There is none until the first
// null.
type validity struct {
	bits  slab[uint8]
	rows  int // so far
	nulls int
}

// extend takes the rows wanted of a page, and returns which of its values they have.
func (v *validity) extend(p page, total int) (wanted, error) {
	start := v.rows
	want := wanted{skip: p.skip, n: p.take, all: p.rows}
	if p.levels == nil || allPresent(p.rows, p.levels) {
		if v.bits.buf != nil {
			v.grow(p.take, total)
			bitutil.SetBitsTo(v.bits.buf.Bytes(), int64(start), int64(p.take), true)
		}
		v.rows += p.take
		return want, nil
	}
	if v.bits.buf == nil && start > 0 {
		v.rows = 0
		v.grow(start, total)
		bitutil.SetBitsTo(v.bits.buf.Bytes(), 0, int64(start), true)
		v.rows = start
	}
	v.grow(p.take, total)
	var err error
	want.skip, want.n, err = decodeLevels(v.bits.buf.Bytes(), start, p.skip, p.take, p.levels)
	if p.take == p.rows {
		want.all = want.n
	}
	v.rows += p.take
	v.nulls += p.take - want.n
	return want, err
}

// bitmap returns the bits if there are nulls among the rows just added, else nil.
func (v *validity) bitmap(nulls int) []byte {
	if nulls == 0 {
		return nil
	}
	return v.bits.buf.Bytes()
}

func (v *validity) grow(n, total int) {
	bytes := int(bitutil.BytesForBits(int64(v.rows + n)))
	clear(v.bits.extend(bytes-v.bits.n, int(bitutil.BytesForBits(int64(total)))))
}

// take gives the bitmap away, nil if there were no nulls.
func (v *validity) take() *memory.Buffer {
	if v.nulls == 0 {
		v.bits.release()
		return nil
	}
	return v.bits.take()
}

// spread moves the values at the front of dst to the rows that have one, the
// last first, and puts zeros in the others.
func spread[T any](dst []T, present int, bits []byte, offset int) {
	var zero T
	for i := len(dst) - 1; i >= 0; i-- {
		if bitutil.BitIsSet(bits, offset+i) {
			present--
			dst[i] = dst[present]
		} else {
			dst[i] = zero
		}
	}
}
