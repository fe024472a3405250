//go:build race || !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package device

import "unsafe"

// mapMemory returns n > 0 bytes of the Go heap: the race detector sees no other, and
// not every system can map memory.
func mapMemory(n int64) ([]byte, error) {
	lines := make([][alignment]byte, (n+alignment-1)/alignment+1)
	mem := unsafe.Slice(&lines[0][0], len(lines)*alignment)
	skip := -addressOf(mem) & (alignment - 1)
	return mem[skip : int64(skip)+n], nil
}

func unmapMemory([]byte) {} // the collector does
