package expr

import (
	"math/big"

	"github.com/apache/arrow-go/v18/arrow"
)

// An order is what a comparison asks. The other three are these of the values swapped, or not these:
// all types are ordered from end to end, NaN equal to NaN and above all other numbers.
type order uint8

const (
	equal order = iota
	less
	lessOrEqual
)

// A comparison says how two values compare; as SQL has it, it is null if one of them is.
type comparison struct {
	info   // args are x and y
	order  order
	except bool // true where the order does not hold
	// of the arguments, which have the same type, or are decimals with different digits behind the point
	of             form
	scaleX, scaleY int32
	// narrow is x if that is a column of a type that is narrower in memory than where it is calculated
	// with, and y a constant: then it is compared where it lies.
	narrow *columnRef
}

// spelled has comparisons as one writes them.
var spelled = map[string]struct {
	order  order
	except bool
}{
	"=": {equal, false}, "<>": {equal, true},
	"<": {less, false}, ">=": {less, true},
	"<=": {lessOrEqual, false}, ">": {lessOrEqual, true},
}

// mirrored is the comparison of y with x.
var mirrored = map[string]string{"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}

func (b *binder) compare(at span, op string, x, y node) node {
	if _, ok := x.(*constant); ok {
		if _, both := y.(*constant); !both {
			x, y, op = y, x, mirrored[op]
		}
	}
	typ, ok := common([]node{x, y})
	if !ok {
		b.failOperands(at, op, x, y)
	}
	if typ.ID() == arrow.NULL {
		return nullConstant(at, arrow.FixedWidthTypes.Boolean)
	}
	if n := b.compareWithin(at, op, x, y); n != nil {
		return n
	}
	if classOf(typ) == classDecimal {
		x, y = b.asDecimal(x), b.asDecimal(y)
		if _, scale := digitsOf(x.base().typ); scale > y.base().typ.(*arrow.Decimal128Type).Scale {
			y = b.aligned(y, scale)
		}
	} else {
		x, y = b.to(x, typ), b.to(y, typ)
	}
	c := &comparison{info: newInfo(at, arrow.FixedWidthTypes.Boolean, x, y), of: formOf(typ)}
	c.order, c.except = spelled[op].order, spelled[op].except
	if c.of == formDecimal {
		_, c.scaleX = digitsOf(x.base().typ)
		_, c.scaleY = digitsOf(y.base().typ)
	}
	c.narrow = narrowColumn(x, y)
	return c
}

// compareWithin compares an integer or a decimal with a number that none of its type is, by comparing it
// with the next one below. It returns nil if it is not about that.
func (b *binder) compareWithin(at span, op string, x, y node) node {
	c, ok := isLiteral(y)
	if !ok || c.exact == nil {
		return nil
	}
	if _, both := isLiteral(x); both {
		return nil
	}
	least, most, typ := rangeOf(x.base().typ)
	if least == nil {
		return nil
	}
	_, scale := digitsOf(typ)
	finest := new(big.Rat).Mul(c.exact, new(big.Rat).SetInt(powerOfTen(scale)))
	floor := new(big.Int).Div(finest.Num(), finest.Denom())
	below, above := floor.Cmp(least) < 0, floor.Cmp(most) > 0
	if finest.IsInt() && !below && !above {
		return nil
	}
	limit := func(unscaled *big.Int) *constant {
		l := *c
		l.exact = new(big.Rat).SetFrac(unscaled, powerOfTen(scale))
		made := b.literalTo(&l, typ).(*constant)
		made.exact, made.literal = l.exact, true
		return made
	}
	under := op == "<" || op == "<="
	if op == "=" || op == "<>" || below || above {
		is := op == "<>" || op != "=" && under == above
		return &answer{newInfo(at, arrow.FixedWidthTypes.Boolean, x), is, limit(least)}
	}
	if op = ">"; under {
		op = "<="
	}
	return b.compare(at, op, x, limit(floor))
}

// rangeOf returns the least and the greatest value of a type of integers or decimals, the latter without
// the point, and a type that has them; nil for other types. Decimals may have more digits than their type
// says.
func rangeOf(typ arrow.DataType) (least, most *big.Int, all arrow.DataType) {
	switch {
	case classOf(typ) == classDecimal:
		_, scale := digitsOf(typ)
		most = mostDecimal.BigInt()
		return new(big.Int).Neg(most), most, &arrow.Decimal128Type{Precision: maxDigits, Scale: scale}
	case classOf(typ) != classInt:
		return nil, nil, nil
	case formOf(typ) == formUint:
		return new(big.Int), new(big.Int).SetUint64(1<<64 - 1), typ
	default:
		low, high := bounds(typ)
		return big.NewInt(low), big.NewInt(high), typ
	}
}

// An answer is the same for all rows of x that are not null.
type answer struct {
	info
	is    bool
	least *constant // that the type of x has
}

func (a *answer) eval(e *Evaluator, active []uint64) *vector {
	x := a.args[0].eval(e, active)
	out := e.begin(&a.info)
	out.nulls(x)
	fill(out.bits, a.is)
	return &out.vector
}

func fill(words []uint64, with bool) {
	word := uint64(0)
	if with {
		word = ^word
	}
	for w := range words {
		words[w] = word
	}
}

func (c *comparison) eval(e *Evaluator, active []uint64) *vector {
	if c.narrow != nil {
		out := e.begin(&c.info)
		c.narrow.nulls(e, out)
		c.compareNarrow(out.bits, e.columns[c.narrow.column].array, e.first, e.rows)
		c.invert(out.bits)
		return &out.vector
	}
	args := e.evalAll(c.args, active)
	out := e.begin(&c.info)
	out.nulls(args[0])
	out.nulls(args[1])
	c.compare(out.bits, args[0], args[1], e.rows)
	e.done(args)
	return &out.vector
}

// compare writes how n rows compare.
func (c *comparison) compare(out []uint64, x, y *vector, n int) {
	switch c.of {
	case formInt:
		compareNumbers(out, c.order, x.ints[:n], y.ints, y.constant)
	case formUint:
		compareNumbers(out, c.order, x.uints[:n], y.uints, y.constant)
	case formFloat:
		if y.constant && y.floats[0] == y.floats[0] {
			compareNumbers(out, c.order, x.floats[:n], y.floats, true)
		} else {
			compareFloats(out, c.order, x.floats[:n], y.floats)
		}
	case formBool:
		compareBools(out, c.order, x.bits, y.bits)
	case formText:
		compareTexts(out, c.order, x.texts[:n], y.texts)
	case formDecimal:
		c.compareDecimals(out, x, y, n)
	}
	c.invert(out)
}

// invert makes of where the order holds where the comparison does.
func (c *comparison) invert(out []uint64) {
	if c.except {
		for w := range out {
			out[w] = ^out[w]
		}
	}
}

func compareBools(out []uint64, o order, x, y []uint64) {
	for w := range out {
		switch o {
		case equal:
			out[w] = ^(x[w] ^ y[w])
		case less:
			out[w] = ^x[w] & y[w]
		case lessOrEqual:
			out[w] = ^x[w] | y[w]
		}
	}
}

func compareTexts(out []uint64, o order, x, y []string) {
	clear(out)
	y = y[:len(x)]
	switch o {
	case equal:
		for i := range x {
			if x[i] == y[i] {
				setBit(out, i)
			}
		}
	case less:
		for i := range x {
			if x[i] < y[i] {
				setBit(out, i)
			}
		}
	case lessOrEqual:
		for i := range x {
			if x[i] <= y[i] {
				setBit(out, i)
			}
		}
	}
}

func (c *comparison) compareDecimals(out []uint64, x, y *vector, n int) {
	if c.scaleX == c.scaleY {
		compareAligned(out, c.order, x.decimals[:n], y.decimals)
		return
	}
	clear(out)
	for i := range n {
		by := compareScaled(x.decimals[i], c.scaleX, y.decimals[i], c.scaleY)
		if by < 0 && c.order != equal || by == 0 && c.order != less {
			setBit(out, i)
		}
	}
}
