package table

import (
	"bytes"
	"errors"
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// An accumulator keeps one measure for all groups.
type accumulator interface {
	// add takes a column in, row i into group into[i]. There are groups groups now.
	add(v *view, into []uint32, groups int)
	// array makes a column of typ out of groups from up to to.
	array(mem memory.Allocator, typ arrow.DataType, from, to int) (arrow.Array, error)
	// demand adds what it takes, and will at worst when the rows of v are in, and so
	// many groups more than there are.
	demand(d *demand, v *view, groups, more int)
}

// accumulatorFor returns the type of the result of a function on a column of typ,
// and how to make its accumulator, nil if there is none.
func accumulatorFor(f Func, typ arrow.DataType) (arrow.DataType, func() accumulator) {
	layout, _ := layoutOf(typ)
	if f == Count {
		return arrow.PrimitiveTypes.Int64, func() accumulator { return new(valueCounts) }
	}
	if layout == layoutNull {
		return arrow.Null, func() accumulator { return noValues{} }
	}
	if f == Min || f == Max {
		if layout == layoutText {
			return plain(typ), func() accumulator { return &textExtremes{max: f == Max} }
		}
		if layout == layoutDecimal {
			return typ, func() accumulator { return &decimalExtremes{max: f == Max} }
		}
		return typ, func() accumulator { return &extremes{max: f == Max} }
	}
	sum := sumType(typ)
	switch {
	case sum == nil:
		return nil, nil
	case sum.ID() == arrow.FLOAT64:
		return sum, func() accumulator { return &floatSums{mean: f == Mean} }
	case layout == layoutDecimal && f == Mean:
		return arrow.PrimitiveTypes.Float64, func() accumulator { return &decimalSums{mean: true, typ: typ} }
	case layout == layoutDecimal:
		return sum, func() accumulator { return &decimalSums{typ: typ} }
	case sum.ID() == arrow.DURATION && f == Mean:
		return sum, func() accumulator { return &durationMeans{} }
	case f == Mean:
		return arrow.PrimitiveTypes.Float64, func() accumulator { return &wholeSums{mean: true} }
	default:
		return sum, func() accumulator { return &wholeSums{} }
	}
}

// sumType returns the type of a sum of numbers or durations, nil for what is none.
func sumType(typ arrow.DataType) arrow.DataType {
	switch typ.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64:
		return arrow.PrimitiveTypes.Int64
	case arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64:
		return arrow.PrimitiveTypes.Uint64
	case arrow.FLOAT32, arrow.FLOAT64:
		return arrow.PrimitiveTypes.Float64
	case arrow.DECIMAL128:
		return &arrow.Decimal128Type{Precision: maxDigits, Scale: typ.(arrow.DecimalType).GetScale()}
	case arrow.DURATION:
		return typ
	default:
		return nil
	}
}

// grown returns s with n elements, the new ones zero.
func grown[T any](s []T, n int) []T {
	if n <= len(s) {
		return s
	}
	return append(s, make([]T, n-len(s))...)
}

// demandCells is the demand of a slice that is to have n elements.
func demandCells[T any](d *demand, s []T, n int) {
	d.list(len(s), cap(s), max(0, n-len(s)), sizeOf[T]())
}

// rowCounts counts rows.
type rowCounts struct{ counts []int64 }

func (c *rowCounts) add(_ *view, into []uint32, groups int) {
	c.counts = grown(c.counts, groups)
	for _, g := range into {
		c.counts[g]++
	}
}

func (c *rowCounts) demand(d *demand, _ *view, groups, more int) {
	demandCells(d, c.counts, groups+more)
}

func (c *rowCounts) array(mem memory.Allocator, typ arrow.DataType, from, to int) (arrow.Array, error) {
	buf := newBuffer[int64](mem, to-from)
	copy(arrow.GetData[int64](buf.Bytes()), c.counts[from:to])
	return newArray(typ, to-from, 0, nil, buf), nil
}

// valueCounts counts rows that are not null.
type valueCounts struct{ rowCounts }

func (c *valueCounts) add(v *view, into []uint32, groups int) {
	if v.valid == nil {
		c.rowCounts.add(v, into, groups)
		return
	}
	c.counts = grown(c.counts, groups)
	for i, g := range into {
		if !v.null(i) {
			c.counts[g]++
		}
	}
}

// noValues is any other measure of a column of type null.
type noValues struct{}

func (noValues) add(*view, []uint32, int) {}

func (noValues) demand(*demand, *view, int, int) {}

func (noValues) array(_ memory.Allocator, _ arrow.DataType, from, to int) (arrow.Array, error) {
	return array.NewNull(to - from), nil
}

// wholeSums adds up integers in 128 bits, which no number of them overflows. So it
// does not depend on the order of rows whether a sum fits.
type wholeSums struct {
	mean bool
	sums []wholeSum
}

type wholeSum struct {
	lo    uint64
	hi    int64
	count int64
}

func (s *wholeSum) add(v int64) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, uint64(v), 0)
	s.hi += v>>63 + int64(carry)
	s.count++
}

func (s *wholeSums) add(v *view, into []uint32, groups int) {
	s.sums = grown(s.sums, groups)
	if len(into) == 0 {
		return
	}
	switch v.layout {
	case layoutInt8:
		addWhole[int8](s.sums, v, into)
	case layoutInt16:
		addWhole[int16](s.sums, v, into)
	case layoutInt32:
		addWhole[int32](s.sums, v, into)
	case layoutInt64:
		addWhole[int64](s.sums, v, into)
	case layoutUint8:
		addWhole[uint8](s.sums, v, into)
	case layoutUint16:
		addWhole[uint16](s.sums, v, into)
	case layoutUint32:
		addWhole[uint32](s.sums, v, into)
	case layoutUint64:
		for i, x := range fixed[uint64](v.array) {
			if !v.null(i) {
				sum := &s.sums[into[i]]
				var carry uint64
				sum.lo, carry = bits.Add64(sum.lo, x, 0)
				sum.hi += int64(carry)
				sum.count++
			}
		}
	}
}

func addWhole[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32](sums []wholeSum, v *view, into []uint32) {
	values := fixed[T](v.array)
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

func (s *wholeSums) demand(d *demand, _ *view, groups, more int) { demandCells(d, s.sums, groups+more) }

func (s *wholeSums) array(mem memory.Allocator, typ arrow.DataType, from, to int) (arrow.Array, error) {
	sums := s.sums[from:to]
	isNull := func(i int) bool { return sums[i].count == 0 }
	if s.mean {
		return floatArray(mem, typ, len(sums), isNull, func(i int) float64 {
			return sums[i].float() / float64(sums[i].count)
		}), nil
	}
	unsigned := typ.ID() == arrow.UINT64
	for _, sum := range sums {
		if unsigned && sum.hi != 0 || !unsigned && sum.hi != int64(sum.lo)>>63 {
			return nil, errors.New("does not fit 64 bits")
		}
	}
	buf := newBuffer[uint64](mem, len(sums))
	dst := arrow.GetData[uint64](buf.Bytes())
	for i, sum := range sums {
		dst[i] = sum.lo
	}
	valid, nulls := validBits(mem, len(sums), isNull)
	return newArray(typ, len(sums), nulls, valid, buf), nil
}

// float returns the sum rounded to a float64. The sign is taken off first: the
// two's complement of a small negative number is all but lost in a large positive
// one.
func (s *wholeSum) float() float64 {
	if s.hi >= 0 {
		return math.Ldexp(float64(s.hi), 64) + float64(s.lo)
	}
	lo, borrow := bits.Sub64(0, s.lo, 0)
	hi, _ := bits.Sub64(0, uint64(s.hi), borrow)
	return -(math.Ldexp(float64(hi), 64) + float64(lo))
}

// floatSums adds up floating-point numbers, one after the other.
type floatSums struct {
	mean bool
	sums []floatSum
}

type floatSum struct {
	sum   float64
	count int64
}

func (s *floatSums) add(v *view, into []uint32, groups int) {
	s.sums = grown(s.sums, groups)
	if len(into) == 0 {
		return
	}
	if v.layout == layoutFloat32 {
		addFloats[float32](s.sums, v, into)
	} else {
		addFloats[float64](s.sums, v, into)
	}
}

func addFloats[T float32 | float64](sums []floatSum, v *view, into []uint32) {
	for i, x := range fixed[T](v.array) {
		if !v.null(i) {
			sum := &sums[into[i]]
			sum.sum += float64(x)
			sum.count++
		}
	}
}

func (s *floatSums) demand(d *demand, _ *view, groups, more int) { demandCells(d, s.sums, groups+more) }

func (s *floatSums) array(mem memory.Allocator, typ arrow.DataType, from, to int) (arrow.Array, error) {
	sums := s.sums[from:to]
	return floatArray(mem, typ, len(sums), func(i int) bool { return sums[i].count == 0 }, func(i int) float64 {
		if s.mean {
			return sums[i].sum / float64(sums[i].count)
		}
		return sums[i].sum
	}), nil
}

// extremes keeps the least or greatest rank.
type extremes struct {
	max   bool
	best  []extreme
	ranks []uint64 // scratch
}

type extreme struct {
	rank uint64
	any  bool
}

func (e *extremes) add(v *view, into []uint32, groups int) {
	e.best = grown(e.best, groups)
	if len(into) == 0 {
		return
	}
	e.ranks = ranks(v, e.ranks[:0])
	for i, r := range e.ranks {
		if v.null(i) {
			continue
		}
		if best := &e.best[into[i]]; !best.any || r > best.rank == e.max {
			*best = extreme{r, true}
		}
	}
}

func (e *extremes) demand(d *demand, v *view, groups, more int) {
	demandCells(d, e.best, groups+more)
	d.scratch(cap(e.ranks), v.rows, 8)
}

func (e *extremes) array(mem memory.Allocator, typ arrow.DataType, from, to int) (arrow.Array, error) {
	best := e.best[from:to]
	values := make([]uint64, len(best))
	for i := range best {
		values[i] = best[i].rank
	}
	return rankedArray(mem, typ, values, func(i int) bool { return !best[i].any }), nil
}

// textExtremes keeps the least or greatest string, each in memory of its own that
// is used again when it changes.
type textExtremes struct {
	max   bool
	best  []textExtreme
	bytes int // of all strings together, as memory
}

type textExtreme struct {
	value []byte
	any   bool
}

func (e *textExtremes) add(v *view, into []uint32, groups int) {
	e.best = grown(e.best, groups)
	for i, g := range into {
		if v.null(i) {
			continue
		}
		best, value := &e.best[g], v.text.at(i)
		if order := bytes.Compare(value, best.value); !best.any || order != 0 && order > 0 == e.max {
			e.bytes -= cap(best.value)
			best.value, best.any = append(best.value[:0], value...), true
			e.bytes += cap(best.value)
		}
	}
}

// demand supposes that each row is a new string, or takes the place of one.
func (e *textExtremes) demand(d *demand, v *view, groups, more int) {
	demandCells(d, e.best, groups+more)
	d.now += int64(e.bytes)
	d.worst += int64(e.bytes) + 2*textBytes(v) + 16*int64(v.rows)
}

func (e *textExtremes) array(mem memory.Allocator, typ arrow.DataType, from, to int) (arrow.Array, error) {
	best := e.best[from:to]
	return textArray(mem, typ, len(best), func(i int) bool { return !best[i].any }, func(i int) []byte { return best[i].value })
}

// validBits makes the bitmap of n rows, nil if none is null.
func validBits(mem memory.Allocator, n int, isNull func(int) bool) (valid *memory.Buffer, nulls int) {
	for i := range n {
		if isNull(i) {
			nulls++
		}
	}
	if nulls == 0 {
		return nil, 0
	}
	valid = newBits(mem, n)
	for i := range n {
		if !isNull(i) {
			bitutil.SetBit(valid.Bytes(), i)
		}
	}
	return valid, nulls
}

func rankedArray(mem memory.Allocator, typ arrow.DataType, ranks []uint64, isNull func(int) bool) arrow.Array {
	if typ.ID() == arrow.NULL {
		return array.NewNull(len(ranks))
	}
	valid, nulls := validBits(mem, len(ranks), isNull)
	return newArray(typ, len(ranks), nulls, valid, unrank(mem, typ, ranks))
}

func floatArray(
	mem memory.Allocator, typ arrow.DataType, n int, isNull func(int) bool, value func(int) float64,
) arrow.Array {
	buf := newBuffer[float64](mem, n)
	dst := arrow.GetData[float64](buf.Bytes())
	for i := range dst {
		dst[i] = value(i)
	}
	valid, nulls := validBits(mem, n, isNull)
	return newArray(typ, n, nulls, valid, buf)
}

func textArray(
	mem memory.Allocator, typ arrow.DataType, n int, isNull func(int) bool, value func(int) []byte,
) (arrow.Array, error) {
	size := 0
	for i := range n {
		size += len(value(i))
	}
	if size > math.MaxInt32 {
		return nil, errTooMuchText
	}
	offsets, values := newBuffer[int32](mem, n+1), newBuffer[uint8](mem, size)
	ends, dst := arrow.GetData[int32](offsets.Bytes()), values.Bytes()
	ends[0] = 0
	for i := range n {
		ends[i+1] = ends[i] + int32(copy(dst[ends[i]:], value(i)))
	}
	valid, nulls := validBits(mem, n, isNull)
	return newArray(typ, n, nulls, valid, offsets, values), nil
}
