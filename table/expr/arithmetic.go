package expr

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// arithmetic is x op y, with op one of + - * / // %.
func (b *binder) arithmetic(at span, op string, x, y node) node {
	cx, cy := classOf(x.base().typ), classOf(y.base().typ)
	switch {
	case cx == classNull && cy == classNull:
		return nullConstant(at, arrow.Null)
	case cx == classNull && cy.number():
		x, cx = b.to(x, y.base().typ), cy
	case cy == classNull && cx.number():
		y, cy = b.to(y, x.base().typ), cx
	}
	if !cx.number() || !cy.number() {
		return b.timeArithmetic(at, op, x, y)
	}
	if op == "/" {
		return &apply{
			info: newInfo(at, arrow.PrimitiveTypes.Float64, b.to(x, arrow.PrimitiveTypes.Float64), b.to(y, arrow.PrimitiveTypes.Float64)),
			run:  divideFloats, explain: explainDivision,
		}
	}
	switch typ := b.sumType(x, y); classOf(typ) {
	case classFloat:
		return b.floatArithmetic(at, op, b.to(x, typ), b.to(y, typ))
	case classDecimal:
		return b.decimalArithmetic(at, op, b.asDecimal(x), b.asDecimal(y))
	default:
		return b.wholeArithmetic(at, op, typ, b.to(x, typ), b.to(y, typ))
	}
}

// sumType returns the type in which two numbers are calculated with. Of decimals it says only that.
func (b *binder) sumType(x, y node) arrow.DataType {
	cx, cy := classOf(x.base().typ), classOf(y.base().typ)
	_, lx := isLiteral(x)
	_, ly := isLiteral(y)
	b.checkDigits(x, y)
	switch {
	case cx == classDecimal && (cy != classFloat || ly && b.exactly(y)):
		return x.base().typ
	case cy == classDecimal && (cx != classFloat || lx && b.exactly(x)):
		return y.base().typ
	case cx != classInt || cy != classInt:
		return arrow.PrimitiveTypes.Float64
	}
	wide := func(n node) bool { return n.base().typ.ID() == arrow.UINT64 }
	natural := func(n node) bool {
		c, ok := isLiteral(n)
		return arrow.IsUnsignedInteger(n.base().typ.ID()) || ok && c.exact != nil && c.exact.Sign() >= 0
	}
	if wide(x) && natural(y) || wide(y) && natural(x) {
		return arrow.PrimitiveTypes.Uint64
	}
	return arrow.PrimitiveTypes.Int64
}

// exactly says whether a literal is a decimal.
func (b *binder) exactly(n node) bool {
	c, _ := isLiteral(n)
	_, ok := decimalOf(c)
	return ok
}

// checkDigits refuses numbers that would be decimals, because others of the nodes are, but have too many
// digits: what is calculated with decimals is exact. One with an exponent is meant as a float.
func (b *binder) checkDigits(nodes ...node) {
	for _, n := range nodes {
		i := n.base()
		c, ok := isLiteral(n)
		if !ok || c.exact == nil || b.exactly(n) || strings.ContainsAny(b.text(i.span), "eE") {
			continue
		}
		for _, other := range nodes {
			if _, ok := isLiteral(other); !ok && classOf(other.base().typ) == classDecimal {
				e := wrong(b.source, i.span, fmt.Sprintf("more digits than the 38 that a decimal can have; write fewer, "+
					"or cast(%s as float64) beside it", b.text(other.base().span)))
				e.Column = b.columnIn(other)
				panic(e)
			}
		}
	}
}

// asDecimal makes a decimal of an integer, of no more digits than it needs.
func (b *binder) asDecimal(n node) node {
	if c, ok := isLiteral(n); ok {
		if typ, ok := decimalOf(c); ok {
			return b.to(n, typ)
		}
	}
	if classOf(n.base().typ) == classDecimal {
		return n
	}
	precision, _ := digitsOf(n.base().typ)
	return b.to(n, decimalType(precision, 0))
}

func (b *binder) minus(at span, x node) node {
	i := x.base()
	if c, ok := isLiteral(x); ok && c.exact != nil {
		f := 0.0
		if classOf(c.typ) == classFloat {
			f = -c.vec.floats[0]
		}
		return exactNumber(b.source, at, new(big.Rat).Neg(c.exact), classOf(c.typ) != classFloat, f)
	}
	switch classOf(i.typ) {
	case classNull:
		return nullConstant(at, arrow.Null)
	case classFloat:
		return &apply{info: newInfo(at, arrow.PrimitiveTypes.Float64, x), run: func(_ *Evaluator, out *register, args []*vector, _ int) bool {
			a := args[0].floats[:len(out.floats)]
			for i := range out.floats {
				out.floats[i] = -a[i]
			}
			return false
		}}
	case classDecimal:
		return &apply{info: newInfo(at, i.typ, x), run: func(_ *Evaluator, out *register, args []*vector, _ int) bool {
			a := args[0].decimals[:len(out.decimals)]
			for i := range out.decimals {
				out.decimals[i] = a[i].Negate()
			}
			return false
		}}
	case classInt:
		zero := intConstant(span{at.from, i.from}, arrow.PrimitiveTypes.Int64, 0)
		return b.wholeArithmetic(at, "-", arrow.PrimitiveTypes.Int64, zero, b.to(x, arrow.PrimitiveTypes.Int64))
	case classDuration:
		return b.wholeArithmetic(at, "-", i.typ, intConstant(at, i.typ, 0), x)
	}
	b.failOperands(at, "-", x)
	return nil
}

func (b *binder) floatArithmetic(at span, op string, x, y node) node {
	switch op {
	case "%":
		return &apply{info: newInfo(at, arrow.PrimitiveTypes.Float64, x, y), run: remainderFloats, explain: explainDivision}
	case "//":
		b.failOperands(at, "//, the division of whole numbers,", x, y)
	}
	return floatOp(at, op, x, y)
}

func (b *binder) wholeArithmetic(at span, op string, typ arrow.DataType, x, y node) node {
	a := &apply{info: newInfo(at, typ, x, y)}
	if formOf(typ) == formUint {
		a.run = uintLoops[op]
	} else {
		a.run, a.direct = intLoops[op], directSum(op, x, y)
	}
	a.explain = func(args []*vector, row int) error {
		v, w := new(big.Int), new(big.Int)
		if formOf(typ) == formUint {
			v.SetUint64(args[0].uints[row])
			w.SetUint64(args[1].uints[row])
		} else {
			v.SetInt64(args[0].ints[row])
			w.SetInt64(args[1].ints[row])
		}
		r := new(big.Int)
		switch op {
		case "+":
			r.Add(v, w)
		case "-":
			r.Sub(v, w)
		case "*":
			r.Mul(v, w)
		default:
			if w.Sign() == 0 {
				return fmt.Errorf("%w: %v %s 0", ErrDivisionByZero, v, op)
			}
			if r.Quo(v, w); op == "%" {
				return nil
			}
		}
		if formOf(typ) == formUint && r.IsUint64() || formOf(typ) == formInt && r.IsInt64() {
			return nil
		}
		return fmt.Errorf("%w of %s: %v %s %v", ErrOverflow, nameOf(typ), v, op, w)
	}
	return a
}

func (b *binder) decimalArithmetic(at span, op string, x, y node) node {
	p, s := digitsOf(x.base().typ)
	q, t := digitsOf(y.base().typ)
	var typ *arrow.Decimal128Type
	var calculate func(x, y decimal128.Num) (decimal128.Num, bool)
	var small func(r, x, y []decimal128.Num) bool
	scale := max(s, t)
	if op != "*" {
		x, y = b.aligned(x, scale), b.aligned(y, scale)
		p, s = digitsOf(x.base().typ)
		q, t = digitsOf(y.base().typ)
	}
	switch op {
	case "+", "-":
		typ = decimalType(max(p-s, q-t)+1, scale)
		calculate, small = addDecimals, addSmall
		if op == "-" {
			small = subtractSmall
			calculate = func(x, y decimal128.Num) (decimal128.Num, bool) { return addDecimals(x, y.Negate()) }
		}
		if calculate = aligned(calculate, s, t); s != t {
			small = nil
		}
	case "*":
		if s+t > maxDigits {
			b.fail(at, "the product has %d digits behind the point, more than a decimal can have; cast one of the two to fewer", s+t)
		}
		typ = &arrow.Decimal128Type{Precision: min(p+q, maxDigits), Scale: s + t}
		calculate, small = multiplyDecimals, multiplySmall
	case "%":
		typ = decimalType(min(p-s, q-t), scale)
		calculate = aligned(remainderDecimals, s, t)
	case "//":
		typ = decimalType(p-s+t, 0)
		calculate = aligned(quotientDecimals, s, t)
	}
	run := func(_ *Evaluator, out *register, args []*vector, _ int) (suspect bool) {
		v, w := args[0].decimals[:len(out.decimals)], args[1].decimals[:len(out.decimals)]
		if small != nil && small(out.decimals, v, w) {
			return false
		}
		for i := range out.decimals {
			r, ok := calculate(v[i], w[i])
			out.decimals[i] = r
			suspect = suspect || !ok
		}
		return suspect
	}
	return &apply{info: newInfo(at, typ, x, y), run: run, explain: func(args []*vector, row int) error {
		v, w := args[0].decimals[row], args[1].decimals[row]
		if _, ok := calculate(v, w); ok {
			return nil
		}
		cause := ErrOverflow
		if (op == "//" || op == "%") && w == (decimal128.Num{}) {
			cause = ErrDivisionByZero
		}
		return fmt.Errorf("%w: %s %s %s", cause, v.ToString(s), op, w.ToString(t))
	}}
}

// aligned gives a constant more digits behind the point, once rather than in each row.
func (b *binder) aligned(n node, scale int32) node {
	c, ok := n.(*constant)
	if !ok || c.null {
		return n
	}
	p, s := digitsOf(c.typ)
	finer, ok := rescale(c.vec.decimals[0], s, scale)
	if !ok {
		return n
	}
	return newConstant(c.span, decimalType(p-s, scale), &vector{decimals: []decimal128.Num{finer}}, false)
}

// aligned gives the one of two decimals that has fewer digits behind the point as many as the other
// has, before it calculates with them.
func aligned(
	calculate func(x, y decimal128.Num) (decimal128.Num, bool), s, t int32,
) func(x, y decimal128.Num) (decimal128.Num, bool) {
	switch {
	case s == t:
		return calculate
	case s < t:
		return func(x, y decimal128.Num) (decimal128.Num, bool) {
			x, ok := multiplyDecimals(x, tens[t-s])
			r, fits := calculate(x, y)
			return r, ok && fits
		}
	default:
		return func(x, y decimal128.Num) (decimal128.Num, bool) {
			y, ok := multiplyDecimals(y, tens[s-t])
			r, fits := calculate(x, y)
			return r, ok && fits
		}
	}
}
