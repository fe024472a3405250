package main

import (
	"math"
	"os"
	"runtime/debug"

	"github.com/seed14ed4225/sluice/mem"
)

const (
	heapBeside = 16 << 20 // what the heap may have beside what the limit of the job counts
	heapLeast  = 48 << 20 // less makes the collector work without end
)

// limitHeap has the garbage collector keep the heap near the job's limit of host memory. Most
// of what that counts lies outside of the heap; without this the heap would be let grow to twice
// what lives in it, and that comes on top. Who sets GOMEMLIMIT decides instead. It returns
// what takes the limit back.
func limitHeap(memory *mem.Resource) (undo func()) {
	if memory == nil || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	limit := memory.Limit(mem.Host)
	if limit > math.MaxInt64-heapBeside {
		return func() {} // there is none
	}
	before := debug.SetMemoryLimit(max(limit+heapBeside, heapLeast))
	return func() { debug.SetMemoryLimit(before) }
}
