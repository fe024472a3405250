package expr

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// CompileCondition is [Compile] of an expression that must be true or false, or null.
func CompileCondition(text string, schema *arrow.Schema) (*Program, error) {
	e, err := Parse(text)
	if err != nil {
		return nil, err
	}
	p, err := e.Compile(schema)
	if err != nil {
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

// Quote returns a text as one writes it in an expression, whatever is in it.
func Quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(text) + "'"
}
