package expr

import (
	"fmt"
	"strings"
)

// The parser is an operator-precedence one: operand reads what stands by itself, infix what
// follows it as long as it binds more tightly than what is waiting for it on the left. What SQL
// writes with words (is null, in, between, like) binds as comparisons do.

// How tightly operators bind.
const (
	bindsOr = iota + 1
	bindsAnd
	bindsNot
	bindsComparison
	bindsConcat
	bindsSum
	bindsProduct
	bindsSign
)

var operators = map[string]struct {
	binds int
	op    string
}{
	"or": {bindsOr, "or"}, "and": {bindsAnd, "and"},
	"=": {bindsComparison, "="}, "==": {bindsComparison, "="},
	"<>": {bindsComparison, "<>"}, "!=": {bindsComparison, "<>"},
	"<": {bindsComparison, "<"}, "<=": {bindsComparison, "<="},
	">": {bindsComparison, ">"}, ">=": {bindsComparison, ">="},
	"||": {bindsConcat, "||"},
	"+":  {bindsSum, "+"}, "-": {bindsSum, "-"},
	"*": {bindsProduct, "*"}, "/": {bindsProduct, "/"}, "//": {bindsProduct, "//"}, "%": {bindsProduct, "%"},
}

// reserved words name no column, unless in backticks.
var reserved = map[string]bool{
	"and": true, "or": true, "not": true, "is": true, "in": true, "between": true, "like": true, "escape": true,
	"case": true, "when": true, "then": true, "else": true, "end": true, "as": true,
}

// deepest is how deeply an expression may nest: far beyond what one writes, and far from what
// overflows a stack.
const deepest = 200

type parser struct {
	source []rune
	tokens []token // the last is the end
	next   int
	depth  int
}

// parse reads a whole expression.
func parse(source []rune) (tree syntax, err error) {
	all, bad := tokens(source)
	if bad != nil {
		return nil, bad
	}
	p := &parser{source: source, tokens: all}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Error: // what failed at some depth
			tree, err = nil, r
		default:
			panic(r)
		}
	}()
	tree = p.expression(0)
	if t := p.peek(); t.kind != tokenEnd {
		p.fail(t.span, fmt.Sprintf("expected an operator or the end, got %v%s", t, adviceOn(t)))
	}
	return tree, nil
}

// adviceOn is for what comes from other languages.
func adviceOn(t token) string {
	if t.kind == tokenText {
		return "; a column goes into backticks"
	}
	return ""
}

func (p *parser) fail(at span, message string) { panic(wrong(p.source, at, message)) }

func (p *parser) peek() token { return p.tokens[p.next] }

func (p *parser) peekAfter() token { return p.tokens[min(p.next+1, len(p.tokens)-1)] }

// take returns the next token; after the last it keeps returning the end.
func (p *parser) take() token {
	t := p.tokens[p.next]
	if t.kind != tokenEnd {
		p.next++
	}
	return t
}

func (p *parser) accept(s string) bool {
	if !p.peek().is(s) {
		return false
	}
	p.next++
	return true
}

func (p *parser) expect(s, where string) token {
	t := p.take()
	if !t.is(s) {
		p.fail(t.span, fmt.Sprintf("expected %s%s, got %v", s, where, t))
	}
	return t
}

// expression reads what binds more tightly than least.
func (p *parser) expression(least int) syntax {
	p.depth++
	if p.depth > deepest {
		p.fail(p.peek().span, fmt.Sprintf("nests more than %d deep", deepest))
	}
	x := p.operand()
	for compared := false; ; {
		binds := p.binds()
		if binds <= least {
			break
		}
		if binds == bindsComparison {
			if compared {
				p.fail(p.peek().span, "comparisons do not chain; join two with and, or put parentheses around one")
			}
			compared = true
		} else if binds < bindsComparison {
			compared = false
		}
		x = p.infix(x, binds)
	}
	p.depth--
	return x
}

// binds says how tightly what follows binds, 0 if it continues no expression.
func (p *parser) binds() int {
	t := p.peek()
	if t.kind != tokenWord && t.kind != tokenSymbol {
		return 0
	}
	switch word := strings.ToLower(t.text); word {
	case "in", "between", "like":
		return bindsComparison
	case "is":
		return bindsComparison
	case "not":
		if next := p.peekAfter(); next.is("in") || next.is("between") || next.is("like") {
			return bindsComparison
		}
		return 0
	default:
		return operators[word].binds
	}
}

// infix reads an operator and its right side.
func (p *parser) infix(x syntax, binds int) syntax {
	t := p.take()
	not := t.is("not")
	if not {
		t = p.take()
	}
	switch {
	case t.is("is"):
		not = p.accept("not")
		return isNull{x.at().until(p.expect("null", " after is").span), x, not}
	case t.is("in"):
		return p.inList(x, not)
	case t.is("between"):
		low := p.expression(bindsComparison)
		p.expect("and", " between the bounds")
		high := p.expression(bindsComparison)
		return between{x.at().until(high.at()), x, low, high, not}
	case t.is("like"):
		return p.like(x, not)
	}
	y := p.expression(binds)
	return infix{x.at().until(y.at()), operators[strings.ToLower(t.text)].op, x, y}
}

func (p *parser) inList(x syntax, not bool) syntax {
	p.expect("(", " after in")
	list := []syntax{p.expression(0)}
	for p.accept(",") {
		list = append(list, p.expression(0))
	}
	return inList{x.at().until(p.expect(")", " after the list").span), x, list, not}
}

func (p *parser) like(x syntax, not bool) syntax {
	l := like{x: x, pattern: p.expression(bindsComparison), not: not}
	end := l.pattern.at()
	if p.accept("escape") {
		t := p.take()
		if t.kind != tokenText || len([]rune(t.text)) != 1 {
			p.fail(t.span, "expected one character in quotes after escape")
		}
		l.escape, end = &textLiteral{t.span, t.text}, t.span
	}
	l.span = x.at().until(end)
	return l
}
