package monitor

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/seed14ed4225/sluice/mem"
)

// Memory shows how the memory of a network stands ([sluice.Snapshot] has it), or that of
// a resource, as a table with a line for each kind that was used: its limit, the most that
// was taken at a time, and how much was moved from it to a slower kind and back to it.
//
//	memory  limit     peak  spilled  restored
//	host    16MiB  15.9MiB  92.4MiB   92.4MiB
//	disk     1GiB  92.6MiB
//
// It is empty if none was. Sizes are rounded.
func Memory(s mem.Stats) string {
	rows := [][]string{{"memory", "limit", "peak", "spilled", "restored"}}
	for k, kind := range s.Kinds {
		if kind.Peak == 0 && kind.Spilled == 0 && kind.Restored == 0 {
			continue
		}
		rows = append(rows, []string{mem.Kind(k).String(), limitOf(kind.Limit), bytes(kind.Peak), moved(kind.Spilled), moved(kind.Restored)})
	}
	if len(rows) == 1 {
		return ""
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := fmt.Sprintf("%-*s", widths[0], row[0])
		for i, cell := range row[1:] {
			line += fmt.Sprintf("  %*s", widths[i+1], cell)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

func limitOf(n int64) string {
	if n == math.MaxInt64 {
		return "unlimited"
	}
	return bytes(n)
}

// moved leaves out what did not happen.
func moved(n int64) string {
	if n == 0 {
		return ""
	}
	return bytes(n)
}

// bytes writes a size for people: with three digits or so, which is as much as one
// takes in. Nothing is rounded to zero.
func bytes(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	value, unit := float64(n), 0
	// What would be written as 1024 of a unit is 1 of the next.
	for value >= 1023.5 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	precision := 1
	if unit == 0 || value >= 100 {
		precision = 0
	}
	text := strconv.FormatFloat(value, 'f', precision, 64)
	return strings.TrimSuffix(text, ".0") + units[unit]
}
