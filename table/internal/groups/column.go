package groups

import "slices"

// A Column is a column of strings as it lies in memory, like Arrow's.
type Column struct {
	Codes   []int32 // which value a row has; nil if row i has value i
	Dict    any     // the dictionary whose codes they are, told apart by ==; kept until the next
	Values  []byte
	Offsets []int32 // where each value begins, and at the end where the last ends

	Valid  []byte // a bit for each row that is not null, nil if none is
	Offset int    // of row 0 in Valid
}

func (c *Column) null(row int) bool {
	at := c.Offset + row
	return c.Valid != nil && c.Valid[at/8]>>(at%8)&1 == 0
}

func (c *Column) at(row int) []byte {
	if c.Codes != nil {
		row = int(c.Codes[row])
	}
	return c.Values[c.Offsets[row]:c.Offsets[row+1]]
}

// Numbers sets the number of each row, and returns how many it could before there was no room.
func (t *Strings) Numbers(c *Column, into []uint32) int {
	if c.Codes != nil && len(c.Offsets)-1 <= t.most {
		return t.coded(c, into)
	}
	for i := range into {
		if c.null(i) {
			into[i] = t.NumberOfNull()
		} else {
			into[i] = t.Number(c.at(i))
		}
		if into[i] == None {
			return i
		}
	}
	return len(into)
}

// coded looks each entry of a dictionary up once, when a row first has it: entries that no row
// has get no number.
func (t *Strings) coded(c *Column, into []uint32) int {
	if t.dict != c.Dict {
		t.dict = c.Dict
		entries := len(c.Offsets) - 1
		t.known = slices.Grow(t.known[:0], entries)[:entries]
		for i := range t.known {
			t.known[i] = None
		}
	}
	codes := c.Codes[:len(into)]
	if c.Valid == nil {
		for i, code := range codes {
			number := t.known[code]
			if number == None {
				if number = t.Number(c.at(i)); number == None {
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
		if c.null(i) {
			number = t.NumberOfNull()
		} else if number = t.known[code]; number == None {
			number = t.Number(c.at(i))
			t.known[code] = number
		}
		if number == None {
			return i
		}
		into[i] = number
	}
	return len(into)
}
