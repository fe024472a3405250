package plan

import (
	"errors"

	"github.com/seed14ed4225/sluice/mem"
)

// An outlook is what is known of the limits with which a job that ran out of memory would not have. 0 says that something
// is not known.
type outlook struct {
	host     int64 // of host memory that are likely to do, in bytes
	spilling int64 // the same, if there were a disk to spill to
	disk     int64 // bytes of all rows that are read
	rows     int   // of a chunk of the scan that failed: with so few, the limit of host memory would be likely to do
}

// outlook finds out what a job needs that ran out of host memory at a node.
func (j *Job) outlook(at *node, failed error) (known outlook) {
	var short *mem.NoMemoryError
	if !errors.As(failed, &short) || short.Kind != mem.Host {
		return known
	}
	f, ok := j.forecast()
	if !ok || len(f.scans) == 0 {
		return known
	}
	f.spills = true
	known.spilling, known.disk = f.enough(short.Smallest-short.Taken), 2*f.read()
	f.spills = short.DiskLimit > 0
	known.host = f.enough(enoughFor(short))
	if _, scans := at.step.(*scan); scans {
		known.rows = f.fewerRows(at, short.Limit)
	}
	return known
}
