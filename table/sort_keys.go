package table

import (
	"encoding/binary"
	"math/bits"
)

// To compare two rows is to look at several columns, each a miss of the cache. So as much as fits of
// the keys of a row is put into one word, such that words compare as rows do: what the word of one row
// is below that of another decides, and only rows of equal words are compared themselves. A key takes as many
// bits as its values need that there really are: 11 for delays of some hours in minutes, so that
// several keys often fit. The idea of keys as one string of bits is from Kuiper and Mühleisen,
// "These Rows Are Made for Sorting", ICDE 2023.

// A keySpread is what is known of the values of a key in some rows: of what their ranks are, and so of how
// many bits tell them apart.
type keySpread struct {
	values  bool   // whether there are any, beside nulls
	nulls   bool   // whether there are any
	long    bool   // whether there is text of which the rank is only the beginning
	lo, hi  uint64 // of the ranks
	or, and uint64 // of all of them: bits in which they differ are in one and not the other
}

func (s *keySpread) add(other keySpread) {
	s.nulls = s.nulls || other.nulls
	if !other.values {
		return
	}
	if !s.values {
		nulls := s.nulls
		*s = other
		s.nulls = nulls
		return
	}
	s.long = s.long || other.long
	s.lo, s.hi = min(s.lo, other.lo), max(s.hi, other.hi)
	s.or, s.and = s.or|other.or, s.and&other.and
}

// addSpreads adds what is known of some more rows. Of keys for which the words of either had no room there is nothing:
// there is none for them in words of both, because a key needs no fewer bits for more rows.
func addSpreads(into, more []keySpread) []keySpread {
	if into == nil {
		return append([]keySpread{}, more...)
	}
	into = into[:min(len(into), len(more))]
	for i := range into {
		into[i].add(more[i])
	}
	return into
}

// keyRanks appends the rank of each row as ranks does, except that text of up to seven bytes has its
// length in the eighth, so that this is all there is to it. long says that some text has more.
func keyRanks(v *view, into []uint64) (made []uint64, long bool) {
	if v.layout != layoutText {
		return ranks(v, into), false
	}
	made = textRanks(v, 0, v.rows, func(text []byte) uint64 {
		if len(text) >= 8 {
			long = true
			return binary.BigEndian.Uint64(text)
		}
		return rankText(text) | uint64(len(text))
	}, into)
	return made, long
}

func spreadOf(v *view, ranks []uint64, long bool) keySpread {
	s := keySpread{long: long, lo: 1<<64 - 1, and: 1<<64 - 1}
	if v.valid == nil {
		for _, r := range ranks {
			s.lo, s.hi = min(s.lo, r), max(s.hi, r)
			s.or |= r
			s.and &= r
		}
		s.values = len(ranks) > 0
		return s
	}
	for i, r := range ranks {
		if v.null(i) {
			s.nulls = true
			continue
		}
		s.values = true
		s.lo, s.hi = min(s.lo, r), max(s.hi, r)
		s.or |= r
		s.and &= r
	}
	return s
}

// A packing says how the keys of rows are put into words. It holds for all rows whose spreads it
// was made from.
type packing struct {
	parts []packedKey
	exact int  // the first so many keys are equal where words are
	room  int  // bits left
	full  bool // no other key can be added
}

// A packedKey is where a key goes. The value of rank r is (r&^mask - lo) >> down, counted from the
// other end if it is descending, above or below the null, and of that what is left without the last bits.
type packedKey struct {
	down, drop, up uint8
	descending     bool
	mask, lo       uint64
	top            uint64 // the value of the highest rank
	first          uint64 // what the lowest value gets
	null           uint64
}

func newPacking() packing { return packing{room: 64} }

func packingOf(keys []sortColumn, spreads []keySpread) packing {
	p := newPacking()
	for i := 0; i < len(spreads) && !p.full; i++ {
		p.add(&keys[i], spreads[i])
	}
	return p
}

// add gives a key some of the bits that are left.
func (p *packing) add(key *sortColumn, s keySpread) {
	part := packedKey{descending: key.Descending, down: 63}
	exact := true
	if s.values {
		if s.long {
			part.mask, exact = 0xff, false // the lowest byte may be a length or text
		}
		if key.layout == layoutDecimal {
			exact = exactDecimals(s.lo, s.hi)
		}
		part.lo = s.lo &^ part.mask
		part.down = uint8(min(63, bits.TrailingZeros64((s.or^s.and)&^part.mask)))
		part.top = (s.hi&^part.mask - part.lo) >> part.down
	}
	if s.nulls && part.top == 1<<64-1 {
		part.down, part.top, exact = 1, part.top>>1, false
	}
	most := part.top
	if s.nulls {
		most++
		if key.Nulls == NullsFirst {
			part.first = 1
		} else {
			part.null = most
		}
	}
	width := bits.Len64(most)
	if width > p.room {
		part.drop, exact = uint8(width-p.room), false
		width = p.room
	}
	p.room -= width
	part.up = uint8(p.room)
	p.parts = append(p.parts, part)
	if exact {
		p.exact++
	}
	p.full = !exact || p.room == 0
}

// exactDecimals reports whether these ranks, and all between them, are of decimals that they are all there is to.
func exactDecimals(lo, hi uint64) bool { return lo >= 0x7f<<56 && hi < 0x81<<56 }

// addTo adds what one key has of the words of rows with these ranks.
func (p *packedKey) addTo(words []uint64, v *view, ranks []uint64) {
	lo, top, first := p.lo, p.top, p.first
	down, drop, up := p.down&63, p.drop&63, p.up&63
	switch null := p.null >> drop << up; {
	case p.top == 0 && p.null == 0 && p.first == 0: // all are equal
	case v.valid != nil:
		for i, r := range ranks {
			if v.null(i) {
				words[i] |= null
				continue
			}
			value := (r&^p.mask - lo) >> down
			if p.descending {
				value = top - value
			}
			words[i] |= (value + first) >> drop << up
		}
	case p.descending:
		for i, r := range ranks {
			words[i] |= (top - (r&^p.mask-lo)>>down + first) >> drop << up
		}
	default:
		for i, r := range ranks {
			words[i] |= ((r&^p.mask-lo)>>down + first) >> drop << up
		}
	}
}
