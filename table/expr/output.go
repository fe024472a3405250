package expr

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

var errTooMuchText = errors.New("more than 2 GiB of text in one batch, which 32-bit offsets cannot address")

// Bytes returns how much memory [Evaluator.Eval] will take from its allocator for a batch, at most: a
// bitmap of nulls that turn out not to be there is the only thing that may be missing. To know that
// of text it evaluates it, which may fail as Eval may; the Eval of the same batch that follows has the less
// to do.
func (e *Evaluator) Bytes(batch arrow.RecordBatch) (int64, error) {
	rows := batch.NumRows()
	typ := e.program.Type()
	if _, ok := e.program.root.(*columnRef); ok || typ.ID() == arrow.NULL {
		return 0, nil
	}
	bitmap := allocated(bitutil.BytesForBits(rows))
	switch e.program.root.base().form {
	case formBool:
		return 2 * bitmap, nil
	case formText:
		err := e.measure(batch)
		return bitmap + allocated(4*(rows+1)) + allocated(e.measured.bytes), err
	default:
		return bitmap + allocated(rows*int64(typ.(arrow.FixedWidthDataType).Bytes())), nil
	}
}

// allocated is what Arrow allocates for n bytes.
func allocated(n int64) int64 { return (n + 63) &^ 63 }

// Eval returns the value of the expression for each row of a batch, in memory from mem; of a column
// that is named by itself it is that column. The caller releases it. A row without a value is a
// [*RowError], and then nothing is to be released.
func (e *Evaluator) Eval(batch arrow.RecordBatch, mem memory.Allocator) (arrow.Array, error) {
	rows := int(batch.NumRows())
	if c, ok := e.program.root.(*columnRef); ok {
		if err := e.open(batch); err != nil {
			return nil, err
		}
		defer e.close()
		a := e.columns[c.column].array
		a.Retain()
		return a, nil
	}
	if e.program.Type().ID() == arrow.NULL {
		return array.NewNull(rows), nil
	}
	text := e.program.root.base().form == formText
	if text {
		err := e.measure(batch)
		defer e.measured.forget()
		if err != nil {
			return nil, err
		}
		if e.measured.bytes > 1<<31-1 {
			return nil, fmt.Errorf("%s: %w", quote(e.program.text), errTooMuchText)
		}
	}
	if err := e.open(batch); err != nil {
		return nil, err
	}
	defer e.close()
	o := newOutput(mem, e.program.root.base(), rows, e.measured.bytes)
	defer o.release()
	from := 0
	if text {
		from = o.take(&e.measured)
	}
	if err := o.fill(e, from, rows); err != nil {
		return nil, err
	}
	return o.array(), nil
}

// output is an array that is being made.
type output struct {
	mem    memory.Allocator
	of     *info
	rows   int
	values *memory.Buffer
	text   *memory.Buffer // nil if there is none
	valid  *memory.Buffer // nil as long as no row is null
	nulls  int
	ends   []int32 // of texts: where the next begins
	at     int32
}

func newOutput(mem memory.Allocator, of *info, rows int, text int64) *output {
	o := &output{mem: mem, of: of, rows: rows}
	switch of.form {
	case formBool:
		o.values = buffer(mem, int(bitutil.BytesForBits(int64(rows))))
	case formText:
		o.values = buffer(mem, 4*(rows+1))
		o.ends = arrow.GetData[int32](o.values.Bytes())
		o.ends[0] = 0
		o.text = buffer(mem, int(text))
	default:
		o.values = buffer(mem, rows*of.typ.(arrow.FixedWidthDataType).Bytes())
	}
	return o
}

func buffer(mem memory.Allocator, n int) *memory.Buffer {
	b := memory.NewResizableBuffer(mem)
	b.Resize(n)
	return b
}

func (o *output) release() {
	for _, b := range []*memory.Buffer{o.values, o.text, o.valid} {
		if b != nil {
			b.Release()
		}
	}
}

func (o *output) array() arrow.Array {
	buffers := []*memory.Buffer{o.valid, o.values}
	if o.text != nil {
		buffers = append(buffers, o.text)
	}
	data := array.NewData(o.of.typ, o.rows, buffers, nil, o.nulls, 0)
	defer data.Release()
	return array.MakeFromData(data)
}

// fill evaluates the expression into the array, from a strip on. What has the width in which it is calculated with is
// calculated where it is to be.
func (o *output) fill(e *Evaluator, from, rows int) error {
	root := &e.registers[o.of.register]
	own := root.own
	defer func() { root.own = own }()
	e.err = nil
	for e.first = from; e.first < rows; e.first += stripRows {
		e.rows = min(stripRows, rows-e.first)
		o.place(root, e.first, e.rows)
		v := e.next()
		if e.err != nil {
			return e.err
		}
		o.store(v, e.first, e.rows)
	}
	return nil
}

// place makes the root of the expression write where the array has the rows.
func (o *output) place(root *register, first, n int) {
	bytes := o.values.Bytes()
	switch o.of.typ.ID() {
	case arrow.INT64, arrow.TIMESTAMP, arrow.DURATION, arrow.TIME64:
		root.own.ints = arrow.GetData[int64](bytes)[first : first+n]
	case arrow.DATE32:
		root.own.days = arrow.GetData[int32](bytes)[first : first+n]
	case arrow.UINT64:
		root.own.uints = arrow.GetData[uint64](bytes)[first : first+n]
	case arrow.FLOAT64:
		root.own.floats = arrow.GetData[float64](bytes)[first : first+n]
	case arrow.DECIMAL128:
		root.own.decimals = arrow.GetData[decimal128.Num](bytes)[first : first+n]
	}
}

// store writes the values of a strip, unless they lie there already, and which are null.
func (o *output) store(v *vector, first, n int) {
	bytes := o.values.Bytes()
	switch o.of.typ.ID() {
	case arrow.BOOL:
		storeBits(bytes, first, v.bits, n)
	case arrow.INT8:
		storeNarrow[int8](bytes, first, v.ints[:n])
	case arrow.INT16:
		storeNarrow[int16](bytes, first, v.ints[:n])
	case arrow.INT32, arrow.DATE32, arrow.TIME32:
		if v.days == nil {
			storeNarrow[int32](bytes, first, v.ints[:n])
		}
	case arrow.UINT8:
		storeNarrow[uint8](bytes, first, v.ints[:n])
	case arrow.UINT16:
		storeNarrow[uint16](bytes, first, v.ints[:n])
	case arrow.UINT32:
		storeNarrow[uint32](bytes, first, v.ints[:n])
	case arrow.INT64, arrow.TIMESTAMP, arrow.DURATION, arrow.TIME64:
		keep(arrow.GetData[int64](bytes)[first:], v.ints[:n])
	case arrow.UINT64:
		keep(arrow.GetData[uint64](bytes)[first:], v.uints[:n])
	case arrow.FLOAT64:
		keep(arrow.GetData[float64](bytes)[first:], v.floats[:n])
	case arrow.FLOAT32:
		into := arrow.GetData[float32](bytes)[first:]
		for i, f := range v.floats[:n] {
			into[i] = float32(f)
		}
	case arrow.DECIMAL128:
		keep(arrow.GetData[decimal128.Num](bytes)[first:], v.decimals[:n])
	default:
		o.storeTexts(v, first, n)
	}
	o.storeNulls(v, first, n)
}

func keep[T any](into, values []T) {
	if unsafe.SliceData(into) != unsafe.SliceData(values) {
		copy(into, values)
	}
}

func storeNarrow[T int8 | int16 | int32 | uint8 | uint16 | uint32](bytes []byte, first int, values []int64) {
	into := arrow.GetData[T](bytes)[first:]
	into = into[:len(values)]
	for ; len(values) >= 4; values, into = values[4:], into[4:] {
		x, y := (*[4]int64)(values), (*[4]T)(into)
		y[0], y[1], y[2], y[3] = T(x[0]), T(x[1]), T(x[2]), T(x[3])
	}
	for i, v := range values {
		into[i] = T(v)
	}
}

func (o *output) storeTexts(v *vector, first, n int) {
	bytes := o.text.Bytes()
	for i, s := range v.texts[:n] {
		if holds(v.valid, i) {
			o.at += int32(copy(bytes[o.at:], s))
		}
		o.ends[first+i+1] = o.at
	}
}

func (o *output) storeNulls(v *vector, first, n int) {
	if v.valid == nil && o.valid == nil {
		return
	}
	nulls := 0
	if v.valid != nil {
		nulls = n - count(v.valid, n)
	}
	if o.valid == nil {
		if nulls == 0 {
			return
		}
		o.valid = buffer(o.mem, int(bitutil.BytesForBits(int64(o.rows))))
		bitutil.SetBitsTo(o.valid.Bytes(), 0, int64(first), true)
	}
	o.nulls += nulls
	if v.valid == nil {
		bitutil.SetBitsTo(o.valid.Bytes(), int64(first), int64(n), true)
	} else {
		storeBits(o.valid.Bytes(), first, v.valid, n)
	}
}
