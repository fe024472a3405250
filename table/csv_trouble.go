package table

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/table/internal/csv"
)

// csvTrouble does what a scan was told to do about what does not parse, and counts what it has left
// out.
type csvTrouble struct {
	onError OnError
	mu      struct {
		sync.Mutex
		rows, values       int64
		firstRow, firstNil csvPlace
	}
}

// A csvPlace is where something did not parse. Those of a scan are found in any order: blocks are read
// side by side, and in a block rows are taken apart before their values are looked at.
type csvPlace struct {
	file int // of those scanned
	why  *RowError
}

// before reports whether a place comes first in the order of the rows, as any does before none.
func (p csvPlace) before(other csvPlace) bool {
	return other.why == nil || p.file < other.file || p.file == other.file && p.why.Line < other.why.Line
}

// csvFileTrouble is that of one file, which it knows by name.
type csvFileTrouble struct {
	*csvTrouble
	path  string
	file  int                       // of those scanned
	typed map[string]arrow.DataType // columns whose type was said, and not inferred
}

// Row is told of a row that cannot be taken apart.
func (t csvFileTrouble) Row(why *csv.Error) error {
	if t.onError == "" || t.onError == OnErrorFail {
		return why
	}
	t.skipped(t.place(why))
	return nil
}

// Value is told of a value that is not of its column's type.
func (t csvFileTrouble) Value(why *csv.Error) (leaveOut bool, err error) {
	switch t.onError {
	case OnErrorSkip:
		t.skipped(t.place(why))
		return true, nil
	case OnErrorNull:
		t.nulled(t.place(why))
		return false, nil
	}
	if t.typed[why.Column] == nil && !errors.Is(why, csv.ErrUTF8) {
		why.Err = fmt.Errorf("%w, as in the first rows; null_text says what is a null, types what else the column is", why.Err)
	}
	return false, why
}

func (t csvFileTrouble) place(why *csv.Error) csvPlace {
	return csvPlace{t.file, inFile(t.path, why)}
}

func inFile(path string, why *csv.Error) *RowError {
	return &RowError{File: path, Line: why.Line, Column: why.Column, Err: why.Err}
}

// rowError has the error of a row name its file, too; others are left as they are.
func rowError(path string, err error) error {
	var row *csv.Error
	if errors.As(err, &row) {
		return inFile(path, row)
	}
	return err
}

func (t *csvTrouble) skipped(at csvPlace) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.rows++
	if at.before(t.mu.firstRow) {
		t.mu.firstRow = at
	}
}

func (t *csvTrouble) nulled(at csvPlace) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.values++
	if at.before(t.mu.firstNil) {
		t.mu.firstNil = at
	}
}

// report warns of what was left out, if anything was.
func (t *csvTrouble) report(ctx context.Context, log *slog.Logger) {
	if log == nil {
		log = slog.Default()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.rows > 0 {
		log.WarnContext(ctx, fmt.Sprintf("skipped %s of CSV, such as %v", plural(t.mu.rows, "row"), t.mu.firstRow.why))
	}
	if t.mu.values > 0 {
		log.WarnContext(ctx, fmt.Sprintf("read %s of CSV as null, such as %v", plural(t.mu.values, "value"), t.mu.firstNil.why))
	}
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
