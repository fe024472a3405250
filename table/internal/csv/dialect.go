package csv

import "slices"

// A Dialect is how a text is laid out: RFC 4180, but for what is said here.
type Dialect struct {
	Delimiter byte // between fields
	NoHeader  bool // the first line is a row, not the names of the columns

	// Nulls are what stands for a null, when it is not in quotes. None means one: the empty
	// field. Where nothing can be empty but text, an empty field always is a null.
	Nulls []string
}

// isNull reports whether a field without quotes stands for a null.
func (d *Dialect) isNull(field []byte) bool {
	switch len(d.Nulls) {
	case 0:
		return len(field) == 0
	case 1: // nearly always
		return string(field) == d.Nulls[0]
	default:
		return slices.Contains(d.Nulls, string(field))
	}
}

// onlyEmpty reports whether nothing but an empty field stands for a null.
func (d *Dialect) onlyEmpty() bool {
	return len(d.Nulls) == 0 || len(d.Nulls) == 1 && d.Nulls[0] == ""
}
