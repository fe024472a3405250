package plan

import (
	"errors"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// errComma is said of a text that YAML has cut at a comma.
var errComma = errors.New("YAML ends the text at the comma; inside { } and [ ] quote a text that has one")

// cutMapping finds texts in { } that a comma has cut, as in {x: round(y, 1)}: for YAML that is x with
// the text round(y, and 1) with nothing. It reports them once, and leaves out the rest of them, so that
// nobody else has to make sense of it.
func (c *converter) cutMapping(v *value, pairs []*ast.MappingValueNode) {
	whole := v.entries[:0]
	for i := 0; i < len(v.entries); i++ {
		e := v.entries[i]
		whole = append(whole, e)
		if !isPlain(pairs[i].Value) || unclosed(e.value.text) <= 0 {
			continue
		}
		open := unclosed(e.value.text)
		for next := i + 1; next < len(v.entries) && v.entries[next].value.shape == nothing; next++ {
			if open += unclosed(v.entries[next].key); open <= 0 {
				c.report.add(e.value.at, "", errComma)
				e.value.shape = unknown
				i = next
				break
			}
		}
	}
	v.entries = whole
}

// cutList does the same in [ ].
func (c *converter) cutList(v *value, nodes []ast.Node) {
	whole := v.items[:0]
	for i := 0; i < len(v.items); i++ {
		item := v.items[i]
		whole = append(whole, item)
		open := unclosed(item.text)
		if !isPlain(nodes[i]) || open <= 0 {
			continue
		}
		for next := i + 1; next < len(v.items) && isPlain(nodes[next]); next++ {
			if open += unclosed(v.items[next].text); open <= 0 {
				c.report.add(item.at, "", errComma)
				item.shape = unknown
				i = next
				break
			}
		}
	}
	v.items = whole
}

// isPlain says whether a text is there without quotes.
func isPlain(n ast.Node) bool {
	scalar, ok := n.(ast.ScalarNode)
	if !ok {
		return false
	}
	switch scalar.GetToken().Type {
	case token.SingleQuoteType, token.DoubleQuoteType:
		return false
	default:
		return true
	}
}

// unclosed is how many more parentheses a text opens than it closes.
func unclosed(text string) int { return strings.Count(text, "(") - strings.Count(text, ")") }
