package table

import (
	"errors"
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// sumType returns the type of a sum of numbers or durations, nil for what is none.
func sumType(typ arrow.DataType) arrow.DataType {
	switch typ.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64:
		return int64s
	case arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64:
		return uint64s
	case arrow.FLOAT32, arrow.FLOAT64:
		return float64s
	case arrow.DECIMAL128:
		return &arrow.Decimal128Type{Precision: maxDigits, Scale: typ.(arrow.DecimalType).GetScale()}
	case arrow.DURATION:
		return typ
	default:
		return nil
	}
}

// sumOf is functionOf for sums and means.
func sumOf(mean bool, typ arrow.DataType, of layout) (function, bool) {
	sum := sumType(typ)
	switch {
	case sum == nil:
		return function{}, false
	case sum.ID() == arrow.FLOAT64:
		return function{sum, withCount(float64s, mean), func() accumulator { return &floatSums{mean: mean} }}, true
	case of == layoutDecimal:
		f := function{sum, []arrow.DataType{int128s, int64s, int64s}, func() accumulator { return &decimalSums{mean: mean, typ: typ} }}
		if mean {
			f.result = float64s
		}
		return f, true
	case sum.ID() == arrow.DURATION && mean:
		return function{sum, withCount(int128s, true), func() accumulator { return &durationMeans{wholeSums{mean: true}} }}, true
	}
	f := function{sum, withCount(int128s, mean), func() accumulator { return &wholeSums{mean: mean} }}
	if mean {
		f.result = float64s
	}
	return f, true
}

// withCount is the states of a sum: who divides by the count needs it, others only whether it is
// zero, which a null says.
func withCount(sum arrow.DataType, mean bool) []arrow.DataType {
	if mean {
		return []arrow.DataType{sum, int64s}
	}
	return []arrow.DataType{sum}
}

// wholeSums adds up integers in 128 bits, which no number of them overflows. So it
// does not depend on the order of rows whether a sum fits.
type wholeSums struct {
	mean bool
	perGroup[wholeSum]
}

type wholeSum struct {
	lo    uint64
	hi    int64
	count int64 // without mean, of states and not of rows
}

func (s *wholeSum) add(v int64) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, uint64(v), 0)
	s.hi += v>>63 + int64(carry)
	s.count++
}

func (s *wholeSum) addWide(n decimal128.Num, count int64) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, n.LowBits(), 0)
	s.hi += n.HighBits() + int64(carry)
	s.count += count
}

func (s *wholeSums) add(rows *input, into []uint32) {
	v := &rows.view
	switch v.layout {
	case layoutInt8:
		addWhole[int8](s.of, v, into)
	case layoutInt16:
		addWhole[int16](s.of, v, into)
	case layoutInt32:
		addWhole[int32](s.of, v, into)
	case layoutInt64:
		addWhole[int64](s.of, v, into)
	case layoutUint8:
		addWhole[uint8](s.of, v, into)
	case layoutUint16:
		addWhole[uint16](s.of, v, into)
	case layoutUint32:
		addWhole[uint32](s.of, v, into)
	case layoutUint64:
		values := fixed[uint64](v.array)
		for i, g := range into {
			if !v.null(i) {
				s.of[g].addWide(decimal128.New(0, values[i]), 1)
			}
		}
	}
}

func addWhole[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32](sums []wholeSum, v *view, into []uint32) {
	values := fixed[T](v.array)[:len(into)]
	if v.valid == nil {
		for i, x := range values {
			sums[into[i]].add(int64(x))
		}
		return
	}
	for i, x := range values {
		if !v.null(i) {
			sums[into[i]].add(int64(x))
		}
	}
}

func (s *wholeSums) merge(states []view, into []uint32) {
	sums, counts := states[0].decimals, countsOf(states[1:])
	for i, g := range into {
		if !states[0].null(i) {
			s.of[g].addWide(sums[i], counts.at(i))
		}
	}
}

// stateCounts are the counts beside sums; 1 each where there are none.
type stateCounts []int64

func countsOf(states []view) stateCounts {
	if len(states) == 0 {
		return nil
	}
	return fixed[int64](states[0].array)
}

func (c stateCounts) at(i int) int64 {
	if c == nil {
		return 1
	}
	return c[i]
}

func (s *wholeSums) states(mem memory.Allocator, from, to int) ([]arrow.Array, error) {
	sums := s.of[from:to]
	made := []arrow.Array{fixedArray(mem, int128s, len(sums),
		func(i int) bool { return sums[i].count == 0 },
		func(i int) decimal128.Num { return decimal128.New(sums[i].hi, sums[i].lo) })}
	if s.mean {
		made = append(made, fixedArray(mem, int64s, len(sums), nil, func(i int) int64 { return sums[i].count }))
	}
	return made, nil
}

func (s *wholeSums) result(mem memory.Allocator, typ arrow.DataType, from, to int) (arrow.Array, error) {
	sums := s.of[from:to]
	isNull := func(i int) bool { return sums[i].count == 0 }
	if s.mean {
		return fixedArray(mem, typ, len(sums), isNull, func(i int) float64 {
			return sums[i].float() / float64(sums[i].count)
		}), nil
	}
	unsigned := typ.ID() == arrow.UINT64
	for _, sum := range sums {
		if unsigned && sum.hi != 0 || !unsigned && sum.hi != int64(sum.lo)>>63 {
			return nil, errors.New("does not fit 64 bits")
		}
	}
	return fixedArray(mem, typ, len(sums), isNull, func(i int) uint64 { return sums[i].lo }), nil
}

// float returns the sum rounded to a float64. The sign is taken off first: the
// two's complement of a small negative number is all but lost in a large positive
// one.
func (s *wholeSum) float() float64 {
	hi, lo := s.abs()
	f := math.Ldexp(float64(hi), 64) + float64(lo)
	if s.hi < 0 {
		return -f
	}
	return f
}

func (s *wholeSum) abs() (hi, lo uint64) {
	if s.hi >= 0 {
		return uint64(s.hi), s.lo
	}
	lo, borrow := bits.Sub64(0, s.lo, 0)
	hi, _ = bits.Sub64(0, uint64(s.hi), borrow)
	return hi, lo
}

// durationMeans adds durations up as integers are, and gives a duration back.
type durationMeans struct{ wholeSums }

func (m *durationMeans) result(mem memory.Allocator, typ arrow.DataType, from, to int) (arrow.Array, error) {
	sums := m.of[from:to]
	return fixedArray(mem, typ, len(sums), func(i int) bool { return sums[i].count == 0 },
		func(i int) int64 { return sums[i].rounded() }), nil
}

// rounded returns the whole number nearest to the mean, of two that one further from
// zero. It lies between the values added up, so it fits.
func (s *wholeSum) rounded() int64 {
	if s.count == 0 {
		return 0
	}
	hi, lo := s.abs()
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

// floatSums adds up floating-point numbers, one after the other.
type floatSums struct {
	mean bool
	perGroup[floatSum]
}

type floatSum struct {
	sum   float64
	count int64 // without mean, of states and not of rows
}

func (s *floatSums) add(rows *input, into []uint32) {
	if rows.layout == layoutFloat32 {
		addFloats[float32](s.of, &rows.view, into)
	} else {
		addFloats[float64](s.of, &rows.view, into)
	}
}

func addFloats[T float32 | float64](sums []floatSum, v *view, into []uint32) {
	values := fixed[T](v.array)[:len(into)]
	if v.valid == nil {
		for i, x := range values {
			sum := &sums[into[i]]
			sum.sum += float64(x)
			sum.count++
		}
		return
	}
	for i, x := range values {
		if !v.null(i) {
			sum := &sums[into[i]]
			sum.sum += float64(x)
			sum.count++
		}
	}
}

func (s *floatSums) merge(states []view, into []uint32) {
	sums, counts := fixed[float64](states[0].array), countsOf(states[1:])
	for i, g := range into {
		if !states[0].null(i) {
			sum := &s.of[g]
			sum.sum += sums[i]
			sum.count += counts.at(i)
		}
	}
}

func (s *floatSums) states(mem memory.Allocator, from, to int) ([]arrow.Array, error) {
	sums := s.of[from:to]
	made := []arrow.Array{fixedArray(mem, float64s, len(sums),
		func(i int) bool { return sums[i].count == 0 }, func(i int) float64 { return sums[i].sum })}
	if s.mean {
		made = append(made, fixedArray(mem, int64s, len(sums), nil, func(i int) int64 { return sums[i].count }))
	}
	return made, nil
}

func (s *floatSums) result(mem memory.Allocator, typ arrow.DataType, from, to int) (arrow.Array, error) {
	sums := s.of[from:to]
	return fixedArray(mem, typ, len(sums), func(i int) bool { return sums[i].count == 0 }, func(i int) float64 {
		if s.mean {
			return sums[i].sum / float64(sums[i].count)
		}
		return sums[i].sum
	}), nil
}
