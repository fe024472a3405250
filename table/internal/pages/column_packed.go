package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go/format"
)

// packedColumn decodes values that Parquet stores as strings of bytes and Arrow
// keeps as T.
type packedColumn[T kept] struct {
	typ    arrow.DataType
	rows   int // in the piece
	width  int // of all values, 0 if each has its own
	unpack func([]byte) (T, error)

	valid validity
	out   slab[T]
	dict  []T

	entries scratch[T] // of the dictionary
	codes   scratch[int32]
	split   scratch[byte]
	in      locator
}

func newPacked[T kept](
	mem memory.Allocator, typ arrow.DataType, width, rows int, unpack func([]byte) (T, error),
) *packedColumn[T] {
	return &packedColumn[T]{
		typ: typ, rows: rows, width: width, unpack: unpack,
		valid: validity{bits: slab[uint8]{mem: mem}}, out: slab[T]{mem: mem},
		entries: scratch[T]{mem: mem}, codes: scratch[int32]{mem: mem}, split: scratch[byte]{mem: mem},
		in: newLocator(mem),
	}
}

func (c *packedColumn[T]) dictionary(p page) error {
	src, spans, err := c.locate(p, wanted{n: p.rows, all: p.rows})
	if err != nil {
		return err
	}
	c.dict = c.entries.of(p.rows)
	return c.convert(c.dict, src, spans)
}

func (c *packedColumn[T]) append(p page) error {
	start := c.valid.rows
	want, err := c.valid.extend(p, c.rows)
	if err != nil {
		return err
	}
	var src []byte
	var spans []span
	coded := isDictionary(p.encoding)
	if coded {
		err = checkCodes(want.skip+want.n, width[T](), p)
	} else if want.n > 0 {
		src, spans, err = c.locate(p, want)
	}
	if err != nil { // before there is room for what is not there
		return err
	}
	dst := c.out.extend(p.take, c.rows)
	if coded {
		err = lookUp(dst[:want.n], c.dict, &c.codes, want, p)
	} else {
		err = c.convert(dst[:want.n], src, spans)
	}
	if err == nil && want.n < p.take {
		spread(dst, want.n, c.valid.bits.buf.Bytes(), start)
	}
	return err
}

// locate finds the strings wanted of a page that has no codes.
func (c *packedColumn[T]) locate(p page, want wanted) ([]byte, []span, error) {
	switch {
	case c.width == 0:
		return c.in.locate(p, want)
	case p.encoding == format.DeltaByteArray:
		src, spans, err := c.in.locate(p, want)
		for _, s := range spans {
			if int(s.to-s.from) != c.width {
				return nil, nil, fmt.Errorf("a value of %d bytes in a column of %d", s.to-s.from, c.width)
			}
		}
		return src, spans, err
	}
	there, err := checkFixed(p.encoding, want, c.width, p.data)
	if err != nil {
		return nil, nil, err
	}
	switch p.encoding {
	case format.Plain:
		return p.data, c.in.equal(want.skip*c.width, want.n, c.width), nil
	case format.ByteStreamSplit:
		return c.joined(p.data, want, there), c.in.equal(0, want.n, c.width), nil
	default:
		return nil, nil, errEncoding(p.encoding)
	}
}

// joined puts values together whose first bytes, second bytes and so on are streams of
// their own.
func (c *packedColumn[T]) joined(data []byte, want wanted, there int) []byte {
	out := c.split.of(want.n * c.width)
	for i := range c.width {
		for row, b := range data[i*there+want.skip:][:want.n] {
			out[row*c.width+i] = b
		}
	}
	return out
}

func (c *packedColumn[T]) convert(dst []T, src []byte, spans []span) (err error) {
	for i, s := range spans {
		if dst[i], err = c.unpack(src[s.from:s.to]); err != nil {
			return err
		}
	}
	return nil
}

func (c *packedColumn[T]) array() arrow.Array {
	nulls, rows := c.valid.nulls, c.valid.rows
	return makeArray(c.typ, rows, nulls, c.valid.take(), c.out.take())
}

func (c *packedColumn[T]) release() {
	c.valid.bits.release()
	c.out.release()
	c.entries.release()
	c.codes.release()
	c.split.release()
	c.in.release()
}

// decimalOf reads a big-endian number of any length that fits 128 bits.
func decimalOf(b []byte) (decimal128.Num, error) {
	if len(b) == 0 {
		return decimal128.Num{}, errors.New("a decimal of no bytes")
	}
	sign := byte(int8(b[0]) >> 7)
	for ; len(b) > 16; b = b[1:] {
		if b[0] != sign || b[1]^sign >= 0x80 {
			return decimal128.Num{}, fmt.Errorf("a decimal of more than %d digits", maxDigits)
		}
	}
	low := max(0, len(b)-8)
	return decimal128.New(int64(word(b[:low], sign)), word(b[low:], sign)), nil
}

// word reads up to eight big-endian bytes and fills up with the sign before them.
func word(b []byte, sign byte) uint64 {
	if len(b) == 8 {
		return binary.BigEndian.Uint64(b)
	}
	w := uint64(int64(int8(sign)))
	for _, x := range b {
		w = w<<8 | uint64(x)
	}
	return w
}

var errFar = errors.New("a time before 1677-09-21 or after 2262-04-11, which 64 bits of nanoseconds cannot hold")

// nanosecondsOf reads a time as Parquet files had it before there were timestamps:
// nanoseconds of the day, and a Julian day.
func nanosecondsOf(b []byte) (int64, error) {
	const (
		day      = int64(24 * 60 * 60 * 1e9)
		epoch    = 2440588 // as a Julian day
		farthest = math.MaxInt64 / day
	)
	time := int64(binary.LittleEndian.Uint64(b))
	days := int64(int32(binary.LittleEndian.Uint32(b[8:]))) - epoch
	if time < 0 || time > day {
		return 0, fmt.Errorf("a time of day of %d nanoseconds", time)
	}
	if days < 0 { // so that both are on the same side of the epoch
		days, time = days+1, time-day
	}
	if days < -farthest || days > farthest {
		return 0, errFar
	}
	sum := days*day + time
	if (sum < days*day) != (time < 0) {
		return 0, errFar
	}
	return sum, nil
}
