package expr

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// A Conjunct is a comparison of a column with a constant that holds in every row of which a condition
// is true. A scan can leave out what it knows from statistics to have no such row.
type Conjunct struct {
	Column int    // in the schema
	Op     string // = <> < <= > >=, is null, or is not null

	// Value is what the column is compared with: nil after is null and is not null; a bool; an int64 for
	// integers, and for dates, timestamps and durations, in the unit of the column; a uint64 for a uint64
	// column; a float64; a string for text and binary; a Decimal.
	Value any
}

// A Decimal is Unscaled divided by 10 to the power of Scale.
type Decimal struct {
	Unscaled decimal128.Num
	Scale    int32
}

// Conjuncts returns the comparisons of a column with a constant that the expression, which is a
// condition, joins with and. Rows in which one does not hold do not pass, although they may have
// been an error for another part of the condition.
func (p *Program) Conjuncts() []Conjunct { return slices.Clone(p.conjuncts) }

// addConjuncts is called before parts of the expression are replaced.
func (p *Program) addConjuncts(n node) {
	switch n := n.(type) {
	case *logic:
		if !n.or {
			p.addConjuncts(n.args[0])
			p.addConjuncts(n.args[1])
		}
	case *nullTest:
		if c, ok := n.args[0].(*columnRef); ok {
			op := "is null"
			if n.not {
				op = "is not null"
			}
			p.conjuncts = append(p.conjuncts, Conjunct{Column: p.columns[c.column].index, Op: op})
		}
	case *answer:
		// No row passes: none is below the least of its type.
		if c, ok := n.args[0].(*columnRef); ok && !n.is {
			p.conjuncts = append(p.conjuncts, Conjunct{p.columns[c.column].index, "<", n.least.value()})
		}
	case *comparison:
		column, ok := unwidened(n.args[0])
		value, constant := n.args[1].(*constant)
		if ok && constant && !value.null {
			p.conjuncts = append(p.conjuncts, Conjunct{p.columns[column.column].index, n.op(), value.value()})
		}
	}
}

// unwidened returns the column that a node is, or of whose integers it makes larger ones.
func unwidened(n node) (*columnRef, bool) {
	if c, ok := n.(*converter); ok && c.bulk != nil && classOf(c.typ) == classInt {
		n = c.args[0]
	}
	column, ok := n.(*columnRef)
	return column, ok
}

func (c *comparison) op() string {
	for op, of := range spelled {
		if of.order == c.order && of.except == c.except {
			return op
		}
	}
	return ""
}

func (c *constant) value() any {
	switch c.form {
	case formBool:
		return c.vec.bits[0]&1 != 0
	case formInt:
		return c.vec.ints[0]
	case formUint:
		return c.vec.uints[0]
	case formFloat:
		return c.vec.floats[0]
	case formDecimal:
		return Decimal{c.vec.decimals[0], c.typ.(*arrow.Decimal128Type).Scale}
	default:
		return c.vec.texts[0]
	}
}
