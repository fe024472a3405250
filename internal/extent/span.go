package extent

import "unsafe"

const (
	// blockSize is how much data is written, read, compressed and checked at once. Larger
	// ones are no faster with four in flight; smaller ones are slower.
	blockSize = 1 << 20

	// pageSize is what blocks are aligned to in the file, and in memory where they go to
	// the file without a copy: what direct I/O asks for, on any disk in use.
	pageSize = 4 << 10
)

// pages returns n, rounded up to whole pages.
func pages[N int | int64](n N) N { return (n + pageSize - 1) &^ (pageSize - 1) }

// Bound returns the most bytes of file that n bytes of data can take, whatever they
// are: with compression they take less, or as much.
func Bound(n int64) int64 { return pages(n) }

// A span is a piece of the caller's memory: n bytes that begin behind the first skip
// bytes of parts, and may go over several of them.
type span struct {
	parts [][]byte
	skip  int
	n     int
}

// next cuts n bytes off the front of a span.
func (s *span) next(n int) span {
	front := span{s.parts, s.skip, n}
	s.n -= n
	s.skip += n
	for len(s.parts) > 0 && s.skip >= len(s.parts[0]) { // so that the rest begins where it has bytes
		s.skip -= len(s.parts[0])
		s.parts = s.parts[1:]
	}
	return front
}

// whole returns the span's bytes if they lie in one part, else nil.
func (s span) whole() []byte {
	if len(s.parts) == 0 || s.skip+s.n > len(s.parts[0]) {
		return nil
	}
	return s.parts[0][s.skip : s.skip+s.n : s.skip+s.n]
}

// direct returns the span's bytes if the file can be written from and read into them
// as they are, else nil.
func (s span) direct() []byte {
	b := s.whole()
	if b == nil || s.n%pageSize != 0 || uintptr(unsafe.Pointer(unsafe.SliceData(b)))%pageSize != 0 {
		return nil
	}
	return b
}

// gather copies the span's bytes to dst.
func (s span) gather(dst []byte) {
	s.walk(dst[:s.n], func(part, staged []byte) { copy(staged, part) })
}

// scatter copies src to the span's bytes.
func (s span) scatter(src []byte) {
	s.walk(src[:s.n], func(part, staged []byte) { copy(part, staged) })
}

func (s span) walk(staged []byte, do func(part, staged []byte)) {
	skip := s.skip
	for _, part := range s.parts {
		part = part[skip:]
		skip = 0
		n := min(len(part), len(staged))
		do(part[:n], staged[:n])
		if staged = staged[n:]; len(staged) == 0 {
			return
		}
	}
}

// alignedMemory returns n bytes that begin at a multiple of the page size.
func alignedMemory(n int) []byte {
	b := make([]byte, n+pageSize)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (pageSize - 1)
	return b[skip : skip+n : skip+n]
}
