package groups

// A Table numbers keys, each of so many words.
type Table struct {
	width int      // words of a key
	slots []uint64 // number + 1, 0 if the slot is free, and above that 32 bits of the hash
	shift uint     // of a hash, to get its slot
	seed  uint64
	keys  []uint64 // by number
	limit int      // of numbers
	used  int
}

// NewTable returns a table without room.
func NewTable(width int) *Table { return &Table{width: width, seed: newSeed()} }

// TableBytes is what a table takes that has room for so many keys.
func TableBytes(numbers, width int) int64 {
	return 8*int64(numbers)*int64(width) + 8*int64(slotsFor(numbers))
}

// Len returns how many keys there are.
func (t *Table) Len() int { return t.used }

// Width returns how many words a key has.
func (t *Table) Width() int { return t.width }

// Key returns the words of a key; they are the table's.
func (t *Table) Key(number int) []uint64 { return t.keys[number*t.width:][:t.width:t.width] }

// Resize makes room for so many keys, which is no less than there are, of so many words. Those that
// there are stay, with zeros as the words that they did not have; width is never less than it was.
func (t *Table) Resize(numbers, width int) {
	keys := make([]uint64, numbers*width)
	if width == t.width {
		copy(keys, t.keys[:t.used*width])
	} else {
		for n := range t.used {
			copy(keys[n*width:], t.Key(n))
		}
	}
	t.keys, t.width, t.limit = keys, width, numbers
	t.slots = make([]uint64, slotsFor(numbers))
	t.shift = shiftFor(len(t.slots))
	mask := uint64(len(t.slots) - 1)
	for n := range t.used {
		hash := t.hash(t.Key(n))
		at := hash >> t.shift
		for t.slots[at] != 0 {
			at = (at + 1) & mask
		}
		t.slots[at] = hash<<32 | uint64(n+1)
	}
}

// Clear forgets all keys. The room stays.
func (t *Table) Clear() {
	t.used = 0
	clear(t.slots)
}

func (t *Table) hash(key []uint64) uint64 {
	h := t.seed
	for _, word := range key {
		h = mix(h ^ word)
	}
	return h
}

// Numbers sets the number of each key, of which words has one after the other, and returns of how
// many; fewer than len(into) if there is no room for what comes next.
func (t *Table) Numbers(words []uint64, into []uint32) int {
	switch words = words[:len(into)*t.width]; t.width {
	case 1:
		return t.numbers1(words, into)
	case 2:
		return t.numbers2(words, into)
	default:
		return t.numbersN(words, into)
	}
}

func (t *Table) numbers1(words []uint64, into []uint32) int {
	slots, mask := t.slots, uint64(len(t.slots)-1)
	for i, word := range words {
		hash := mix(t.seed ^ word)
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
				if number := uint32(*slot) - 1; t.keys[number] == word {
					into[i] = number
					break
				}
			}
		}
	}
	return len(into)
}

func (t *Table) numbers2(words []uint64, into []uint32) int {
	slots, mask := t.slots, uint64(len(t.slots)-1)
	for i := range into {
		a, b := words[2*i], words[2*i+1]
		hash := mix(mix(t.seed^a) ^ b)
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
				if number := uint32(*slot) - 1; t.keys[2*number] == a && t.keys[2*number+1] == b {
					into[i] = number
					break
				}
			}
		}
	}
	return len(into)
}

func (t *Table) numbersN(words []uint64, into []uint32) int {
	slots, mask, width := t.slots, uint64(len(t.slots)-1), t.width
keys:
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
				continue keys
			}
			if *slot&tagOf != hash<<32 {
				continue
			}
			number := int(uint32(*slot) - 1)
			for w, word := range t.keys[number*width:][:width] {
				if word != key[w] {
					continue slots
				}
			}
			into[i] = uint32(number)
			continue keys
		}
	}
	return len(into)
}
