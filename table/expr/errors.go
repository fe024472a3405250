package expr

import (
	"errors"
	"fmt"
)

// Error is what is wrong with an expression, found before any data is read.
type Error struct {
	Expr   string // the whole expression
	Offset int    // of what is wrong, in characters from 0
	Part   string // the text that is wrong, "" at the end of the expression
	Column string // the column that it is about, "" if it is about none

	message string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s, character %d: %s", quote(e.Expr), e.Offset+1, e.message)
}

// Message is the error without the place.
func (e *Error) Message() string { return e.message }

// What a [RowError] wraps.
var (
	// ErrOverflow is a result that its type cannot hold. Cast an operand to a wider type first.
	ErrOverflow = errors.New("overflow")
	// ErrDivisionByZero is what x / 0, x // 0 and x % 0 are, of all types. With nullif(y, 0) instead
	// of y the quotient is null.
	ErrDivisionByZero = errors.New("division by zero")
	// ErrCast is a value that a cast cannot convert. With try_cast it becomes null.
	ErrCast = errors.New("does not fit")
)

// RowError is a row for which an expression has no value. Its text counts rows from 1, and names none if Row is negative.
type RowError struct {
	Expr   string // the whole expression
	Offset int    // of the part that has no value, in characters from 0
	Part   string // that part
	Row    int    // in the batch, from 0; of a node that keeps order, such as a filter, among all it received; negative for a pair of rows, which has no number
	Err    error  // wraps ErrOverflow, ErrDivisionByZero or ErrCast
}

func (e *RowError) Error() string {
	at, part := quote(e.Expr), ""
	if e.Part != e.Expr {
		at = fmt.Sprintf("%s, character %d", at, e.Offset+1)
		part = quote(e.Part) + ": "
	}
	if e.Row >= 0 {
		at = fmt.Sprintf("%s, row %d", at, e.Row+1)
	}
	return fmt.Sprintf("%s: %s%v", at, part, e.Err)
}

// Message is the error without the expression.
func (e *RowError) Message() string {
	if e.Row < 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("row %d: %v", e.Row+1, e.Err)
}

// Unwrap returns Err.
func (e *RowError) Unwrap() error { return e.Err }

// quote shows a piece of an expression, shortened if it is long.
func quote(s string) string {
	const most = 120
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "..."
	}
	return fmt.Sprintf("%q", s)
}
