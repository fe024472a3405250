package table

import (
	"bytes"
	"errors"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
)

var errWithoutValue = errors.New("needs no value")

// test returns what finds the rows that pass in a column of typ.
func (f Filter) test(typ arrow.DataType) (test, error) {
	switch f.Op {
	case IsNull, NotNull:
		if f.Value != nil {
			return nil, errWithoutValue
		}
		return selectNull(f.Op == IsNull), nil
	}
	if f.Value == nil {
		return nil, errors.New("needs a value; is_null and not_null ask about nulls")
	}
	layout, _ := layoutOf(typ)
	switch layout {
	case layoutBool:
		return testBool(f.Op, f.Value)
	case layoutDecimal:
		return testDecimal(f.Op, f.Value, typ.(arrow.DecimalType).GetScale())
	case layoutText:
		return testText(f.Op, f.Value)
	case layoutFloat32:
		return testFloat[float32](f.Op, f.Value)
	case layoutFloat64:
		return testFloat[float64](f.Op, f.Value)
	case layoutNull:
		return nil, errors.New("every row of the column is null")
	}
	value, err := constant(typ, f.Value)
	if err != nil {
		return nil, err
	}
	switch layout {
	case layoutInt8:
		return testInt[int8](f.Op, value, math.MinInt8, math.MaxInt8), nil
	case layoutInt16:
		return testInt[int16](f.Op, value, math.MinInt16, math.MaxInt16), nil
	case layoutInt32:
		return testInt[int32](f.Op, value, math.MinInt32, math.MaxInt32), nil
	case layoutInt64:
		return testInt[int64](f.Op, value, math.MinInt64, math.MaxInt64), nil
	case layoutUint8:
		return testInt[uint8](f.Op, value, 0, math.MaxUint8), nil
	case layoutUint16:
		return testInt[uint16](f.Op, value, 0, math.MaxUint16), nil
	case layoutUint32:
		return testInt[uint32](f.Op, value, 0, math.MaxUint32), nil
	default:
		return testInt[uint64](f.Op, value, 0, math.MaxUint64), nil
	}
}

// holds says whether op is true of two values, from how they compare.
func holds(op Comparison, order int) bool {
	switch op {
	case Equal:
		return order == 0
	case NotEqual:
		return order != 0
	case Less:
		return order < 0
	case LessOrEqual:
		return order <= 0
	case Greater:
		return order > 0
	default:
		return order >= 0
	}
}

// A span is how every comparison with a number is tested: whether the value lies
// between two bounds, both included, or whether it does not. One loop does for
// all six, with no branch on the comparison in it.
type span[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float64] struct {
	lo, hi T
	except bool // those outside
}

func testInt[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](
	op Comparison, value whole, least, most T,
) test {
	s := intSpan(op, value, least, most)
	return func(v *view, into []place) []place {
		for i, x := range fixed[T](v.array) {
			if (x >= s.lo && x <= s.hi) != s.except && !v.null(i) {
				into = append(into, place{row: uint32(i)})
			}
		}
		return into
	}
}

func intSpan[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](
	op Comparison, value whole, least, most T,
) span[T] {
	// A value beyond the type is below or above all of it.
	if order := value.beyond(int64(least), uint64(most)); order != 0 {
		return span[T]{lo: least, hi: most, except: !holds(op, -order)}
	}
	c := T(value.bits)
	switch op {
	case Equal:
		return span[T]{lo: c, hi: c}
	case NotEqual:
		return span[T]{lo: c, hi: c, except: true}
	case Less:
		return span[T]{lo: c, hi: most, except: true}
	case LessOrEqual:
		return span[T]{lo: least, hi: c}
	case Greater:
		return span[T]{lo: least, hi: c, except: true}
	default:
		return span[T]{lo: c, hi: most}
	}
}

func testFloat[T float32 | float64](op Comparison, value any) (test, error) {
	c, err := floating(value)
	if err != nil {
		return nil, err
	}
	s := floatSpan(op, c)
	return func(v *view, into []place) []place {
		for i, x := range fixed[T](v.array) {
			if x := float64(x); (x >= s.lo && x <= s.hi) != s.except && !v.null(i) {
				into = append(into, place{row: uint32(i)})
			}
		}
		return into
	}, nil
}

// floatSpan never holds NaN between its bounds, which is why what NaN, the
// greatest number, should pass is put as being outside of something.
func floatSpan(op Comparison, c float64) span[float64] {
	inf := math.Inf(1)
	numbers := span[float64]{lo: -inf, hi: inf}
	nothing := span[float64]{lo: inf, hi: -inf}
	var s span[float64]
	switch op {
	case Equal, NotEqual:
		s = span[float64]{lo: c, hi: c}
		if math.IsNaN(c) {
			s = span[float64]{lo: -inf, hi: inf, except: true}
		}
	case LessOrEqual, Greater:
		s = span[float64]{lo: -inf, hi: c}
		if math.IsNaN(c) {
			s = span[float64]{lo: nothing.lo, hi: nothing.hi, except: true}
		}
	default: // Less, GreaterOrEqual
		s = span[float64]{lo: -inf, hi: math.Nextafter(c, -inf)}
		if math.IsNaN(c) {
			s = numbers
		} else if c == -inf {
			s = nothing
		}
	}
	if op == NotEqual || op == Greater || op == GreaterOrEqual {
		s.except = !s.except
	}
	return s
}

func testBool(op Comparison, value any) (test, error) {
	c, ok := value.(bool)
	if !ok {
		return nil, errNot("true or false", value)
	}
	passes := [2]bool{holds(op, order(false, c)), holds(op, order(true, c))}
	return func(v *view, into []place) []place {
		for i := range v.rows {
			x := 0
			if v.bitAt(i) {
				x = 1
			}
			if passes[x] && !v.null(i) {
				into = append(into, place{row: uint32(i)})
			}
		}
		return into
	}, nil
}

func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

func testText(op Comparison, value any) (test, error) {
	var c []byte
	switch value := value.(type) {
	case string:
		c = []byte(value)
	case []byte:
		c = bytes.Clone(value)
	default:
		return nil, errNot("text in quotes, such as 'abc'", value)
	}
	var entries []bool // which entries of a dictionary pass; scratch
	return func(v *view, into []place) []place {
		if v.text.codes == nil {
			for i := range v.rows {
				if !v.null(i) && holds(op, bytes.Compare(v.text.at(i), c)) {
					into = append(into, place{row: uint32(i)})
				}
			}
			return into
		}
		entries = entries[:0]
		offsets := v.text.offsets
		for i := range v.text.dict.Len() {
			entries = append(entries, holds(op, bytes.Compare(v.text.values[offsets[i]:offsets[i+1]], c)))
		}
		for i, code := range v.text.codes {
			if !v.null(i) && entries[code] {
				into = append(into, place{row: uint32(i)})
			}
		}
		return into
	}, nil
}

func selectNull(null bool) test {
	return func(v *view, into []place) []place {
		for i := range v.rows {
			if v.null(i) == null {
				into = append(into, place{row: uint32(i)})
			}
		}
		return into
	}
}
