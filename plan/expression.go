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

// expressive is a step with settings that are expressions.
type expressive interface{ expressions() []At[expression] }

// placeOf returns where the part of an expression stands that has no value for a row, false if err is about
// no row or none of the step's expressions. row is nil if the part is not to be read there, because a
// parameter stands for it.
func placeOf(step Step, err error) (at Position, row *expr.RowError, ok bool) {
	with, ok := step.(expressive)
	if !ok || !errors.As(err, &row) {
		return Position{}, nil, false
	}
	for _, e := range with.expressions() {
		if e.Value.text != row.Expr {
			continue
		}
		at = e.positionOf(row.Offset)
		if in, known := e.origin.stretch(row.Offset); !known || in.still {
			row = nil
		}
		return at, row, true
	}
	return Position{}, nil, false
}

// unplaced is an error of an expression without the place in it.
type unplaced struct{ err *expr.Error }

func (e *unplaced) Error() string { return e.err.Message() }
func (e *unplaced) Unwrap() error { return e.err }
