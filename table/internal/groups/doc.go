// Package groups gives each distinct key the next free number, 0, 1, 2 and so on: a group's number
// is its place in everything that is kept about groups. A [Table] does so for keys of words, a
// [Strings] for strings.
//
// Both are open-addressing hash tables with linear probing, at most half full. A slot has only the
// number and 32 bits of the hash, so that more of them fit the cache; the key itself, of which all
// lie in order of their numbers, is looked at when those bits agree. Nothing is allocated for a row.
//
// Neither grows by itself. They have room for so many, say when it is used up, and are resized by
// their owner, who knows whether there is memory for that: [TableBytes] and [StringsBytes] tell how
// much. They are for one goroutine.
package groups

import (
	"hash/maphash"
	"math/bits"
)

// None is no number. There are never so many.
const None = ^uint32(0)

// slotsFor returns how many slots so many numbers need.
func slotsFor(numbers int) int { return 2 << bits.Len(uint(max(numbers, 1)-1)) }

// shiftFor returns how many bits of a hash are too many to choose one of the slots.
func shiftFor(slots int) uint { return uint(64 - bits.TrailingZeros(uint(slots))) }

// newSeed makes hashes different in each table, so that nobody can prepare keys that collide, and
// keys that come in the order of another table's slots do not cluster.
func newSeed() uint64 { return maphash.String(maphash.MakeSeed(), "") }

// The upper half of a slot is the lower half of its key's hash.
const tagOf = uint64(1<<32-1) << 32

// mixer is odd, and about half of its bits are set.
const mixer = 0x9e3779b185ebca87

// mix hashes a word: all bits of it reach all bits of the product's halves.
func mix(word uint64) uint64 {
	hi, lo := bits.Mul64(word, mixer)
	return hi ^ lo
}
