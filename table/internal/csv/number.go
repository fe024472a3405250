package csv

import (
	"encoding/hex"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// The functions below read a value from its text, or say false. They neither keep the text nor
// allocate.

func readBool(text []byte) (value, ok bool) {
	switch len(text) {
	case 4:
		return true, text[0]|0x20 == 't' && text[1]|0x20 == 'r' && text[2]|0x20 == 'u' && text[3]|0x20 == 'e'
	case 5:
		return false, text[0]|0x20 == 'f' && text[1]|0x20 == 'a' && text[2]|0x20 == 'l' && text[3]|0x20 == 's' && text[4]|0x20 == 'e'
	}
	return false, false
}

func readSigned[T int8 | int16 | int32 | int64](text []byte) (T, bool) {
	digits, negative := sign(text)
	n, ok := wholeDigits(digits)
	if !ok {
		return 0, false
	}
	if negative {
		return T(-n), n <= 1<<63 && int64(T(-n)) == int64(-n)
	}
	return T(n), n < 1<<63 && uint64(T(n)) == n && T(n) >= 0
}

func readUnsigned[T uint8 | uint16 | uint32 | uint64](text []byte) (T, bool) {
	digits, negative := sign(text)
	n, ok := wholeDigits(digits)
	return T(n), ok && uint64(T(n)) == n && (!negative || n == 0)
}

func sign(text []byte) (rest []byte, negative bool) {
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		return text[1:], text[0] == '-'
	}
	return text, false
}

// wholeDigits reads nothing but digits, at least one.
func wholeDigits(text []byte) (n uint64, ok bool) {
	if len(text) == 0 {
		return 0, false
	}
	if len(text) < 20 { // which cannot overflow
		for _, b := range text {
			if b -= '0'; b > 9 {
				return 0, false
			}
			n = n*10 + uint64(b)
		}
		return n, true
	}
	n, err := strconv.ParseUint(stringOf(text), 10, 64)
	return n, err == nil
}

// stringOf is a text as a string, for as long as the text does not change.
func stringOf(text []byte) string { return unsafe.String(unsafe.SliceData(text), len(text)) }

var exactPowers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// readFloat64 takes short numbers apart itself: as whole number and power of ten are both
// exact, so is what one division rounds. (Clinger, "How to Read Floating Point Numbers
// Accurately", PLDI 1990.)
func readFloat64(text []byte) (float64, bool) {
	digits, negative := sign(text)
	var n uint64
	point := -1
	for i, b := range digits {
		switch {
		case b-'0' <= 9:
			n = n*10 + uint64(b-'0')
		case b == '.' && point < 0:
			point = i
		default:
			return slowFloat(text, 64)
		}
	}
	count, fraction := len(digits), 0
	if point >= 0 {
		count--
		fraction = len(digits) - point - 1
	}
	if count == 0 || count > 15 {
		return slowFloat(text, 64)
	}
	x := float64(n) / exactPowers[fraction]
	if negative {
		x = math.Copysign(x, -1)
	}
	return x, true
}

func readFloat32(text []byte) (float32, bool) {
	x, ok := slowFloat(text, 32)
	return float32(x), ok
}

func slowFloat(text []byte, size int) (float64, bool) {
	for _, b := range text {
		if b == 'x' || b == 'X' || b == '_' { // which Go has in numbers, and nobody else
			return 0, false
		}
	}
	x, err := strconv.ParseFloat(stringOf(text), size)
	return x, err == nil
}

// decimalReader reads decimals of a type: all digits, none rounded away.
func decimalReader(precision, scale int32) func(text []byte) (decimal128.Num, bool) {
	most := decimal128.FromBigInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(precision)), nil))
	return func(text []byte) (decimal128.Num, bool) {
		digits, negative := sign(text)
		var hi, lo uint64
		seen, behind := 0, int32(-1) // digits in all, and behind the point once there is one
		for _, b := range digits {
			switch {
			case b == '.' && behind < 0:
				behind = 0
				continue
			case b-'0' > 9:
				return decimal128.Num{}, false
			}
			seen++
			if behind >= 0 {
				if behind++; behind > scale {
					if b != '0' {
						return decimal128.Num{}, false
					}
					continue
				}
			}
			var ok bool
			if hi, lo, ok = timesTen(hi, lo, uint64(b-'0')); !ok {
				return decimal128.Num{}, false
			}
		}
		for range scale - min(max(behind, 0), scale) {
			var ok bool
			if hi, lo, ok = timesTen(hi, lo, 0); !ok {
				return decimal128.Num{}, false
			}
		}
		n := decimal128.New(int64(hi), lo)
		if seen == 0 || !n.Less(most) {
			return n, false
		}
		if negative {
			n = n.Negate()
		}
		return n, true
	}
}

// timesTen appends a digit to a number that stays below 2 to the power of 127.
func timesTen(hi, lo, digit uint64) (uint64, uint64, bool) {
	carry, low := bits.Mul64(lo, 10)
	over, high := bits.Mul64(hi, 10)
	low, c := bits.Add64(low, digit, 0)
	high, c2 := bits.Add64(high, carry, c)
	return high, low, over|c2 == 0 && high < 1<<63
}

// readHex appends the bytes that hexadecimal digits stand for.
func readHex(into, text []byte) ([]byte, bool) {
	into, err := hex.AppendDecode(into, text)
	return into, err == nil
}
