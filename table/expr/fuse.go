package expr

import "github.com/apache/arrow-go/v18/arrow"

// A loop over a strip costs as much for its loads and stores as for what it calculates. So what
// formulas of money and of physics are made of is calculated in one go: a * (c + x), a * (c - x),
// a * b + z, a * b - z, z - a * b, and the first two plus z. Every operation still rounds by itself, as
// it would alone: the conversions in the loops see to that on processors that could leave one out.

// floatOp makes one of the operations of floats that cannot fail.
func floatOp(at span, op string, x, y node) *apply {
	if n := fused(at, op, x, y); n != nil {
		return n
	}
	run := map[string]loop{"+": addFloats, "-": subtractFloats, "*": multiplyFloats}[op]
	return &apply{info: newInfo(at, arrow.PrimitiveTypes.Float64, x, y), run: run, op: op}
}

func fused(at span, op string, x, y node) *apply {
	if op == "*" {
		if n := multiplyBySum(at, x, y); n != nil {
			return n
		}
		return multiplyBySum(at, y, x)
	}
	p, left := x.(*apply)
	q, right := y.(*apply)
	switch {
	case left && p.op == "*" && op == "+":
		return fuse(at, multiplyAndAdd, p.args[0], p.args[1], y)
	case left && p.op == "*":
		return fuse(at, multiplyAndSubtract, p.args[0], p.args[1], y)
	case left && p.op == "*sum" && op == "+":
		return fuse(at, multiplySumAndAdd(p), p.args[0], p.args[1], y)
	case right && q.op == "*" && op == "+":
		return fuse(at, multiplyAndAdd, q.args[0], q.args[1], x)
	case right && q.op == "*":
		return fuse(at, subtractProduct, q.args[0], q.args[1], x)
	case right && q.op == "*sum" && op == "+":
		return fuse(at, multiplySumAndAdd(q), q.args[0], q.args[1], x)
	}
	return nil
}

func fuse(at span, run loop, args ...node) *apply {
	return &apply{info: newInfo(at, arrow.PrimitiveTypes.Float64, args...), run: run}
}

// multiplyBySum is a * (c + x) or a * (c - x) if sum is one of these, else nil.
func multiplyBySum(at span, a, sum node) *apply {
	s, ok := sum.(*apply)
	if !ok || s.op != "+" && s.op != "-" {
		return nil
	}
	n := fuse(at, nil, a)
	n.op = "*sum"
	c, first := s.args[0].(*constant)
	x := s.args[1]
	if !first {
		if c, ok = s.args[1].(*constant); !ok {
			return nil
		}
		x = s.args[0]
	}
	if c.null {
		return nil
	}
	n.args = append(n.args, x)
	n.summand, n.minus = c.vec.floats[0], s.op == "-"
	if n.minus && !first {
		n.summand, n.minus = -n.summand, false // x - c
	}
	k := n.summand
	n.run = func(_ *Evaluator, out *register, args []*vector, rows int) bool {
		r, a, x := out.floats[:rows], args[0].floats[:rows], args[1].floats[:rows]
		for i := range r {
			r[i] = a[i] * (k + x[i])
		}
		return false
	}
	if n.minus {
		n.run = func(_ *Evaluator, out *register, args []*vector, rows int) bool {
			r, a, x := out.floats[:rows], args[0].floats[:rows], args[1].floats[:rows]
			for i := range r {
				r[i] = a[i] * (k - x[i])
			}
			return false
		}
	}
	return n
}

func multiplySumAndAdd(p *apply) loop {
	k := p.summand
	if p.minus {
		return func(_ *Evaluator, out *register, args []*vector, rows int) bool {
			r, a, x, z := out.floats[:rows], args[0].floats[:rows], args[1].floats[:rows], args[2].floats[:rows]
			for i := range r {
				r[i] = float64(a[i]*(k-x[i])) + z[i]
			}
			return false
		}
	}
	return func(_ *Evaluator, out *register, args []*vector, rows int) bool {
		r, a, x, z := out.floats[:rows], args[0].floats[:rows], args[1].floats[:rows], args[2].floats[:rows]
		for i := range r {
			r[i] = float64(a[i]*(k+x[i])) + z[i]
		}
		return false
	}
}

func multiplyAndAdd(_ *Evaluator, out *register, args []*vector, rows int) bool {
	r, a, b, z := out.floats[:rows], args[0].floats[:rows], args[1].floats[:rows], args[2].floats[:rows]
	for i := range r {
		r[i] = float64(a[i]*b[i]) + z[i]
	}
	return false
}

func multiplyAndSubtract(_ *Evaluator, out *register, args []*vector, rows int) bool {
	r, a, b, z := out.floats[:rows], args[0].floats[:rows], args[1].floats[:rows], args[2].floats[:rows]
	for i := range r {
		r[i] = float64(a[i]*b[i]) - z[i]
	}
	return false
}

func subtractProduct(_ *Evaluator, out *register, args []*vector, rows int) bool {
	r, a, b, z := out.floats[:rows], args[0].floats[:rows], args[1].floats[:rows], args[2].floats[:rows]
	for i := range r {
		r[i] = z[i] - float64(a[i]*b[i])
	}
	return false
}
