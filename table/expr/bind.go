package expr

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/internal/suggest"
)

// A binder finds the columns and types of an expression, and makes nodes of it. It panics with an
// *Error at the first thing that is wrong, which compile returns.
type binder struct {
	source  []rune
	schema  *arrow.Schema
	program *Program
}

func (b *binder) compile(tree syntax) (p *Program, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Error:
			p, err = nil, r
		default:
			panic(r)
		}
	}()
	root := b.bind(tree)
	b.program.addConjuncts(root)
	b.program.root = b.program.withEntries(root)
	b.program.allocate()
	return b.program, nil
}

func (b *binder) fail(at span, format string, args ...any) {
	panic(wrong(b.source, at, fmt.Sprintf(format, args...)))
}

// text returns a piece of the expression.
func (b *binder) text(at span) string { return string(b.source[at.from:at.to]) }

func (b *binder) bind(s syntax) node {
	switch s := s.(type) {
	case columnName:
		return b.column(s)
	case numberLiteral:
		return number(b.source, s.span, s.text)
	case textLiteral:
		return textConstant(s.span, s.text)
	case boolLiteral:
		return boolConstant(s.span, s.value)
	case nullLiteral:
		return nullConstant(s.span, arrow.Null)
	case typedLiteral:
		return b.typedLiteral(s)
	case parentheses:
		return b.bind(s.x)
	case prefix:
		return b.fold(b.prefix(s))
	case infix:
		return b.fold(b.infix(s))
	case isNull:
		x := b.bind(s.x)
		return b.fold(&nullTest{newInfo(s.span, arrow.FixedWidthTypes.Boolean, x), s.not})
	case inList:
		return b.fold(b.negated(b.inList(s), s.not))
	case between:
		return b.fold(b.negated(b.between(s), s.not))
	case like:
		return b.fold(b.negated(b.like(s), s.not))
	case caseWhen:
		return b.fold(b.caseWhen(s))
	case call:
		return b.fold(b.call(s))
	case cast:
		return b.fold(b.cast(s))
	}
	panic(fmt.Sprintf("expr: no such syntax: %T", s))
}

func (b *binder) column(s columnName) node {
	var found []int
	names := make([]string, b.schema.NumFields())
	for i, f := range b.schema.Fields() {
		if names[i] = f.Name; f.Name == s.name {
			found = append(found, i)
		}
	}
	e := wrong(b.source, s.span, "")
	e.Column = s.name
	switch {
	case len(found) == 0:
		e.message = fmt.Sprintf("unknown column %q%s", s.name, suggest.Phrase(s.name, names))
		panic(e)
	case len(found) > 1:
		e.message = fmt.Sprintf("%d columns are called %q", len(found), s.name)
		panic(e)
	}
	typ := b.schema.Field(found[0]).Type
	c := classOf(plain(typ))
	_, scale := digitsOf(plain(typ))
	if c == classOther || c == classDecimal && scale < 0 || typ.ID() == arrow.DICTIONARY && c != classText && c != classBinary {
		e.message = fmt.Sprintf("column %q has type %v, which expressions do not work on", s.name, typ)
		panic(e)
	}
	ref := &columnRef{info: newInfo(s.span, plain(typ))}
	for i, p := range b.program.columns {
		if p.index == found[0] {
			ref.column = i
			return ref
		}
	}
	ref.column = len(b.program.columns)
	b.program.columns = append(b.program.columns, programColumn{s.name, found[0], typ})
	return ref
}

// fold calculates what does not depend on any column, unless it has no value, which is an error only
// in rows for which it is wanted.
func (b *binder) fold(n node) node {
	i := n.base()
	if _, ok := n.(*constant); ok || len(i.args) == 0 {
		return n
	}
	for _, arg := range i.args {
		if _, ok := arg.(*constant); !ok {
			return n
		}
	}
	p := &Program{text: string(b.source), root: n, zones: b.program.zones}
	p.allocate()
	e := p.NewEvaluator()
	var folded *constant
	err := e.each(1, func(v *vector) { folded = newConstant(i.span, i.typ, v, !holds(v.valid, 0)) })
	if err != nil {
		return n
	}
	return folded
}

// infix is an operator between two operands.
func (b *binder) infix(s infix) node {
	if interval, ok := s.y.(typedLiteral); ok && interval.kind == "interval" && (s.op == "+" || s.op == "-") {
		if x := b.bind(s.x); classOf(x.base().typ) == classDate || classOf(x.base().typ) == classTimestamp {
			return b.shift(s.span, x, b.interval(interval), s.op == "-")
		}
	}
	if interval, ok := s.x.(typedLiteral); ok && interval.kind == "interval" && s.op == "+" {
		if y := b.bind(s.y); classOf(y.base().typ) == classDate || classOf(y.base().typ) == classTimestamp {
			return b.shift(s.span, y, b.interval(interval), false)
		}
	}
	x, y := b.bind(s.x), b.bind(s.y)
	switch s.op {
	case "and", "or":
		x, y = b.boolean(x, s.op), b.boolean(y, s.op)
		return &logic{newInfo(s.span, arrow.FixedWidthTypes.Boolean, x, y), s.op == "or"}
	case "=", "<>", "<", "<=", ">", ">=":
		return b.compare(s.span, s.op, x, y)
	case "||":
		return b.concat(s.span, x, y)
	default:
		return b.arithmetic(s.span, s.op, x, y)
	}
}

// boolean checks that an operand is true or false.
func (b *binder) boolean(n node, of string) node {
	switch i := n.base(); classOf(i.typ) {
	case classBool:
		return n
	case classNull:
		return nullConstant(i.span, arrow.FixedWidthTypes.Boolean)
	default:
		b.failType(n, "%s wants true or false, not %s, which is %s", of, b.text(i.span), nameOf(i.typ))
		return nil
	}
}

// failType is fail about the type of an operand, which names its column.
func (b *binder) failType(n node, format string, args ...any) {
	e := wrong(b.source, n.base().span, fmt.Sprintf(format, args...))
	e.Column = b.columnIn(n)
	panic(e)
}

// columnIn returns the first column that a node reads, "" if it reads none.
func (b *binder) columnIn(n node) string {
	if c, ok := n.(*columnRef); ok {
		return b.program.columns[c.column].name
	}
	for _, arg := range n.base().args {
		if name := b.columnIn(arg); name != "" {
			return name
		}
	}
	return ""
}

// failOperands says that an operator does not work on its operands.
func (b *binder) failOperands(at span, op string, operands ...node) {
	var is []string
	column := ""
	for _, n := range operands {
		i := n.base()
		is = append(is, fmt.Sprintf("%s, which is %s", b.text(i.span), nameOf(i.typ)))
		if column == "" {
			column = b.columnIn(n)
		}
	}
	e := wrong(b.source, at, fmt.Sprintf("%s does not work on %s", op, strings.Join(is, ", and ")))
	e.Column = column
	panic(e)
}

func (b *binder) prefix(s prefix) node {
	x := b.bind(s.x)
	if s.op == "not" {
		return &negation{newInfo(s.span, arrow.FixedWidthTypes.Boolean, b.boolean(x, "not"))}
	}
	return b.minus(s.span, x)
}

func (b *binder) negated(n node, not bool) node {
	if !not {
		return n
	}
	return &negation{newInfo(n.base().span, arrow.FixedWidthTypes.Boolean, n)}
}
