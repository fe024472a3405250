package table

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Sorting, grouping and extremes work on ranks and do not care what the type was.
// The rank of a value of at most 64 bits is an unsigned number, such that ranks
// compare as values do and are equal when the values count as equal: all NaN are
// one above infinity, -0 is 0. Unranking goes back. Of longer values, which are text
// and decimals, it is only the beginning: see exactRanks.

func rankInt(v int64) uint64 { return uint64(v) ^ 1<<63 }

func unrankInt(r uint64) int64 { return int64(r ^ 1<<63) }

// rankFloat flips the sign bit of positive numbers, whose other bits are in order
// already, and all bits of negative ones, which are in reverse order.
func rankFloat(v float64) uint64 {
	if v != v {
		v = math.NaN() // of many bit patterns, the one above infinity
	}
	bits := math.Float64bits(v + 0) // makes -0 a 0
	if bits>>63 != 0 {
		return ^bits
	}
	return bits | 1<<63
}

func unrankFloat(r uint64) float64 {
	if r>>63 != 0 {
		return math.Float64frombits(r &^ (1 << 63))
	}
	return math.Float64frombits(^r)
}

// exactRanks reports whether the ranks of a layout are all there is to its values.
// Otherwise values of different ranks compare as these do, but values of equal ranks
// may differ.
func exactRanks(of layout) bool { return of != layoutText && of != layoutDecimal }

// compareEqualRanks compares two values, not null, whose ranks are equal.
func compareEqualRanks(a *view, rowA int, b *view, rowB int) int {
	switch a.layout {
	case layoutText:
		return bytes.Compare(a.text.at(rowA), b.text.at(rowB))
	case layoutDecimal:
		return a.decimals[rowA].Cmp(b.decimals[rowB])
	default:
		return 0
	}
}

// ranks appends the rank of each row. A row that is null has some rank. For text
// it is the first eight bytes.
func ranks(v *view, into []uint64) []uint64 { return ranksIn(v, 0, v.rows, into) }

// ranksIn is ranks for the rows from one on and before another.
func ranksIn(v *view, from, to int, into []uint64) []uint64 {
	switch v.layout {
	case layoutInt8:
		return appendRanks(into, fixed[int8](v.array)[from:to])
	case layoutInt16:
		return appendRanks(into, fixed[int16](v.array)[from:to])
	case layoutInt32:
		return appendRanks(into, fixed[int32](v.array)[from:to])
	case layoutInt64:
		return appendRanks(into, fixed[int64](v.array)[from:to])
	case layoutUint8:
		return appendRanks(into, fixed[uint8](v.array)[from:to])
	case layoutUint16:
		return appendRanks(into, fixed[uint16](v.array)[from:to])
	case layoutUint32:
		return appendRanks(into, fixed[uint32](v.array)[from:to])
	case layoutUint64:
		return append(into, fixed[uint64](v.array)[from:to]...)
	case layoutFloat32:
		for _, x := range fixed[float32](v.array)[from:to] {
			into = append(into, rankFloat(float64(x)))
		}
	case layoutFloat64:
		for _, x := range fixed[float64](v.array)[from:to] {
			into = append(into, rankFloat(x))
		}
	case layoutDecimal:
		for _, x := range v.decimals[from:to] {
			into = append(into, rankDecimal(x))
		}
	case layoutBool:
		for i := from; i < to; i++ {
			r := uint64(0)
			if v.bitAt(i) {
				r = 1
			}
			into = append(into, r)
		}
	case layoutText:
		return textRanks(v, from, to, rankText, into)
	case layoutNull:
		into = append(into, make([]uint64, to-from)...)
	}
	return into
}

// appendRanks treats unsigned numbers of up to 32 bits as signed ones of 64.
func appendRanks[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32](into []uint64, values []T) []uint64 {
	for _, x := range values {
		into = append(into, rankInt(int64(x)))
	}
	return into
}

// textRanks appends what rank says of the text of each row, and 0 for nulls. It asks only once for each entry of a
// dictionary that has fewer of them than there are rows.
func textRanks(v *view, from, to int, rank func([]byte) uint64, into []uint64) []uint64 {
	t := &v.text
	ofEntry := make([]uint64, 0)
	if entries := len(t.offsets) - 1; t.codes != nil && entries < to-from {
		ofEntry = make([]uint64, entries)
		for i := range ofEntry {
			ofEntry[i] = rank(t.values[t.offsets[i]:t.offsets[i+1]])
		}
	}
	for i := from; i < to; i++ {
		r := uint64(0)
		switch {
		case v.null(i):
		case len(ofEntry) > 0:
			r = ofEntry[t.codes[i]]
		default:
			r = rank(t.at(i))
		}
		into = append(into, r)
	}
	return into
}

func rankText(s []byte) uint64 {
	if len(s) >= 8 {
		return binary.BigEndian.Uint64(s)
	}
	var head [8]byte
	copy(head[:], s)
	return binary.BigEndian.Uint64(head[:])
}

// rankDecimal is like a floating-point number: beside the sign, how far the number
// was shifted to have 56 bits, and those bits. Up to 56 bits it is exact, which most
// amounts of money are. A negative number has the rank of its complement, complemented.
func rankDecimal(n decimal128.Num) uint64 {
	sign := uint64(n.HighBits() >> 63) // all bits or none
	hi, lo := uint64(n.HighBits())^sign, n.LowBits()^sign
	const kept = 56
	rank, shift := lo, 0
	switch {
	case hi>>kept != 0: // shifted by 64 or more
		shift = bits.Len64(hi) + 64 - kept
		rank = hi >> (shift - 64)
	case hi != 0:
		shift = bits.Len64(hi) + 64 - kept
		rank = hi<<(64-shift) | lo>>shift
	case lo>>kept != 0:
		shift = bits.Len64(lo) - kept
		rank = lo >> shift
	}
	return (1<<63 | uint64(shift)<<kept + rank) ^ sign
}

// unrank makes a buffer of the values of typ that have the given ranks. Where these are not
// exact there is no way back.
func unrank(mem memory.Allocator, typ arrow.DataType, from []uint64) *memory.Buffer {
	switch layout, _ := layoutOf(typ); layout {
	case layoutInt8, layoutUint8:
		return unrankInts[uint8](mem, from)
	case layoutInt16, layoutUint16:
		return unrankInts[uint16](mem, from)
	case layoutInt32, layoutUint32:
		return unrankInts[uint32](mem, from)
	case layoutInt64:
		return unrankInts[int64](mem, from)
	case layoutFloat32:
		buf := newBuffer[float32](mem, len(from))
		dst := arrow.GetData[float32](buf.Bytes())
		for i, r := range from {
			dst[i] = float32(unrankFloat(r))
		}
		return buf
	case layoutFloat64:
		buf := newBuffer[float64](mem, len(from))
		dst := arrow.GetData[float64](buf.Bytes())
		for i, r := range from {
			dst[i] = unrankFloat(r)
		}
		return buf
	case layoutBool:
		buf := newBits(mem, len(from))
		for i, r := range from {
			buf.Bytes()[i/8] |= byte(r) << (i % 8)
		}
		return buf
	default: // layoutUint64
		buf := newBuffer[uint64](mem, len(from))
		copy(arrow.GetData[uint64](buf.Bytes()), from)
		return buf
	}
}

func unrankInts[T uint8 | uint16 | uint32 | int64](mem memory.Allocator, from []uint64) *memory.Buffer {
	buf := newBuffer[T](mem, len(from))
	dst := arrow.GetData[T](buf.Bytes())
	for i, r := range from {
		dst[i] = T(unrankInt(r))
	}
	return buf
}
