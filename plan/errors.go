package plan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed14ed4225/sluice/internal/suggest"
)

// A Position is a place in a job file. Lines and columns count from 1, columns
// in characters; the zero Position is no place in particular.
type Position struct {
	Line, Column int
}

func (p Position) String() string { return fmt.Sprintf("%d:%d", p.Line, p.Column) }

// JobError is one thing that is wrong with a job: with its text, with what its
// nodes are told to do, or with the files they are told to read. Running the
// job again will not help; changing it at Position will.
//
// Load, Parse and Check return all they found as one joined error. errors.As
// finds the first; [JobErrors] gives them all.
type JobError struct {
	File     string   // as the caller named it
	Position Position // zero when the file itself could not be read
	Node     string   // the node it is about; "" when it is about no one node
	Err      error
}

// Error gives file, line, column and node before what is wrong:
//
//	flights.yaml:14:12: node "by_origin": unknown column "orign"; did you mean "origin"?
func (e *JobError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Position != (Position{}) {
		fmt.Fprintf(&b, ":%v", e.Position)
	}
	b.WriteString(": ")
	if e.Node != "" {
		fmt.Fprintf(&b, "node %q: ", e.Node)
	}
	b.WriteString(e.Err.Error())
	return b.String()
}

// Unwrap returns what is wrong, without the place.
func (e *JobError) Unwrap() error { return e.Err }

// JobErrors returns every JobError that err joins, in order of position.
func JobErrors(err error) []*JobError {
	var found []*JobError
	for _, part := range flatten(err) {
		var e *JobError
		if errors.As(part, &e) {
			found = append(found, e)
		}
	}
	return found
}

// flatten takes joined errors apart, at any depth.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var parts []error
	for _, part := range joined.Unwrap() {
		parts = append(parts, flatten(part)...)
	}
	return parts
}

// mostErrors is how many problems are worth reading at once.
const mostErrors = 10

// A report collects what is wrong with one job.
type report struct {
	file  string
	found []*JobError
}

func (r *report) add(at Position, node string, err error) {
	r.found = append(r.found, &JobError{File: r.file, Position: at, Node: node, Err: err})
}

func (r *report) addf(at Position, node, format string, args ...any) {
	r.add(at, node, fmt.Errorf(format, args...))
}

// err joins what was found, in the order of the file; nil when nothing was.
func (r *report) err() error {
	if len(r.found) == 0 {
		return nil
	}
	slices.SortStableFunc(r.found, func(a, b *JobError) int {
		return cmp.Or(
			cmp.Compare(a.Position.Line, b.Position.Line),
			cmp.Compare(a.Position.Column, b.Position.Column))
	})
	shown := r.found[:min(len(r.found), mostErrors)]
	errs := make([]error, 0, len(shown)+1)
	for _, e := range shown {
		errs = append(errs, e)
	}
	if more := len(r.found) - len(shown); more > 0 {
		errs = append(errs, &JobError{File: r.file, Position: r.found[len(shown)].Position,
			Err: fmt.Errorf("and %d more errors from here on", more)})
	}
	return errors.Join(errs...)
}

// mostCompared bounds the names that an unknown one is compared with, so that a
// huge job full of unknown names is refused as quickly as any.
const mostCompared = 500

// instead ends an error about an unknown name with the name that was probably
// meant. Comparing takes time with the product of the lengths, so an absurdly
// long name gets no suggestion.
func instead(name string, have []string) string {
	if utf8.RuneCountInString(name) > longestName {
		return ""
	}
	return suggest.Phrase(name, have[:min(len(have), mostCompared)])
}
