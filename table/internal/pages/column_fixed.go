package pages

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/format"
)

type stored interface {
	int32 | int64 | float32 | float64
}

type kept interface {
	int8 | int16 | uint8 | uint16 | int32 | int64 | float32 | float64
}

// fixedColumn decodes values that Parquet stores as S and Arrow keeps as T.
// Unsigned and temporal types are kept as the signed integer of their width,
// which has the same bits.
type fixedColumn[S stored, T kept] struct {
	typ    arrow.DataType
	rows   int // in the row group
	decode func(encoding.Encoding, []S, []byte) ([]S, error)
	narrow func(dst []T, src []S) error // nil when S is T

	valid   validity
	out     slab[T]
	dict    []T
	plain   []S // scratch
	indexes []int32
}

func newFixed[S stored, T kept](
	mem memory.Allocator, typ arrow.DataType, rows int,
	decode func(encoding.Encoding, []S, []byte) ([]S, error),
	narrow func([]T, []S) error,
) *fixedColumn[S, T] {
	return &fixedColumn[S, T]{
		typ: typ, rows: rows, decode: decode, narrow: narrow,
		valid: validity{bits: slab[uint8]{mem: mem}}, out: slab[T]{mem: mem},
	}
}

func (c *fixedColumn[S, T]) dictionary(p page) error {
	var value S
	if _, err := checkFixed(p.encoding, p.rows, int(unsafe.Sizeof(value)), p.data); err != nil {
		return err
	}
	c.dict = make([]T, p.rows)
	return c.values(c.dict, p.encoding, p.data)
}

func (c *fixedColumn[S, T]) append(p page) error {
	present, err := c.valid.extend(p.levels, p.rows, c.rows)
	if err != nil {
		return err
	}
	decode := c.values
	if isDictionary(p.encoding) {
		decode = c.lookUp
		err = checkCodes(present, p.data)
	} else if present > 0 {
		var value S
		_, err = checkFixed(p.encoding, present, int(unsafe.Sizeof(value)), p.data)
	}
	if err != nil { // before there is room for what is not there
		return err
	}
	start := c.out.n
	dst := c.out.extend(p.rows, c.rows)
	if err := decode(dst[:present], p.encoding, p.data); err != nil {
		return err
	}
	if present < p.rows {
		spread(dst, present, c.valid.bits.buf.Bytes(), start)
	}
	return nil
}

func (c *fixedColumn[S, T]) lookUp(dst []T, _ format.Encoding, data []byte) error {
	if cap(c.indexes) < len(dst) {
		c.indexes = make([]int32, len(dst))
	}
	codes := c.indexes[:len(dst)]
	if err := decodeCodes(codes, data); err != nil {
		return err
	}
	for i, code := range codes {
		if uint(code) >= uint(len(c.dict)) {
			return errNoEntry(code, len(c.dict))
		}
		dst[i] = c.dict[code]
	}
	return nil
}

// values decodes exactly len(dst) values that are not dictionary codes.
func (c *fixedColumn[S, T]) values(dst []T, enc format.Encoding, data []byte) error {
	if len(dst) == 0 {
		return nil
	}
	var width S
	data, err := checkFixed(enc, len(dst), int(unsafe.Sizeof(width)), data)
	if err != nil {
		return err
	}
	same, ok := any(dst).([]S)
	if !ok {
		if cap(c.plain) < len(dst) {
			c.plain = make([]S, len(dst))
		}
		same = c.plain[:len(dst)]
	}
	got, err := c.decode(parquet.LookupEncoding(enc), same, data)
	if err != nil {
		return err
	}
	if len(got) != len(dst) {
		return fmt.Errorf("%d values instead of %d", len(got), len(dst))
	}
	if ok {
		if &got[0] != &same[0] { // the decoder preferred memory of its own
			copy(same, got)
		}
		return nil
	}
	return c.narrow(dst, got)
}

func (c *fixedColumn[S, T]) array() arrow.Array {
	nulls, rows := c.valid.nulls, c.valid.rows
	return makeArray(c.typ, rows, nulls, c.valid.take(), c.out.take())
}

func (c *fixedColumn[S, T]) release() {
	c.valid.bits.release()
	c.out.release()
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

func errNoEntry(code int32, entries int) error {
	if entries == 0 {
		return errNoDictionary
	}
	return fmt.Errorf("refers to entry %d of a dictionary of %d", uint32(code), entries)
}
