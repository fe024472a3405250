//go:build race || !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package arena

// mapMemory returns n > 0 bytes of the Go heap: the race detector sees no other, and
// not every system can map memory.
func mapMemory(n int64) ([]byte, error) { return Make(n), nil }

func unmapMemory([]byte) {} // the collector does
