package table

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice/table/internal/groups"
)

// A keyTable gives each distinct key, of any columns, the next free number: a group's number is
// also its place in what is kept about groups. It has room for so many, and takes no more until it
// is resized. Nothing is allocated for a row.
//
// A key is packed into words of 64 bits: numbers by the bits that their type has, text by its
// number in a table of the column's, two words for a decimal. One more bit of each column
// says that it is null, in words at the end that are only there from when the first null is
// seen. The key of a single column of text needs no words: its number is the group's.
type keyTable struct {
	columns []keyColumn
	values  int           // words without those for nulls
	nulls   bool          // those are there
	words   *groups.Table // of packed keys

	lacksNulls bool
	ranks      []uint64 // scratch, as are those:
	packed     []uint64
	numbers    []uint32
}

// A keyColumn is where a column lies in the packed keys.
type keyColumn struct {
	of    layout
	word  int
	shift uint
	bits  uint // 0 if all values are null; 64 twice for a decimal
	text  *groups.Strings
}

func bitsOf(of layout) uint {
	switch of {
	case layoutNull:
		return 0
	case layoutBool:
		return 1
	case layoutInt8, layoutUint8:
		return 8
	case layoutInt16, layoutUint16:
		return 16
	case layoutInt32, layoutUint32, layoutText:
		return 32
	default:
		return 64
	}
}

// newKeyTable returns a table without room. mostKnown is how large a dictionary may be for which
// the numbers of all entries are kept.
func newKeyTable(layouts []layout, mostKnown int) *keyTable {
	t := &keyTable{}
	var free []uint // bits of each word
	for _, of := range layouts {
		c := keyColumn{of: of, bits: bitsOf(of)}
		if of == layoutText {
			c.text = groups.NewStrings(mostKnown)
		}
		for c.word = 0; c.word < len(free) && (free[c.word] < c.bits || of == layoutDecimal); c.word++ {
		}
		if c.word == len(free) {
			free = append(free, 64)
		}
		c.shift = 64 - free[c.word]
		free[c.word] -= c.bits
		if of == layoutDecimal {
			free = append(free, 0)
		}
		t.columns = append(t.columns, c)
	}
	t.values = len(free)
	t.words = groups.NewTable(t.values)
	return t
}

// direct returns the table of a key's only column of text; nil if it is another key.
func (t *keyTable) direct() *groups.Strings {
	if len(t.columns) == 1 {
		return t.columns[0].text
	}
	return nil
}

// len returns how many groups there are. Without columns there is one.
func (t *keyTable) len() int {
	if text := t.direct(); text != nil {
		return text.Len()
	}
	if len(t.columns) == 0 {
		return 1
	}
	return t.words.Len()
}

// widthWith returns how many words a key has.
func (t *keyTable) widthWith(nulls bool) int {
	if nulls {
		return t.values + (len(t.columns)+63)/64
	}
	return t.values
}

// bytesWith is what the table takes with room for so many groups, without text.
func (t *keyTable) bytesWith(numbers int, nulls bool) int64 {
	if len(t.columns) == 0 || t.direct() != nil {
		return 0
	}
	return groups.TableBytes(numbers, t.widthWith(nulls))
}

// resize makes room for so many groups, and for nulls. Those that there are stay.
func (t *keyTable) resize(numbers int, nulls bool) {
	if len(t.columns) == 0 || t.direct() != nil {
		return
	}
	t.words.Resize(numbers, t.widthWith(nulls))
	t.nulls, t.lacksNulls = nulls, false
}

func (t *keyTable) clear() {
	t.words.Clear()
	for i := range t.columns {
		if text := t.columns[i].text; text != nil {
			text.Clear()
		}
	}
}

// groups sets the group of each of the first rows, and returns of how many; fewer than
// len(into) if there is no room for what comes next.
func (t *keyTable) groups(columns []view, into []uint32) int {
	if len(t.columns) == 0 {
		clear(into)
		return len(into)
	}
	if text := t.direct(); text != nil {
		return textNumbers(text, &columns[0], into)
	}
	rows := t.pack(columns, len(into))
	return t.words.Numbers(t.packed, into[:rows])
}

// textNumbers sets the number of the text in each of the first rows, and returns of how many; fewer than
// len(into) if there is no room for what comes next.
func textNumbers(t *groups.Strings, v *view, into []uint32) int {
	return t.Numbers(&groups.Column{
		Codes: v.text.codes, Dict: v.text.dict, Values: v.text.values, Offsets: v.text.offsets,
		Valid: v.valid, Offset: v.offset,
	}, into)
}

// pack sets the words of the keys of so many rows, and returns of how many it could: text takes
// room in its table, and nulls words that may not be there.
func (t *keyTable) pack(columns []view, rows int) int {
	for i := range columns {
		if columns[i].valid != nil && !t.nulls && t.columns[i].text == nil {
			t.lacksNulls = true
			return 0
		}
	}
	width := t.words.Width()
	t.packed = slices.Grow(t.packed[:0], rows*width)[:rows*width]
	clear(t.packed)
	for i := range columns {
		v, c := &columns[i], &t.columns[i]
		switch {
		case c.text != nil:
			t.numbers = slices.Grow(t.numbers[:0], rows)[:rows]
			rows = textNumbers(c.text, v, t.numbers)
			for row, number := range t.numbers[:rows] {
				t.packed[row*width+c.word] |= uint64(number) << c.shift
			}
			continue
		case c.of == layoutDecimal:
			for row, x := range v.decimals[:rows] {
				key := t.packed[row*width+c.word:]
				key[0], key[1] = x.LowBits(), uint64(x.HighBits())
			}
		case c.bits == 64:
			t.ranks = ranks(v, t.ranks[:0])
			for row, r := range t.ranks[:rows] {
				t.packed[row*width+c.word] = r
			}
		case c.bits > 0:
			t.ranks = ranks(v, t.ranks[:0])
			mask := uint64(1)<<c.bits - 1
			for row, r := range t.ranks[:rows] {
				t.packed[row*width+c.word] |= (r & mask) << c.shift
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
	c, width := &t.columns[column], t.words.Width()
	mask := ^uint64(0)
	if c.bits < 64 {
		mask = (uint64(1)<<c.bits - 1) << c.shift
	}
	for row := range rows {
		if !v.null(row) {
			continue
		}
		key := t.packed[row*width:][:width]
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
			bytes += c.text.KnownBytes()
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
	return uint32(t.words.Key(group)[c.word] >> c.shift)
}

func (t *keyTable) textBytes(from, to int) (n int64) {
	for i, c := range t.columns {
		if c.text == nil {
			continue
		}
		for group := from; group < to; group++ {
			n += int64(len(c.text.At(t.textNumber(i, group))))
		}
	}
	return n
}

func (t *keyTable) null(column, group int) bool {
	if text := t.columns[column].text; text != nil {
		return text.Null(t.textNumber(column, group))
	}
	return t.nulls && t.words.Key(group)[t.values+column/64]>>(column%64)&1 != 0
}

// array makes a column of one of the keys, for groups from up to to.
func (t *keyTable) array(mem memory.Allocator, typ arrow.DataType, column, from, to int) (arrow.Array, error) {
	c := &t.columns[column]
	isNull := func(i int) bool { return t.null(column, from+i) }
	word := func(i int) uint64 { return t.words.Key(from + i)[c.word] }
	switch {
	case c.text != nil:
		return textArray(mem, typ, to-from, isNull, func(i int) []byte { return c.text.At(t.textNumber(column, from+i)) })
	case c.of == layoutDecimal:
		return fixedArray(mem, typ, to-from, isNull, func(i int) decimal128.Num {
			return decimal128.New(int64(t.words.Key(from + i)[c.word+1]), word(i))
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

// notNull makes a column that is null where one of the keys is, and otherwise true.
func (t *keyTable) notNull(mem memory.Allocator, column, from, to int) arrow.Array {
	ones := make([]uint64, to-from)
	for i := range ones {
		ones[i] = 1
	}
	return rankedArray(mem, arrow.FixedWidthTypes.Boolean, ones, func(i int) bool { return t.null(column, from+i) })
}
