package expr

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// CompileCondition is [Compile] of an expression that must be true or false, or null. One that cannot be true
// because it compares with a null is an error.
func CompileCondition(text string, schema *arrow.Schema) (*Program, error) {
	e, err := Parse(text)
	if err != nil {
		return nil, err
	}
	p, err := e.Compile(schema)
	if err != nil {
		return nil, err
	}
	if err := neverTrue([]rune(text), e.tree); err != nil {
		return nil, err
	}
	if classOf(p.Type()) == classBool {
		return p, nil
	}
	source := []rune(text)
	what := "it is " + nameOf(plain(p.Type()))
	if p.Type().ID() == arrow.NULL {
		what = "it is always null"
	}
	return nil, wrong(source, p.root.base().span, "a condition is true or false, but "+what+
		"; compare it with something, as in delay > 60")
}

// neverTrue finds a comparison with a null that is written, which no row can pass.
func neverTrue(source []rune, s syntax) error {
	switch s := s.(type) {
	case parentheses:
		return neverTrue(source, s.x)
	case infix:
		if s.op == "and" {
			if err := neverTrue(source, s.x); err != nil {
				return err
			}
			return neverTrue(source, s.y)
		}
		x, y := s.x, s.y
		if _, null := x.(nullLiteral); null {
			x, y = y, x
		}
		if _, null := y.(nullLiteral); !null || mirrored[s.op] == "" {
			return nil
		}
		is := " is null"
		if s.op != "=" {
			is = " is not null"
		}
		what := string(source[x.at().from:x.at().to])
		return wrong(source, s.span, "a comparison with null is never true; write "+what+is)
	}
	return nil
}

// Quote returns a text as one writes it in an expression, whatever is in it.
func Quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(text) + "'"
}
