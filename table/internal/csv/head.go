package csv

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// A Head is what the beginning of a text says of its columns.
type Head struct {
	Names []string
	rows  []byte // whole records
	line  int64  // where they begin
}

// ErrEmpty is returned of a text that has not even the names of the columns.
var ErrEmpty = errors.New("is empty, without the names of columns")

// ReadHead reads the names of the columns off a sample, which is the beginning of a text, or all
// of it. names are those of a text without a header; without any they are column_1, column_2 and so
// on, as is a column's whose name is empty. Of columns with one name, those after the first have _1, _2
// and so on behind it. What is wrong with a row is an [*Error].
func ReadHead(sample []byte, all bool, d Dialect, names []string) (h Head, err error) {
	if err := disguised(sample); err != nil {
		return h, err
	}
	text := withoutMark(sample)
	if !all {
		end := lastRecord(text)
		if end == 0 {
			return h, &Error{Line: 1, Err: fmt.Errorf(
				"the first row is longer than %d KiB, unless a quote (\") was not closed", len(text)>>10)}
		}
		text = text[:end]
	}
	skipped, lines := blankLines(text)
	first := text[skipped:] // the record that says how many columns there are
	if len(first) == 0 && !d.NoHeader || len(text) == 0 {
		if d.NoHeader && len(names) > 0 {
			return Head{Names: names}, nil
		}
		return h, ErrEmpty
	}
	split := newSplitter(d.Delimiter, 0)
	count, next, err := split.record(first, 0, nil)
	if err != nil {
		return h, &Error{Line: 1 + lines, Err: err}
	}
	if d.NoHeader {
		h.rows, h.line = text, 1 // in one column, blank lines are rows
		h.Names, err = numbered(count, names)
		return h, err
	}
	fields := make([]field, count)
	_, _, _ = split.record(first, 0, fields) // as before
	h.rows, h.line = first[next:], 1+lines+int64(bytes.Count(first[:next], newline))
	h.Names, err = named(first, fields)
	return h, err
}

// blankLines are how many bytes and lines there are before the first line with something in it.
func blankLines(text []byte) (bytes int, lines int64) {
	for bytes < len(text) {
		next, is := blank(text, bytes)
		if !is {
			break
		}
		bytes, lines = next, lines+1
	}
	return bytes, lines
}

// numbered are the names of columns that a text does not name.
func numbered(count int, names []string) ([]string, error) {
	if len(names) == count {
		return names, nil
	}
	if len(names) > 0 {
		return nil, fmt.Errorf("has %s, and %s", plural(count, "column"), plural(len(names), "name"))
	}
	names = make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("column_%d", i+1)
	}
	return names, nil
}

// named are the names of columns that a record has.
func named(text []byte, fields []field) ([]string, error) {
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
	}
	distinguish(names)
	return names, nil
}

// distinguish has names that were there before end in _1, _2 and so on, the first of these that no
// column has.
func distinguish(names []string) {
	taken := make(map[string]bool, len(names))
	for _, name := range names {
		taken[name] = true
	}
	next := make(map[string]int, len(names)) // what is tried behind a name that comes again
	for i, name := range names {
		if next[name] == 0 { // it comes for the first time
			next[name] = 1
			continue
		}
		for taken[names[i]] {
			names[i] = fmt.Sprintf("%s_%d", name, next[name])
			next[name]++
		}
		taken[names[i]] = true
	}
}

// disguises are what the beginning of other things looks like that are taken for CSV.
var disguises = []struct{ begins, says string }{
	{"\x1f\x8b", "is packed with gzip: unpack it"},
	{"\x28\xb5\x2f\xfd", "is packed with zstd: unpack it"},
	{"PK\x03\x04", "is a zip archive or a spreadsheet, and not CSV: unpack it, or save it as CSV"},
	{"PAR1\x15", "is Parquet, and not CSV"},
	{"\xff\xfe", "is UTF-16: convert it to UTF-8"},
	{"\xfe\xff", "is UTF-16: convert it to UTF-8"},
}

// disguised says what a text is if it is none in UTF-8.
func disguised(text []byte) error {
	for _, d := range disguises {
		if bytes.HasPrefix(text, []byte(d.begins)) {
			return errors.New(d.says)
		}
	}
	return nil
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// withoutMark is a text without the mark that some programs begin files with.
func withoutMark(text []byte) []byte { return bytes.TrimPrefix(text, byteOrderMark) }
