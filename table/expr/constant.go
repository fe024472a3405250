package expr

import (
	"math/big"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// A constant has the same value in every row.
type constant struct {
	info
	vec   vector
	null  bool
	exact *big.Rat // of a number as it was written
	text  string   // of a text, date or timestamp as it was written
	// literal means that it was written so, and may become another type that fits what stands beside
	// it: a number any kind of number, a text a date.
	literal bool
}

func (c *constant) eval(*Evaluator, []uint64) *vector { return &c.vec }

// newConstant makes a constant of a row.
func newConstant(at span, typ arrow.DataType, row *vector, null bool) *constant {
	c := &constant{info: newInfo(at, typ), null: null}
	c.vec.constant = true
	if null {
		c.vec.valid = make([]uint64, stripWords)
		row = &vector{}
	}
	switch c.form {
	case formBool:
		c.vec.bits = make([]uint64, stripWords)
		fill(c.vec.bits, !null && row.bits[0]&1 != 0)
	case formInt:
		c.vec.ints = first(row.ints)
	case formUint:
		c.vec.uints = first(row.uints)
	case formFloat:
		c.vec.floats = first(row.floats)
	case formDecimal:
		c.vec.decimals = first(row.decimals)
	case formText:
		c.vec.texts = first(row.texts)
		c.vec.texts[0] = strings.Clone(c.vec.texts[0])
	}
	return c
}

func first[T any](values []T) []T {
	return append(make([]T, 0, 1), append(values, *new(T))[0])
}

// expand makes the constant one of a whole strip, which only those have to be that are evaluated.
func (c *constant) expand() {
	c.vec.ints = repeated(c.vec.ints)
	c.vec.uints = repeated(c.vec.uints)
	c.vec.floats = repeated(c.vec.floats)
	c.vec.decimals = repeated(c.vec.decimals)
	c.vec.texts = repeated(c.vec.texts)
}

func repeated[T any](values []T) []T {
	if len(values) != 1 {
		return values
	}
	all := make([]T, stripRows)
	for i := range all {
		all[i] = values[0]
	}
	return all
}

func nullConstant(at span, typ arrow.DataType) *constant {
	return newConstant(at, typ, &vector{}, true)
}

func intConstant(at span, typ arrow.DataType, n int64) *constant {
	return newConstant(at, typ, &vector{ints: []int64{n}}, false)
}

func textConstant(at span, s string) *constant {
	c := newConstant(at, arrow.BinaryTypes.String, &vector{texts: []string{s}}, false)
	c.literal, c.text = true, s
	return c
}

func boolConstant(at span, b bool) *constant {
	row := &vector{bits: []uint64{0}}
	if b {
		row.bits[0] = 1
	}
	return newConstant(at, arrow.FixedWidthTypes.Boolean, row, false)
}

// isLiteral returns n if it is a constant that was written as one.
func isLiteral(n node) (*constant, bool) {
	c, ok := n.(*constant)
	return c, ok && (c.literal || c.typ.ID() == arrow.NULL)
}

// number reads a literal. A whole one is an int64, or the first of uint64 and decimal that has it; one
// with a point or an exponent a float64.
func number(source []rune, at span, text string) *constant {
	digits := strings.ReplaceAll(text, "_", "")
	fail := func(message string) *constant { panic(wrong(source, at, message)) }
	if strings.Trim(digits, "0123456789.eE+-") != "" {
		return fail(text + " is not a number; put a text in quotes: '" + text + "'")
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil && !isRange(err) {
		return fail(text + " is not a number; put a text in quotes: '" + text + "'")
	}
	if err != nil {
		return fail(text + " is too large for a float64")
	}
	whole := !strings.ContainsAny(digits, ".eE")
	// An exponent is believed only if the number is one that can be written out.
	if !strings.ContainsAny(digits, "eE") || len(digits) < 64 && f < 1e40 && f > 1e-40 {
		exact, _ := new(big.Rat).SetString(digits)
		return exactNumber(source, at, exact, whole, f)
	}
	c := newConstant(at, arrow.PrimitiveTypes.Float64, &vector{floats: []float64{f}}, false)
	c.exact, c.literal = new(big.Rat).SetFloat64(f), true
	return c
}

func exactNumber(source []rune, at span, exact *big.Rat, whole bool, f float64) (c *constant) {
	switch n := exact.Num(); {
	case !whole:
		c = newConstant(at, arrow.PrimitiveTypes.Float64, &vector{floats: []float64{f}}, false)
	case n.IsInt64():
		c = intConstant(at, arrow.PrimitiveTypes.Int64, n.Int64())
	case n.IsUint64():
		c = newConstant(at, arrow.PrimitiveTypes.Uint64, &vector{uints: []uint64{n.Uint64()}}, false)
	default:
		digits := int32(len(new(big.Int).Abs(n).String()))
		if digits > maxDigits {
			panic(wrong(source, at, "a whole number has at most 38 digits; write a larger one with an exponent: 1e40"))
		}
		c = newConstant(at, decimalType(digits, 0), &vector{decimals: []decimal128.Num{decimal128.FromBigInt(n)}}, false)
	}
	c.exact, c.literal = exact, true
	return c
}

func isRange(err error) bool { return strings.HasSuffix(err.Error(), strconv.ErrRange.Error()) }

// decimalLiteral returns how many digits a number as it was written needs, false if a decimal cannot
// have it exactly.
func decimalLiteral(exact *big.Rat) (typ *arrow.Decimal128Type, ok bool) {
	scaled, scale := new(big.Rat).Set(exact), int32(0)
	for ten := big.NewRat(10, 1); !scaled.IsInt(); scale++ {
		if scale == maxDigits {
			return nil, false
		}
		scaled.Mul(scaled, ten)
	}
	digits := int32(len(new(big.Int).Abs(scaled.Num()).String()))
	if digits > maxDigits {
		return nil, false
	}
	return &arrow.Decimal128Type{Precision: max(digits, scale, 1), Scale: scale}, true
}
