// Package arena keeps memory outside of the Go heap in pools, so that in steady state
// neither the kernel is asked for memory nor a page touched for the first time.
//
// In race builds the memory lies on the heap after all, because the race detector sees
// no other. With the build tag sluicedebug fresh memory is filled with a pattern, and
// freed memory is unmapped, so that a late access faults.
package arena
