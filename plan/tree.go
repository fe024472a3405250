package plan

import (
	"fmt"
	"regexp"
)

// A value is one value of a job with the place where it stands. Jobs become a
// tree of these first, so that parameters are put into values and never into
// text that is parsed afterwards: no parameter can add a key or a node.
type value struct {
	at      Position
	shape   shape
	text    string   // a scalar's text, without quotes
	origin  origin   // where text stands
	items   []*value // of a list
	entries []entry  // of a mapping, in the order of the file

	// parameter names the parameter the value came from. Then at is where the
	// parameter is used, since that is where it does not fit.
	parameter string
}

type entry struct {
	at    Position
	key   string
	value *value
}

type shape int

const (
	nothing shape = iota
	boolean
	integer
	decimal
	text
	list
	mapping
	// unknown stands for a value that was already complained about. Whatever
	// meets one stays silent, so that one mistake is one error.
	unknown
)

func (v *value) scalar() bool {
	return v.shape == boolean || v.shape == integer || v.shape == decimal || v.shape == text
}

// given says whether there is a value; "key:" alone gives none.
func (v *value) given() bool { return v != nil && v.shape != nothing }

// empty is true for [], {} and "".
func (v *value) empty() bool {
	return v.scalar() && v.text == "" || v.shape == list && len(v.items) == 0 || v.shape == mapping && len(v.entries) == 0
}

func (v *value) String() string {
	var s string
	switch v.shape {
	case nothing:
		s = "nothing"
	case list:
		s = "a list"
	case mapping:
		s = "a mapping"
	case text:
		s = fmt.Sprintf("%q", shorten(v.text))
	default:
		s = shorten(v.text)
	}
	if v.parameter != "" {
		s += fmt.Sprintf(" (parameter %q)", v.parameter)
	}
	return s
}

// Plain scalars are what YAML 1.2 says they are, with two exceptions: digits
// may be grouped by underscores, and a number with a leading zero is text,
// because it is more often a code than an octal or decimal number.
var (
	integerPattern = regexp.MustCompile(`^[-+]?(0|[1-9][0-9]*(_[0-9]+)*|0x[0-9a-fA-F]+|0o[0-7]+)$`)
	decimalPattern = regexp.MustCompile(`^[-+]?((0|[1-9][0-9]*(_[0-9]+)*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$`)
)

// plain gives the value that an unquoted text stands for.
func plain(s string) *value {
	v := &value{shape: text, text: s}
	switch s {
	case "", "~", "null", "Null", "NULL":
		v.shape = nothing
	case "true", "True", "TRUE", "false", "False", "FALSE":
		v.shape = boolean
	default:
		switch {
		case integerPattern.MatchString(s):
			v.shape = integer
		case decimalPattern.MatchString(s):
			v.shape = decimal
		}
	}
	return v
}

// shorten keeps an absurdly long text from filling the screen.
func shorten(s string) string {
	const most = 80
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return s
}
