package expr

// walk calls do with a syntax and all its parts, from left to right.
func walk(s syntax, do func(syntax)) {
	if s == nil {
		return
	}
	do(s)
	all := func(parts ...syntax) {
		for _, part := range parts {
			walk(part, do)
		}
	}
	switch s := s.(type) {
	case parentheses:
		all(s.x)
	case prefix:
		all(s.x)
	case infix:
		all(s.x, s.y)
	case isNull:
		all(s.x)
	case inList:
		all(s.x)
		all(s.list...)
	case between:
		all(s.x, s.low, s.high)
	case like:
		all(s.x, s.pattern)
	case caseWhen:
		all(s.operand)
		for i := range s.whens {
			all(s.whens[i], s.thens[i])
		}
		all(s.other)
	case call:
		all(s.args...)
	case cast:
		all(s.x)
	}
}
