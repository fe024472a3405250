package csv

import (
	"errors"
	"fmt"
)

// An Error says what is wrong with a row. Its message does not have the line: a caller knows
// better what the text is called that the line is of.
type Error struct {
	Line   int64  // where the row begins, from 1
	Column string // "" if it is about the whole row
	Err    error
}

func (e *Error) Error() string {
	if e.Column == "" {
		return e.Err.Error()
	}
	return fmt.Sprintf("column %q: %v", e.Column, e.Err)
}

// Unwrap returns what is wrong, without the place.
func (e *Error) Unwrap() error { return e.Err }

// ErrUTF8 is what is wrong with a text that is not in UTF-8.
var ErrUTF8 = errors.New("is not UTF-8, which the file has to be in")

// Trouble decides what becomes of what does not parse. An error that its methods return
// ends the reading. They are called from every goroutine that reads.
type Trouble interface {
	// Row is told of a row whose fields cannot be told apart, or that has too many or too few of
	// them. With nil it is left out.
	Row(*Error) error
	// Value is told of a value that is not of its column's type. With nil it becomes a null, or
	// its row is left out.
	Value(*Error) (leaveOut bool, err error)
}

// plural is a count of something.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
