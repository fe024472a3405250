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
		firstRow, firstNil error // by the time they were found
	}
}

// csvFileTrouble is that of one file, which it knows by name.
type csvFileTrouble struct {
	*csvTrouble
	path  string
	typed map[string]arrow.DataType // columns whose type was said, and not inferred
}

// Row is told of a row that cannot be taken apart.
func (t csvFileTrouble) Row(why *csv.Error) error {
	if t.onError == "" || t.onError == OnErrorFail {
		return why
	}
	t.skipped(rowError(t.path, why))
	return nil
}

// Value is told of a value that is not of its column's type.
func (t csvFileTrouble) Value(why *csv.Error) (leaveOut bool, err error) {
	switch t.onError {
	case OnErrorSkip:
		t.skipped(rowError(t.path, why))
		return true, nil
	case OnErrorNull:
		t.nulled(rowError(t.path, why))
		return false, nil
	}
	if t.typed[why.Column] == nil && !errors.Is(why, csv.ErrUTF8) {
		why.Err = fmt.Errorf("%w, as in the first rows; null_text says what is a null, types what else the column is", why.Err)
	}
	return false, why
}

// rowError has the error of a row name its file, too; others are left as they are.
func rowError(path string, err error) error {
	var row *csv.Error
	if errors.As(err, &row) {
		return &RowError{File: path, Line: row.Line, Column: row.Column, Err: row.Err}
	}
	return err
}

func (t *csvTrouble) skipped(why error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.rows++; t.mu.rows == 1 {
		t.mu.firstRow = why
	}
}

func (t *csvTrouble) nulled(why error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.values++; t.mu.values == 1 {
		t.mu.firstNil = why
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
		log.WarnContext(ctx, fmt.Sprintf("skipped %s of CSV, such as %v", plural(t.mu.rows, "row"), t.mu.firstRow))
	}
	if t.mu.values > 0 {
		log.WarnContext(ctx, fmt.Sprintf("read %s of CSV as null, such as %v", plural(t.mu.values, "value"), t.mu.firstNil))
	}
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
