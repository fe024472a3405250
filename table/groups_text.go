package table

import (
	"bytes"
	"math/bits"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/zeebo/xxh3"
)

// none is no number.
const none = ^uint32(0)

// A textTable numbers strings in the order in which they are first seen, and keeps a copy of
// each. Null is numbered as well. It has room for so many strings and bytes, and takes no
// more until it is resized.
type textTable struct {
	slots []uint64 // number + 1, 0 if the slot is free, and above that 32 bits of the hash
	shift uint     // of a hash, to get its slot
	seed  uint64   // so that nobody can prepare strings that collide
	bytes []byte
	ends  []int // by number
	limit int   // of numbers
	null  uint32
	lacks int // bytes of the string for which there was no room; 0 if numbers are used up

	most  int             // entries of a dictionary that is looked up by code
	dict  arrow.ArrayData // the dictionary last seen
	known []uint32        // the numbers of its entries, none where not yet needed
}

func newTextTable(most int) *textTable {
	return &textTable{null: none, seed: keySeed * mixLevels, most: most}
}

func (t *textTable) len() int { return len(t.ends) }

// at returns a string; it is the table's.
func (t *textTable) at(number uint32) []byte {
	from := 0
	if number > 0 {
		from = t.ends[number-1]
	}
	return t.bytes[from:t.ends[number]]
}

// resize makes room for so many strings and bytes, which is no less than there are.
func (t *textTable) resize(limit, capacity int) {
	t.bytes = append(make([]byte, 0, capacity), t.bytes...)
	if limit == t.limit {
		return
	}
	t.limit = limit
	t.ends = append(make([]int, 0, limit), t.ends...)
	t.slots = make([]uint64, slotsFor(limit))
	t.shift = uint(64 - bits.TrailingZeros(uint(len(t.slots))))
	for number := range uint32(t.len()) {
		if number != t.null {
			slot, tag, _ := t.find(t.at(number))
			t.slots[slot] = tag | uint64(number+1)
		}
	}
}

// bytesOfText is what a table takes with so much room.
func bytesOfText(limit, capacity int) int64 {
	return int64(capacity) + 8*int64(limit) + 8*int64(slotsFor(limit))
}

func (t *textTable) clear() {
	clear(t.slots)
	t.bytes, t.ends, t.null = t.bytes[:0], t.ends[:0], none
	for i := range t.known {
		t.known[i] = none
	}
}

// find returns the number of a string, or where it goes and the upper half of what goes there.
func (t *textTable) find(key []byte) (slot, tag uint64, number uint32) {
	hash := xxh3.HashSeed(key, t.seed)
	mask := uint64(len(t.slots) - 1)
	tag = hash << 32
	for at := hash >> t.shift; ; at = (at + 1) & mask {
		s := t.slots[at]
		if s == 0 {
			return at, tag, none
		}
		if s>>32 == tag>>32 && bytes.Equal(t.at(uint32(s)-1), key) {
			return at, tag, uint32(s) - 1
		}
	}
}

// number returns the number of a string, none if it is new and there is no room for it.
func (t *textTable) number(key []byte) uint32 {
	slot, tag, number := t.find(key)
	if number == none {
		if number = t.add(key); number != none {
			t.slots[slot] = tag | uint64(number+1)
		}
	}
	return number
}

func (t *textTable) add(key []byte) uint32 {
	switch {
	case len(t.ends) == t.limit:
		t.lacks = 0
		return none
	case len(key) > cap(t.bytes)-len(t.bytes):
		t.lacks = len(key)
		return none
	}
	t.bytes = append(t.bytes, key...)
	t.ends = append(t.ends, len(t.bytes))
	return uint32(len(t.ends) - 1)
}

func (t *textTable) numberOfNull() uint32 {
	if t.null == none {
		t.null = t.add(nil)
	}
	return t.null
}

// numbers sets the number of each row, and returns how many it could before there was no room.
func (t *textTable) numbers(v *view, into []uint32) int {
	if v.text.codes != nil && v.text.dict.Len() <= t.most {
		return t.coded(v, into)
	}
	for i := range into {
		if v.null(i) {
			into[i] = t.numberOfNull()
		} else {
			into[i] = t.number(v.text.at(i))
		}
		if into[i] == none {
			return i
		}
	}
	return len(into)
}

// coded looks each entry of a dictionary up once, when a row first has it: entries that no row
// has are no groups.
func (t *textTable) coded(v *view, into []uint32) int {
	if dict := v.text.dict; t.dict != dict {
		t.dict = dict
		t.known = slices.Grow(t.known[:0], dict.Len())[:dict.Len()]
		for i := range t.known {
			t.known[i] = none
		}
	}
	codes := v.text.codes[:len(into)]
	if v.valid == nil {
		for i, code := range codes {
			number := t.known[code]
			if number == none {
				if number = t.number(v.text.at(i)); number == none {
					return i
				}
				t.known[code] = number
			}
			into[i] = number
		}
		return len(into)
	}
	for i, code := range codes {
		var number uint32
		if v.null(i) {
			number = t.numberOfNull()
		} else if number = t.known[code]; number == none {
			number = t.number(v.text.at(i))
			t.known[code] = number
		}
		if number == none {
			return i
		}
		into[i] = number
	}
	return len(into)
}
