package expr

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// A membership says whether x is one of some constants; where it is none of them it is null if one of
// them is.
type membership struct {
	info
	few     []*constant // if they are looked at one by one
	test    comparison  // of x with one of the few
	hasNull bool

	ints     map[int64]struct{}
	uints    map[uint64]struct{}
	floats   map[uint64]struct{}
	decimals map[decimal128.Num]struct{}
	texts    map[string]struct{}
}

// fewMembers is how many constants are compared with faster than they are looked up.
const fewMembers = 8

func (b *binder) inList(s inList) node {
	x := b.share(b.bind(s.x))
	items, constants := make([]node, len(s.list)), true
	for i := range s.list {
		items[i] = b.bind(s.list[i])
		_, ok := items[i].(*constant)
		constants = constants && ok
	}
	all := append([]node{x}, items...)
	typ, ok := common(all)
	if !ok {
		b.failOperands(s.span, "in", all...)
	}
	mixed := classOf(typ) == classFloat && classOf(x.base().typ) != classFloat ||
		classOf(typ) == classDecimal && !arrow.TypeEqual(typ, x.base().typ)
	if typ.ID() == arrow.NULL || !constants || mixed {
		return b.oneOf(s.span, x, items)
	}
	for i := range all {
		all[i] = b.to(all[i], typ)
	}
	m := &membership{info: newInfo(s.span, arrow.FixedWidthTypes.Boolean, all[0]), test: comparison{of: formOf(typ), order: equal}}
	for _, n := range all[1:] {
		c, ok := n.(*constant)
		if !ok { // a conversion that has no value
			return b.oneOf(s.span, x, items)
		}
		if c.null {
			m.hasNull = true
		} else {
			m.few = append(m.few, c)
		}
	}
	if len(m.few) > fewMembers && m.test.of != formBool {
		m.index(m.few)
		m.few = nil
	}
	for _, c := range m.few {
		c.expand()
	}
	return m
}

// oneOf compares with one after the other.
func (b *binder) oneOf(at span, x node, items []node) node {
	result := b.fold(b.compare(at, "=", x, items[0]))
	for _, item := range items[1:] {
		result = b.fold(&logic{newInfo(at, arrow.FixedWidthTypes.Boolean, result, b.fold(b.compare(at, "=", again(x), item))), true})
	}
	return result
}

func (m *membership) index(members []*constant) {
	m.ints, m.uints, m.floats = map[int64]struct{}{}, map[uint64]struct{}{}, map[uint64]struct{}{}
	m.decimals, m.texts = map[decimal128.Num]struct{}{}, map[string]struct{}{}
	for _, c := range members {
		switch m.test.of {
		case formInt:
			m.ints[c.vec.ints[0]] = struct{}{}
		case formUint:
			m.uints[c.vec.uints[0]] = struct{}{}
		case formFloat:
			m.floats[floatKey(c.vec.floats[0])] = struct{}{}
		case formDecimal:
			m.decimals[c.vec.decimals[0]] = struct{}{}
		case formText:
			m.texts[c.vec.texts[0]] = struct{}{}
		}
	}
}

// floatKey is the same for numbers that are equal.
func floatKey(f float64) uint64 {
	if f != f {
		f = math.NaN()
	}
	return math.Float64bits(f + 0)
}

func (m *membership) eval(e *Evaluator, active []uint64) *vector {
	x := m.args[0].eval(e, active)
	out := e.begin(&m.info)
	out.nulls(x)
	clear(out.bits)
	if m.texts != nil {
		m.lookUp(out.bits, x, e.rows)
	}
	var one [stripWords]uint64
	for _, c := range m.few {
		m.test.compare(one[:], x, &c.vec, e.rows)
		for w := range one {
			out.bits[w] |= one[w]
		}
	}
	if m.hasNull {
		if out.valid == nil {
			out.valid = out.validStore[:]
			fill(out.valid, true)
		}
		for w := range out.valid {
			out.valid[w] &= out.bits[w]
		}
	}
	return &out.vector
}

func (m *membership) lookUp(out []uint64, x *vector, n int) {
	switch m.test.of {
	case formInt:
		look(out, m.ints, x.ints[:n])
	case formUint:
		look(out, m.uints, x.uints[:n])
	case formFloat:
		for i, f := range x.floats[:n] {
			if _, ok := m.floats[floatKey(f)]; ok {
				setBit(out, i)
			}
		}
	case formDecimal:
		look(out, m.decimals, x.decimals[:n])
	case formText:
		look(out, m.texts, x.texts[:n])
	}
}

func look[K comparable](out []uint64, set map[K]struct{}, values []K) {
	for i, v := range values {
		if _, ok := set[v]; ok {
			setBit(out, i)
		}
	}
}
