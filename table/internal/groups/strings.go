package groups

import (
	"bytes"

	"github.com/zeebo/xxh3"
)

// A Strings numbers strings in the order in which they are first seen, and keeps a copy of each. Null
// is numbered as well.
type Strings struct {
	slots []uint64 // number + 1, 0 if the slot is free, and above that 32 bits of the hash
	shift uint     // of a hash, to get its slot
	seed  uint64
	bytes []byte
	ends  []int // by number
	limit int   // of numbers
	null  uint32
	lacks int // bytes of the string for which there was no room; 0 if numbers are used up

	most  int      // entries of a dictionary that is looked up by code
	dict  any      // the dictionary last seen
	known []uint32 // the numbers of its entries, None where not yet needed
}

// NewStrings returns a table without room. mostKnown is how many entries a dictionary may have for which
// the numbers of all are kept.
func NewStrings(mostKnown int) *Strings {
	return &Strings{null: None, seed: newSeed(), most: mostKnown}
}

// StringsBytes is what a table takes that has room for so many strings of so many bytes together.
func StringsBytes(numbers, capacity int) int64 {
	return int64(capacity) + 8*int64(numbers) + 8*int64(slotsFor(numbers))
}

// KnownBytes is what the table takes beside, whatever it has room for.
func (t *Strings) KnownBytes() int64 { return 4 * int64(t.most) }

// Len returns how many strings there are. Null is one of them once it was seen.
func (t *Strings) Len() int { return len(t.ends) }

// Null reports whether a number is that of null.
func (t *Strings) Null(number uint32) bool { return number == t.null }

// At returns a string; it is the table's. That of null is empty.
func (t *Strings) At(number uint32) []byte {
	from := 0
	if number > 0 {
		from = t.ends[number-1]
	}
	return t.bytes[from:t.ends[number]]
}

// Needs returns how many bytes there must be room for so that the string that was refused last fits. It
// is 0 if it was not refused for its bytes, but because numbers are used up.
func (t *Strings) Needs() int {
	if t.lacks == 0 {
		return 0
	}
	return len(t.bytes) + t.lacks
}

// Resize makes room for so many strings and bytes, which is no less than there are.
func (t *Strings) Resize(numbers, capacity int) {
	t.bytes = append(make([]byte, 0, capacity), t.bytes...)
	t.lacks = 0
	if numbers == t.limit {
		return
	}
	t.limit = numbers
	t.ends = append(make([]int, 0, numbers), t.ends...)
	t.slots = make([]uint64, slotsFor(numbers))
	t.shift = shiftFor(len(t.slots))
	for number := range uint32(t.Len()) {
		if !t.Null(number) {
			slot, tag, _ := t.find(t.At(number))
			t.slots[slot] = tag | uint64(number+1)
		}
	}
}

// Clear forgets all strings. The room stays.
func (t *Strings) Clear() {
	clear(t.slots)
	t.bytes, t.ends, t.null, t.lacks = t.bytes[:0], t.ends[:0], None, 0
	for i := range t.known {
		t.known[i] = None
	}
}

// find returns the number of a string, or where it goes and the upper half of what goes there.
func (t *Strings) find(key []byte) (slot, tag uint64, number uint32) {
	hash := xxh3.HashSeed(key, t.seed)
	mask := uint64(len(t.slots) - 1)
	tag = hash << 32
	for at := hash >> t.shift; ; at = (at + 1) & mask {
		s := t.slots[at]
		if s == 0 {
			return at, tag, None
		}
		if s&tagOf == tag && bytes.Equal(t.At(uint32(s)-1), key) {
			return at, tag, uint32(s) - 1
		}
	}
}

// Number returns the number of a string, None if it is new and there is no room for it.
func (t *Strings) Number(key []byte) uint32 {
	slot, tag, number := t.find(key)
	if number == None {
		if number = t.add(key); number != None {
			t.slots[slot] = tag | uint64(number+1)
		}
	}
	return number
}

func (t *Strings) add(key []byte) uint32 {
	switch {
	case len(t.ends) == t.limit:
		t.lacks = 0
		return None
	case len(key) > cap(t.bytes)-len(t.bytes):
		t.lacks = len(key)
		return None
	}
	t.bytes = append(t.bytes, key...)
	t.ends = append(t.ends, len(t.bytes))
	return uint32(len(t.ends) - 1)
}

// NumberOfNull returns the number of null, None if it is new and there is no room for it.
func (t *Strings) NumberOfNull() uint32 {
	if t.null == None {
		t.null = t.add(nil)
	}
	return t.null
}
