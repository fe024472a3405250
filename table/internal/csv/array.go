package csv

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// allocated is what an Arrow buffer of n bytes takes.
func allocated(n int64) int64 { return (n + 63) &^ 63 }

// columnBytes is what the array of a column takes at most while it is made, but for its text.
func columnBytes(typ arrow.DataType, rows int64) int64 {
	bitmap := allocated(bitutil.BytesForBits(rows))
	switch typ.ID() {
	case arrow.BOOL:
		return bitmap + bitmap
	case arrow.STRING, arrow.BINARY:
		const roundedUp = 64 // the size of the text
		return allocated(4*(rows+1)) + bitmap + roundedUp
	default:
		return allocated(rows*int64(typ.(arrow.FixedWidthDataType).Bytes())) + bitmap
	}
}

// newBuffer returns a buffer for n values of T, uninitialised.
func newBuffer[T arrow.FixedWidthType](mem memory.Allocator, n int) *memory.Buffer {
	var value [1]T
	buf := memory.NewResizableBuffer(mem)
	buf.Resize(n * len(arrow.GetBytes(value[:])))
	return buf
}

// newBits returns a buffer for n bits, all of them set to those of a byte.
func newBits(mem memory.Allocator, n int, bits byte) *memory.Buffer {
	buf := newBuffer[uint8](mem, int(bitutil.BytesForBits(int64(n))))
	memory.Set(buf.Bytes(), bits)
	return buf
}

// newArray makes an array that takes over the buffers; the first, the bitmap, may
// be nil.
func newArray(typ arrow.DataType, rows, nulls int, buffers ...*memory.Buffer) arrow.Array {
	data := array.NewData(typ, rows, buffers, nil, nulls, 0)
	defer data.Release()
	for _, b := range buffers {
		if b != nil {
			b.Release()
		}
	}
	return array.MakeFromData(data)
}

// validity is the bitmap of a column in the making.
type validity struct {
	buf   *memory.Buffer
	nulls int
}

func newValidity(mem memory.Allocator, rows int) validity {
	return validity{buf: newBits(mem, rows, 0xff)}
}

func (v *validity) clear(row int) {
	bitutil.ClearBit(v.buf.Bytes(), row)
	v.nulls++
}

// taken is the bitmap for an array, which nil stands for where there are no nulls.
func (v *validity) taken() *memory.Buffer {
	if v.nulls == 0 {
		v.buf.Release()
		return nil
	}
	return v.buf
}
