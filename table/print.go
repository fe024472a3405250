package table

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/internal/suggest"
)

// A Format is how [Print] writes rows.
type Format string

const (
	// FormatTable is for people, and the zero value: a line of column names, then
	// one for each row, columns aligned, numbers to the right. Floating-point numbers
	// have six decimals, very large and very small ones seven digits and an exponent.
	// A null is NULL. Control characters, and what is not UTF-8, appear as Go writes
	// them in string literals (\n, \x1b).
	//
	// Columns are as wide as their first 1,000 rows need; a longer value further down
	// pushes the rest of its line to the right.
	FormatTable Format = "table"
	// FormatCSV is RFC 4180 with a header, but lines end in a newline alone. A null is
	// an empty field, an empty string is "".
	FormatCSV Format = "csv"
	// FormatJSON writes one object per line. A null is null. NaN and the infinities,
	// which JSON cannot write as numbers, are the strings "NaN", "Infinity" and
	// "-Infinity". Integers keep all their digits.
	FormatJSON Format = "json"
)

var formats = []string{"table", "csv", "json"}

// Print writes rows as text. CSV and JSON have floating-point numbers in the fewest
// digits that read back the same. All formats write timestamps as 2001-03-31T17:05:00
// (the table with a space for the T), with the fraction of a second if it is not
// zero, and in a column with a time zone in that zone with its offset; dates as
// 2001-03-31, times of day as 17:05:00, durations as 26h30m0.5s, decimals with all digits
// of their scale, binary as hexadecimal digits. In JSON decimals are numbers; a reader
// that takes those for float64 loses digits beyond the 15th.
type Print struct {
	Format Format // "" means FormatTable
}

// Schema returns in, if the rows can be printed.
func (p Print) Schema(in *arrow.Schema) (*arrow.Schema, error) {
	if p.Format != "" && !slices.Contains(formats, string(p.Format)) {
		return nil, fmt.Errorf("unknown format %q%s", string(p.Format), suggest.Phrase(string(p.Format), formats))
	}
	if in.NumFields() == 0 {
		return nil, errors.New("no columns to print")
	}
	if err := supported(in); err != nil {
		return nil, err
	}
	return in, nil
}

// Node returns a node that writes what comes from in to w, as it comes: CSV and JSON
// chunk by chunk, a table from its 1,000th row on. Writes are buffered in between, and
// nothing is left in a buffer when the node returns. w is not closed. If in has no
// chunk at all, there is no header either.
//
// An error of w ends the node; it is wrapped, so that [errors.Is] tells a broken pipe.
func (p Print) Node(name string, in *sluice.Channel, w io.Writer) (string, func(context.Context) error, sluice.Port) {
	return name, func(ctx context.Context) error { return p.run(ctx, in, w) }, reads(in)
}

// A printer writes the rows of batches in one format.
type printer interface {
	print(arrow.RecordBatch) error
	finish() error
}

func (p Print) run(ctx context.Context, in *sluice.Channel, w io.Writer) error {
	var rows printer
	buffered := bufio.NewWriterSize(w, 64<<10)
	err := eachChunk(ctx, in, func(_ *sluice.Message, chunk *Chunk) error {
		if rows == nil {
			if _, err := p.Schema(chunk.Schema()); err != nil {
				return err
			}
			rows = p.printer(buffered, chunk.Schema())
		}
		if err := rows.print(chunk.Batch()); err != nil {
			return fmt.Errorf("writing rows: %w", err)
		}
		if err := buffered.Flush(); err != nil {
			return fmt.Errorf("writing rows: %w", err)
		}
		return nil
	})
	if err != nil || rows == nil {
		return err
	}
	if err := rows.finish(); err != nil {
		return fmt.Errorf("writing rows: %w", err)
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("writing rows: %w", err)
	}
	return nil
}

func (p Print) printer(w *bufio.Writer, schema *arrow.Schema) printer {
	switch p.Format {
	case FormatCSV:
		return newCSVPrinter(w, schema)
	case FormatJSON:
		return newJSONPrinter(w, schema)
	default:
		return newTablePrinter(w, schema)
	}
}
