package expr

import (
	"fmt"
	"strings"
	"unicode"
)

type tokenKind int

const (
	tokenEnd    tokenKind = iota
	tokenWord             // the name of a column or function, or a keyword
	tokenColumn           // a column's name in backticks
	tokenNumber
	tokenText
	tokenSymbol
)

// A token is a word, literal or symbol, and where it stands.
type token struct {
	kind tokenKind
	text string // without quotes
	span span
}

// A span is a piece of the expression, in characters.
type span struct{ from, to int }

func (s span) until(t span) span { return span{s.from, t.to} }

func (t token) String() string {
	switch t.kind {
	case tokenEnd:
		return "the end"
	case tokenText, tokenColumn:
		return fmt.Sprintf("%q", t.text)
	default:
		return t.text
	}
}

// is compares with a keyword or symbol.
func (t token) is(s string) bool {
	return t.kind == tokenSymbol && t.text == s || t.kind == tokenWord && strings.EqualFold(t.text, s)
}

// symbols, longer ones before their beginnings.
var symbols = []string{"<=", ">=", "==", "!=", "<>", "||", "//", "<", ">", "=", "(", ")", "*", "/", "%", ",", "-", "+", "[", "]"}

// tokens splits an expression. The last one is the end.
func tokens(source []rune) ([]token, *Error) {
	var all []token
	for i := 0; i < len(source); {
		start, r := i, source[i]
		kind, text := tokenSymbol, ""
		switch {
		case unicode.IsSpace(r):
			i++
			continue
		case r == '`' || r == '\'' || r == '"':
			closed := false
			if text, i, closed = unquote(source, i); !closed {
				return nil, wrong(source, span{start, start + 1}, fmt.Sprintf("no closing %c", r))
			}
			if kind = tokenText; r == '`' {
				kind = tokenColumn
			}
		case isDigit(r) || r == '.' && i+1 < len(source) && isDigit(source[i+1]):
			kind, i = tokenNumber, numberEnd(source, i)
			text = string(source[start:i])
		case unicode.IsLetter(r) || r == '_':
			kind, i = tokenWord, wordEnd(source, i)
			text = string(source[start:i])
		default:
			if text = symbolAt(source[i:]); text == "" {
				return nil, wrong(source, span{start, start + 1}, fmt.Sprintf("unexpected %q; %s", r, insteadOf(r)))
			}
			i += len(text)
		}
		all = append(all, token{kind, text, span{start, i}})
	}
	return append(all, token{tokenEnd, "", span{len(source), len(source)}}), nil
}

// insteadOf is what to write in place of a character that expressions do not have.
func insteadOf(r rune) string {
	switch r {
	case '&':
		return "write and for &&"
	case '!':
		return "write not for !"
	default:
		return "put a column's name that has it in backticks, a text in quotes"
	}
}

// wrong is an error at a piece of the source.
func wrong(source []rune, at span, message string) *Error {
	return &Error{Expr: string(source), Offset: at.from, Part: string(source[at.from:min(at.to, len(source))]), message: message}
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// unquote reads from the quote at i to the one that closes it. A quote inside is doubled, or has \
// before it, as has another \.
func unquote(source []rune, i int) (text string, after int, closed bool) {
	quote := source[i]
	var b strings.Builder
	for i++; i < len(source); i++ {
		switch {
		case source[i] == quote && i+1 < len(source) && source[i+1] == quote:
			i++
		case source[i] == quote:
			return b.String(), i + 1, true
		case source[i] == '\\' && i+1 < len(source) && (source[i+1] == quote || source[i+1] == '\\'):
			i++
		}
		b.WriteRune(source[i])
	}
	return "", i, false
}

// numberEnd finds where digits, a point, an exponent and its sign end.
func numberEnd(source []rune, i int) int {
	for ; i < len(source); i++ {
		r := source[i]
		exponentSign := (r == '+' || r == '-') && unicode.ToLower(source[i-1]) == 'e'
		if !isDigit(r) && !unicode.IsLetter(r) && r != '.' && r != '_' && !exponentSign {
			break
		}
	}
	return i
}

func wordEnd(source []rune, i int) int {
	for i < len(source) && (unicode.IsLetter(source[i]) || unicode.IsDigit(source[i]) || source[i] == '_' || source[i] == '.') {
		i++
	}
	return i
}

func symbolAt(source []rune) string {
	for _, s := range symbols {
		if strings.HasPrefix(string(source[:min(len(source), 2)]), s) {
			return s
		}
	}
	return ""
}
