package expr

import "math/bits"

// A divisor divides by a constant with a multiplication, after Granlund and Montgomery, "Division by
// Invariant Integers using Multiplication" (1994).
type divisor struct {
	by     uint64
	factor uint64
	shift  uint
}

// newDivisor is for divisors from 2 on.
func newDivisor(by uint64) divisor {
	length := uint(bits.Len64(by - 1))
	high := 1<<length - by // 2^length - by, also if length is 64
	factor, _ := bits.Div64(high, 0, by)
	return divisor{by, factor + 1, length - 1}
}

func (d divisor) quotient(n uint64) uint64 {
	t, _ := bits.Mul64(d.factor, n)
	return (t + (n-t)>>1) >> d.shift
}

// rounded divides rounding half away from zero. The divisor is even and of less than 63 bits.
func (d divisor) rounded(n int64) int64 {
	sign := n >> 63
	return (int64(d.quotient(uint64((n^sign)-sign)+d.by/2)) ^ sign) - sign
}

// floored divides rounding down.
func (d divisor) floored(n int64) (quotient, rest int64) {
	sign := n >> 63 // ^n is -n-1
	quotient = int64(d.quotient(uint64(n^sign))) ^ sign
	return quotient, n - quotient*int64(d.by)
}

// divideBy divides by d rounding toward zero.
func divideBy(r, x []int64, d divisor) {
	for i := range r {
		sign := x[i] >> 63
		r[i] = (int64(d.quotient(uint64((x[i]^sign)-sign))) ^ sign) - sign
	}
}

// remainderBy leaves the sign of x.
func remainderBy(r, x []int64, d divisor) {
	for i := range r {
		sign := x[i] >> 63
		q := int64(d.quotient(uint64((x[i] ^ sign) - sign)))
		r[i] = x[i] - ((q^sign)-sign)*int64(d.by)
	}
}
