package size

import (
	"strconv"
	"strings"
)

// Rounded writes n bytes for people: in powers of 1024, with three digits or so, which is
// as much as one takes in, and nothing but zero as zero. Format writes what must be exact.
func Rounded(n int64) string {
	names := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	value, unit := float64(n), 0
	// What would be written as 1024 of a unit is 1 of the next.
	for (value >= 1023.5 || value <= -1023.5) && unit < len(names)-1 {
		value /= 1024
		unit++
	}
	precision := 1
	if unit == 0 || value >= 100 || value <= -100 {
		precision = 0
	}
	text := strconv.FormatFloat(value, 'f', precision, 64)
	return strings.TrimSuffix(text, ".0") + names[unit]
}

// readableDigits is how long a number may be, its point included, to be taken in as it is.
const readableDigits = 5

// Readable writes n bytes exactly if that is short, as it is of what somebody has chosen,
// and else as Rounded does. Powers of 1024 go first.
func Readable(n int64) string {
	rounded := Rounded(n)
	if back, err := Parse(rounded); err == nil && back == n {
		return rounded
	}
	exact := Format(n)
	if digits := strings.TrimRight(exact, "BiKkMGTPE"); len(digits) <= readableDigits {
		return exact
	}
	return rounded
}
