//go:build !linux

package device

// machineMemory returns how many bytes of memory to take for granted where the machine
// is not asked.
func machineMemory() int64 { return 4 << 30 }
