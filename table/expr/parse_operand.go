package expr

import (
	"fmt"
	"strings"
)

// operand reads what an operator can stand beside.
func (p *parser) operand() syntax {
	switch t := p.take(); t.kind {
	case tokenNumber:
		return numberLiteral{t.span, t.text}
	case tokenText:
		return textLiteral{t.span, t.text}
	case tokenColumn:
		return columnName{t.span, t.text}
	case tokenWord:
		return p.word(t)
	case tokenSymbol:
		switch t.text {
		case "(":
			x := p.expression(0)
			return parentheses{t.span.until(p.expect(")", "").span), x}
		case "-":
			x := p.expression(bindsProduct)
			return prefix{t.span.until(x.at()), "-", x}
		case "+":
			return p.expression(bindsProduct)
		}
		fallthrough
	default:
		p.fail(t.span, fmt.Sprintf("expected a column, a value or a function, got %v", t))
		return nil
	}
}

// word reads what begins with a word.
func (p *parser) word(t token) syntax {
	called := p.peek().is("(")
	switch word := strings.ToLower(t.text); {
	case word == "not":
		x := p.expression(bindsNot - 1)
		return prefix{t.span.until(x.at()), "not", x}
	case word == "case":
		return p.caseWhen(t)
	case reserved[word]:
		p.fail(t.span, fmt.Sprintf("expected a column, a value or a function, got %v; put a column's name in backticks: `%s`", t, t.text))
		return nil
	case called && (word == "cast" || word == "try_cast"):
		return p.cast(t, word == "try_cast")
	case called:
		return p.call(t)
	case word == "true" || word == "false":
		return boolLiteral{t.span, word == "true"}
	case word == "null":
		return nullLiteral{t.span}
	case p.peek().kind == tokenText && (word == "date" || word == "timestamp" || word == "interval"):
		text := p.take()
		return typedLiteral{t.span.until(text.span), word, text.text}
	case word == "interval" && p.peek().kind == tokenNumber && p.peekAfter().kind == tokenWord:
		number, unit := p.take(), p.take()
		return typedLiteral{t.span.until(unit.span), word, number.text + " " + unit.text}
	default:
		return columnName{t.span, t.text}
	}
}

func (p *parser) call(name token) syntax {
	c := call{name: strings.ToLower(name.text)}
	p.expect("(", "")
	if advice := measures[c.name]; advice != "" && p.peek().is("*") {
		p.fail(name.span, c.name+" is of many rows; "+advice)
	}
	if !p.peek().is(")") {
		c.args = append(c.args, p.expression(0))
		for p.accept(",") {
			c.args = append(c.args, p.expression(0))
		}
	}
	c.span = name.span.until(p.expect(")", " or a comma").span)
	return c
}

// cast reads cast(x as type), or cast(x, 'type').
func (p *parser) cast(name token, try bool) syntax {
	c := cast{try: try}
	p.expect("(", "")
	c.x = p.expression(0)
	if t := p.take(); t.is(",") {
		if t = p.take(); t.kind != tokenText {
			p.fail(t.span, fmt.Sprintf("expected a type in quotes, got %v", t))
		}
		c.to = typeName{t.span, t.text}
	} else if t.is("as") {
		c.to = p.typeName()
	} else {
		p.fail(t.span, fmt.Sprintf("expected as and a type, got %v", t))
	}
	c.span = name.span.until(p.expect(")", " after the type").span)
	return c
}

// typeName reads up to the parenthesis that closes the cast.
func (p *parser) typeName() typeName {
	first := p.peek()
	last := first
	for depth := 0; ; last = p.take() {
		t := p.peek()
		if t.is("(") {
			depth++
		} else if t.is(")") {
			if depth--; depth < 0 {
				break
			}
		}
		if t.kind == tokenEnd {
			break
		}
	}
	if first == p.peek() {
		p.fail(first.span, fmt.Sprintf("expected a type, got %v", first))
	}
	at := first.span.until(last.span)
	return typeName{at, string(p.source[at.from:at.to])}
}

func (p *parser) caseWhen(begin token) syntax {
	c := caseWhen{}
	if !p.peek().is("when") {
		c.operand = p.expression(0)
	}
	p.expect("when", " after case")
	for {
		c.whens = append(c.whens, p.expression(0))
		p.expect("then", "")
		c.thens = append(c.thens, p.expression(0))
		if !p.accept("when") {
			break
		}
	}
	if p.accept("else") {
		c.other = p.expression(0)
	}
	c.span = begin.span.until(p.expect("end", " of the case").span)
	return c
}
