package plan

import (
	"errors"

	"github.com/seed14ed4225/sluice/table/expr"
)

// An expression is a setting that package expr reads: a condition, or the value of a new column.
type expression struct{ text string }

// UnmarshalText reads an expression; its errors know the character they are about.
func (e *expression) UnmarshalText(text []byte) error {
	e.text = string(text)
	_, err := expr.Parse(e.text)
	var wrong *expr.Error
	if errors.As(err, &wrong) {
		return &phraseError{wrong.Offset, wrong.Message()}
	}
	return err
}

func (e expression) String() string { return e.text }

// wrongExpr is wrongIn for an error that may be about a character of the setting, which is an
// expression. Then the place takes the place of the expression's text.
func (a At[T]) wrongExpr(err error) error {
	var wrong *expr.Error
	if errors.As(err, &wrong) {
		return a.wrongIn(wrong.Offset, &unplaced{wrong})
	}
	return a.Wrong(err)
}

// unplaced is an error of an expression without the place in it.
type unplaced struct{ err *expr.Error }

func (e *unplaced) Error() string { return e.err.Message() }
func (e *unplaced) Unwrap() error { return e.err }
