package table

import (
	"hash/maphash"
	"math/bits"
)

// A keyTable gives each distinct key the next free number, 0, 1, 2 and so on: a group's number is
// also its place in what is kept about groups. It has room for so many, and takes no
// more until it is resized. Nothing is allocated for a row.
//
// A key is packed into words of 64 bits: numbers by the bits that their type has, text by its
// number in a table of the column's, two words for a decimal. One more bit of each column
// says that it is null, in words at the end that are only there from when the first null is
// seen. The key of a single column of text needs no words: its number is the group's.
//
// It is an open-addressing hash table with linear probing, at most half full. A slot has
// only the group and 32 bits of the hash, so that more of them fit the cache; the words of
// the key, in order of groups, are looked at when those bits agree.
type keyTable struct {
	columns []keyColumn
	values  int  // words without those for nulls
	nulls   bool // those are there
	width   int  // words of a key

	slots []uint64 // group + 1, 0 if the slot is free, and above that 32 bits of the hash
	shift uint     // of a hash, to get its slot
	seed  uint64   // so that nobody can prepare keys that collide
	keys  []uint64 // by group
	limit int      // of groups
	used  int

	lacksNulls bool
	ranks      []uint64 // scratch, as are those:
	words      []uint64
	numbers    []uint32
}

// A keyColumn is where a column lies in the packed keys.
type keyColumn struct {
	of    layout
	word  int
	shift uint
	bits  uint // 0 if all values are null; 64 twice for a decimal
	text  *textTable
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
	t := &keyTable{seed: maphash.String(maphash.MakeSeed(), "")}
	var free []uint // bits of each word
	for _, of := range layouts {
		c := keyColumn{of: of, bits: bitsOf(of)}
		if of == layoutText {
			c.text = newTextTable(mostKnown)
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
	t.width = t.values
	return t
}

// direct returns the table of a key's only column of text; nil if it is another key.
func (t *keyTable) direct() *textTable {
	if len(t.columns) == 1 {
		return t.columns[0].text
	}
	return nil
}

// len returns how many groups there are. Without columns there is one.
func (t *keyTable) len() int {
	if text := t.direct(); text != nil {
		return text.len()
	}
	if len(t.columns) == 0 {
		return 1
	}
	return t.used
}

// slotsFor returns how many slots groups need.
func slotsFor(groups int) int { return 2 << bits.Len(uint(max(groups, 1)-1)) }

// widthWith returns how many words a key has.
func (t *keyTable) widthWith(nulls bool) int {
	if nulls {
		return t.values + (len(t.columns)+63)/64
	}
	return t.values
}

// bytesWith is what the table takes with room for so many groups, without text.
func (t *keyTable) bytesWith(groups int, nulls bool) int64 {
	if len(t.columns) == 0 || t.direct() != nil {
		return 0
	}
	return 8*int64(groups)*int64(t.widthWith(nulls)) + 8*int64(slotsFor(groups))
}

// resize makes room for so many groups, and for nulls. Those that there are stay.
func (t *keyTable) resize(groups int, nulls bool) {
	t.limit = groups
	if len(t.columns) == 0 || t.direct() != nil {
		return
	}
	width := t.widthWith(nulls)
	keys := make([]uint64, groups*width)
	if width == t.width {
		copy(keys, t.keys[:t.used*width])
	} else {
		for g := range t.used {
			copy(keys[g*width:], t.keys[g*t.width:][:t.width])
		}
	}
	t.keys, t.width, t.nulls, t.lacksNulls = keys, width, nulls, false
	t.slots = make([]uint64, slotsFor(groups))
	t.shift = uint(64 - bits.TrailingZeros(uint(len(t.slots))))
	mask := uint64(len(t.slots) - 1)
	for g := range t.used {
		hash := t.hash(keys[g*width:][:width])
		at := hash >> t.shift
		for t.slots[at] != 0 {
			at = (at + 1) & mask
		}
		t.slots[at] = hash<<32 | uint64(g+1)
	}
}

func (t *keyTable) clear() {
	t.used = 0
	clear(t.slots)
	for i := range t.columns {
		if text := t.columns[i].text; text != nil {
			text.clear()
		}
	}
}

func (t *keyTable) hash(key []uint64) uint64 {
	h := t.seed
	for _, word := range key {
		h = mix(h^word, mixKeys)
	}
	return h
}

// groups sets the group of each of the first rows, and returns of how many; fewer than
// len(into) if there is no room for what comes next.
func (t *keyTable) groups(columns []view, into []uint32) int {
	if len(t.columns) == 0 {
		clear(into)
		return len(into)
	}
	if text := t.direct(); text != nil {
		return text.numbers(&columns[0], into)
	}
	rows := t.pack(columns, len(into))
	into = into[:rows]
	switch t.width {
	case 1:
		return t.groups1(t.words[:rows], into)
	case 2:
		return t.groups2(t.words[:2*rows], into)
	default:
		return t.groupsN(t.words[:rows*t.width], into)
	}
}

const tagOf = uint64(1<<32-1) << 32

func (t *keyTable) groups1(words []uint64, into []uint32) int {
	slots, mask := t.slots, uint64(len(t.slots)-1)
	for i, word := range words {
		hash := mix(t.seed^word, mixKeys)
		for at := hash >> t.shift; ; at++ {
			slot := &slots[at&mask]
			if *slot == 0 {
				if t.used == t.limit {
					return i
				}
				t.keys[t.used] = word
				into[i] = uint32(t.used)
				t.used++
				*slot = hash<<32 | uint64(t.used)
				break
			}
			if *slot&tagOf == hash<<32 {
				if group := uint32(*slot) - 1; t.keys[group] == word {
					into[i] = group
					break
				}
			}
		}
	}
	return len(into)
}

func (t *keyTable) groups2(words []uint64, into []uint32) int {
	slots, mask := t.slots, uint64(len(t.slots)-1)
	for i := range into {
		a, b := words[2*i], words[2*i+1]
		hash := mix(mix(t.seed^a, mixKeys)^b, mixKeys)
		for at := hash >> t.shift; ; at++ {
			slot := &slots[at&mask]
			if *slot == 0 {
				if t.used == t.limit {
					return i
				}
				t.keys[2*t.used], t.keys[2*t.used+1] = a, b
				into[i] = uint32(t.used)
				t.used++
				*slot = hash<<32 | uint64(t.used)
				break
			}
			if *slot&tagOf == hash<<32 {
				if group := uint32(*slot) - 1; t.keys[2*group] == a && t.keys[2*group+1] == b {
					into[i] = group
					break
				}
			}
		}
	}
	return len(into)
}

func (t *keyTable) groupsN(words []uint64, into []uint32) int {
	slots, mask, width := t.slots, uint64(len(t.slots)-1), t.width
rows:
	for i := range into {
		key := words[i*width:][:width]
		hash := t.hash(key)
	slots:
		for at := hash >> t.shift; ; at++ {
			slot := &slots[at&mask]
			if *slot == 0 {
				if t.used == t.limit {
					return i
				}
				copy(t.keys[t.used*width:], key)
				into[i] = uint32(t.used)
				t.used++
				*slot = hash<<32 | uint64(t.used)
				continue rows
			}
			if *slot&tagOf != hash<<32 {
				continue
			}
			group := int(uint32(*slot) - 1)
			for w, word := range t.keys[group*width:][:width] {
				if word != key[w] {
					continue slots
				}
			}
			into[i] = uint32(group)
			continue rows
		}
	}
	return len(into)
}
