package table

import (
	"math/big"
	"math/bits"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// maxDigits is how many digits a decimal can have.
const maxDigits = 38

// powerOfTen returns 10 to the power of n, which is not negative.
func powerOfTen(n int32) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// appendDecimal appends all digits of a decimal: with a scale of 2, 1025 is 10.25.
func appendDecimal(into []byte, n decimal128.Num, scale int) []byte {
	hi, lo := uint64(n.HighBits()), n.LowBits()
	if n.HighBits() < 0 {
		into = append(into, '-')
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	var room [48]byte
	digits := appendUint128(room[:0], hi, lo)
	if scale <= 0 {
		into = append(into, digits...)
		for range -scale {
			if string(digits) != "0" {
				into = append(into, '0')
			}
		}
		return into
	}
	if len(digits) <= scale {
		into = append(into, '0', '.')
		for range scale - len(digits) {
			into = append(into, '0')
		}
		return append(into, digits...)
	}
	point := len(digits) - scale
	into = append(append(into, digits[:point]...), '.')
	return append(into, digits[point:]...)
}

// appendUint128 appends the digits of hi<<64 + lo, which is at most 2 to the power of 127.
func appendUint128(into []byte, hi, lo uint64) []byte {
	const nineteen = 1e19
	if hi == 0 {
		return strconv.AppendUint(into, lo, 10)
	}
	high, low := bits.Div64(hi, lo, nineteen)
	return appendPadded(strconv.AppendUint(into, high, 10), low)
}

// appendPadded appends a number below 1e19 with all its 19 digits.
func appendPadded(into []byte, n uint64) []byte {
	into = append(into, "0000000000000000000"...)
	at := len(into)
	for ; n > 0; n /= 10 {
		at--
		into[at] = '0' + byte(n%10)
	}
	return into
}
