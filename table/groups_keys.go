package table

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// pack sets the words of the keys of so many rows, and returns of how many it could: text takes
// room in its table, and nulls words that may not be there.
func (t *keyTable) pack(columns []view, rows int) int {
	for i := range columns {
		if columns[i].valid != nil && !t.nulls && t.columns[i].text == nil {
			t.lacksNulls = true
			return 0
		}
	}
	t.words = slices.Grow(t.words[:0], rows*t.width)[:rows*t.width]
	clear(t.words)
	for i := range columns {
		v, c := &columns[i], &t.columns[i]
		switch {
		case c.text != nil:
			t.numbers = slices.Grow(t.numbers[:0], rows)[:rows]
			rows = c.text.numbers(v, t.numbers)
			for row, number := range t.numbers[:rows] {
				t.words[row*t.width+c.word] |= uint64(number) << c.shift
			}
			continue
		case c.of == layoutDecimal:
			for row, x := range v.decimals[:rows] {
				key := t.words[row*t.width+c.word:]
				key[0], key[1] = x.LowBits(), uint64(x.HighBits())
			}
		case c.bits == 64:
			t.ranks = ranks(v, t.ranks[:0])
			for row, r := range t.ranks[:rows] {
				t.words[row*t.width+c.word] = r
			}
		case c.bits > 0:
			t.ranks = ranks(v, t.ranks[:0])
			mask := uint64(1)<<c.bits - 1
			for row, r := range t.ranks[:rows] {
				t.words[row*t.width+c.word] |= (r & mask) << c.shift
			}
		}
		if v.valid != nil {
			t.packNulls(i, v, rows)
		}
	}
	return rows
}

// packNulls makes all nulls of a column alike, whatever value they came with.
func (t *keyTable) packNulls(column int, v *view, rows int) {
	c := &t.columns[column]
	mask := ^uint64(0)
	if c.bits < 64 {
		mask = (uint64(1)<<c.bits - 1) << c.shift
	}
	for row := range rows {
		if !v.null(row) {
			continue
		}
		key := t.words[row*t.width:][:t.width]
		key[t.values+column/64] |= 1 << (column % 64)
		if c.bits > 0 {
			key[c.word] &^= mask
		}
		if c.of == layoutDecimal {
			key[c.word+1] = 0
		}
	}
}

// scratchBytes is what it takes to pack the keys of so many rows.
func (t *keyTable) scratchBytes(rows int) int64 {
	bytes := int64(rows) * (8 + 4 + 8*int64(t.widthWith(true)))
	for _, c := range t.columns {
		if c.text != nil {
			bytes += 4 * int64(c.text.most)
		}
	}
	return bytes
}

// textNumber returns the number of the text that a group has in a column.
func (t *keyTable) textNumber(column, group int) uint32 {
	if t.direct() != nil {
		return uint32(group)
	}
	c := &t.columns[column]
	return uint32(t.keys[group*t.width+c.word] >> c.shift)
}

func (t *keyTable) textBytes(from, to int) (n int64) {
	for i, c := range t.columns {
		if c.text == nil {
			continue
		}
		for group := from; group < to; group++ {
			n += int64(len(c.text.at(t.textNumber(i, group))))
		}
	}
	return n
}

func (t *keyTable) null(column, group int) bool {
	if text := t.columns[column].text; text != nil {
		return t.textNumber(column, group) == text.null
	}
	return t.nulls && t.keys[group*t.width+t.values+column/64]>>(column%64)&1 != 0
}

// array makes a column of one of the keys, for groups from up to to.
func (t *keyTable) array(mem memory.Allocator, typ arrow.DataType, column, from, to int) (arrow.Array, error) {
	c := &t.columns[column]
	isNull := func(i int) bool { return t.null(column, from+i) }
	word := func(i int) uint64 { return t.keys[(from+i)*t.width+c.word] }
	switch {
	case c.text != nil:
		return textArray(mem, typ, to-from, isNull, func(i int) []byte { return c.text.at(t.textNumber(column, from+i)) })
	case c.of == layoutDecimal:
		return fixedArray(mem, typ, to-from, isNull, func(i int) decimal128.Num {
			return decimal128.New(int64(t.keys[(from+i)*t.width+c.word+1]), word(i))
		}), nil
	}
	if !t.nulls && c.bits > 0 {
		isNull = nil
	}
	values := make([]uint64, to-from)
	for i := range values {
		values[i] = word(i) >> c.shift
		if c.of == layoutBool {
			values[i] &= 1
		}
	}
	return rankedArray(mem, typ, values, isNull), nil
}
