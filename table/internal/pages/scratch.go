package pages

import (
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/bitpack"
)

// scratch is memory needed only while a piece is decoded, reused from page to page.
// It has room beyond its end for the bit unpackers, which load whole words.
type scratch[T any] struct {
	mem memory.Allocator
	buf []byte
}

// of returns room for n values, uninitialised; what it returned before is gone.
func (s *scratch[T]) of(n int) []T {
	if need := scratchBytes[T](n); need > len(s.buf) {
		s.release() // first: old and new are never there together
		s.buf = s.mem.Allocate(need)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(s.buf))), cap(s.buf)/width[T]())[:n]
}

func (s *scratch[T]) release() {
	if s.buf != nil {
		s.mem.Free(s.buf)
		s.buf = nil
	}
}

// scratchBytes is how many bytes scratch of n values takes.
func scratchBytes[T any](n int) int { return n*width[T]() + bitpack.PaddingInt64 }

func width[T any]() int {
	var value T
	return int(unsafe.Sizeof(value))
}
