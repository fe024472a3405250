package expr

import (
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// A column is one of a batch, opened for loops. It borrows the batch. Of Arrow's arrays it asks only
// what they do not find out when they are first asked, because goroutines may share a batch.
type column struct {
	array arrow.Array
	data  arrow.ArrayData // of the array, or of the values of its dictionary

	valid  []byte // bitmap, nil if no row is null
	offset int    // of row 0 in valid

	coded   bool
	codes   []int32 // of a column with a dictionary, the entry of each row
	offsets []int32 // of texts: where each begins in values and ends
	values  []byte
	// entries means that the rows are the entries of the dictionary, and after them one that is null.
	entries bool
}

func (c *column) open(a arrow.Array) {
	*c = column{array: a, data: a.Data()}
	c.valid, c.offset = validOf(c.data)
	if d, ok := a.(*array.Dictionary); ok {
		c.data, c.coded = d.Data().Dictionary(), true
		c.openCodes(d)
	}
	if id := c.data.DataType().ID(); id == arrow.STRING || id == arrow.BINARY {
		c.openText()
	}
}

// validOf returns the bitmap of what is not null, nil if nothing is known to be.
func validOf(data arrow.ArrayData) (bitmap []byte, offset int) {
	if data.NullN() == 0 || len(data.Buffers()) == 0 || data.Buffers()[0] == nil {
		return nil, 0
	}
	return data.Buffers()[0].Bytes(), data.Offset()
}

// openCodes reads the codes. Those of null rows are made those of no entry, and so are rows null
// whose entry is.
func (c *column) openCodes(d *array.Dictionary) {
	entries, offset := validOf(c.data)
	if codes, ok := d.Indices().(*array.Int32); ok && c.valid == nil && entries == nil {
		c.codes = codes.Int32Values()
		return
	}
	valid := make([]byte, bitutil.BytesForBits(int64(d.Len())))
	codes := make([]int32, d.Len())
	for i := range codes {
		codes[i] = -1
		if c.valid != nil && !bitutil.BitIsSet(c.valid, c.offset+i) {
			continue
		}
		if code := d.GetValueIndex(i); entries == nil || bitutil.BitIsSet(entries, offset+code) {
			codes[i] = int32(code)
			bitutil.SetBit(valid, i)
		}
	}
	c.codes, c.valid, c.offset = codes, valid, 0
}

func (c *column) openText() {
	if c.data.Len() == 0 || c.data.Buffers()[1] == nil {
		c.offsets = make([]int32, c.data.Len()+1)
		return
	}
	c.offsets = arrow.GetOffsets[int32](c.data, 1)
	if c.data.Buffers()[2] != nil {
		c.values = c.data.Buffers()[2].Bytes()
	}
}

// openEntries makes the entries of a column's dictionary, and a null, the rows of c.
func (c *column) openEntries(of *column) {
	*c = column{data: of.data, offsets: of.offsets, values: of.values, entries: true}
	c.valid, c.offset = validOf(of.data)
}

// fixed returns the values of an array as they lie in memory.
func fixed[T arrow.FixedWidthType](a arrow.Array) []T {
	data := a.Data()
	if data.Len() == 0 || data.Buffers()[1] == nil {
		return make([]T, data.Len())
	}
	return arrow.GetData[T](data.Buffers()[1].Bytes())[data.Offset() : data.Offset()+data.Len()]
}

// A columnRef is a column of the batch.
type columnRef struct {
	info
	column int // in the program's list
}

func (c *columnRef) eval(e *Evaluator, _ []uint64) *vector {
	col := &e.columns[c.column]
	r := &e.registers[c.register]
	r.valid = nil
	if c.typ.ID() == arrow.NULL {
		r.makeNull()
		return &r.vector
	}
	n := c.nulls(e, r)
	c.load(col, r, e.first, n)
	if n < e.rows {
		r.texts = append(r.texts, "")
	}
	return &r.vector
}

// nulls makes the rows of r null that are so in the column, and returns how many of the strip's the column
// has.
func (c *columnRef) nulls(e *Evaluator, r *register) (n int) {
	col := &e.columns[c.column]
	n = e.rows
	if col.entries && e.first+n > col.data.Len() {
		n-- // the null
	}
	switch {
	case col.valid != nil && n > 0:
		r.valid = r.validStore[:]
		loadBits(r.valid, col.valid, col.offset+e.first, n)
	case n < e.rows:
		r.valid = r.validStore[:]
		for w := range r.valid {
			r.valid[w] = ^uint64(0)
		}
	}
	if n < e.rows {
		r.valid[n>>6] &^= 1 << (uint(n) & 63)
	}
	return n
}

func (c *columnRef) load(col *column, r *register, first, n int) {
	switch c.typ.ID() {
	case arrow.BOOL:
		r.resetValues(formBool, n)
		data := col.array.Data()
		if n > 0 && data.Buffers()[1] != nil {
			loadBits(r.bits, data.Buffers()[1].Bytes(), data.Offset()+first, n)
		}
	case arrow.INT8:
		widen[int8](r, col, first, n)
	case arrow.INT16:
		widen[int16](r, col, first, n)
	case arrow.INT32, arrow.DATE32, arrow.TIME32:
		widen[int32](r, col, first, n)
	case arrow.UINT8:
		widen[uint8](r, col, first, n)
	case arrow.UINT16:
		widen[uint16](r, col, first, n)
	case arrow.UINT32:
		widen[uint32](r, col, first, n)
	case arrow.INT64, arrow.TIMESTAMP, arrow.DURATION, arrow.TIME64:
		r.ints = fixed[int64](col.array)[first : first+n]
	case arrow.UINT64:
		r.uints = fixed[uint64](col.array)[first : first+n]
	case arrow.FLOAT64:
		r.floats = fixed[float64](col.array)[first : first+n]
	case arrow.FLOAT32:
		r.resetValues(formFloat, n)
		for i, x := range fixed[float32](col.array)[first : first+n] {
			r.floats[i] = float64(x)
		}
	case arrow.DECIMAL128:
		r.decimals = fixed[decimal128.Num](col.array)[first : first+n]
	default:
		col.loadTexts(r, first, n)
	}
}

func widen[T int8 | int16 | int32 | uint8 | uint16 | uint32](r *register, col *column, first, n int) {
	r.resetValues(formInt, n)
	from := fixed[T](col.array)[first : first+n]
	into := r.ints[:len(from)]
	for ; len(from) >= 4; from, into = from[4:], into[4:] {
		x, y := (*[4]T)(from), (*[4]int64)(into)
		y[0], y[1], y[2], y[3] = int64(x[0]), int64(x[1]), int64(x[2]), int64(x[3])
	}
	for i, x := range from {
		into[i] = int64(x)
	}
}

func (c *column) loadTexts(r *register, first, n int) {
	r.resetValues(formText, n)
	into := r.texts
	if c.coded {
		for i, code := range c.codes[first : first+n] {
			into[i] = ""
			if code >= 0 {
				into[i] = aliasText(c.values[c.offsets[code]:c.offsets[code+1]])
			}
		}
		return
	}
	offsets := c.offsets[first : first+n+1]
	for i := range into {
		into[i] = aliasText(c.values[offsets[i]:offsets[i+1]])
	}
}

// aliasText is a string of bytes that must not change while it is used.
func aliasText(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
