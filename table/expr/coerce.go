package expr

import (
	"math/big"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// common returns the type in which values of several nodes are compared or chosen between. Literals
// go along with what stands beside them. false if there is no such type.
func common(nodes []node) (arrow.DataType, bool) {
	var typ arrow.DataType // of those that are no literals
	for _, n := range nodes {
		next := n.base().typ
		if _, ok := isLiteral(n); ok || next.ID() == arrow.NULL {
			continue
		}
		if typ == nil {
			typ = next
			continue
		}
		var ok bool
		if typ, ok = commonType(typ, next); !ok {
			return nil, false
		}
	}
	for _, n := range nodes {
		c, ok := isLiteral(n)
		if !ok || c.typ.ID() == arrow.NULL {
			continue
		}
		switch {
		case typ == nil:
			typ = c.typ
		case fits(c, typ):
		case classOf(c.typ) == classText && classOf(typ) != classText:
			return nil, false
		default:
			next := c.typ
			if exactly, ok := decimalOf(c); ok && classOf(typ) == classDecimal {
				next = exactly
			}
			if typ, ok = commonType(typ, next); !ok {
				return nil, false
			}
		}
	}
	if typ == nil {
		typ = arrow.Null
	}
	return typ, true
}

// decimalOf returns the decimal type of just the digits of a number, false if it is none or has too
// many.
func decimalOf(c *constant) (*arrow.Decimal128Type, bool) {
	if c.exact == nil {
		return nil, false
	}
	return decimalLiteral(c.exact)
}

// commonType is common of two types that stand for columns.
func commonType(a, b arrow.DataType) (arrow.DataType, bool) {
	if arrow.TypeEqual(a, b) {
		return a, true
	}
	switch x, y := classOf(a), classOf(b); {
	case x == classNull:
		return b, true
	case y == classNull:
		return a, true
	case x == classInt && y == classInt:
		return wholeType(a, b), true
	case x.number() && y.number():
		if x == classFloat || y == classFloat {
			return arrow.PrimitiveTypes.Float64, true
		}
		p, s := digitsOf(a)
		q, t := digitsOf(b)
		return decimalType(max(p-s, q-t), max(s, t)), true
	case x == classTimestamp && y == classTimestamp:
		if (zoneOf(a) == "") != (zoneOf(b) == "") {
			return nil, false
		}
		return &arrow.TimestampType{Unit: max(unitOf(a), unitOf(b)), TimeZone: zoneOf(a)}, true
	case x == classDate && y == classTimestamp:
		return b, zoneOf(b) == ""
	case x == classTimestamp && y == classDate:
		return a, zoneOf(a) == ""
	case x == classDuration && y == classDuration:
		return &arrow.DurationType{Unit: max(unitOf(a), unitOf(b))}, true
	}
	return nil, false
}

// wholeType is what two integers give: an int64, but a decimal if one is a uint64 and the other may
// be negative.
func wholeType(a, b arrow.DataType) arrow.DataType {
	wide := func(t arrow.DataType) bool { return t.ID() == arrow.UINT64 }
	switch {
	case !wide(a) && !wide(b):
		return arrow.PrimitiveTypes.Int64
	case arrow.IsUnsignedInteger(a.ID()) && arrow.IsUnsignedInteger(b.ID()):
		return arrow.PrimitiveTypes.Uint64
	default:
		return decimalType(20, 0)
	}
}

// fits says whether a literal can be a value of a type.
func fits(c *constant, typ arrow.DataType) bool {
	switch classOf(typ) {
	case classInt:
		return c.exact != nil && c.exact.IsInt() && inType(c.exact.Num(), typ)
	case classFloat:
		return c.exact != nil
	case classDecimal:
		if c.exact == nil {
			return false
		}
		own, ok := decimalLiteral(c.exact)
		p, s := digitsOf(typ)
		return ok && own.Scale <= s && own.Precision-own.Scale <= p-s
	case classText, classBinary:
		return classOf(c.typ) == classText
	case classDate, classTimestamp, classDuration, classTime:
		if classOf(c.typ) == classText {
			return true // whether it can be read is for to to say
		}
		_, err := parseTimeText(typ, c.text)
		return c.text != "" && err == nil
	default:
		return classOf(typ) == classOf(c.typ)
	}
}

// inType says whether an integer type has a number.
func inType(n *big.Int, typ arrow.DataType) bool {
	bits := typ.(arrow.FixedWidthDataType).BitWidth()
	if arrow.IsUnsignedInteger(typ.ID()) {
		return n.Sign() >= 0 && n.BitLen() <= bits
	}
	if n.Sign() < 0 {
		n = new(big.Int).Not(n)
	}
	return n.BitLen() < bits
}

// to makes a node a value of a type that it can become without being asked to: see common.
func (b *binder) to(n node, typ arrow.DataType) node {
	i := n.base()
	if arrow.TypeEqual(i.typ, typ) {
		return n
	}
	if i.typ.ID() == arrow.NULL {
		return nullConstant(i.span, typ)
	}
	if c, ok := isLiteral(n); ok {
		if made := b.literalTo(c, typ); made != nil {
			return made
		}
	}
	return b.fold(b.convert(i.span, n, typ, false))
}

// literalTo makes a literal of another type, exactly as it was written. It returns nil if that is
// what a conversion does just as well.
func (b *binder) literalTo(c *constant, typ arrow.DataType) node {
	switch classOf(typ) {
	case classInt:
		if c.exact == nil || !c.exact.IsInt() || !inType(c.exact.Num(), typ) {
			return nil
		}
		if formOf(typ) == formUint {
			return newConstant(c.span, typ, &vector{uints: []uint64{c.exact.Num().Uint64()}}, false)
		}
		return intConstant(c.span, typ, c.exact.Num().Int64())
	case classFloat:
		if c.exact == nil {
			return nil
		}
		f, _ := c.exact.Float64()
		if typ.ID() == arrow.FLOAT32 {
			f32, _ := c.exact.Float32()
			f = float64(f32)
		}
		return newConstant(c.span, typ, &vector{floats: []float64{f}}, false)
	case classDecimal:
		if !fits(c, typ) {
			return nil
		}
		_, scale := digitsOf(typ)
		unscaled := new(big.Rat).Mul(c.exact, new(big.Rat).SetInt(powerOfTen(scale)))
		return newConstant(c.span, typ, &vector{decimals: []decimal128.Num{decimal128.FromBigInt(unscaled.Num())}}, false)
	case classDate, classTimestamp, classDuration, classTime:
		n, err := parseTimeText(typ, c.text)
		if err != nil && classOf(c.typ) != classText {
			return nil
		}
		if err != nil {
			b.fail(c.span, "%v", err)
		}
		return intConstant(c.span, typ, n)
	}
	return nil
}

func powerOfTen(n int32) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }
