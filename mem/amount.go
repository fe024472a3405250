package mem

import (
	"strings"

	"github.com/seed14ed4225/sluice/internal/size"
)

// An Amount is a number of bytes of each kind of memory, indexed by [Kind].
type Amount [Kinds]int64

// Of returns n bytes of one kind.
func Of(k Kind, n int64) Amount {
	var a Amount
	a[k] = n
	return a
}

// Plus returns the sum, kind by kind.
func (a Amount) Plus(b Amount) Amount {
	for k, n := range b {
		a[k] += n
	}
	return a
}

// Minus returns the difference, kind by kind.
func (a Amount) Minus(b Amount) Amount {
	for k, n := range b {
		a[k] -= n
	}
	return a
}

// Total returns the bytes of all kinds together.
func (a Amount) Total() int64 {
	var total int64
	for _, n := range a {
		total += n
	}
	return total
}

// String is for people, such as "16MiB host, 1GiB disk".
func (a Amount) String() string {
	var parts []string
	for k, n := range a {
		if n != 0 {
			parts = append(parts, size.Format(n)+" "+Kind(k).String())
		}
	}
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}
