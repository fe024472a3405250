package table

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// A view is an array opened for loops: its offset and dictionary taken care of
// once rather than row by row. It borrows the array, of which it asks only what that does not find
// out when it is first asked, because goroutines may share a batch.
type view struct {
	array  arrow.Array
	layout layout
	rows   int

	valid  []byte // bitmap, nil if no row is null
	offset int    // of row 0 in valid

	decimals []decimal128.Num // if layout is layoutDecimal
	text     text             // if it is layoutText
}

// text is a column of strings: values, and which of them each row has.
type text struct {
	codes   []int32         // nil if row i has value i
	dict    arrow.ArrayData // the dictionary, nil if there is none
	values  []byte
	offsets []int32
}

func newView(a arrow.Array) view {
	v := view{array: a, rows: a.Len()}
	v.layout, _ = layoutOf(a.DataType())
	if v.layout == layoutNull {
		v.valid, v.offset = make([]byte, bitutil.BytesForBits(int64(v.rows))), 0
		return v
	}
	v.valid, v.offset = validOf(a.Data())
	switch v.layout {
	case layoutDecimal:
		v.decimals = fixed[decimal128.Num](a)
	case layoutText:
		v.openText()
	}
	return v
}

func (v *view) openText() {
	coded, ok := v.array.(*array.Dictionary)
	if !ok {
		v.text.offsets, v.text.values = textOf(v.array.Data())
		return
	}
	v.text.dict = coded.Data().Dictionary()
	v.text.offsets, v.text.values = textOf(v.text.dict)
	v.text.codes = codesOf(coded)
	if entries, offset := validOf(v.text.dict); entries != nil {
		v.hideNullEntries(coded, entries, offset)
	}
}

// hideNullEntries makes rows null whose dictionary entry is.
func (v *view) hideNullEntries(coded *array.Dictionary, entries []byte, offset int) {
	valid := make([]byte, bitutil.BytesForBits(int64(v.rows)))
	for i := range v.rows {
		if coded.IsValid(i) && bitutil.BitIsSet(entries, offset+int(v.text.codes[i])) {
			bitutil.SetBit(valid, i)
		}
	}
	v.valid, v.offset = valid, 0
}

// codesOf returns the dictionary index of each row. That of a null row is
// arbitrary.
func codesOf(coded *array.Dictionary) []int32 {
	if codes, ok := coded.Indices().(*array.Int32); ok {
		return codes.Int32Values()
	}
	codes := make([]int32, coded.Len())
	for i := range codes {
		if coded.IsValid(i) {
			codes[i] = int32(coded.GetValueIndex(i))
		}
	}
	return codes
}

// validOf returns the bitmap of what is not null, nil if nothing is known to be.
func validOf(data arrow.ArrayData) (bitmap []byte, offset int) {
	if data.NullN() == 0 || len(data.Buffers()) == 0 || data.Buffers()[0] == nil {
		return nil, 0
	}
	return data.Buffers()[0].Bytes(), data.Offset()
}

// textOf returns where each string of an array ends and begins, and the bytes.
func textOf(data arrow.ArrayData) (offsets []int32, values []byte) {
	buffers := data.Buffers()
	if data.Len() == 0 || buffers[1] == nil {
		return make([]int32, data.Len()+1), nil
	}
	if buffers[2] != nil {
		values = buffers[2].Bytes()
	}
	return arrow.GetOffsets[int32](data, 1), values
}

func (v *view) null(row int) bool {
	return v.valid != nil && !bitutil.BitIsSet(v.valid, v.offset+row)
}

// at returns the string in a row that is not null, or some string if it is. The
// bytes are the array's.
func (t *text) at(row int) []byte {
	if t.codes != nil {
		row = int(t.codes[row])
	}
	return t.values[t.offsets[row]:t.offsets[row+1]]
}

// fixed returns the values of an array whose layout is T's.
func fixed[T arrow.FixedWidthType](a arrow.Array) []T {
	data := a.Data()
	if data.Len() == 0 || data.Buffers()[1] == nil {
		return make([]T, data.Len())
	}
	return arrow.GetData[T](data.Buffers()[1].Bytes())[data.Offset() : data.Offset()+data.Len()]
}

// bitAt returns the boolean in a row.
func (v *view) bitAt(row int) bool { return v.array.(*array.Boolean).Value(row) }
