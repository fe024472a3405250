//go:build (linux || darwin || freebsd || netbsd || openbsd || dragonfly) && !race

package arena

import "syscall"

// mapMemory returns n > 0 bytes outside of the Go heap: the collector does not count
// them, and giving them back is up to us.
func mapMemory(n int64) ([]byte, error) {
	return syscall.Mmap(-1, 0, int(n), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
}

func unmapMemory(mem []byte) {
	if err := syscall.Munmap(mem); err != nil {
		panic("arena: unmapping memory that was mapped: " + err.Error())
	}
}
