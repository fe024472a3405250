package expr

import (
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/endian"
)

// Integers of 8 and 16 bits are compared with a constant several at a time, as the lanes of a word. The comparison of a
// lane ends in its highest bit: less is a borrow out of a subtraction that no lower lane reaches, because the highest bits are
// kept out of it, and equality a difference that has no bit (Warren, Hacker's Delight, 2-18 and 6-1). A
// multiplication then moves the highest bits beside each other.

type lane interface{ int8 | uint8 | int16 | uint16 }

// lanes is a constant in each lane of a word.
type lanes struct {
	high  uint64 // the highest bit of each lane
	sign  uint64 // the same if lanes have a sign, which, turned round, makes them compare as if they had none
	value uint64 // the constant
}

func lanesOf[T lane](c T) lanes {
	l := lanes{high: 0x8080808080808080, value: 0x0101010101010101 * uint64(uint8(c))}
	if unsafe.Sizeof(c) == 2 {
		l = lanes{high: 0x8000800080008000, value: 0x0001000100010001 * uint64(uint16(c))}
	}
	if ^T(0) < 0 {
		l.sign = l.high
		l.value ^= l.high
	}
	return l
}

// compareLanes writes how x compares with c.
func compareLanes[T lane](out []uint64, o order, x []T, c T) {
	if endian.IsBigEndian { // where the first lane is the highest
		compareNumbers(out, o, x, []T{c}, true)
		return
	}
	if o == lessOrEqual {
		if c+1 < c { // is the greatest
			for w := range (len(x) + 63) / 64 {
				out[w] = ^uint64(0)
			}
			return
		}
		o, c = less, c+1
	}
	with := lanesOf(c)
	if unsafe.Sizeof(c) == 1 {
		eachBlock(out, x, func(x *[64]T) uint64 { return with.bytes(o, (*[8]uint64)(unsafe.Pointer(x))) })
	} else {
		eachBlock(out, x, func(x *[64]T) uint64 { return with.halfwords(o, (*[16]uint64)(unsafe.Pointer(x))) })
	}
}

// bytes compares 64 lanes of 8 bits.
func (l lanes) bytes(o order, x *[8]uint64) (not uint64) {
	const gather = 1 | 1<<7 | 1<<14 | 1<<21 | 1<<28 | 1<<35 | 1<<42 | 1<<49 // bit 8i+7 goes to 56+i
	high, sign, value := l.high, l.sign, l.value
	low := value &^ high
	switch {
	case o == equal:
		value ^= sign
		for i := 7; i >= 0; i-- {
			d := x[i] ^ value
			not = not<<8 | ((d&^high+^high|d)&high)*gather>>56
		}
	case value&high != 0:
		for i := 7; i >= 0; i-- {
			not = not<<8 | ((x[i]^sign)&(x[i]|high-low)&high)*gather>>56
		}
	default:
		for i := 7; i >= 0; i-- {
			not = not<<8 | ((x[i]^sign|(x[i]|high-low))&high)*gather>>56
		}
	}
	return ^not
}

// halfwords compares 64 lanes of 16 bits, and gathers the bits of two words at a time.
func (l lanes) halfwords(o order, x *[16]uint64) (not uint64) {
	const gather = 1<<4 | 1<<19 | 1<<34 | 1<<49 | // bit 16i+7 goes to 56+i
		1 | 1<<15 | 1<<30 | 1<<45 // and 16i+15 to 60+i
	high, sign, value := l.high, l.sign, l.value
	low := value &^ high
	switch {
	case o == equal:
		value ^= sign
		for i := 14; i >= 0; i -= 2 {
			d, e := x[i]^value, x[i+1]^value
			not = not<<8 | ((d&^high+^high|d)&high>>8|(e&^high+^high|e)&high)*gather>>56
		}
	case value&high != 0:
		for i := 14; i >= 0; i -= 2 {
			d, e := (x[i]^sign)&(x[i]|high-low), (x[i+1]^sign)&(x[i+1]|high-low)
			not = not<<8 | (d&high>>8|e&high)*gather>>56
		}
	default:
		for i := 14; i >= 0; i -= 2 {
			d, e := x[i]^sign|(x[i]|high-low), x[i+1]^sign|(x[i+1]|high-low)
			not = not<<8 | (d&high>>8|e&high)*gather>>56
		}
	}
	return ^not
}
