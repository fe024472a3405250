package main

import (
	"math"
	"os"
	"runtime/debug"

	"github.com/seed14ed4225/sluice/mem"
)

const (
	heapBeside = 16 << 20 // what the heap may have beside what the limit of the job counts of it
	heapLeast  = 48 << 20 // less makes the collector work without end
)

// limitHeap has the garbage collector keep the heap below half of the job's limit of host memory and
// a little more. Of what that limit counts only tables of groups lie in the heap, a quarter of it for each
// node that has some; without this the heap would be let grow to twice what lives in it, and all of
// that comes on top of the rest. Who sets GOMEMLIMIT decides instead. It returns what takes the limit
// back.
func limitHeap(memory *mem.Resource) (undo func()) {
	if memory == nil || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	limit := memory.Limit(mem.Host)
	if limit > math.MaxInt64-heapBeside {
		return func() {} // there is none
	}
	before := debug.SetMemoryLimit(max(limit/2+heapBeside, heapLeast))
	return func() { debug.SetMemoryLimit(before) }
}
