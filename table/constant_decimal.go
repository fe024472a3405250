package table

import (
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// A decimalBound is what any column of decimals can be compared with, exactly: the
// greatest decimal of the column's scale that is not above the number.
type decimalBound struct {
	floor decimal128.Num
	exact bool // floor is the number itself
	far   int  // -1 or 1 instead of a number below or above all that have 128 bits
}

// decimalConstant converts a value. A float is the shortest number that reads back as
// the same float, which is the one that was written: 10.1 and not 10.0999....
func decimalConstant(value any, scale int32) (decimalBound, error) {
	text := ""
	switch v := reflect.ValueOf(value); {
	case v.CanInt():
		text = strconv.FormatInt(v.Int(), 10)
	case v.CanUint():
		text = strconv.FormatUint(v.Uint(), 10)
	case v.CanFloat() && v.Float()-v.Float() != 0: // infinite, or NaN, which is above all numbers
		if v.Float() < 0 {
			return decimalBound{far: -1}, nil
		}
		return decimalBound{far: 1}, nil
	case v.CanFloat():
		text = strconv.FormatFloat(v.Float(), 'f', -1, v.Type().Bits())
	case v.Kind() == reflect.String:
		text = v.String()
	}
	bound, ok := parseDecimal(text, scale)
	if !ok {
		return bound, errNot("a number, such as 10.25 or '10.25'", value)
	}
	return bound, nil
}

// parseDecimal reads a number written without an exponent.
func parseDecimal(text string, scale int32) (decimalBound, bool) {
	unsigned := strings.TrimLeft(text, "+-")
	whole, fraction, _ := strings.Cut(unsigned, ".")
	digits := whole + fraction
	if len(text)-len(unsigned) > 1 || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return decimalBound{}, false
	}
	n, _ := new(big.Int).SetString(digits, 10)
	if text[0] == '-' {
		n.Neg(n)
	}
	rest := new(big.Int)
	if shift := scale - int32(len(fraction)); shift >= 0 {
		n.Mul(n, powerOfTen(shift))
	} else {
		n.DivMod(n, powerOfTen(-shift), rest) // rounds down, also below zero
	}
	if n.BitLen() > 127 {
		return decimalBound{far: n.Sign()}, true
	}
	return decimalBound{floor: decimal128.FromBigInt(n), exact: rest.Sign() == 0}, true
}

var (
	leastDecimal    = decimal128.New(-1<<63, 0)
	greatestDecimal = decimal128.New(1<<63-1, 1<<64-1)
)

// decimalSpan is a span of decimals.
type decimalSpan struct {
	lo, hi decimal128.Num
	except bool // those outside
}

func (b decimalBound) span(op Comparison) decimalSpan {
	if b.far != 0 {
		return decimalSpan{lo: leastDecimal, hi: greatestDecimal, except: !holds(op, -b.far)}
	}
	below := decimalSpan{lo: leastDecimal, hi: b.floor} // or equal
	switch op {
	case Equal, NotEqual:
		if !b.exact {
			return decimalSpan{lo: leastDecimal, hi: greatestDecimal, except: op == Equal}
		}
		return decimalSpan{lo: b.floor, hi: b.floor, except: op == NotEqual}
	case Less, GreaterOrEqual:
		if b.exact {
			return decimalSpan{lo: b.floor, hi: greatestDecimal, except: op == Less}
		}
		below.except = op == GreaterOrEqual
	default: // LessOrEqual, Greater
		below.except = op == Greater
	}
	return below
}

func testDecimal(op Comparison, value any, scale int32) (test, error) {
	bound, err := decimalConstant(value, scale)
	if err != nil {
		return nil, err
	}
	s := bound.span(op)
	return func(v *view, into []place) []place {
		for i, x := range v.decimals {
			if (!x.Less(s.lo) && !s.hi.Less(x)) != s.except && !v.null(i) {
				into = append(into, place{row: uint32(i)})
			}
		}
		return into
	}, nil
}
