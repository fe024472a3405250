package csv

import (
	"bytes"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// mostSampled is the rows that types are inferred from.
const mostSampled = 10_000

// Types returns for each column the narrowest type that all its values in the sample have. What
// becomes of a row that is not well formed, malformed decides: with nil it is left out.
func (h Head) Types(d Dialect, malformed func(*Error) error) ([]arrow.DataType, error) {
	guesses := make([]guess, len(h.Names))
	fields := make([]field, len(h.Names))
	split := newSplitter(d.Delimiter, len(h.Names))
	line := h.line
	for at, row := 0, 0; at < len(h.rows) && row < mostSampled; {
		if next, is := blank(h.rows, at); is {
			at, line = next, line+1
			continue
		}
		_, next, err := split.record(h.rows, at, fields)
		if err != nil {
			if err := malformed(&Error{Line: line, Err: err}); err != nil {
				return nil, err
			}
		} else {
			c := column{block: h.rows, dialect: &d}
			for i, f := range fields {
				if f.len() > 0 && !c.null(f, true) {
					guesses[i].see(f.text(h.rows))
				}
			}
			row++
		}
		line += int64(bytes.Count(h.rows[at:next], newline))
		at = next
	}
	types := make([]arrow.DataType, len(guesses))
	for i, g := range guesses {
		types[i] = g.typ()
	}
	return types, nil
}

// A guess is which types the values of a column cannot all have.
type guess struct {
	seen bool
	not  [len(guessed)]bool
}

// guessed are the types that are inferred, the first that fits wins.
var guessed = [...]arrow.DataType{
	arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Float64,
	arrow.FixedWidthTypes.Date32, &arrow.TimestampType{Unit: arrow.Microsecond},
	&arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
}

func (g *guess) see(value []byte) {
	g.seen = true
	_, isBool := readBool(value)
	_, isInt := readSigned[int64](value)
	_, isFloat := readFloat64(value)
	digits, _ := sign(value)
	code := len(digits) > 1 && digits[0] == '0' && digits[1]-'0' <= 9
	if code || !isInt && onlyDigits(digits) {
		isInt, isFloat = false, false
	}
	_, isDate := readDate(value)
	seconds, nanos, offset, isTime := readTime(value)
	_, fits := ticksOf(seconds, nanos, arrow.Microsecond)
	for i, is := range [...]bool{isBool, isInt, isFloat, isDate, isTime && fits && !offset, isTime && fits && offset} {
		g.not[i] = g.not[i] || !is
	}
}

func onlyDigits(text []byte) bool {
	return len(text) > 0 && !slices.ContainsFunc(text, func(b byte) bool { return b-'0' > 9 })
}

func (g *guess) typ() arrow.DataType {
	if g.seen {
		for i, typ := range guessed {
			if !g.not[i] {
				return typ
			}
		}
	}
	return arrow.BinaryTypes.String
}
