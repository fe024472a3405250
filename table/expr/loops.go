package expr

import (
	"fmt"
	"math"
	"math/bits"
)

// The loops of arithmetic. They go over all rows, also those that are null, and add up whether any
// looks wrong rather than ask of each: that keeps branches out of them. Only if one did does the
// node look for it.

type loop = func(e *Evaluator, out *register, args []*vector, n int) (suspect bool)

var intLoops = map[string]loop{
	"+": addInts, "-": subtractInts, "*": multiplyInts, "//": divideInts, "%": remainderInts,
}

var uintLoops = map[string]loop{
	"+": addUints, "-": subtractUints, "*": multiplyUints, "//": divideUints, "%": remainderUints,
}

func addInts(_ *Evaluator, out *register, args []*vector, n int) bool {
	r, x, y := out.ints[:n], args[0].ints[:n], args[1].ints[:n]
	var over int64
	for i := range r {
		a, b := x[i], y[i]
		s := a + b
		over |= (a ^ s) & (b ^ s)
		r[i] = s
	}
	return over < 0
}

func subtractInts(_ *Evaluator, out *register, args []*vector, n int) bool {
	r, x, y := out.ints[:n], args[0].ints[:n], args[1].ints[:n]
	var over int64
	for i := range r {
		a, b := x[i], y[i]
		s := a - b
		over |= (a ^ b) & (a ^ s)
		r[i] = s
	}
	return over < 0
}

// multiplyInts looks only at whether a factor has more than 31 bits.
func multiplyInts(_ *Evaluator, out *register, args []*vector, n int) bool {
	r, x, y := out.ints[:n], args[0].ints[:n], args[1].ints[:n]
	var bits int64
	for i := range r {
		a, b := x[i], y[i]
		bits |= (a ^ a>>63) | (b ^ b>>63)
		r[i] = a * b
	}
	return bits>>31 != 0 && multiplyOverflows(x, y)
}

func multiplyOverflows(x, y []int64) bool {
	for i := range x {
		hi, lo := bits.Mul64(uint64(x[i]), uint64(y[i]))
		signed := int64(hi) - x[i]>>63&y[i] - y[i]>>63&x[i]
		if signed != int64(lo)>>63 {
			return true
		}
	}
	return false
}

func divideInts(_ *Evaluator, out *register, args []*vector, n int) (suspect bool) {
	r, x, y := out.ints[:n], args[0].ints[:n], args[1].ints[:n]
	if args[1].constant && n > 0 && y[0] > 1 {
		divideBy(r, x, newDivisor(uint64(y[0])))
		return false
	}
	for i := range r {
		if y[i] == 0 || y[i] == -1 && x[i] == math.MinInt64 {
			r[i], suspect = 0, true
			continue
		}
		r[i] = x[i] / y[i]
	}
	return suspect
}

func remainderInts(_ *Evaluator, out *register, args []*vector, n int) (suspect bool) {
	r, x, y := out.ints[:n], args[0].ints[:n], args[1].ints[:n]
	if args[1].constant && n > 0 && y[0] > 1 {
		remainderBy(r, x, newDivisor(uint64(y[0])))
		return false
	}
	for i := range r {
		if y[i] == 0 {
			r[i], suspect = 0, true
			continue
		}
		r[i] = x[i] % y[i]
	}
	return suspect
}

func addUints(_ *Evaluator, out *register, args []*vector, n int) bool {
	r, x, y := out.uints[:n], args[0].uints[:n], args[1].uints[:n]
	var over uint64
	for i := range r {
		s, carry := bits.Add64(x[i], y[i], 0)
		r[i] = s
		over |= carry
	}
	return over != 0
}

func subtractUints(_ *Evaluator, out *register, args []*vector, n int) bool {
	r, x, y := out.uints[:n], args[0].uints[:n], args[1].uints[:n]
	var over uint64
	for i := range r {
		s, borrow := bits.Sub64(x[i], y[i], 0)
		r[i] = s
		over |= borrow
	}
	return over != 0
}

func multiplyUints(_ *Evaluator, out *register, args []*vector, n int) bool {
	r, x, y := out.uints[:n], args[0].uints[:n], args[1].uints[:n]
	var over uint64
	for i := range r {
		hi, lo := bits.Mul64(x[i], y[i])
		r[i] = lo
		over |= hi
	}
	return over != 0
}

func divideUints(_ *Evaluator, out *register, args []*vector, n int) (suspect bool) {
	r, x, y := out.uints[:n], args[0].uints[:n], args[1].uints[:n]
	for i := range r {
		if y[i] == 0 {
			r[i], suspect = 0, true
			continue
		}
		r[i] = x[i] / y[i]
	}
	return suspect
}

func remainderUints(_ *Evaluator, out *register, args []*vector, n int) (suspect bool) {
	r, x, y := out.uints[:n], args[0].uints[:n], args[1].uints[:n]
	for i := range r {
		if y[i] == 0 {
			r[i], suspect = 0, true
			continue
		}
		r[i] = x[i] % y[i]
	}
	return suspect
}

func addFloats(_ *Evaluator, out *register, args []*vector, n int) bool {
	r, x, y := out.floats[:n], args[0].floats[:n], args[1].floats[:n]
	for i := range r {
		r[i] = x[i] + y[i]
	}
	return false
}

func subtractFloats(_ *Evaluator, out *register, args []*vector, n int) bool {
	r, x, y := out.floats[:n], args[0].floats[:n], args[1].floats[:n]
	for i := range r {
		r[i] = x[i] - y[i]
	}
	return false
}

func multiplyFloats(_ *Evaluator, out *register, args []*vector, n int) bool {
	r, x, y := out.floats[:n], args[0].floats[:n], args[1].floats[:n]
	for i := range r {
		r[i] = x[i] * y[i]
	}
	return false
}

func divideFloats(_ *Evaluator, out *register, args []*vector, n int) (suspect bool) {
	r, x, y := out.floats[:n], args[0].floats[:n], args[1].floats[:n]
	for i := range r {
		if y[i] == 0 {
			suspect = true
		}
		r[i] = x[i] / y[i]
	}
	return suspect
}

func remainderFloats(_ *Evaluator, out *register, args []*vector, n int) (suspect bool) {
	r, x, y := out.floats[:n], args[0].floats[:n], args[1].floats[:n]
	for i := range r {
		if y[i] == 0 {
			suspect = true
		}
		r[i] = math.Mod(x[i], y[i])
	}
	return suspect
}

func explainDivision(args []*vector, row int) error {
	if args[1].floats[row] == 0 {
		return fmt.Errorf("%w: %v divided by 0", ErrDivisionByZero, args[0].floats[row])
	}
	return nil
}
