package table

import (
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// durationMeans adds durations up as integers are, and gives a duration back.
type durationMeans struct{ wholeSums }

func (m *durationMeans) array(mem memory.Allocator, typ arrow.DataType, from, to int) (arrow.Array, error) {
	sums := m.sums[from:to]
	buf := newBuffer[int64](mem, len(sums))
	dst := arrow.GetData[int64](buf.Bytes())
	for i := range sums {
		dst[i] = sums[i].rounded()
	}
	valid, nulls := validBits(mem, len(sums), func(i int) bool { return sums[i].count == 0 })
	return newArray(typ, len(sums), nulls, valid, buf), nil
}

// rounded returns the whole number nearest to the mean, of two that one further from
// zero. It lies between the values added up, so it fits.
func (s *wholeSum) rounded() int64 {
	if s.count == 0 {
		return 0
	}
	hi, lo := uint64(s.hi), s.lo
	if s.hi < 0 {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	count := uint64(s.count)
	mean, rest := bits.Div64(hi, lo, count)
	if rest >= count-rest {
		mean++
	}
	if s.hi < 0 {
		return -int64(mean)
	}
	return int64(mean)
}
