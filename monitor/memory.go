package monitor

import (
	"math"

	"github.com/seed14ed4225/sluice/internal/size"
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
// If a limit was exceeded, one more column says by how much. The peak includes what was
// promised and not used; of disk that is what spilling takes at most, before anything is
// compressed. Bytes that are moved several times count each time.
//
// It is empty if none was used. Sizes are rounded.
func Memory(s mem.Stats) string {
	rows := [][]string{{"memory", "limit", "peak", "spilled", "restored"}}
	exceeded := false
	for _, kind := range s.Kinds {
		exceeded = exceeded || kind.Overbooked > 0
	}
	if exceeded {
		rows[0] = append(rows[0], "exceeded by")
	}
	for k, kind := range s.Kinds {
		if kind.Peak == 0 && kind.Spilled == 0 && kind.Restored == 0 {
			continue
		}
		row := []string{mem.Kind(k).String(), limitOf(kind.Limit), size.Rounded(kind.Peak), unlessNone(kind.Spilled), unlessNone(kind.Restored)}
		if exceeded {
			row = append(row, unlessNone(kind.Overbooked))
		}
		rows = append(rows, row)
	}
	if len(rows) == 1 {
		return ""
	}
	return table(rows)
}

func limitOf(n int64) string {
	if n == math.MaxInt64 {
		return "unlimited"
	}
	return size.Rounded(n)
}

// unlessNone leaves out what did not happen.
func unlessNone(n int64) string {
	if n == 0 {
		return ""
	}
	return size.Rounded(n)
}
