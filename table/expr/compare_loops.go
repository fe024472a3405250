package expr

import (
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// The loops of comparisons make a word of 64 rows at a time, without a branch: eight rows to a step, whose
// bits do not wait for each other. The rows that are left over are compared as a block of 64, too.

type ordered interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64
}

// compareNumbers compares x with y, or with y[0] if that is constant. With floats it is right only
// if y is constant and not NaN.
func compareNumbers[T ordered](out []uint64, o order, x, y []T, constant bool) {
	if constant {
		c := y[0]
		eachBlock(out, x, func(x *[64]T) uint64 { return blockWith(o, x, c) })
		return
	}
	eachBlocks(out, x, y[:len(x)], func(x, y *[64]T) uint64 { return block(o, x, y) })
}

// eachBlock writes a word for each 64 values.
func eachBlock[T any](out []uint64, x []T, word func(x *[64]T) uint64) {
	w := 0
	for ; len(x) >= 64; x = x[64:] {
		out[w] = word((*[64]T)(x))
		w++
	}
	if len(x) > 0 {
		var rest [64]T
		copy(rest[:], x)
		out[w] = word(&rest)
	}
}

// eachBlocks is eachBlock of two.
func eachBlocks[T any](out []uint64, x, y []T, word func(x, y *[64]T) uint64) {
	w := 0
	for ; len(x) >= 64; x, y = x[64:], y[64:] {
		out[w] = word((*[64]T)(x), (*[64]T)(y))
		w++
	}
	if len(x) > 0 {
		var restX, restY [64]T
		copy(restX[:], x)
		copy(restY[:], y)
		out[w] = word(&restX, &restY)
	}
}

func bitOf(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// four makes four bits of a word, a the lowest.
func four(a, b, c, d bool) uint64 {
	return bitOf(a) + 2*bitOf(b) + 4*(bitOf(c)+2*bitOf(d))
}

func blockWith[T ordered](o order, x *[64]T, c T) (word uint64) {
	switch o {
	case equal:
		for i := 56; i >= 0; i -= 8 {
			v := (*[8]T)(x[i : i+8])
			word = word<<8 | four(v[0] == c, v[1] == c, v[2] == c, v[3] == c) |
				four(v[4] == c, v[5] == c, v[6] == c, v[7] == c)<<4
		}
	case less:
		for i := 56; i >= 0; i -= 8 {
			v := (*[8]T)(x[i : i+8])
			word = word<<8 | four(v[0] < c, v[1] < c, v[2] < c, v[3] < c) |
				four(v[4] < c, v[5] < c, v[6] < c, v[7] < c)<<4
		}
	case lessOrEqual:
		for i := 56; i >= 0; i -= 8 {
			v := (*[8]T)(x[i : i+8])
			word = word<<8 | four(v[0] <= c, v[1] <= c, v[2] <= c, v[3] <= c) |
				four(v[4] <= c, v[5] <= c, v[6] <= c, v[7] <= c)<<4
		}
	}
	return word
}

func block[T ordered](o order, x, y *[64]T) (word uint64) {
	switch o {
	case equal:
		for i := 56; i >= 0; i -= 8 {
			v, c := (*[8]T)(x[i:i+8]), (*[8]T)(y[i:i+8])
			word = word<<8 | four(v[0] == c[0], v[1] == c[1], v[2] == c[2], v[3] == c[3]) |
				four(v[4] == c[4], v[5] == c[5], v[6] == c[6], v[7] == c[7])<<4
		}
	case less:
		for i := 56; i >= 0; i -= 8 {
			v, c := (*[8]T)(x[i:i+8]), (*[8]T)(y[i:i+8])
			word = word<<8 | four(v[0] < c[0], v[1] < c[1], v[2] < c[2], v[3] < c[3]) |
				four(v[4] < c[4], v[5] < c[5], v[6] < c[6], v[7] < c[7])<<4
		}
	case lessOrEqual:
		for i := 56; i >= 0; i -= 8 {
			v, c := (*[8]T)(x[i:i+8]), (*[8]T)(y[i:i+8])
			word = word<<8 | four(v[0] <= c[0], v[1] <= c[1], v[2] <= c[2], v[3] <= c[3]) |
				four(v[4] <= c[4], v[5] <= c[5], v[6] <= c[6], v[7] <= c[7])<<4
		}
	}
	return word
}

// compareFloats has NaN equal to NaN and above all others.
func compareFloats(out []uint64, o order, x, y []float64) {
	clear(out)
	y = y[:len(x)]
	for i, a := range x {
		b := y[i]
		var holds bool
		switch o {
		case equal:
			holds = a == b || a != a && b != b
		case less:
			holds = a < b || b != b && a == a
		case lessOrEqual:
			holds = a <= b || b != b
		}
		if holds {
			setBit(out, i)
		}
	}
}

// compareAligned compares decimals with as many digits behind the point, as the integers that they are.
func compareAligned(out []uint64, o order, x, y []decimal128.Num) {
	if o == lessOrEqual { // is not more
		x, y = y[:len(x)], x
	}
	eachBlocks(out, x, y[:len(x)], func(x, y *[64]decimal128.Num) (word uint64) {
		if o == equal {
			for i := 63; i >= 0; i-- {
				word = word<<1 | bitOf(x[i] == y[i])
			}
			return word
		}
		for i := 63; i >= 0; i-- {
			_, borrow := bits.Sub64(x[i].LowBits(), y[i].LowBits(), 0)
			_, borrow = bits.Sub64(uint64(x[i].HighBits())^1<<63, uint64(y[i].HighBits())^1<<63, borrow)
			word = word<<1 | borrow
		}
		return word
	})
	if o == lessOrEqual {
		for w := range out {
			out[w] = ^out[w]
		}
	}
}
