package plan

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// An origin says where in the file a text stands, which may be folded from several lines: where each
// stretch of it begins that the file has letter by letter. It is empty if that is not known.
type origin []stretch

type stretch struct {
	from  int // character of the text
	at    Position
	still bool // all of it stands there: it is what a parameter stands for
}

// position returns where a character of the text, or its end, stands.
func (o origin) position(offset int) (at Position, known bool) {
	s, known := o.stretch(offset)
	if !s.still {
		s.at.Column += offset - s.from
	}
	return s.at, known
}

// stretch returns the one that a character is in.
func (o origin) stretch(offset int) (in stretch, known bool) {
	for _, s := range o {
		if s.from > offset {
			break
		}
		in, known = s, true
	}
	return in, known
}

// A spliced text is put together from pieces of another, and from what parameters stand for.
type spliced struct {
	text   strings.Builder
	chars  int
	origin origin
}

// write adds characters of a text, from one on.
func (s *spliced) write(piece string, of origin, from int) {
	n := utf8.RuneCountInString(piece)
	if at, known := of.position(from); known && n > 0 {
		s.origin = append(s.origin, stretch{from: s.chars, at: at})
		for _, part := range of {
			if part.from > from && part.from < from+n {
				part.from += s.chars - from
				s.origin = append(s.origin, part)
			}
		}
	}
	s.text.WriteString(piece)
	s.chars += n
}

// insert adds what the parameter stands for that is written at a character of a text.
func (s *spliced) insert(value string, of origin, at int) {
	if place, known := of.position(at); known {
		s.origin = append(s.origin, stretch{from: s.chars, at: place, still: true})
	}
	s.text.WriteString(value)
	s.chars += utf8.RuneCountInString(value)
}

// longestLine is how many bytes a line may have in which places are looked for: each of the many scalars of
// a longer one would be.
const longestLine = 1000

// find looks for a text in the file, from a place on. At the ends of lines there may be any space in
// either. Inside quotes, a quote may be written as the quote of YAML demands. It returns nil if it is not
// there letter by letter.
func (c *converter) find(text string, at Position, quote rune) (found origin) {
	rest, p := []rune(text), 0
	for line := at.Line; line <= len(c.lines); line++ {
		if len(c.lines[line-1]) > longestLine {
			return nil
		}
		source, i := []rune(c.lines[line-1]), at.Column-1
		if line > at.Line {
			i = skipSpace(source, 0)
			p = skipSpace(rest, p)
		}
		if i < len(source) && p < len(rest) {
			found = append(found, stretch{from: p, at: Position{line, i + 1}})
		}
		for i < len(source) && p < len(rest) {
			if i+1 < len(source) && escapes(quote, source[i], source[i+1]) {
				i++
				found = append(found, stretch{from: p, at: Position{line, i + 1}})
			}
			if source[i] != rest[p] {
				break
			}
			i, p = i+1, p+1
		}
		switch {
		case skipSpace(rest, p) == len(rest):
			return found
		case skipSpace(source, i) < len(source):
			return nil
		}
	}
	return nil
}

// escapes says whether the first of two characters within quotes only says that the second is meant.
func escapes(quote, first, second rune) bool {
	return quote == '\'' && first == '\'' && second == '\'' || quote == '"' && first == '\\' && (second == '"' || second == '\\')
}

func skipSpace(text []rune, from int) int {
	for from < len(text) && unicode.IsSpace(text[from]) {
		from++
	}
	return from
}
