package table

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// spreads keeps how far numbers are from their mean: Welford's algorithm for rows, and for
// states that of Chan, Golub and LeVeque (Updating Formulae and a Pairwise Algorithm for
// Computing Sample Variances, 1979). Neither subtracts large sums from each other.
type spreads struct {
	what  Func
	scale int32 // of a column of decimals
	perGroup[moments]
	numbers []float64 // scratch
}

type moments struct {
	count    int64
	mean, m2 float64 // m2 is the sum of the squared distances from the mean
}

var spreadStates = []arrow.DataType{int64s, float64s, float64s}

func newSpread(what Func, typ arrow.DataType) *spreads {
	s := &spreads{what: what}
	if decimal, ok := typ.(arrow.DecimalType); ok {
		s.scale = decimal.GetScale()
	}
	return s
}

func (s *moments) add(x float64) {
	s.count++
	before := x - s.mean
	s.mean += before / float64(s.count)
	s.m2 += before * (x - s.mean)
}

func (s *moments) merge(other moments) {
	if other.count == 0 {
		return
	}
	if s.count == 0 {
		*s = other
		return
	}
	apart := other.mean - s.mean
	count := s.count + other.count
	share := float64(other.count) / float64(count)
	s.mean += apart * share
	s.m2 += other.m2 + apart*apart*float64(s.count)*share
	s.count = count
}

func (s *spreads) add(rows *input, into []uint32) {
	s.numbers = floats(&rows.view, len(into), s.scale, s.numbers[:0])
	for i, g := range into {
		if !rows.null(i) {
			s.of[g].add(s.numbers[i])
		}
	}
}

func (s *spreads) merge(states []view, into []uint32) {
	counts, means, m2s := fixed[int64](states[0].array), fixed[float64](states[1].array), fixed[float64](states[2].array)
	for i, g := range into {
		s.of[g].merge(moments{counts[i], means[i], m2s[i]})
	}
}

func (s *spreads) states(mem memory.Allocator, from, to int) ([]arrow.Array, error) {
	of := s.of[from:to]
	return []arrow.Array{
		fixedArray(mem, int64s, len(of), nil, func(i int) int64 { return of[i].count }),
		fixedArray(mem, float64s, len(of), nil, func(i int) float64 { return of[i].mean }),
		fixedArray(mem, float64s, len(of), nil, func(i int) float64 { return of[i].m2 }),
	}, nil
}

func (s *spreads) result(mem memory.Allocator, typ arrow.DataType, from, to int) (arrow.Array, error) {
	of := s.of[from:to]
	less := int64(1) // degrees of freedom that the mean has taken
	if s.what == VariancePop || s.what == StdDevPop {
		less = 0
	}
	return fixedArray(mem, typ, len(of), func(i int) bool { return of[i].count <= less }, func(i int) float64 {
		if of[i].count <= less {
			return 0
		}
		variance := of[i].m2 / float64(of[i].count-less)
		if s.what == StdDev || s.what == StdDevPop {
			return math.Sqrt(variance)
		}
		return variance
	}), nil
}

// floats appends the first n numbers of a column as floating-point numbers.
func floats(v *view, n int, scale int32, into []float64) []float64 {
	switch v.layout {
	case layoutInt8:
		return appendFloats(into, fixed[int8](v.array)[:n])
	case layoutInt16:
		return appendFloats(into, fixed[int16](v.array)[:n])
	case layoutInt32:
		return appendFloats(into, fixed[int32](v.array)[:n])
	case layoutInt64:
		return appendFloats(into, fixed[int64](v.array)[:n])
	case layoutUint8:
		return appendFloats(into, fixed[uint8](v.array)[:n])
	case layoutUint16:
		return appendFloats(into, fixed[uint16](v.array)[:n])
	case layoutUint32:
		return appendFloats(into, fixed[uint32](v.array)[:n])
	case layoutUint64:
		return appendFloats(into, fixed[uint64](v.array)[:n])
	case layoutFloat32:
		return appendFloats(into, fixed[float32](v.array)[:n])
	case layoutFloat64:
		return append(into, fixed[float64](v.array)[:n]...)
	default: // layoutDecimal
		for _, x := range v.decimals[:n] {
			into = append(into, x.ToFloat64(scale))
		}
		return into
	}
}

func appendFloats[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32](into []float64, values []T) []float64 {
	for _, x := range values {
		into = append(into, float64(x))
	}
	return into
}
