package pages

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/format"
)

type stored interface {
	int32 | int64 | float32 | float64
}

type kept interface {
	int8 | int16 | uint8 | uint16 | int32 | int64 | float32 | float64 | decimal128.Num
}

// fixedColumn decodes values that Parquet stores as S and Arrow keeps as T.
// Unsigned and temporal types are kept as the signed integer of their width,
// which has the same bits.
type fixedColumn[S stored, T kept] struct {
	typ    arrow.DataType
	rows   int // in the piece
	decode func(encoding.Encoding, []S, []byte) ([]S, error)
	cast   func(dst []T, src []S) error // nil when S is T

	valid validity
	out   slab[T]
	dict  []T

	entries scratch[T] // of the dictionary
	plain   scratch[S]
	split   scratch[byte]
	codes   scratch[int32]
}

func newFixed[S stored, T kept](
	mem memory.Allocator, typ arrow.DataType, rows int,
	decode func(encoding.Encoding, []S, []byte) ([]S, error),
	cast func([]T, []S) error,
) *fixedColumn[S, T] {
	return &fixedColumn[S, T]{
		typ: typ, rows: rows, decode: decode, cast: cast,
		valid: validity{bits: slab[uint8]{mem: mem}}, out: slab[T]{mem: mem},
		entries: scratch[T]{mem: mem}, plain: scratch[S]{mem: mem},
		split: scratch[byte]{mem: mem}, codes: scratch[int32]{mem: mem},
	}
}

func (c *fixedColumn[S, T]) dictionary(p page) error {
	all := wanted{n: p.rows, all: p.rows}
	if _, err := checkFixed(p.encoding, all, width[S](), p.data); err != nil {
		return err
	}
	if size := p.rows * width[S](); p.encoding == format.Plain && len(p.data) != size { // it may be of another type
		return fmt.Errorf("%d bytes, where %d entries take %d", len(p.data), p.rows, size)
	}
	c.dict = c.entries.of(p.rows)
	return c.values(c.dict, all, p)
}

func (c *fixedColumn[S, T]) append(p page) error {
	want, err := c.valid.extend(p, c.rows)
	if err != nil {
		return err
	}
	decode := c.values
	if isDictionary(p.encoding) {
		decode = func(dst []T, want wanted, p page) error { return lookUp(dst, c.dict, &c.codes, want, p) }
		err = checkCodes(want.skip+want.n, width[T](), p)
	} else if want.n > 0 {
		_, err = checkFixed(p.encoding, want, width[S](), p.data)
	}
	if err != nil { // before there is room for what is not there
		return err
	}
	start := c.out.n
	dst := c.out.extend(p.take, c.rows)
	if err := decode(dst[:want.n], want, p); err != nil {
		return err
	}
	if want.n < p.take {
		spread(dst, want.n, c.valid.bits.buf.Bytes(), start)
	}
	return nil
}

// values decodes the values wanted, which are not dictionary codes. Where those
// before them can be stepped over they are; the delta encoding has no such place.
func (c *fixedColumn[S, T]) values(dst []T, want wanted, p page) error {
	if len(dst) == 0 {
		return nil
	}
	there, err := checkFixed(p.encoding, want, width[S](), p.data)
	if err != nil {
		return err
	}
	data, skip, n := p.data, 0, len(dst)
	switch p.encoding {
	case format.Plain:
		data = data[want.skip*width[S]():][:n*width[S]()]
	case format.ByteStreamSplit:
		if n < there {
			data = c.cut(data, want.skip, n, there)
		}
	default:
		skip, n = want.skip, there
	}
	same, ok := any(dst).([]S)
	if !ok || n > len(dst) {
		same, ok = c.plain.of(n), false
	}
	got, err := c.decode(parquet.LookupEncoding(p.encoding), same, data)
	if err != nil {
		return err
	}
	if len(got) != n {
		return fmt.Errorf("%d values instead of %d", len(got), n)
	}
	if ok {
		if &got[0] != &same[0] { // the decoder preferred memory of its own
			copy(same, got)
		}
		return nil
	}
	got = got[skip:][:len(dst)]
	if same, ok := any(dst).([]S); ok {
		copy(same, got)
		return nil
	}
	return c.cast(dst, got)
}

// cut takes n values after the first skip out of all, which are split into streams:
// first the first byte of each, then the second of each, and so on.
func (c *fixedColumn[S, T]) cut(data []byte, skip, n, all int) []byte {
	piece := c.split.of(n * width[S]())
	for i := range width[S]() {
		copy(piece[i*n:][:n], data[i*all+skip:])
	}
	return piece
}

func (c *fixedColumn[S, T]) array() arrow.Array {
	nulls, rows := c.valid.nulls, c.valid.rows
	return makeArray(c.typ, rows, nulls, c.valid.take(), c.out.take())
}

func (c *fixedColumn[S, T]) release() {
	c.valid.bits.release()
	c.out.release()
	c.entries.release()
	c.plain.release()
	c.split.release()
	c.codes.release()
}

func narrow[T int8 | int16 | uint8 | uint16](dst []T, src []int32) error {
	for i, v := range src {
		dst[i] = T(v)
		if int32(dst[i]) != v {
			return fmt.Errorf("value %d does not fit the column's %d bits", v, 8*unsafe.Sizeof(dst[i]))
		}
	}
	return nil
}

func widen[S int32 | int64](dst []decimal128.Num, src []S) error {
	for i, v := range src {
		dst[i] = decimal128.FromI64(int64(v))
	}
	return nil
}

// makeArray puts an array together; the buffers are its from then on. A nil
// first buffer says that there are no nulls.
func makeArray(typ arrow.DataType, rows, nulls int, buffers ...*memory.Buffer) arrow.Array {
	data := array.NewData(typ, rows, buffers, nil, nulls, 0)
	defer data.Release()
	for _, b := range buffers {
		if b != nil {
			b.Release()
		}
	}
	return array.MakeFromData(data)
}

var errNoDictionary = errors.New("refers to a dictionary that is not there")

func errNoEntry(code uint32, entries int) error {
	if entries == 0 {
		return errNoDictionary
	}
	return fmt.Errorf("refers to entry %d of a dictionary of %d", code, entries)
}
