package plan

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/internal/size"
	"github.com/seed14ed4225/sluice/mem"
)

// remedy says in the words of a job what to try when memory ran out, as the end of
// a message, or nothing if it is something else that went wrong. What it names are
// suggestions: what a step lacked is known, what the steps after it need is not.
func remedy(failed *sluice.NodeError, step Step) string {
	const otherDisk = "a disk with more room as spill_dir or --spill-dir"
	var short *mem.NoMemoryError
	noMemory, diskFull := errors.As(failed, &short), errors.Is(failed, mem.ErrDiskFull)
	var try []string
	switch {
	case noMemory:
		if short.DiskUsedUp() && short.DiskDir != "" {
			diskFull = true // but for a reserve: the limit cannot be raised by much
		}
		if short.DiskUsedUp() && !diskFull {
			try = append(try, more(mem.Disk, max(short.DiskLimit+short.Need, leastDisk)))
		}
		try = append(try, more(short.Kind, short.Smallest))
		if diskFull {
			try = append(try, otherDisk)
		}
		if short.Stranded > 0 && short.DiskLimit == 0 {
			try = append(try, "letting rows go to disk, with disk and spill_dir")
		}
		if scan, ok := step.(*scan); ok {
			if rows, fewer := scan.fewerRows(short); fewer {
				try = append(try, fmt.Sprintf("reading fewer rows at a time, with rows: %d in node %s", rows, failed.Node))
			}
		}
	case diskFull:
		try = append(try, otherDisk)
	default:
		return ""
	}
	return "; try " + strings.Join(try, ", or ")
}

// more suggests a limit for a kind where so much would have done so far.
func more(k mem.Kind, enough int64) string {
	limit := roomy(enough)
	return fmt.Sprintf("memory: {%v: %v} in the job, or --memory-%v %v", k, limit, k, limit)
}

// leastDisk is what is suggested of disk at least: it costs nothing until it is used.
const leastDisk = 32 << 20

// roomy gives a limit that one would write, with head room above n bytes: a power of
// two, half as much again or up to three times as much.
func roomy(n int64) size.Size {
	const largest = 1 << 62
	n += n / 2
	switch {
	case n <= 1:
		return 1
	case n < 0 || n > largest:
		return largest
	}
	return size.Size(1) << bits.Len64(uint64(n-1))
}
