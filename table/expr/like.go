package expr

import (
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
)

// like is x like pattern, in which % is any text and _ any character.
func (b *binder) like(s like) node {
	x, y := b.aText("like", b.bind(s.x)), b.aText("like", b.bind(s.pattern))
	escape := rune(-1)
	if s.escape != nil {
		escape, _ = utf8.DecodeRuneInString(s.escape.text)
	}
	c, ok := y.(*constant)
	if !ok || c.null {
		return b.textTest(s.span, "like", x, y, func(s, pattern string) bool { return compilePattern(pattern, escape).matches(s) })
	}
	matches := compilePattern(c.vec.texts[0], escape).matcher()
	return &apply{info: newInfo(s.span, arrow.FixedWidthTypes.Boolean, x), run: func(_ *Evaluator, out *register, args []*vector, n int) bool {
		clear(out.bits)
		for i, s := range args[0].texts[:n] {
			if matches(s) {
				setBit(out.bits, i)
			}
		}
		return false
	}}
}

// A pattern is pieces with any text between them. What matches begins with the first piece and ends
// with the last, which may be the same one.
type pattern struct{ pieces []piece }

// A piece is text, in which runes that are any are -1; plain if none is.
type piece struct {
	plain string
	runes []rune
}

func compilePattern(text string, escape rune) pattern {
	p := pattern{}
	var runes []rune
	escaped := false
	end := func() {
		next := piece{runes: runes}
		for _, r := range runes {
			if r < 0 {
				p.pieces = append(p.pieces, next)
				runes = nil
				return
			}
		}
		p.pieces = append(p.pieces, piece{plain: string(runes)})
		runes = nil
	}
	for _, r := range text {
		switch {
		case escaped:
			runes, escaped = append(runes, r), false
		case r == escape:
			escaped = true
		case r == '%':
			end()
		case r == '_':
			runes = append(runes, -1)
		default:
			runes = append(runes, r)
		}
	}
	end()
	return p
}

// matcher returns the fastest way to match.
func (p pattern) matcher() func(s string) bool {
	for _, piece := range p.pieces {
		if piece.runes != nil {
			return p.matches
		}
	}
	first, last := p.pieces[0].plain, p.pieces[len(p.pieces)-1].plain
	switch {
	case len(p.pieces) == 1:
		return func(s string) bool { return s == first }
	case len(p.pieces) == 2 && last == "":
		return func(s string) bool { return strings.HasPrefix(s, first) }
	case len(p.pieces) == 2 && first == "":
		return func(s string) bool { return strings.HasSuffix(s, last) }
	case len(p.pieces) == 3 && first == "" && last == "":
		middle := p.pieces[1].plain
		return func(s string) bool { return strings.Contains(s, middle) }
	}
	return p.matches
}

func (p pattern) matches(s string) bool {
	s, ok := p.pieces[0].cutPrefix(s)
	if len(p.pieces) == 1 {
		return ok && s == ""
	}
	last := p.pieces[len(p.pieces)-1]
	for _, middle := range p.pieces[1 : len(p.pieces)-1] {
		if !ok {
			return false
		}
		s, ok = middle.cutFirst(s)
	}
	return ok && last.ends(s)
}

// cutPrefix returns what follows the piece at the beginning of a text.
func (p piece) cutPrefix(s string) (rest string, ok bool) {
	if p.runes == nil {
		return strings.CutPrefix(s, p.plain)
	}
	for _, want := range p.runes {
		r, size := utf8.DecodeRuneInString(s)
		if size == 0 || want >= 0 && r != want {
			return s, false
		}
		s = s[size:]
	}
	return s, true
}

// cutFirst returns what follows the piece at the first place where it is.
func (p piece) cutFirst(s string) (rest string, ok bool) {
	if p.runes == nil {
		_, rest, ok = strings.Cut(s, p.plain)
		return rest, ok
	}
	for {
		if rest, ok = p.cutPrefix(s); ok {
			return rest, true
		}
		_, size := utf8.DecodeRuneInString(s)
		if size == 0 {
			return s, false
		}
		s = s[size:]
	}
}

// ends says whether a text ends with the piece.
func (p piece) ends(s string) bool {
	if p.runes == nil {
		return strings.HasSuffix(s, p.plain)
	}
	from := len(s)
	for range p.runes {
		_, size := utf8.DecodeLastRuneInString(s[:from])
		if size == 0 {
			return false
		}
		from -= size
	}
	rest, ok := p.cutPrefix(s[from:])
	return ok && rest == ""
}
