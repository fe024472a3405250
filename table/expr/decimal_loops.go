package expr

import (
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// Most decimals are small. These loops are right of those that are, and say of the others that they
// may not be.

// addSmall is false if a sum may have more than 38 digits. One that does not even have a place in 128
// bits comes out of the other end of them, and is no smaller there than 1<<126.
func addSmall(r, x, y []decimal128.Num) bool {
	x, y = x[:len(r)], y[:len(r)]
	var high int64
	for i := range r {
		lo, carry := bits.Add64(x[i].LowBits(), y[i].LowBits(), 0)
		hi := x[i].HighBits() + y[i].HighBits() + int64(carry)
		high |= hi ^ hi>>63
		r[i] = decimal128.New(hi, lo)
	}
	return high>>60 == 0
}

func subtractSmall(r, x, y []decimal128.Num) bool {
	x, y = x[:len(r)], y[:len(r)]
	var high int64
	for i := range r {
		lo, borrow := bits.Sub64(x[i].LowBits(), y[i].LowBits(), 0)
		hi := x[i].HighBits() - y[i].HighBits() - int64(borrow)
		high |= hi ^ hi>>63
		r[i] = decimal128.New(hi, lo)
	}
	return high>>60 == 0
}

// multiplySmall is false if a factor is no int64. The product of two that are has at most 38 digits.
func multiplySmall(r, x, y []decimal128.Num) bool {
	x, y = x[:len(r)], y[:len(r)]
	var high int64
	for i := range r {
		a, b := int64(x[i].LowBits()), int64(y[i].LowBits())
		high |= (x[i].HighBits() ^ a>>63) | (y[i].HighBits() ^ b>>63)
		hi, lo := bits.Mul64(uint64(a), uint64(b))
		r[i] = decimal128.New(int64(hi)-a>>63&b-b>>63&a, lo)
	}
	return high == 0
}
