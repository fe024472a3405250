package expr

import (
	"fmt"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// A conversion makes one row of another type, false if that has no such value. z is the zone of the
// timestamps that it is about.
type conversion func(e *Evaluator, out *register, x *vector, row int, z *zone) bool

func (b *binder) cast(s cast) node {
	typ, err := parseType(s.to.text)
	if err != nil {
		b.fail(s.to.span, "%v", err)
	}
	return b.convert(s.span, b.bind(s.x), typ, s.try)
}

// convert makes a node a value of a type. Values that the type does not have are errors, or, if it is
// a try, null.
func (b *binder) convert(at span, x node, to arrow.DataType, try bool) node {
	from := x.base().typ
	switch {
	case from.ID() == arrow.NULL:
		return nullConstant(at, to)
	case arrow.TypeEqual(from, to):
		if c, ok := x.(*constant); ok {
			typed := *c
			typed.literal = false
			return &typed
		}
		return x
	}
	if c, ok := isLiteral(x); ok && c.exact != nil && classOf(to) == classDecimal {
		if made := b.literalTo(c, to); made != nil {
			made.(*constant).literal = false
			return made
		}
	}
	zoneName := zoneOf(to)
	if zoneName == "" {
		zoneName = zoneOf(from)
	}
	n := &converter{info: newInfo(at, to, x), zone: b.zone(at, zoneName), try: try}
	if n.bulk = bulkConversion(from, to); n.bulk == nil {
		n.quick, n.row = quickConversion(from, to), conversionOf(from, to)
		n.shows = classOf(to) == classText && classOf(from) != classBinary
	}
	if n.bulk == nil && n.row == nil && !n.shows {
		b.failType(x, "%s, which is %s, cannot be cast to %s", b.text(x.base().span), nameOf(from), nameOf(to))
	}
	return n
}

// A converter is a cast.
type converter struct {
	info
	bulk  func(out *register, x *vector, n int) // if all values can be converted
	quick quick                                 // if most can; may be nil
	row   conversion                            // if not
	shows bool                                  // what an expression shows of any value
	zone  int                                   // -1 for none
	try   bool
}

// same says whether the values are those of the argument as they are held. Then they lie in its register.
func (c *converter) same() bool {
	_, kept := c.args[0].(*shared)
	return c.bulk != nil && c.form == c.args[0].base().form && !kept
}

func (c *converter) eval(e *Evaluator, active []uint64) *vector {
	x := c.args[0].eval(e, active)
	if c.same() {
		return x
	}
	out := e.begin(&c.info)
	out.nulls(x)
	if c.bulk != nil {
		c.bulk(out, x, e.rows)
		return &out.vector
	}
	if c.quick != nil && c.quick(out, x, e.rows) {
		return &out.vector
	}
	z := e.zone(c.zone)
	if c.shows {
		c.show(e, out, x, z)
		return &out.vector
	}
	if c.form == formBool {
		clear(out.bits)
	}
	for row := range e.rows {
		if !holds(out.valid, row) {
			if c.form == formText {
				out.texts[row] = ""
			}
			continue
		}
		if c.row(e, out, x, row, z) {
			continue
		}
		switch {
		case c.try:
			if out.valid == nil {
				out.valid = out.validStore[:]
				fill(out.valid, true)
			}
			out.valid[row>>6] &^= 1 << (uint(row) & 63)
		case holds(active, row):
			from := c.args[0].base().typ
			e.failAt(&c.info, row, fmt.Errorf("%s %w %s", shown(from, x, row), ErrCast, nameOf(c.typ)))
		}
	}
	return &out.vector
}

// show makes texts of values.
func (c *converter) show(e *Evaluator, out *register, x *vector, z *zone) {
	from := c.args[0].base().typ
	signed := classOf(from) == classInt && formOf(from) == formInt
	arena, first := e.arena, len(e.arena)
	for row := range out.texts {
		out.texts[row] = ""
		if !holds(out.valid, row) {
			continue
		}
		begin := len(arena)
		if signed {
			arena = strconv.AppendInt(arena, x.ints[row], 10)
		} else {
			arena = appendValue(arena, from, z, x, row)
		}
		out.texts[row] = aliasText(arena[begin:])
	}
	e.arena, out.packed = arena, aliasText(arena[first:])
}

// bulkConversion is for types of which the other one has all values.
func bulkConversion(from, to arrow.DataType) func(out *register, x *vector, n int) {
	switch {
	case classOf(from) == classInt && to.ID() == arrow.FLOAT64 && formOf(from) == formInt:
		return func(out *register, x *vector, n int) { intsToFloats(nil, out, []*vector{x}, n) }
	case classOf(from) == classInt && formOf(from) == formInt && widens(from, to):
		return func(out *register, x *vector, n int) { copy(out.ints, x.ints[:n]) }
	case from.ID() == arrow.FLOAT32 && to.ID() == arrow.FLOAT64:
		return func(out *register, x *vector, n int) { copy(out.floats, x.floats[:n]) }
	case classOf(from) == classInt && formOf(from) == formInt && classOf(to) == classDecimal:
		p, _ := digitsOf(from)
		if q, s := digitsOf(to); s == 0 && q >= p {
			return func(out *register, x *vector, n int) {
				for i, v := range x.ints[:n] {
					out.decimals[i] = decimal128.FromI64(v)
				}
			}
		}
	case classOf(from) == classText && classOf(to) == classBinary:
		return func(out *register, x *vector, n int) { copy(out.texts, x.texts[:n]) }
	}
	return nil
}

// widens says whether an integer type, held as int64, has all values of another.
func widens(from, to arrow.DataType) bool {
	if classOf(to) != classInt || formOf(to) != formInt {
		return false
	}
	least, most := bounds(from)
	low, high := bounds(to)
	return low <= least && most <= high
}

// bounds returns the least and the greatest value of an integer type that is held as int64.
func bounds(typ arrow.DataType) (least, most int64) {
	bits := typ.(arrow.FixedWidthDataType).BitWidth()
	if arrow.IsUnsignedInteger(typ.ID()) {
		return 0, 1<<bits - 1
	}
	return math.MinInt64 >> (64 - bits), math.MaxInt64 >> (64 - bits)
}
