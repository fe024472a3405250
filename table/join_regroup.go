package table

// regroup gives the rows of a table new numbers, such that those of one hash lie beside each other, in the order
// in which they came. A chain of many rows is then walked through memory from front to back, and so is all
// that is looked up by their numbers, where it would be a cache miss for each row. It pays where
// chains are long, and takes no memory: next says meanwhile where each row goes.
//
// The hashes are in the order of their last rows. So rows that came side by side, as those of one key often do, hardly
// move, and those of keys that came one after the other, as those of the other input may, too, stay neighbours.
func (t *joinTable) regroup() {
	const known = 1 << 31 // rows have numbers below
	to := uint32(len(t.places))
	for row, next := range t.next { // those that are in no chain come last
		if next == uint32(row)+1 {
			to--
			t.next[row] = to | known
		}
	}
	for row := len(t.next) - 1; row >= 0; row-- {
		// One of which it is not yet known where it goes is the last of its chain.
		for at := uint32(row) + 1; at != 0 && t.next[at-1]&known == 0; {
			to--
			at, t.next[at-1] = t.next[at-1], to|known
		}
	}
	for row := range t.next {
		t.next[row] &^= known
	}
	for i, s := range t.slots {
		if s.first != 0 {
			t.slots[i].first = t.next[s.first-1] + 1 // of the last of the chain
		}
	}
	t.move(t.next)
	t.link()
}

// move brings each row to its new place.
func (t *joinTable) move(to []uint32) {
	for row := range to {
		for at := to[row]; at != uint32(row); at = to[row] {
			t.places[row], t.places[at] = t.places[at], t.places[row]
			for _, numbers := range t.numbers {
				numbers[row], numbers[at] = numbers[at], numbers[row]
			}
			to[row], to[at] = to[at], at
		}
	}
}

// link chains rows that lie beside each other. A slot has the last of its chain, and gets the first.
func (t *joinTable) link() {
	for row := range t.next {
		t.next[row] = uint32(row) + 2
	}
	for _, s := range t.slots {
		if s.first != 0 {
			t.next[s.first-1] = 0
		}
	}
	for i := range t.slots {
		for s := &t.slots[i]; s.first > 1 && t.next[s.first-2] != 0; {
			s.first--
		}
	}
}
