package expr

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// conversionOf returns what converts from one type to another, nil if nothing does.
func conversionOf(from, to arrow.DataType) conversion {
	f, t := classOf(from), classOf(to)
	switch {
	case f == classBinary && t == classText:
		return func(_ *Evaluator, out *register, x *vector, row int, _ *zone) bool {
			out.texts[row] = x.texts[row]
			return utf8.ValidString(x.texts[row])
		}
	case f == classText:
		return fromText(to)
	case f.number() && t.number():
		return numberToNumber(from, to)
	case f == classBool && t == classInt:
		return func(_ *Evaluator, out *register, x *vector, row int, _ *zone) bool {
			n := int64(0)
			if bitAt(x.bits, row) {
				n = 1
			}
			return out.setInt(to, row, n)
		}
	case f == classInt && t == classBool:
		return func(_ *Evaluator, out *register, x *vector, row int, _ *zone) bool {
			if formOf(from) == formUint && x.uints[row] != 0 || formOf(from) == formInt && x.ints[row] != 0 {
				setBit(out.bits, row)
			}
			return true
		}
	case f == classDuration && t == classInt:
		return func(_ *Evaluator, out *register, x *vector, row int, _ *zone) bool {
			return out.setInt(to, row, x.ints[row])
		}
	case f == classInt && t == classDuration && formOf(from) == formInt:
		return func(_ *Evaluator, out *register, x *vector, row int, _ *zone) bool {
			out.ints[row] = x.ints[row]
			return true
		}
	}
	return timeToTime(from, to)
}

// setInt sets a row of an integer type, false if it has no such number.
func (r *register) setInt(typ arrow.DataType, row int, n int64) bool {
	if formOf(typ) == formUint {
		r.uints[row] = uint64(n)
		return n >= 0
	}
	least, most := bounds(typ)
	r.ints[row] = n
	return n >= least && n <= most
}

func (r *register) setUint(typ arrow.DataType, row int, n uint64) bool {
	if formOf(typ) == formUint {
		r.uints[row] = n
		return true
	}
	return n <= math.MaxInt64 && r.setInt(typ, row, int64(n))
}

// setFloat rounds half away from zero, if the type is one of integers.
func (r *register) setFloat(typ arrow.DataType, row int, f float64) bool {
	switch classOf(typ) {
	case classFloat:
		r.floats[row] = f
		if typ.ID() == arrow.FLOAT32 {
			r.floats[row] = float64(float32(f))
		}
		return math.IsInf(r.floats[row], 0) == math.IsInf(f, 0)
	case classInt:
		f = math.Round(f)
		if f >= -1<<63 && f < 1<<63 {
			return r.setInt(typ, row, int64(f))
		}
		return f >= 0 && f < 1<<64 && r.setUint(typ, row, uint64(f))
	default:
		d, ok := floatToDecimal(f, typ)
		r.decimals[row] = d
		return ok
	}
}

// setDecimal sets a row of any type of numbers.
func (r *register) setDecimal(typ arrow.DataType, row int, d decimal128.Num, scale int32) bool {
	switch classOf(typ) {
	case classDecimal:
		p, s := digitsOf(typ)
		n, ok := rescale(d, scale, s)
		r.decimals[row] = n
		return ok && fitsDigits(n, p)
	case classFloat:
		return r.setFloat(typ, row, decimalToFloat(d, scale))
	default:
		n, ok := rescale(d, scale, 0)
		if !ok {
			return false
		}
		if short(n) {
			return r.setInt(typ, row, int64(n.LowBits()))
		}
		return n.HighBits() == 0 && r.setUint(typ, row, n.LowBits())
	}
}

func numberToNumber(from, to arrow.DataType) conversion {
	_, scale := digitsOf(from)
	switch formOf(from) {
	case formInt:
		if classOf(to) == classFloat {
			return func(_ *Evaluator, out *register, x *vector, row int, _ *zone) bool {
				out.floats[row] = float64(float32(x.ints[row])) // to float64 is done in bulk
				return true
			}
		}
		if classOf(to) == classInt {
			return func(_ *Evaluator, out *register, x *vector, row int, _ *zone) bool {
				return out.setInt(to, row, x.ints[row])
			}
		}
		return func(_ *Evaluator, out *register, x *vector, row int, _ *zone) bool {
			return out.setDecimal(to, row, decimal128.FromI64(x.ints[row]), 0)
		}
	case formUint:
		switch classOf(to) {
		case classInt:
			return func(_ *Evaluator, out *register, x *vector, row int, _ *zone) bool {
				return out.setUint(to, row, x.uints[row])
			}
		case classFloat:
			return func(_ *Evaluator, out *register, x *vector, row int, _ *zone) bool {
				if out.floats[row] = float64(x.uints[row]); to.ID() == arrow.FLOAT32 {
					out.floats[row] = float64(float32(x.uints[row]))
				}
				return true
			}
		}
		return func(_ *Evaluator, out *register, x *vector, row int, _ *zone) bool {
			return out.setDecimal(to, row, decimal128.FromU64(x.uints[row]), 0)
		}
	case formFloat:
		return func(_ *Evaluator, out *register, x *vector, row int, _ *zone) bool {
			return out.setFloat(to, row, x.floats[row])
		}
	default:
		return func(_ *Evaluator, out *register, x *vector, row int, _ *zone) bool {
			return out.setDecimal(to, row, x.decimals[row], scale)
		}
	}
}

// decimalToFloat returns the nearest number.
func decimalToFloat(d decimal128.Num, scale int32) float64 {
	// Both exact, so that there is one rounding.
	if n := int64(d.LowBits()); short(d) && n <= 1<<53 && n >= -1<<53 && scale <= 22 {
		return float64(n) / math.Pow10(int(scale))
	}
	f, _ := new(big.Rat).SetFrac(d.BigInt(), powerOfTen(scale)).Float64()
	return f
}

// floatToDecimal rounds half away from zero what the number exactly is.
func floatToDecimal(f float64, typ arrow.DataType) (decimal128.Num, bool) {
	precision, scale := digitsOf(typ)
	if math.IsNaN(f) || math.IsInf(f, 0) || math.Abs(f) >= 1e38 {
		return decimal128.Num{}, false
	}
	r, _ := new(big.Rat).SetFloat64(f), 0
	n := roundRat(r.Mul(r, new(big.Rat).SetInt(powerOfTen(scale))))
	if n.CmpAbs(powerOfTen(precision)) >= 0 {
		return decimal128.Num{}, false
	}
	return decimal128.FromBigInt(n), true
}

// roundRat rounds half away from zero.
func roundRat(r *big.Rat) *big.Int {
	twice := new(big.Int).Lsh(r.Num(), 1)
	if r.Sign() < 0 {
		twice.Sub(twice, r.Denom())
	} else {
		twice.Add(twice, r.Denom())
	}
	return twice.Quo(twice, new(big.Int).Lsh(r.Denom(), 1))
}

func fromText(to arrow.DataType) conversion {
	type c = conversion
	parse := func(do func(out *register, row int, s string) bool) c {
		return func(_ *Evaluator, out *register, x *vector, row int, _ *zone) bool {
			return do(out, row, strings.TrimSpace(x.texts[row]))
		}
	}
	switch classOf(to) {
	case classBool:
		return parse(func(out *register, row int, s string) bool {
			if strings.EqualFold(s, "true") {
				setBit(out.bits, row)
				return true
			}
			return strings.EqualFold(s, "false")
		})
	case classInt:
		return parse(func(out *register, row int, s string) bool {
			if n, err := strconv.ParseInt(s, 10, 64); err == nil {
				return out.setInt(to, row, n)
			}
			n, err := strconv.ParseUint(s, 10, 64)
			return err == nil && out.setUint(to, row, n)
		})
	case classFloat:
		bits := to.(arrow.FixedWidthDataType).BitWidth()
		return parse(func(out *register, row int, s string) bool {
			f, err := strconv.ParseFloat(s, bits)
			out.floats[row] = f
			return err == nil && !hexadecimal(s)
		})
	case classDecimal:
		p, s := digitsOf(to)
		return parse(func(out *register, row int, text string) bool {
			n, ok := parseDecimalText(text, s)
			out.decimals[row] = n
			return ok && fitsDigits(n, p)
		})
	case classDate, classDuration:
		return parse(func(out *register, row int, s string) bool {
			n, err := parseTimeText(to, s)
			out.ints[row] = n
			return err == nil
		})
	case classTimestamp:
		zoned := zoneOf(to) != ""
		return func(_ *Evaluator, out *register, x *vector, row int, z *zone) bool {
			if !zoned {
				z = nil
			}
			n, err := timestampOf(strings.TrimSpace(x.texts[row]), unitOf(to), z)
			out.ints[row] = n
			return err == nil
		}
	}
	return nil
}

// hexadecimal says whether a number is written in a way that strconv reads, but nobody means.
func hexadecimal(s string) bool {
	for i := range len(s) {
		switch s[i] {
		case 'x', 'X', '_', 'p', 'P':
			return true
		}
	}
	return false
}

// parseDecimalText reads digits with or without a point, rounding half away from zero to a scale.
func parseDecimalText(s string, scale int32) (n decimal128.Num, ok bool) {
	s, negative := strings.CutPrefix(s, "-")
	if !negative {
		s = strings.TrimPrefix(s, "+")
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if whole+fraction == "" {
		return n, false
	}
	roundUp := false
	if int(scale) < len(fraction) {
		roundUp = fraction[scale] >= '5'
		for _, c := range fraction[scale:] {
			if c < '0' || c > '9' {
				return n, false
			}
		}
		fraction = fraction[:scale]
	}
	ok = true
	for _, part := range [2]string{whole, fraction} {
		for _, c := range []byte(part) {
			if c < '0' || c > '9' || !ok {
				return n, false
			}
			if n, ok = multiplyDecimals(n, tens[1]); ok {
				n, ok = addDecimals(n, decimal128.FromI64(int64(c-'0')))
			}
		}
	}
	if !ok {
		return n, false
	}
	if n, ok = multiplyDecimals(n, tens[int(scale)-len(fraction)]); ok && roundUp {
		n, ok = addDecimals(n, decimal128.FromI64(1))
	}
	if negative {
		n = n.Negate()
	}
	return n, ok
}
