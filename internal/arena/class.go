package arena

import "math/bits"

// Alignment of the address of every piece, in bytes: a cache line, which is also what
// Arrow recommends.
const Alignment = 64

const (
	smallest = 8  // the smallest class is of 1<<smallest bytes
	largest  = 47 // and the largest of 1<<largest
	classes  = (largest-smallest)*4 + 1

	slabBytes = 1 << 20
)

// sizeClass returns the smallest class that holds n bytes, at most 1<<largest, and the
// size of its pieces, a multiple of the alignment. There are four classes to each power
// of two, so a piece is at most a quarter larger than what it was asked for.
func sizeClass(n int64) (class int, size int64) {
	if n <= 1<<smallest {
		return 0, 1 << smallest
	}
	power := bits.Len64(uint64(n-1)) - 1
	quarter := int64(1) << (power - 2)
	step := (n - 1 - 1<<power) / quarter
	return (power-smallest)*4 + int(step) + 1, 1<<power + (step+1)*quarter
}

func piecesPerSlab(size int64) int {
	if debugging { // so that each can be unmapped when it is freed
		return 1
	}
	return int(max(1, slabBytes/size))
}

// slabSize returns how large a slab of so many pieces is: the same for all classes of small
// pieces, so that each can have the memory of another.
func slabSize(size int64, pieces int) int64 {
	if debugging || size > slabBytes {
		return size * int64(pieces)
	}
	return slabBytes
}
