package expr

import "github.com/apache/arrow-go/v18/arrow"

// logic is and, or or, with SQL's nulls: one operand that settles the answer does so whatever the
// other is. The right operand has to have a value only in rows that the left one does not settle.
type logic struct {
	info
	or bool
}

func (l *logic) eval(e *Evaluator, active []uint64) *vector {
	x := l.args[0].eval(e, active)
	mask := e.masks[l.mask][:]
	settled := true
	for w := range (e.rows + 63) / 64 {
		mask[w] = x.bits[w]
		if l.or {
			mask[w] = ^mask[w]
		}
		if x.valid != nil {
			mask[w] |= ^x.valid[w]
		}
		if active != nil {
			mask[w] &= active[w]
		}
		settled = settled && mask[w] == 0
	}
	if settled {
		out := e.begin(&l.info)
		out.nulls(x)
		copy(out.bits, x.bits)
		return &out.vector
	}
	y := l.args[1].eval(e, mask)
	out := e.begin(&l.info)
	l.combine(out, x, y)
	return &out.vector
}

func (l *logic) combine(out *register, x, y *vector) {
	for w := range out.bits {
		if l.or {
			out.bits[w] = x.bits[w] | y.bits[w]
		} else {
			out.bits[w] = x.bits[w] & y.bits[w]
		}
	}
	if x.valid == nil && y.valid == nil {
		return
	}
	out.valid = out.validStore[:]
	for w := range out.bits {
		vx, vy := ^uint64(0), ^uint64(0)
		if x.valid != nil {
			vx = x.valid[w]
		}
		if y.valid != nil {
			vy = y.valid[w]
		}
		bx, by := x.bits[w], y.bits[w]
		if l.or { // true or whatever is true
			out.valid[w] = vx&vy | vx&bx | vy&by
			out.bits[w] = vx&bx | vy&by
		} else { // false and whatever is false
			out.valid[w] = vx&vy | vx&^bx | vy&^by
			out.bits[w] = (bx | ^vx) & (by | ^vy)
		}
	}
}

type negation struct{ info }

func (n *negation) eval(e *Evaluator, active []uint64) *vector {
	x := n.args[0].eval(e, active)
	out := e.begin(&n.info)
	out.nulls(x)
	for w := range out.bits {
		out.bits[w] = ^x.bits[w]
	}
	return &out.vector
}

// nullTest is x is null, and x is not null.
type nullTest struct {
	info
	not bool
}

func (t *nullTest) eval(e *Evaluator, active []uint64) *vector {
	x := t.args[0].eval(e, active)
	out := e.begin(&t.info)
	fill(out.bits, t.not)
	if x.valid != nil {
		for w := range out.bits {
			out.bits[w] = x.valid[w]
			if !t.not {
				out.bits[w] = ^x.valid[w]
			}
		}
	}
	return &out.vector
}

// between is two comparisons with an x that is calculated once.
func (b *binder) between(s between) node {
	x, low, high := b.bind(s.x), b.bind(s.low), b.bind(s.high)
	x = b.share(x)
	above, below := b.compare(s.span, ">=", x, low), b.compare(s.span, "<=", again(x), high)
	return &logic{info: newInfo(s.span, arrow.FixedWidthTypes.Boolean, b.fold(above), b.fold(below))}
}

// share prepares a node for having several parents, of which the first gets n and the others again
// of it.
func (b *binder) share(n node) node {
	switch n.(type) {
	case *constant, *shared, *columnRef:
		return n
	}
	i := n.base()
	return &shared{info: newInfo(i.span, i.typ, n), of: n}
}

// again returns what a further parent gets of a node from share. To look at a column twice costs
// less than to keep it.
func again(n node) node {
	if ref, ok := n.(*columnRef); ok {
		clone := *ref
		return &clone
	}
	return n
}
