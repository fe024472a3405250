package expr

import (
	"encoding/binary"
	"math/bits"
)

// Truth and validity are bitmaps of a strip's rows, in words. What a bitmap has beyond the last row
// is arbitrary.

// loadBits copies n bits of an Arrow bitmap, from the bit at offset on.
func loadBits(into []uint64, bitmap []byte, offset, n int) {
	bitmap = bitmap[offset/8:]
	shift := uint(offset % 8)
	for w := range (n + 63) / 64 {
		rest := bitmap[8*w:]
		if len(rest) > 8 {
			into[w] = binary.LittleEndian.Uint64(rest)>>shift | uint64(rest[8])<<(64-shift)
			if shift == 0 {
				into[w] = binary.LittleEndian.Uint64(rest)
			}
			continue
		}
		var last [8]byte
		copy(last[:], rest)
		into[w] = binary.LittleEndian.Uint64(last[:]) >> shift
	}
}

// storeBits writes the n bits of a strip that begins at a whole byte of an Arrow bitmap.
func storeBits(bitmap []byte, from int, words []uint64, n int) {
	bitmap = bitmap[from/8 : from/8+(n+7)/8]
	for w := 0; len(bitmap) > 0; w++ {
		word := words[w]
		if left := n - 64*w; left < 64 {
			word &= 1<<left - 1
		}
		if len(bitmap) >= 8 {
			binary.LittleEndian.PutUint64(bitmap, word)
			bitmap = bitmap[8:]
			continue
		}
		var last [8]byte
		binary.LittleEndian.PutUint64(last[:], word)
		bitmap = bitmap[copy(bitmap, last[:]):]
	}
}

func bitAt(words []uint64, row int) bool { return words[row>>6]>>(uint(row)&63)&1 != 0 }

func setBit(words []uint64, row int) { words[row>>6] |= 1 << (uint(row) & 63) }

// holds says whether a bitmap that may be nil, for all bits set, has the bit of a row.
func holds(words []uint64, row int) bool { return words == nil || bitAt(words, row) }

// count returns how many of the first n bits are set.
func count(words []uint64, n int) (set int) {
	for w := range (n + 63) / 64 {
		word := words[w]
		if left := n - 64*w; left < 64 {
			word &= 1<<left - 1
		}
		set += bits.OnesCount64(word)
	}
	return set
}

// narrow sets into to active without the rows that keep has not; active may be nil, for all.
func narrow(into, active, keep []uint64) {
	for w := range into {
		into[w] = keep[w]
		if active != nil {
			into[w] &= active[w]
		}
	}
}
