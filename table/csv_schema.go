package table

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
)

// mostSampled is the rows that types are inferred from.
const mostSampled = 10_000

// csvHeader is what the beginning of a file says.
type csvHeader struct {
	names []string
	rows  []byte // of the sample, whole records
	line  int64  // where they begin
}

// header reads the names of the columns off the beginning of a file.
func (c CSV) header(source *csvSource) (h csvHeader, err error) {
	text, all, err := source.sample()
	if err != nil {
		return h, err
	}
	text = withoutMark(text)
	if !all {
		end := lastRecord(text)
		if end == 0 {
			return h, &RowError{File: source.path, Line: 1, Err: fmt.Errorf(
				"the first row is longer than %d KiB, unless a quote (\") was not closed", len(text)>>10)}
		}
		text = text[:end]
	}
	d := c.dialect(source.path)
	h.line = 1
	for d.header && len(text) > 0 { // blank lines before the names
		next, is := blank(text, 0)
		if !is {
			break
		}
		text, h.line = text[next:], h.line+1
	}
	if len(text) == 0 {
		if c.NoHeader && len(c.Names) > 0 {
			h.names = c.Names
			return h, nil
		}
		return h, fmt.Errorf("%s: is empty, without the names of columns", source.path)
	}
	split := newSplitter(d.delimiter, 0)
	count, next, err := split.record(text, 0, nil)
	if err != nil {
		return h, &RowError{File: source.path, Line: h.line, Err: err}
	}
	fields := make([]csvField, count)
	_, _, _ = split.record(text, 0, fields) // as before
	h.rows = text
	if d.header {
		h.names, err = columnsNamed(text, fields)
		h.line += int64(bytes.Count(text[:next], newline))
		h.rows = text[next:]
	} else {
		h.names, err = c.namesOf(count)
	}
	if err != nil {
		return h, fmt.Errorf("%s: %w", source.path, err)
	}
	return h, nil
}

func (c CSV) namesOf(count int) ([]string, error) {
	if len(c.Names) == count {
		return c.Names, nil
	}
	if len(c.Names) > 0 {
		return nil, fmt.Errorf("has %s, and %s", plural(count, "column"), plural(len(c.Names), "name"))
	}
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("column_%d", i+1)
	}
	return names, nil
}

func columnsNamed(text []byte, fields []csvField) ([]string, error) {
	names := make([]string, len(fields))
	for i, f := range fields {
		name := f.text(text)
		if f.to&doubledQuotes != 0 {
			name = unquote(nil, name)
		}
		switch {
		case !utf8.Valid(name):
			return nil, fmt.Errorf("the name of column %d is not UTF-8", i+1)
		case len(name) == 0:
			names[i] = fmt.Sprintf("column_%d", i+1)
		default:
			names[i] = string(name)
		}
		if slices.Contains(names[:i], names[i]) {
			return nil, fmt.Errorf("several columns are called %q", names[i])
		}
	}
	return names, nil
}

// openCSVFiles finds the columns that all files have, with types from the settings or the first
// of the files.
func (s Scan) openCSVFiles(paths []string) (*arrow.Schema, error) {
	var all []string // the names in the first file
	var schema *arrow.Schema
	for i, path := range paths {
		err := s.eachCSV(path, func(source *csvSource, h csvHeader) (err error) {
			if i == 0 {
				all = h.names
				schema, err = s.csvSchema(source.path, h)
				return err
			}
			return sameNames(source.path, h.names, paths[0], all)
		})
		if err != nil {
			return nil, err
		}
	}
	return schema, nil
}

func (s Scan) eachCSV(path string, do func(*csvSource, csvHeader) error) error {
	source, err := openCSV(path, s.stdin())
	if err != nil {
		return err
	}
	h, err := s.CSV.header(source)
	if err == nil {
		err = do(source, h)
	}
	return errors.Join(err, source.close())
}

func sameNames(path string, have []string, first string, want []string) error {
	if missing := without(want, have); len(missing) > 0 {
		return fmt.Errorf("%s has no column %q, but %s has", path, missing[0], first)
	}
	if extra := without(have, want); len(extra) > 0 {
		return fmt.Errorf("%s has a column %q, but %s has not", path, extra[0], first)
	}
	return nil
}

func (s Scan) csvSchema(path string, h csvHeader) (*arrow.Schema, error) {
	for name := range s.CSV.Types {
		if !slices.Contains(h.names, name) {
			return nil, fmt.Errorf("%s: %w", path, &ColumnError{Column: name, Have: h.names})
		}
	}
	types, err := s.CSV.infer(path, h)
	if err != nil {
		return nil, err
	}
	wanted := s.Columns
	if len(wanted) == 0 {
		wanted = h.names
	}
	places, err := places(path, h.names, wanted)
	if err != nil {
		return nil, err
	}
	fields := make([]arrow.Field, len(wanted))
	for i, at := range places {
		typ, ok := s.CSV.Types[wanted[i]]
		if !ok {
			typ = types[at]
		}
		fields[i] = arrow.Field{Name: wanted[i], Type: typ, Nullable: true}
	}
	return arrow.NewSchema(fields, nil), nil
}

// places finds columns by name.
func places(path string, have, wanted []string) ([]int, error) {
	found := make([]int, len(wanted))
	for i, name := range wanted {
		if slices.Contains(wanted[:i], name) {
			return nil, fmt.Errorf("column %q is asked for twice", name)
		}
		if found[i] = slices.Index(have, name); found[i] < 0 {
			return nil, fmt.Errorf("%s: %w", path, &ColumnError{Column: name, Have: have})
		}
	}
	return found, nil
}

// infer returns the narrowest type that all values of each column have in a sample. A row that is
// not well formed is an error here only if it would be one later.
func (c CSV) infer(path string, h csvHeader) ([]arrow.DataType, error) {
	d := c.dialect(path)
	guesses := make([]guess, len(h.names))
	fields := make([]csvField, len(h.names))
	split := newSplitter(d.delimiter, len(h.names))
	line := h.line
	for at, row := 0, 0; at < len(h.rows) && row < mostSampled; {
		if next, is := blank(h.rows, at); is {
			at, line = next, line+1
			continue
		}
		_, next, err := split.record(h.rows, at, fields)
		if err != nil && (c.OnError == "" || c.OnError == OnErrorFail) {
			return nil, &RowError{File: path, Line: line, Err: err}
		}
		if err == nil {
			column := csvColumn{block: h.rows, nulls: &d}
			for i, f := range fields {
				if f.len() > 0 && !column.null(f, true) {
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
