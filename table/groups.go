package table

import (
	"bytes"
	"hash/maphash"
	"math/bits"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// The tables below give each distinct key the next free number, 0, 1, 2 and so
// on: a group's number is also its place in what is kept about groups, in the
// order in which they were first seen. They are open-addressing hash tables with
// linear probing, at most half full. Nothing is allocated for a row of a group
// that is there already.

const smallestTable = 64

// A numberTable numbers 64-bit keys. Key and number lie side by side, so that a
// look-up usually costs one cache line.
type numberTable struct {
	slots []numberSlot // a power of two of them
	keys  []uint64     // by group
	shift uint         // of a hash, to get its slot
	seed  uint64       // so that nobody can prepare keys that collide
}

type numberSlot struct {
	key  uint64
	used uint32 // group + 1, 0 if the slot is free
}

func newNumberTable() *numberTable {
	t := &numberTable{seed: maphash.String(maphash.MakeSeed(), "")}
	t.resize(smallestTable)
	return t
}

func (t *numberTable) len() int { return len(t.keys) }

// slot hashes by multiplying: twice, with a fold between, so that all bits of the
// key reach the top bits, which choose the slot.
func (t *numberTable) slot(key uint64) uint64 {
	h := (key ^ t.seed) * 0x9e3779b97f4a7c15
	h = (h ^ h>>32) * 0xd6e8feb86659fd93
	return h >> t.shift
}

// group returns the number of a key.
func (t *numberTable) group(key uint64) uint32 {
	mask := uint64(len(t.slots) - 1)
	for at := t.slot(key); ; at = (at + 1) & mask {
		s := &t.slots[at]
		if s.used == 0 {
			return t.add(s, key)
		}
		if s.key == key {
			return s.used - 1
		}
	}
}

func (t *numberTable) add(s *numberSlot, key uint64) uint32 {
	group := t.addUnseen(key)
	*s = numberSlot{key, group + 1}
	if 2*t.len() > len(t.slots) {
		t.resize(2 * len(t.slots))
	}
	return group
}

// addUnseen numbers a key that cannot be looked up: it stands for null.
func (t *numberTable) addUnseen(key uint64) uint32 {
	t.keys = append(t.keys, key)
	return uint32(len(t.keys) - 1)
}

func (t *numberTable) resize(size int) {
	old := t.slots
	t.slots = make([]numberSlot, size)
	t.shift = uint(64 - bits.TrailingZeros(uint(size)))
	mask := uint64(size - 1)
	for _, s := range old {
		if s.used == 0 {
			continue
		}
		at := t.slot(s.key)
		for t.slots[at].used != 0 {
			at = (at + 1) & mask
		}
		t.slots[at] = s
	}
}

// A textTable numbers strings, and keeps a copy of each.
type textTable struct {
	slots   []textSlot // a power of two of them
	shift   uint       // of the kept half of a hash, to get its slot
	bytes   []byte
	offsets []int // by group, and the end of the last
	seed    maphash.Seed
}

type textSlot struct {
	hash uint32 // the upper half: tells most strings apart, and finds a new slot
	used uint32 // group + 1, 0 if the slot is free
}

func newTextTable() *textTable {
	t := &textTable{offsets: []int{0}, seed: maphash.MakeSeed()}
	t.resize(smallestTable)
	return t
}

func (t *textTable) len() int { return len(t.offsets) - 1 }

// at returns the string of a group; it is the table's.
func (t *textTable) at(group uint32) []byte { return t.bytes[t.offsets[group]:t.offsets[group+1]] }

func (t *textTable) group(key []byte) uint32 {
	hash := uint32(maphash.Bytes(t.seed, key) >> 32)
	mask := uint32(len(t.slots) - 1)
	for at := hash >> t.shift; ; at = (at + 1) & mask {
		s := &t.slots[at]
		if s.used == 0 {
			return t.add(s, hash, key)
		}
		if s.hash == hash && bytes.Equal(t.at(s.used-1), key) {
			return s.used - 1
		}
	}
}

func (t *textTable) add(s *textSlot, hash uint32, key []byte) uint32 {
	group := t.addUnseen(key)
	*s = textSlot{hash, group + 1}
	if 2*t.len() > len(t.slots) {
		t.resize(2 * len(t.slots))
	}
	return group
}

func (t *textTable) addUnseen(key []byte) uint32 {
	t.bytes = append(t.bytes, key...)
	t.offsets = append(t.offsets, len(t.bytes))
	return uint32(t.len() - 1)
}

func (t *textTable) resize(size int) {
	old := t.slots
	t.slots = make([]textSlot, size)
	t.shift = uint(32 - bits.TrailingZeros(uint(size)))
	mask := uint32(size - 1)
	for _, s := range old {
		if s.used == 0 {
			continue
		}
		at := s.hash >> t.shift
		for t.slots[at].used != 0 {
			at = (at + 1) & mask
		}
		t.slots[at] = s
	}
}

// none is no group.
const none = ^uint32(0)

// A keyColumn numbers the values of one column, null included.
type keyColumn struct {
	of      layout
	numbers *numberTable // of ranks; nil if there are strings
	strings *textTable   // of text, or of the bytes of decimals; nil if there are numbers
	null    uint32       // the number of null, none before there was one

	ranks []uint64        // scratch
	dict  arrow.ArrayData // the dictionary last seen
	known []uint32        // the numbers of its entries, none where not yet needed
}

func newKeyColumn(of layout) *keyColumn {
	k := &keyColumn{of: of, null: none}
	if exactRanks(of) {
		k.numbers = newNumberTable()
	} else {
		k.strings = newTextTable()
	}
	return k
}

func (k *keyColumn) len() int {
	if k.strings != nil {
		return k.strings.len()
	}
	return k.numbers.len()
}

func (k *keyColumn) groupOfNull() uint32 {
	if k.null == none {
		if k.strings != nil {
			k.null = k.strings.addUnseen(nil)
		} else {
			k.null = k.numbers.addUnseen(0)
		}
	}
	return k.null
}

// groups sets the number of each row.
func (k *keyColumn) groups(v *view, into []uint32) {
	switch {
	case k.numbers != nil:
		k.ranks = ranks(v, k.ranks[:0])
		for i, r := range k.ranks {
			if v.null(i) {
				into[i] = k.groupOfNull()
			} else {
				into[i] = k.numbers.group(r)
			}
		}
	case v.layout == layoutDecimal:
		k.decimalGroups(v, into)
	case v.text.codes == nil:
		for i := range v.rows {
			if v.null(i) {
				into[i] = k.groupOfNull()
			} else {
				into[i] = k.strings.group(v.text.at(i))
			}
		}
	default:
		k.codedGroups(v, into)
	}
}

// decimalGroups takes the bytes of a decimal for its name.
func (k *keyColumn) decimalGroups(v *view, into []uint32) {
	names := arrow.GetBytes(v.decimals)
	for i := range v.rows {
		if v.null(i) {
			into[i] = k.groupOfNull()
		} else {
			into[i] = k.strings.group(names[i*arrow.Decimal128SizeBytes:][:arrow.Decimal128SizeBytes])
		}
	}
}

// codedGroups looks each entry of a dictionary up once, when a row first has it:
// entries that no row has are no groups.
func (k *keyColumn) codedGroups(v *view, into []uint32) {
	if dict := v.text.dict.Data(); k.dict != dict {
		k.dict = dict
		k.known = slices.Grow(k.known[:0], dict.Len())[:dict.Len()]
		for i := range k.known {
			k.known[i] = none
		}
	}
	for i, code := range v.text.codes {
		if v.null(i) {
			into[i] = k.groupOfNull()
			continue
		}
		group := k.known[code]
		if group == none {
			group = k.strings.group(v.text.at(i))
			k.known[code] = group
		}
		into[i] = group
	}
}

// A grouping numbers the combinations of values in its key columns. The numbers of
// the columns are combined two by two: with three keys a, b and c, one table
// numbers the pairs of a and b, a second the pairs of those and c. A group is thus
// an entry of the last table.
type grouping struct {
	keys  []*keyColumn
	pairs []*numberTable // pairs[i] adds keys[i+1]
	other []uint32       // scratch
}

func newGrouping(of []layout) *grouping {
	g := &grouping{}
	for i, layout := range of {
		g.keys = append(g.keys, newKeyColumn(layout))
		if i > 0 {
			g.pairs = append(g.pairs, newNumberTable())
		}
	}
	return g
}

// len returns how many groups there are. Without keys there is one.
func (g *grouping) len() int {
	switch {
	case len(g.keys) == 0:
		return 1
	case len(g.pairs) == 0:
		return g.keys[0].len()
	default:
		return g.pairs[len(g.pairs)-1].len()
	}
}

// groups sets the group of each row.
func (g *grouping) groups(columns []view, into []uint32) {
	if len(g.keys) == 0 {
		clear(into)
		return
	}
	g.keys[0].groups(&columns[0], into)
	g.other = slices.Grow(g.other[:0], len(into))[:len(into)]
	for i, pairs := range g.pairs {
		g.keys[i+1].groups(&columns[i+1], g.other)
		for row, group := range into {
			into[row] = pairs.group(uint64(group)<<32 | uint64(g.other[row]))
		}
	}
}

// key sets what number each of the given groups has in one of the key columns.
func (g *grouping) key(column int, groups []uint32) {
	for last := len(g.pairs); last > column; last-- {
		for i, group := range groups {
			groups[i] = uint32(g.pairs[last-1].keys[group] >> 32)
		}
	}
	if column > 0 {
		for i, group := range groups {
			groups[i] = uint32(g.pairs[column-1].keys[group])
		}
	}
}
