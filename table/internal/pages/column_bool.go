package pages

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go/format"
)

// boolColumn decodes booleans, a bit each on both sides.
type boolColumn struct {
	rows  int // in the piece
	valid validity
	bits  validity // the values; set means true
	dense scratch[byte]
}

func newBool(mem memory.Allocator, rows int) *boolColumn {
	return &boolColumn{
		rows:  rows,
		valid: validity{bits: slab[uint8]{mem: mem}},
		bits:  validity{bits: slab[uint8]{mem: mem}},
		dense: scratch[byte]{mem: mem},
	}
}

func (c *boolColumn) dictionary(page) error { return errEncoding(format.RLEDictionary) }

func (c *boolColumn) append(p page) error {
	start := c.valid.rows
	want, err := c.valid.extend(p, c.rows)
	if err != nil {
		return err
	}
	c.bits.grow(p.take, c.rows)
	c.bits.rows += p.take
	if want.n == p.take {
		return c.decode(c.bits.bits.buf.Bytes(), start, want, p)
	}
	dense := c.dense.of(int(bitutil.BytesForBits(int64(want.n))))
	if err := c.decode(dense, 0, want, p); err != nil {
		return err
	}
	next := 0
	for i := start; i < start+p.take; i++ {
		if bitutil.BitIsSet(c.valid.bits.buf.Bytes(), i) {
			bitutil.SetBitTo(c.bits.bits.buf.Bytes(), i, bitutil.BitIsSet(dense, next))
			next++
		}
	}
	return nil
}

func (c *boolColumn) decode(dst []byte, offset int, want wanted, p page) error {
	switch p.encoding {
	case format.Plain:
		if len(p.data) < int(bitutil.BytesForBits(int64(want.skip+want.n))) {
			return errRuns
		}
		bitutil.CopyBitmap(p.data, want.skip, want.n, dst, offset)
		return nil
	case format.RLE:
		if want.n == 0 {
			return nil
		}
		if len(p.data) < 4 || int64(len(p.data)-4) < int64(binary.LittleEndian.Uint32(p.data)) {
			return errRuns
		}
		_, _, err := decodeLevels(dst, offset, want.skip, want.n, p.data[4:])
		return err
	default:
		return errEncoding(p.encoding)
	}
}

func (c *boolColumn) array() arrow.Array {
	nulls, rows := c.valid.nulls, c.valid.rows
	return makeArray(arrow.FixedWidthTypes.Boolean, rows, nulls, c.valid.take(), c.bits.bits.take())
}

func (c *boolColumn) release() {
	c.valid.bits.release()
	c.bits.bits.release()
	c.dense.release()
}
