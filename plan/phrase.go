package plan

import (
	"fmt"
	"strings"
	"unicode"
)

// Some settings are short phrases: "delay > 60", "flights desc", "mean(delay)".
// They are written so that each stays valid when settings take whole
// expressions one day. A column is a word, or anything between backticks; a
// text stands between single or double quotes. A quote inside is doubled, as in
// SQL, or has \ before it, as has another \.

// phraseError is an error at a character of a phrase.
type phraseError struct {
	offset  int // in characters
	message string
}

func (e *phraseError) Error() string { return e.message }

type wordKind int

const (
	end      wordKind = iota
	bareword          // the name of a column or function, or a keyword
	quoted            // a column's name in backticks
	number
	literal // a text
	symbol  // an operator or a parenthesis
)

type word struct {
	kind   wordKind
	text   string // without quotes
	offset int
}

func (w word) String() string {
	switch w.kind {
	case end:
		return "the end"
	case literal, quoted:
		return fmt.Sprintf("%q", shorten(w.text))
	default:
		return shorten(w.text)
	}
}

// is compares with a keyword or symbol.
func (w word) is(s string) bool {
	return (w.kind == bareword || w.kind == symbol) && strings.EqualFold(w.text, s)
}

// phrase reads words one by one.
type phrase struct {
	words []word // the last is the end
	next  int
}

// symbols, longer ones before their beginnings.
var symbols = []string{"<=", ">=", "==", "!=", "<>", "<", ">", "=", "(", ")", "*", ",", "-", "+"}

func newPhrase(s string) (*phrase, error) {
	runes := []rune(s)
	p := &phrase{}
	for i := 0; i < len(runes); {
		start, r := i, runes[i]
		switch {
		case unicode.IsSpace(r):
			i++
		case r == '`' || r == '\'' || r == '"':
			text, after, ok := unquote(runes, i)
			if !ok {
				return nil, &phraseError{start, fmt.Sprintf("no closing %c", r)}
			}
			kind := literal
			if r == '`' {
				kind = quoted
			}
			p.words = append(p.words, word{kind, text, start})
			i = after
		case unicode.IsDigit(r) || r == '.' && i+1 < len(runes) && unicode.IsDigit(runes[i+1]):
			i = numberEnd(runes, i)
			p.words = append(p.words, word{number, string(runes[start:i]), start})
		case unicode.IsLetter(r) || r == '_':
			for i < len(runes) && (unicode.IsLetter(runes[i]) || unicode.IsDigit(runes[i]) || runes[i] == '_' || runes[i] == '.') {
				i++
			}
			p.words = append(p.words, word{bareword, string(runes[start:i]), start})
		default:
			s := symbolAt(runes[i:])
			if s == "" {
				return nil, &phraseError{start, fmt.Sprintf("unexpected %q; put a column's name that has it in backticks, a text in quotes", r)}
			}
			p.words = append(p.words, word{symbol, s, start})
			i += len(s)
		}
	}
	p.words = append(p.words, word{end, "", len(runes)})
	return p, nil
}

// unquote reads from the quote at i to the one that closes it.
func unquote(runes []rune, i int) (text string, after int, closed bool) {
	quote := runes[i]
	var b strings.Builder
	for i++; i < len(runes); i++ {
		switch {
		case runes[i] == quote && i+1 < len(runes) && runes[i+1] == quote:
			i++
		case runes[i] == quote:
			return b.String(), i + 1, true
		case runes[i] == '\\' && i+1 < len(runes) && (runes[i+1] == quote || runes[i+1] == '\\'):
			i++
		}
		b.WriteRune(runes[i])
	}
	return "", i, false
}

// numberEnd finds where digits, a point, an exponent and its sign end.
func numberEnd(runes []rune, i int) int {
	for ; i < len(runes); i++ {
		r := runes[i]
		exponentSign := (r == '+' || r == '-') && unicode.ToLower(runes[i-1]) == 'e'
		if !unicode.IsDigit(r) && !unicode.IsLetter(r) && r != '.' && r != '_' && !exponentSign {
			break
		}
	}
	return i
}

func symbolAt(runes []rune) string {
	for _, s := range symbols {
		if strings.HasPrefix(string(runes[:min(len(runes), 2)]), s) {
			return s
		}
	}
	return ""
}

func (p *phrase) peek() word { return p.words[p.next] }

// take returns the next word; after the last it keeps returning the end.
func (p *phrase) take() word {
	w := p.words[p.next]
	if w.kind != end {
		p.next++
	}
	return w
}

// accept takes the next word if it is s.
func (p *phrase) accept(s string) bool {
	if !p.peek().is(s) {
		return false
	}
	p.next++
	return true
}

// column takes a column's name.
func (p *phrase) column() (columnName, error) {
	w := p.take()
	if w.kind != bareword && w.kind != quoted {
		return columnName{}, expectedWord("a column", w)
	}
	return columnName{w.text, w.offset}, nil
}

// done says that nothing must follow.
func (p *phrase) done() error {
	if w := p.peek(); w.kind != end {
		return expectedWord("the end", w)
	}
	return nil
}

func expectedWord(what string, w word) error {
	return &phraseError{w.offset, fmt.Sprintf("expected %s, got %v", what, w)}
}

// A columnName is a column and where in its phrase it is named.
type columnName struct {
	name   string
	offset int
}
