package table

import (
	"context"
	"math"
	"runtime"

	"github.com/seed14ed4225/sluice/mem"
)

// A budget is how a node shares out the limit of its resource. The shares are fixed parts of
// the limit, small enough that several nodes of a network find room beside each other, and
// that what has to be there at once for a node to go on is less than what a
// resource sets aside for whoever has waited longest. Without a limit they are without bounds.
type budget struct {
	from  *mem.Resource
	limit int64 // of host memory
}

func budgetOf(ctx context.Context) budget {
	b := budget{from: mem.FromContext(ctx), limit: math.MaxInt64}
	if b.from != nil {
		b.limit = b.from.Limit(mem.Host)
	}
	return b
}

// chunk is the most bytes of a chunk that a node makes up itself.
func (b budget) chunk() int64 { return b.limit / 16 }

// held is the most bytes that a node keeps without being able to spill them: the rows that
// a sort collects for a run, and later those that it merges.
func (b budget) held() int64 { return b.limit / 4 }

// piece is the bytes that a sorted run is cut into: a 256th of the limit, 1 MiB at most, and
// where that is less than 64 KiB up to twice so much. What goes with a piece, see there, does
// not depend on how large it is; but the smaller a part of the limit it is, the more runs are
// merged at a time.
func (b budget) piece() int64 { return min(max(b.limit/256, min(b.limit/128, 64<<10)), 1<<20) }

// Blocks of CSV are a part of the limit, because what is made of one may take ten times as much, and
// several are in the making.
const (
	leastCSVBlock = 4 << 10
	mostCSVBlock  = 1 << 20
)

// csvBlock is how much of a CSV file is read at a time, in bytes.
func (b budget) csvBlock() int64 { return min(max(b.limit/128, leastCSVBlock), mostCSVBlock) }

// workerMemory is what a limit has to have for each worker of a node, so that what all of them work
// on, and make of it, has room.
const workerMemory = 8 << 20

// workersFor returns how many workers there are to be, of those asked for: no more than have room for
// what each holds. 0 asks for as many as there are processors.
func (b budget) workersFor(asked int) int {
	if asked == 0 {
		asked = runtime.GOMAXPROCS(0)
	}
	return int(max(1, min(int64(asked), b.limit/workerMemory)))
}

// reserve waits for n bytes of host memory. Nodes hold no other reservation meanwhile.
func (b budget) reserve(ctx context.Context, n int64) (*mem.Reservation, error) {
	return b.from.Reserve(ctx, mem.Host, n)
}
