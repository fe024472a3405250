package expr

// Only returns what is left of an expression, which is a condition, when of the operands that it
// joins with and only those stay of whose columns keep says so; nil if none does. Their order
// stays, and so what stands on guard before what. The names that keep is given are those that
// [Expr.Columns] returns of the operand alone.
//
// It is for whoever can decide a part of a condition earlier, or with less, than the whole. Errors of
// what is compiled of it tell their place in the whole expression.
func (e *Expr) Only(keep func(columns []string) bool) *Expr {
	tree := only(e.tree, func(operand syntax) bool { return keep((&Expr{tree: operand}).Columns()) })
	if tree == nil {
		return nil
	}
	return &Expr{e.text, tree}
}

func only(s syntax, keep func(syntax) bool) syntax {
	switch s := s.(type) {
	case parentheses:
		return only(s.x, keep)
	case infix:
		if s.op != "and" {
			break
		}
		x, y := only(s.x, keep), only(s.y, keep)
		switch {
		case x == nil:
			return y
		case y == nil:
			return x
		}
		return infix{s.span, s.op, x, y}
	}
	if !keep(s) {
		return nil
	}
	// Where and has a null for an operand, the null alone would not be a condition.
	return cast{span: s.at(), x: s, to: typeName{s.at(), "bool"}}
}
