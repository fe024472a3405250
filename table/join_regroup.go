package table

// regroup gives the rows of a table new numbers, such that those of one hash lie beside each other, in the order
// in which they came. A chain of many rows is then walked through memory from front to back, and so is all
// that is looked up by their numbers, where it would be a cache miss for each row. It pays where
// chains are long, and takes no memory: next says meanwhile where each row goes.
func (t *joinTable) regroup() {
	const known = 1 << 31 // rows have numbers below
	n := uint32(len(t.places))
	for i := len(t.slots) - 1; i >= 0; i-- {
		for row := t.slots[i].first; row != 0; {
			n--
			next := &t.next[row-1]
			row, *next = *next, n|known
		}
		if t.slots[i].first != 0 {
			t.slots[i].first = n + 1
		}
	}
	rest := uint32(0) // those that match nothing come first
	for row, to := range t.next {
		if to&known == 0 {
			t.next[row] = rest
			rest++
		}
		t.next[row] &^= known
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

// link chains rows that lie beside each other.
func (t *joinTable) link() {
	for row := range t.next {
		t.next[row] = uint32(row) + 2
	}
	for _, s := range t.slots {
		if s.first > 1 {
			t.next[s.first-2] = 0 // the one before is the last of its chain
		}
	}
	if n := len(t.next); n > 0 {
		t.next[n-1] = 0
	}
}
