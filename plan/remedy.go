package plan

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strings"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/internal/size"
	"github.com/seed14ed4225/sluice/mem"
)

// remedy says in the words of a job what to try when memory ran out, as the end of
// a message, or nothing if it is something else that went wrong. The limit that it names first is one that
// would have done as far as that can be told: by what the step lacked, and by what is known of the job.
func remedy(failed *sluice.NodeError, known outlook) string {
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
			try = append(try, more(mem.Disk, max(2*short.DiskLimit+short.Need, known.disk, leastDisk)))
		}
		if short.Stranded > 0 && short.DiskLimit == 0 {
			try = append(try, spilling(short, known))
		}
		enough := known.host
		if enough == 0 { // of the steps after this one nothing is known
			enough = plus(enoughFor(short), enoughFor(short)/2)
		}
		try = append(try, more(short.Kind, enough))
		if diskFull {
			try = append(try, otherDisk)
		}
		if known.rows > 0 && short.Stranded == 0 {
			try = append(try, fmt.Sprintf("reading fewer rows at a time, with rows: %d in node %s", known.rows, failed.Node))
		}
	case diskFull:
		try = append(try, otherDisk)
	default:
		return ""
	}
	return "; try " + strings.Join(try, ", or ")
}

// spilling suggests that rows go to disk, in the limit that would do then.
func spilling(short *mem.NoMemoryError, known outlook) string {
	if known.spilling > short.Limit {
		return fmt.Sprintf("letting rows go to disk, with spill_dir or --spill-dir, and %s", more(short.Kind, known.spilling))
	}
	return "letting rows go to disk, with spill_dir or --spill-dir"
}

// more suggests a limit for a kind.
func more(k mem.Kind, n int64) string {
	limit := handy(n)
	return fmt.Sprintf("memory: {%v: %v} in the job, or --memory-%v %v", k, limit, k, limit)
}

// leastDisk is what is suggested of disk at least: it costs nothing until it is used.
const leastDisk = 32 << 20

// enoughFor returns a limit in which a step that failed would not have, in what is likely to be taken then: what others
// keep is a part of the limit, and grows with it.
func enoughFor(short *mem.NoMemoryError) int64 {
	const eased = 8 // an eighth more
	switch {
	case short.Need > short.Limit:
		return short.Smallest
	case short.Kind == mem.Host && short.Stranded > 0:
		return plus(short.Smallest, short.Smallest) // rows that are kept, of which there are more to come
	default:
		return max(plus(short.Smallest, short.Smallest/eased), plus(short.Limit, short.Limit/4))
	}
}

// plus adds without an overflow.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// handy returns the least size of n bytes or more that is easy to write: a power of two, or one and a quarter, a half or three
// quarters of it.
func handy(n int64) size.Size {
	if n <= 4 {
		return size.Size(max(n, 1))
	}
	step := int64(1) << (bits.Len64(uint64(n-1)) - 3)
	if n > math.MaxInt64-step {
		return math.MaxInt64
	}
	return size.Size((n + step - 1) / step * step)
}
