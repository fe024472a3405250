package table

import (
	"hash/maphash"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/zeebo/xxh3"

	"github.com/seed14ed4225/sluice/shuffle"
)

// keySeed is the same for all partitioners of the process, so that two inputs of a join agree,
// and another one in each, so that nobody can prepare keys that all go one way.
var keySeed = maphash.String(maphash.MakeSeed(), "")

// Constants of xxh3's family of hashes: odd, and about half of their bits are set.
const (
	mixKeys   = 0x9e3779b185ebca87
	mixLevels = 0xc2b2ae3d27d4eb4f
	nullKey   = 0x165667b19e3779f9
)

// A keyHash hashes the keys of rows, column by column, a block of rows at a time that
// stays in the processor's cache.
type keyHash struct {
	hashes, keys [1024]uint64
	entries      []dictionaryHashes // by key column
}

// dictionaryHashes are of the entries of the dictionary that was seen last in a column.
type dictionaryHashes struct {
	of     arrow.ArrayData
	hashes []uint64
}

func newKeyHash(columns int) *keyHash { return &keyHash{entries: make([]dictionaryHashes, columns)} }

// partitions sets the partition of each row.
func (h *keyHash) partitions(columns []view, parts shuffle.Parts, into []uint16) {
	level := keySeed + uint64(parts.Level)*mixLevels
	for from := 0; from < len(into); from += len(h.hashes) {
		to := min(from+len(h.hashes), len(into))
		hashes, keys := h.hashes[:to-from], h.keys[:to-from]
		for i := range hashes {
			hashes[i] = keySeed
		}
		for c := range columns {
			h.column(c, &columns[c], from, to, keys)
			for i, key := range keys {
				hashes[i] = mix(hashes[i]^mixKeys, key^keySeed)
			}
		}
		for i, hash := range hashes {
			part, _ := bits.Mul64(mix(hash^level, mixLevels), uint64(parts.N))
			into[from+i] = uint16(part)
		}
	}
}

// mix hashes two numbers: all bits of both reach all bits of the product's halves.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// column sets a number for each row from from up to to, which is equal for equal values.
func (h *keyHash) column(c int, v *view, from, to int, into []uint64) {
	switch v.layout {
	case layoutBool:
		for i := range into {
			into[i] = 0
			if v.bitAt(from + i) {
				into[i] = 1
			}
		}
	case layoutInt8:
		widen(fixed[int8](v.array)[from:to], into)
	case layoutInt16:
		widen(fixed[int16](v.array)[from:to], into)
	case layoutInt32:
		widen(fixed[int32](v.array)[from:to], into)
	case layoutInt64:
		widen(fixed[int64](v.array)[from:to], into)
	case layoutUint8:
		widen(fixed[uint8](v.array)[from:to], into)
	case layoutUint16:
		widen(fixed[uint16](v.array)[from:to], into)
	case layoutUint32:
		widen(fixed[uint32](v.array)[from:to], into)
	case layoutUint64:
		copy(into, fixed[uint64](v.array)[from:to])
	case layoutFloat32:
		for i, x := range fixed[float32](v.array)[from:to] {
			into[i] = rankFloat(float64(x))
		}
	case layoutFloat64:
		for i, x := range fixed[float64](v.array)[from:to] {
			into[i] = rankFloat(x)
		}
	case layoutDecimal:
		for i, x := range v.decimals[from:to] {
			into[i] = mix(x.LowBits()^mixKeys, uint64(x.HighBits())^mixLevels)
		}
	case layoutText:
		h.text(c, v, from, into)
	case layoutNull:
		clear(into)
	default:
		panic("table: a type that cannot be partitioned by: " + v.array.DataType().String())
	}
	if v.valid != nil {
		for i := range into {
			if v.null(from + i) {
				into[i] = nullKey
			}
		}
	}
}

// widen makes equal numbers of all widths equal.
func widen[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32](from []T, into []uint64) {
	for i, x := range from {
		into[i] = uint64(int64(x))
	}
}

// text hashes text, and each entry of a dictionary once, unless it has more than the
// column has rows.
func (h *keyHash) text(c int, v *view, from int, into []uint64) {
	if v.text.codes == nil || v.text.dict.Len() > v.rows {
		for i := range into {
			into[i] = 0
			if !v.null(from + i) {
				into[i] = xxh3.HashSeed(v.text.at(from+i), keySeed)
			}
		}
		return
	}
	entries := &h.entries[c]
	if entries.of != v.text.dict {
		entries.of = v.text.dict
		entries.hashes = entries.hashes[:0]
		for i := range v.text.dict.Len() {
			entry := v.text.values[v.text.offsets[i]:v.text.offsets[i+1]]
			entries.hashes = append(entries.hashes, xxh3.HashSeed(entry, keySeed))
		}
	}
	for i, code := range v.text.codes[from : from+len(into)] {
		into[i] = 0
		if !v.null(from + i) {
			into[i] = entries.hashes[code]
		}
	}
}
