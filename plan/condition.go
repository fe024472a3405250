package plan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/seed14ed4225/sluice/table"
)

// A condition compares one column with a value, as in
//
//	delay > 60
//	origin = 'ORD'
//	`tail number` is not null
//
// It is a small part of what SQL allows after WHERE.
type condition struct {
	column columnName
	op     table.Comparison
	value  any // int64, float64, string or bool; nil for IsNull and NotNull
}

// comparisons has SQL's spellings and those of most programming languages.
var comparisons = map[string]table.Comparison{
	"=": table.Equal, "==": table.Equal, "!=": table.NotEqual, "<>": table.NotEqual,
	"<": table.Less, "<=": table.LessOrEqual, ">": table.Greater, ">=": table.GreaterOrEqual,
}

const comparisonExample = "write it like delay > 60, origin = 'ORD' or delay is not null"

// UnmarshalText reads a condition; its errors know the character they are about.
func (c *condition) UnmarshalText(text []byte) error {
	p, err := newPhrase(string(text))
	if err != nil {
		return err
	}
	if p.peek().kind == end {
		return expectedWord("a condition; "+comparisonExample, p.peek())
	}
	if c.column, err = p.column(); err != nil {
		return err
	}
	operator := p.take()
	switch op, known := comparisons[operator.text]; {
	case operator.is("is"):
		c.op = table.IsNull
		if p.accept("not") {
			c.op = table.NotNull
		}
		if null := p.take(); !null.is("null") {
			return expectedWord("null", null)
		}
		return p.onlyOne()
	case operator.kind != symbol || !known:
		return expectedWord("a comparison; "+comparisonExample, operator)
	default:
		c.op = op
	}
	if c.value, err = p.constant(c.column.name); err != nil {
		return err
	}
	return p.onlyOne()
}

// onlyOne is done, with advice for what people try to add to a comparison.
func (p *phrase) onlyOne() error {
	switch w := p.peek(); {
	case w.is("and"):
		return &phraseError{w.offset, "a condition is one comparison; for and, put a second filter after this one"}
	case w.is("or"):
		return &phraseError{w.offset, "a condition is one comparison; or is not there yet"}
	case w.is("-") || w.is("+"):
		return &phraseError{w.offset, "a value cannot be calculated; put a date in quotes: '2001-06-30'"}
	}
	return p.done()
}

// constant takes a number, a text, true or false, to be compared with column.
func (p *phrase) constant(column string) (any, error) {
	w := p.take()
	sign := ""
	if w.is("-") || w.is("+") {
		sign = w.text
		if w = p.take(); w.kind != number {
			return nil, expectedWord("a number", w)
		}
	}
	switch {
	case w.kind == number:
		digits := strings.ReplaceAll(w.text, "_", "")
		if n, err := strconv.ParseInt(sign+digits, 10, 64); err == nil {
			return n, nil
		}
		if f, err := strconv.ParseFloat(sign+digits, 64); err == nil && !strings.ContainsAny(digits, "xXpP") {
			return f, nil
		}
		return nil, &phraseError{w.offset, fmt.Sprintf("%v is not a number; put a text in quotes: '%s'", w, w.text)}
	case w.kind == literal:
		return w.text, nil
	case w.is("true"), w.is("false"):
		return w.is("true"), nil
	case w.is("null"):
		return nil, &phraseError{w.offset, fmt.Sprintf("nothing compares with null; write %s is null or %s is not null", column, column)}
	case w.kind == bareword:
		return nil, &phraseError{w.offset, fmt.Sprintf("a column is compared with a value; put a text in quotes: '%s'", shorten(w.text))}
	}
	return nil, expectedWord("a number, a text in quotes, true or false", w)
}
