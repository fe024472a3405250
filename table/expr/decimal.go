package expr

import (
	"math/big"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// Decimals are 128-bit integers, of which the type says where the point is. All of at most 38 digits
// are decimals; false says that a result has more.

var (
	mostDecimal  = decimal128.GetMaxValue(maxDigits)
	leastDecimal = mostDecimal.Negate()
)

func isDecimal(n decimal128.Num) bool {
	return n.LessEqual(mostDecimal) && n.GreaterEqual(leastDecimal)
}

func addDecimals(x, y decimal128.Num) (decimal128.Num, bool) {
	lo, carry := bits.Add64(x.LowBits(), y.LowBits(), 0)
	hi, _ := bits.Add64(uint64(x.HighBits()), uint64(y.HighBits()), carry)
	sum := decimal128.New(int64(hi), lo)
	if over := (x.HighBits() ^ int64(hi)) & (y.HighBits() ^ int64(hi)); over < 0 {
		return sum, false
	}
	// Nothing so small has 38 digits.
	if h := int64(hi); h < 1<<61 && h >= -1<<61 {
		return sum, true
	}
	return sum, isDecimal(sum)
}

func multiplyDecimals(x, y decimal128.Num) (decimal128.Num, bool) {
	if short(x) && short(y) {
		a, b := int64(x.LowBits()), int64(y.LowBits())
		hi, lo := bits.Mul64(uint64(a), uint64(b))
		product := decimal128.New(int64(hi)-a>>63&b-b>>63&a, lo)
		return product, isDecimal(product)
	}
	negative := (x.Sign() < 0) != (y.Sign() < 0)
	x, y = x.Abs(), y.Abs()
	if x.HighBits() != 0 && y.HighBits() != 0 {
		return decimal128.Num{}, false
	}
	if x.HighBits() != 0 {
		x, y = y, x
	}
	// x has 64 bits, y 128.
	hi, lo := bits.Mul64(x.LowBits(), y.LowBits())
	over, mid := bits.Mul64(x.LowBits(), uint64(y.HighBits()))
	hi, carry := bits.Add64(hi, mid, 0)
	product := decimal128.New(int64(hi), lo)
	if over+carry != 0 || int64(hi) < 0 || !isDecimal(product) {
		return product, false
	}
	if negative {
		product = product.Negate()
	}
	return product, true
}

// short says whether a decimal is a 64-bit integer.
func short(n decimal128.Num) bool { return n.HighBits() == int64(n.LowBits())>>63 }

func quotientDecimals(x, y decimal128.Num) (decimal128.Num, bool) {
	q, _, ok := divideDecimals(x, y)
	return q, ok && isDecimal(q)
}

func remainderDecimals(x, y decimal128.Num) (decimal128.Num, bool) {
	_, r, ok := divideDecimals(x, y)
	return r, ok
}

// divideDecimals gives the quotient, without what is behind its point, and the remainder, which has
// the sign of x.
func divideDecimals(x, y decimal128.Num) (q, r decimal128.Num, ok bool) {
	if y == (decimal128.Num{}) {
		return q, r, false
	}
	if short(x) && short(y) && y.LowBits() != ^uint64(0) {
		a, b := int64(x.LowBits()), int64(y.LowBits())
		return decimal128.FromI64(a / b), decimal128.FromI64(a % b), true
	}
	if !isDecimal(x) || !isDecimal(y) { // as what lies beneath a null may be
		return q, r, false
	}
	quotient, remainder := new(big.Int).QuoRem(x.BigInt(), y.BigInt(), new(big.Int))
	return decimal128.FromBigInt(quotient), decimal128.FromBigInt(remainder), true
}

var tens = func() (all [maxDigits + 1]decimal128.Num) {
	for i := range all {
		all[i] = decimal128.FromBigInt(powerOfTen(int32(i)))
	}
	return all
}()

// rescale gives a decimal another number of digits behind the point, rounding half away from zero.
func rescale(n decimal128.Num, from, to int32) (decimal128.Num, bool) {
	if to >= from {
		return multiplyDecimals(n, tens[to-from])
	}
	by := tens[from-to]
	q, r, _ := divideDecimals(n, by)
	if r = r.Abs(); r.GreaterEqual(by.Sub(r)) {
		q = q.Add(decimal128.FromI64(int64(n.Sign())))
	}
	return q, true
}

// fitsDigits says whether a decimal has no more than some digits.
func fitsDigits(n decimal128.Num, precision int32) bool {
	return isDecimal(n) && n.Abs().Less(tens[precision])
}

// compareScaled compares decimals with different numbers of digits behind the point.
func compareScaled(x decimal128.Num, s int32, y decimal128.Num, t int32) int {
	if s == t {
		return x.Cmp(y)
	}
	if s > t {
		return -compareScaled(y, t, x, s)
	}
	// What does not fit when it is made as fine as y is beyond any y.
	if fine, ok := multiplyDecimals(x, tens[t-s]); ok {
		return fine.Cmp(y)
	}
	return x.Sign()
}
