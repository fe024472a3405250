package expr

import (
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
)

// A choice has the value of its second argument where the first is true, and elsewhere that of the
// third. Only the one that is chosen has to have a value.
type choice struct{ info }

func (c *choice) eval(e *Evaluator, active []uint64) *vector {
	if0 := c.args[0].eval(e, active)
	var truth [stripWords]uint64
	then, other := e.masks[c.mask][:], e.masks[c.mask+1][:]
	for w := range truth {
		truth[w] = if0.bits[w]
		if if0.valid != nil {
			truth[w] &= if0.valid[w]
		}
		other[w] = ^truth[w]
	}
	narrow(then, active, truth[:])
	narrow(other, active, other)
	switch {
	case count(then, e.rows) == 0:
		v := c.args[2].eval(e, other)
		out := &e.registers[c.register]
		out.copyAll(c.form, e.rows, v)
		return &out.vector
	case count(other, e.rows) == 0:
		v := c.args[1].eval(e, then)
		out := &e.registers[c.register]
		out.copyAll(c.form, e.rows, v)
		return &out.vector
	}
	chosen := c.args[1].eval(e, then)
	v := c.args[2].eval(e, other)
	out := &e.registers[c.register]
	out.copyAll(c.form, e.rows, v)
	out.copyWhere(c.form, e.rows, then, chosen)
	return &out.vector
}

// copyWhere copies the rows of a mask, and whether they are null.
func (r *register) copyWhere(f form, n int, mask []uint64, x *vector) {
	if r.valid == nil && x.valid != nil {
		r.valid = r.validStore[:]
		fill(r.valid, true)
	}
	for w := range (n + 63) / 64 {
		word := mask[w]
		if left := n - 64*w; left < 64 {
			word &= 1<<left - 1
		}
		if r.valid != nil {
			valid := ^uint64(0)
			if x.valid != nil {
				valid = x.valid[w]
			}
			r.valid[w] = r.valid[w]&^word | valid&word
		}
		if f == formBool {
			r.bits[w] = r.bits[w]&^word | x.bits[w]&word
			continue
		}
		for ; word != 0; word &= word - 1 {
			r.copyRow(f, 64*w+bits.TrailingZeros64(word), x)
		}
	}
}

// A coalesce has the value of the first argument that is not null.
type coalesce struct{ info }

func (c *coalesce) eval(e *Evaluator, active []uint64) *vector {
	v := c.args[0].eval(e, active)
	out := &e.registers[c.register]
	out.copyAll(c.form, e.rows, v)
	missing := e.masks[c.mask][:]
	for _, arg := range c.args[1:] {
		if out.valid == nil {
			break
		}
		for w := range missing {
			missing[w] = ^out.valid[w]
		}
		narrow(missing, active, missing)
		if count(missing, e.rows) == 0 {
			break
		}
		out.copyWhere(c.form, e.rows, missing, arg.eval(e, missing))
	}
	return &out.vector
}

// An extreme has the least or greatest value of its arguments that are not null.
type extreme struct {
	info
	order comparison // of an argument with the best so far
}

func (x *extreme) eval(e *Evaluator, active []uint64) *vector {
	args := e.evalAll(x.args, active)
	out := &e.registers[x.register]
	out.copyAll(x.form, e.rows, args[0])
	var better [stripWords]uint64
	for _, arg := range args[1:] {
		x.order.compare(better[:], arg, &out.vector, e.rows)
		for w := range better {
			if out.valid != nil {
				better[w] |= ^out.valid[w]
			}
			if arg.valid != nil {
				better[w] &= arg.valid[w]
			}
		}
		out.copyWhere(x.form, e.rows, better[:], arg)
	}
	e.done(args)
	return &out.vector
}

// same makes nodes values of one type.
func (b *binder) same(at span, what string, nodes ...node) arrow.DataType {
	b.checkDigits(nodes...)
	typ, ok := common(nodes)
	if !ok {
		b.failOperands(at, what, nodes...)
	}
	for i, n := range nodes {
		nodes[i] = b.to(n, typ)
	}
	return typ
}

// If all that is chosen from is null, so is the result.
func (b *binder) choose(at span, what string, when, then, other node) node {
	branches := []node{then, other}
	typ := b.same(at, what, branches...)
	if typ.ID() == arrow.NULL {
		return nullConstant(at, arrow.Null)
	}
	return &choice{newInfo(at, typ, when, branches[0], branches[1])}
}

func (b *binder) caseWhen(s caseWhen) node {
	var operand node
	if s.operand != nil {
		operand = b.share(b.bind(s.operand))
	}
	whens, branches := make([]node, len(s.whens)), make([]node, len(s.thens), len(s.thens)+1)
	for i := range s.whens {
		when := b.bind(s.whens[i])
		if operand == nil {
			whens[i] = b.boolean(when, "when")
		} else {
			whens[i] = b.fold(b.compare(s.whens[i].at(), "=", again(operand), when))
		}
		branches[i] = b.bind(s.thens[i])
	}
	if s.other != nil {
		branches = append(branches, b.bind(s.other))
	} else {
		branches = append(branches, nullConstant(s.span, arrow.Null))
	}
	typ := b.same(s.span, "case", branches...)
	if typ.ID() == arrow.NULL {
		return nullConstant(s.span, arrow.Null)
	}
	result := branches[len(branches)-1]
	for i := len(whens) - 1; i >= 0; i-- {
		result = b.fold(&choice{newInfo(s.span, typ, whens[i], branches[i], result)})
	}
	return result
}

// nullIf is x, but null where it equals y.
func (b *binder) nullIf(at span, args []node) node {
	x := b.share(args[0])
	if x.base().typ.ID() == arrow.NULL {
		return x
	}
	equal := b.compare(at, "=", x, args[1])
	return &choice{newInfo(at, x.base().typ, b.fold(equal), nullConstant(at, x.base().typ), again(x))}
}

func (b *binder) coalesce(at span, args []node) node {
	typ := b.same(at, "coalesce", args...)
	if typ.ID() == arrow.NULL {
		return nullConstant(at, arrow.Null)
	}
	return &coalesce{newInfo(at, typ, args...)}
}

func (b *binder) extreme(at span, name string, args []node) node {
	typ := b.same(at, name, args...)
	if typ.ID() == arrow.NULL {
		return nullConstant(at, arrow.Null)
	}
	x := &extreme{info: newInfo(at, typ, args...)}
	x.order = comparison{of: x.form, order: less}
	if name == "greatest" {
		x.order = comparison{of: x.form, order: lessOrEqual, except: true}
	}
	return x
}

// ifElse is if(condition, then, else).
func (b *binder) ifElse(at span, args []node) node {
	return b.choose(at, "if", b.boolean(args[0], "if"), args[1], args[2])
}
