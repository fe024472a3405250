package expr

// A syntax is a parsed expression, of which nothing is known but its form.
type syntax interface{ at() span }

func (s span) at() span { return s }

type (
	columnName struct {
		span
		name string
	}
	numberLiteral struct {
		span
		text string
	}
	textLiteral struct {
		span
		text string
	}
	boolLiteral struct {
		span
		value bool
	}
	nullLiteral struct{ span }

	// typedLiteral is date '...', timestamp '...' or interval '...'.
	typedLiteral struct {
		span
		kind, text string
	}
	// prefix is - or not before an operand.
	prefix struct {
		span
		op string
		x  syntax
	}
	// infix has its operator in the one spelling that the checker knows: = and <>, never == or !=.
	infix struct {
		span
		op   string
		x, y syntax
	}
	isNull struct {
		span
		x   syntax
		not bool
	}
	inList struct {
		span
		x    syntax
		list []syntax
		not  bool
	}
	between struct {
		span
		x, low, high syntax
		not          bool
	}
	like struct {
		span
		x, pattern syntax
		escape     *textLiteral // nil if there is none
		not        bool
	}
	// caseWhen compares operand with each when, or, if that is nil, takes the first when that is true.
	caseWhen struct {
		span
		operand syntax
		whens   []syntax
		thens   []syntax
		other   syntax // nil if there is no else
	}
	call struct {
		span
		name string
		args []syntax
	}
	cast struct {
		span
		x   syntax
		to  typeName
		try bool
	}
	parentheses struct {
		span
		x syntax
	}
	typeName struct {
		span
		text string
	}
)
