package expr

import (
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// A quick conversion makes all rows of a strip another type if they are as most are: numbers of 64 bits,
// and such as the other type has. If one may not be it returns false, and each row is converted by itself.
type quick func(out *register, x *vector, n int) bool

// quickConversion returns nil if there is none.
func quickConversion(from, to arrow.DataType) quick {
	toInt := classOf(to) == classInt && formOf(to) == formInt
	switch {
	case classOf(from) == classInt && formOf(from) == formInt && toInt:
		return narrowInts(bounds(to))
	case classOf(from) == classInt && formOf(from) == formInt && classOf(to) == classDecimal:
		return intsToDecimals(to)
	case classOf(from) == classDecimal && classOf(to) == classDecimal:
		return rescaleDecimals(from, to)
	case classOf(from) == classDecimal && toInt:
		return decimalsToInts(from, to)
	case classOf(from) == classDecimal && to.ID() == arrow.FLOAT64:
		return decimalsToFloats(from)
	case classOf(from) == classFloat && toInt:
		return floatsToInts(bounds(to))
	case classOf(from) == classFloat && classOf(to) == classDecimal:
		return floatsToDecimals(to)
	case classOf(from) == classText && toInt:
		return textsToInts(bounds(to))
	case classOf(from) == classText && to.ID() == arrow.FLOAT64:
		return textsToFloats
	}
	return nil
}

func narrowInts(least, most int64) quick {
	return func(out *register, x *vector, n int) bool {
		r, v := out.ints[:n], x.ints[:n]
		var beyond int64
		for i := range r {
			r[i] = v[i]
			beyond |= (v[i] - least) | (most - v[i])
		}
		return beyond >= 0
	}
}

// mostBefore returns the greatest number of some digits, or one that can be added to another such one.
func mostBefore(digits int32) int64 {
	if digits > 18 {
		return 1<<62 - 1
	}
	return int64(tens[max(digits, 0)].LowBits()) - 1
}

// product is exact.
func product(a, b int64) decimal128.Num {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	return decimal128.New(int64(hi)-a>>63&b-b>>63&a, lo)
}

func intsToDecimals(to arrow.DataType) quick {
	p, s := digitsOf(to)
	if s > 18 {
		return nil
	}
	by, most := int64(tens[s].LowBits()), mostBefore(p-s)
	return func(out *register, x *vector, n int) bool {
		r, v := out.decimals[:n], x.ints[:n]
		var beyond int64
		for i := range r {
			r[i] = product(v[i], by)
			beyond |= (v[i] + most) | (most - v[i])
		}
		return beyond >= 0
	}
}

func rescaleDecimals(from, to arrow.DataType) quick {
	_, s := digitsOf(from)
	p, t := digitsOf(to)
	switch {
	case t-s > 18 || s-t > 18:
		return nil
	case t < s:
		by, most := newDivisor(tens[s-t].LowBits()), mostBefore(p)
		return func(out *register, x *vector, n int) bool {
			r, d := out.decimals[:n], x.decimals[:n]
			var beyond, long int64
			for i := range r {
				v := int64(d[i].LowBits())
				long |= v>>63 ^ d[i].HighBits()
				v = by.rounded(v)
				beyond |= (v + most) | (most - v)
				r[i] = decimal128.FromI64(v)
			}
			return beyond >= 0 && long == 0
		}
	}
	by, most := int64(tens[t-s].LowBits()), mostBefore(p-t+s)
	return func(out *register, x *vector, n int) bool {
		r, d := out.decimals[:n], x.decimals[:n]
		var beyond, long int64
		for i := range r {
			v := int64(d[i].LowBits())
			long |= v>>63 ^ d[i].HighBits()
			beyond |= (v + most) | (most - v)
			r[i] = product(v, by)
		}
		return beyond >= 0 && long == 0
	}
}

func decimalsToInts(from, to arrow.DataType) quick {
	_, s := digitsOf(from)
	if s == 0 || s > 18 {
		return nil
	}
	by := newDivisor(tens[s].LowBits())
	least, most := bounds(to)
	return func(out *register, x *vector, n int) bool {
		r, d := out.ints[:n], x.decimals[:n]
		var long int64
		beyond := false
		for i := range r {
			v := int64(d[i].LowBits())
			long |= v>>63 ^ d[i].HighBits()
			v = by.rounded(v)
			beyond = beyond || v < least || v > most
			r[i] = v
		}
		return !beyond && long == 0
	}
}

// Where both the digits and the power of ten are numbers that a float64 has, their quotient is rounded once.
func decimalsToFloats(from arrow.DataType) quick {
	_, s := digitsOf(from)
	if s > 22 {
		return nil
	}
	by := math.Pow10(int(s))
	return func(out *register, x *vector, n int) bool {
		r, d := out.floats[:n], x.decimals[:n]
		var beyond, long int64
		for i := range r {
			v := int64(d[i].LowBits())
			long |= v>>63 ^ d[i].HighBits()
			beyond |= (v + 1<<53) | (1<<53 - v)
			r[i] = float64(v) / by
		}
		return beyond >= 0 && long == 0
	}
}

// roundFloat rounds half away from zero. What is added is the number below a half: with a half itself, the
// number below it would be rounded up.
func roundFloat(f float64) float64 {
	return math.Trunc(f + math.Copysign(0.49999999999999994, f))
}

func floatsToInts(least, most int64) quick {
	return func(out *register, x *vector, n int) bool {
		r, f := out.ints[:n], x.floats[:n]
		beyond := false
		for i := range r {
			rounded := f[i] + math.Copysign(0.49999999999999994, f[i]) // the conversion cuts off the rest
			v := int64(rounded)
			beyond = beyond || !(rounded > -1<<62 && rounded < 1<<62) || v < least || v > most
			r[i] = v
		}
		return !beyond
	}
}

// A float64 is a whole number of 53 bits, m, divided by 2 to the power of k, so that times a power of ten it
// is exact in 128 bits. It is rounded half away from zero.
func floatsToDecimals(to arrow.DataType) quick {
	p, s := digitsOf(to)
	if s > 18 {
		return nil
	}
	by, most := tens[s].LowBits(), uint64(mostBefore(p))
	return func(out *register, x *vector, n int) bool {
		r := out.decimals[:n]
		for i, f := range x.floats[:n] {
			b := math.Float64bits(f)
			k := 1075 - int(b>>52&0x7ff)
			var q uint64
			switch m := b&(1<<52-1) | 1<<52; {
			case k < 1:
				return false // 1<<53 and more, infinite, or NaN
			case k < 64:
				hi, lo := bits.Mul64(m, by)
				lo, carry := bits.Add64(lo, 1<<(k-1), 0)
				if hi += carry; hi>>k != 0 {
					return false
				}
				q = hi<<(64-k) | lo>>k
			case k < 128:
				hi, lo := bits.Mul64(m, by)
				half := [2]uint64{}
				half[(k-1)/64] = 1 << ((k - 1) % 64)
				_, carry := bits.Add64(lo, half[0], 0)
				q = (hi + half[1] + carry) >> (k - 64)
			}
			if q > most {
				return false
			}
			r[i] = decimal128.FromI64((int64(q) ^ int64(b)>>63) - int64(b)>>63)
		}
		return true
	}
}

// Whole numbers of up to 18 digits are rounded as strconv does it.
func textsToFloats(out *register, x *vector, n int) bool {
	r, texts := out.floats[:n], x.texts[:n]
	for i, s := range texts {
		v, ok := fewDigits(s)
		if (!ok || v == 0) && holds(out.valid, i) { // -0
			return false
		}
		r[i] = float64(v)
	}
	return true
}

func textsToInts(least, most int64) quick {
	return func(out *register, x *vector, n int) bool {
		r, texts := out.ints[:n], x.texts[:n]
		for i, s := range texts {
			v, ok := fewDigits(s)
			if (!ok || v < least || v > most) && holds(out.valid, i) {
				return false
			}
			r[i] = v
		}
		return true
	}
}

// fewDigits reads up to 18 digits, which may have a minus before them; false if that is not all there is.
func fewDigits(s string) (n int64, ok bool) {
	digits := s
	if len(s) > 0 && s[0] == '-' {
		digits = s[1:]
	}
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	for i := range len(digits) {
		d := digits[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	if len(digits) < len(s) {
		n = -n
	}
	return n, true
}
