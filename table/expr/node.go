package expr

import "github.com/apache/arrow-go/v18/arrow"

// A node is a part of an expression whose types are known. It is shared by all evaluators of its
// program: what changes is in theirs.
type node interface {
	base() *info
	// eval returns the values of the evaluator's strip, which stay good until the parent of the node
	// has been evaluated. A row without a value counts as an error only if it is active; nil means that
	// all are.
	eval(e *Evaluator, active []uint64) *vector
}

// info is what all nodes have.
type info struct {
	span
	typ      arrow.DataType
	form     form
	args     []node
	register int // where the evaluator keeps the values
	mask     int // the first of the evaluator's masks that the node uses
}

func (i *info) base() *info { return i }

func newInfo(at span, typ arrow.DataType, args ...node) info {
	return info{span: at, typ: typ, form: formOf(typ), args: args}
}

// An apply calculates each row from that row of its arguments, and is null where one of them is.
type apply struct {
	info
	// run calculates n rows, also those that are null, of which it may make anything. It returns true
	// if there may be rows without a value.
	run func(e *Evaluator, out *register, args []*vector, n int) (suspect bool)
	// explain returns why a row that is not null has no value, nil if it has one.
	explain func(args []*vector, row int) error
	// direct does the same without the arguments, if all rows have a value; it may be nil.
	direct direct

	// What fused needs to know: "+", "-" or "*" of floats, "*sum" of a product with summand ± x, or
	// nothing.
	op      string
	summand float64
	minus   bool
}

func (a *apply) eval(e *Evaluator, active []uint64) *vector {
	if a.direct != nil {
		if out := e.begin(&a.info); a.direct(e, out) {
			return &out.vector
		}
	}
	args := e.evalAll(a.args, active)
	out := e.begin(&a.info)
	for _, x := range args {
		out.nulls(x)
	}
	if a.run(e, out, args, e.rows) {
		for row := range e.rows {
			if holds(active, row) && holds(out.valid, row) {
				if err := a.explain(args, row); err != nil {
					e.failAt(&a.info, row, err)
					break
				}
			}
		}
	}
	e.done(args)
	return &out.vector
}

// A shared node is one that several parents have, and which is evaluated once for all of them. The
// first of them evaluates it for all rows that any other will look at.
type shared struct {
	info
	of node
}

func (s *shared) eval(e *Evaluator, active []uint64) *vector {
	r := &e.registers[s.register]
	if e.kept[s.register] != e.strip {
		e.kept[s.register] = e.strip
		r.copyAll(s.form, e.rows, s.of.eval(e, active))
	}
	return &r.vector
}
