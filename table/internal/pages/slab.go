package pages

import (
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// trusted is how many bytes are allocated on a row group's word about how many
// rows it has. What is larger must earn its room page by page.
const trusted = 64 << 20

// A slab is an Arrow buffer being filled with values of one width.
type slab[T arrow.FixedWidthType] struct {
	mem memory.Allocator
	buf *memory.Buffer
	n   int
}

// extend makes room for k more values and returns it, uninitialised. total is
// how many there will be in the end, if anybody has said so, or else 0.
func (s *slab[T]) extend(k, total int) []T {
	var value T
	width := int(unsafe.Sizeof(value))
	if s.buf == nil {
		s.buf = memory.NewResizableBuffer(s.mem)
	}
	if need := (s.n + k) * width; need > s.buf.Cap() {
		room := total * width
		if room < need || room > trusted {
			room = max(need, 2*s.buf.Cap())
		}
		s.buf.Reserve(room)
	}
	s.buf.ResizeNoShrink((s.n + k) * width)
	tail := arrow.GetData[T](s.buf.Bytes())[s.n:]
	s.n += k
	return tail
}

// take gives the buffer away. One that is much larger than its content is cut.
func (s *slab[T]) take() *memory.Buffer {
	if s.buf == nil {
		s.extend(0, 0)
	}
	buf := s.buf
	s.buf, s.n = nil, 0
	if slack := buf.Cap() - buf.Len(); slack > 4096 && slack > buf.Len()/4 {
		buf.Resize(buf.Len())
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

// extend takes the levels of n more rows, nil for a required column, and returns
// how many of the rows have values.
func (v *validity) extend(levels []byte, n, total int) (present int, err error) {
	start := v.rows
	if levels == nil || allPresent(n, levels) {
		if v.bits.buf != nil {
			v.grow(n, total)
			bitutil.SetBitsTo(v.bits.buf.Bytes(), int64(start), int64(n), true)
		}
		v.rows += n
		return n, nil
	}
	if v.bits.buf == nil && start > 0 {
		v.rows = 0
		v.grow(start, total)
		bitutil.SetBitsTo(v.bits.buf.Bytes(), 0, int64(start), true)
		v.rows = start
	}
	v.grow(n, total)
	present, err = decodeLevels(v.bits.buf.Bytes(), start, n, levels)
	v.rows += n
	v.nulls += n - present
	return present, err
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
