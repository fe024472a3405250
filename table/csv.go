package table

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/internal/suggest"
	"github.com/seed14ed4225/sluice/table/internal/csv"
)

// CSV says how the CSV files of a [Scan] are to be understood. The zero value is RFC 4180
// with a line of column names: fields in quotes may have delimiters, new lines and doubled
// quotes in them; a field without quotes has no quote in it. Lines end in a newline, with or
// without a carriage return before it. A byte order mark at the beginning is skipped, and
// so are blank lines, except in a file of one column, where a blank line is a field without
// anything in it. Text is UTF-8. What is packed with gzip or zstd is unpacked, whatever its name.
// A column without a name is called by its number, as in column_3; of columns with one name, a,
// those after the first are called a_1, a_2 and so on, leaving out what others are called.
//
// # Types
//
// The type of a column that Types does not have is inferred from the first 10,000 rows of
// the first file, or as many as are in its first 256 KiB: of bool (true and false),
// int64, float64, date, timestamp[us] and timestamp[us, UTC] (with an offset) the first that
// all of its values there are, nulls left out, and else text. Digits with zeros in front
// (007, a code rather than a number) and whole numbers beyond 64 bits are text. So is a
// column of nulls. If a later value is of another type, that is an error, which OnError is about.
//
// Values are written as [Print] writes them, so dates as 2001-03-31, timestamps as
// 2001-03-31T17:05:00.25 or with a space for the T, durations as 1h30m, binary as hexadecimal
// digits, and decimals with as many digits as they have; a decimal of more digits than its column
// has behind the point is an error, not rounded. Spaces around what is not text are
// skipped.
type CSV struct {
	Delimiter string // between fields, one character of ASCII; "" is a comma, in .tsv files a tab

	// NoHeader says that the first line is a row. Columns are then called by Names, or else
	// column_1, column_2 and so on.
	NoHeader bool
	Names    []string

	// Types are those of columns by name: any that the nodes of this package work on but
	// dictionaries. A name that is not a column is an error.
	Types map[string]arrow.DataType

	// Null is what stands for a null, when it is not in quotes. Empty means one: the
	// empty field. Where nothing can be empty but text, an empty field always is a null.
	Null []string

	// OnError is what becomes of rows that cannot be read.
	OnError OnError
}

// OnError says what a scan of CSV does with what does not parse. Skipped rows and nulls made so
// are counted, and a warning at the end says how many there were, and what the first was.
type OnError string

const (
	// OnErrorFail ends the run with a [*RowError]. It is what the zero value does, too.
	OnErrorFail OnError = "fail"
	// OnErrorSkip leaves the row out.
	OnErrorSkip OnError = "skip"
	// OnErrorNull makes the value a null. A row whose fields cannot be told apart, or that has
	// too many or too few of them, is left out.
	OnErrorNull OnError = "null"
)

var onErrors = []string{string(OnErrorFail), string(OnErrorSkip), string(OnErrorNull)}

// A RowError says what is wrong with a row of a CSV file.
type RowError struct {
	File   string
	Line   int64  // where the row begins, from 1
	Column string // "" if it is about the whole row
	Err    error
}

func (e *RowError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
	}
	return fmt.Sprintf("%s:%d: column %q: %v", e.File, e.Line, e.Column, e.Err)
}

// Unwrap returns what is wrong, without the place.
func (e *RowError) Unwrap() error { return e.Err }

// given is the first field that is set, "" if none is.
func (c CSV) given() string {
	return firstField(
		named{"CSV.Delimiter", c.Delimiter != ""}, named{"CSV.NoHeader", c.NoHeader}, named{"CSV.Names", len(c.Names) > 0},
		named{"CSV.Types", len(c.Types) > 0}, named{"CSV.Null", len(c.Null) > 0}, named{"CSV.OnError", c.OnError != ""},
	)
}

// named is a field, and whether it is set.
type named struct {
	field string
	set   bool
}

func firstField(fields ...named) string {
	for _, f := range fields {
		if f.set {
			return f.field
		}
	}
	return ""
}

func (c CSV) check() error {
	delimiter, err := delimiterOf(c.Delimiter, false)
	if err != nil {
		return wrongField("CSV.Delimiter", err)
	}
	if !slices.Contains(onErrors, string(c.OnError)) && c.OnError != "" {
		return wrongField("CSV.OnError", fmt.Errorf("unknown on_error %q%s", string(c.OnError), suggest.Phrase(string(c.OnError), onErrors)))
	}
	if len(c.Names) > 0 && !c.NoHeader {
		return wrongField("CSV.Names", errors.New("names of columns are for files without a header"))
	}
	for i, name := range c.Names {
		if slices.Contains(c.Names[:i], name) {
			return wrongField("CSV.Names", fmt.Errorf("two columns are called %q", name))
		}
	}
	for name, typ := range c.Types {
		if err := csv.Readable(typ); err != nil {
			return wrongField("CSV.Types", fmt.Errorf("column %q: %w", name, err))
		}
	}
	for _, null := range c.Null {
		if c.Delimiter == "" && strings.Contains(null, "\t") {
			continue // it may be a comma
		}
		if err := checkNull(null, delimiter); err != nil {
			return wrongField("CSV.Null", err)
		}
	}
	return nil
}

// dialect is how a file of that name is laid out.
func (c CSV) dialect(path string) csv.Dialect {
	_, _, tabs := formatOf(path)
	delimiter, _ := delimiterOf(c.Delimiter, tabs) // check has seen it
	return csv.Dialect{Delimiter: delimiter, NoHeader: c.NoHeader, Nulls: c.Null}
}
