package table

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// An accumulator keeps one measure for all groups. It takes rows in, and also what others of its
// kind have written about other rows of the same groups: their states, which are columns
// like any. So groups can be taken apart and put together again in any order.
type accumulator interface {
	// resize makes room for so many groups; those that there are stay.
	resize(groups int)
	// clear forgets the first groups, which are all that there are.
	clear(groups int)
	// cell is the bytes that a group takes, without text.
	cell() int64
	// add takes the first len(into) rows of a column in, row i into group into[i].
	add(rows *input, into []uint32)
	// merge does so with states.
	merge(states []view, into []uint32)
	// states makes columns of groups from up to to, in memory of which there is enough.
	states(mem memory.Allocator, from, to int) ([]arrow.Array, error)
	// result makes a column of typ of them.
	result(mem memory.Allocator, typ arrow.DataType, from, to int) (arrow.Array, error)
}

// input is a column, and where its rows are in the stream.
type input struct {
	view
	seq uint64 // of the message
	row int64  // of row 0 in that
}

// A function is what a Func comes to on a column of some type.
type function struct {
	result arrow.DataType
	states []arrow.DataType
	make   func() accumulator
}

// functionOf returns what f is on a column of typ; false if there is no such thing.
func functionOf(f Func, typ arrow.DataType) (function, bool) {
	of, _ := layoutOf(typ)
	switch {
	case f == Count:
		return function{int64s, []arrow.DataType{int64s}, func() accumulator { return new(valueCounts) }}, true
	case f == CountDistinct: // of values that are not null, each of which is seen once
		return function{int64s, []arrow.DataType{int64s}, func() accumulator { return new(valueCounts) }}, true
	case of == layoutNull:
		return function{arrow.Null, nil, func() accumulator { return noValues{} }}, true
	}
	switch f {
	case Sum, Mean:
		return sumOf(f == Mean, typ, of)
	case Variance, StdDev, VariancePop, StdDevPop:
		if sum := sumType(typ); sum == nil || sum.ID() == arrow.DURATION {
			return function{}, false
		}
		return function{float64s, spreadStates, func() accumulator { return newSpread(f, typ) }}, true
	case Min, Max, First, Any, firstRow:
		return pickOf(f, typ, of), true
	}
	return function{}, false
}

// Types of states and results.
var (
	int64s   = arrow.PrimitiveTypes.Int64
	uint64s  = arrow.PrimitiveTypes.Uint64
	float64s = arrow.PrimitiveTypes.Float64
	int128s  = &arrow.Decimal128Type{Precision: maxDigits} // as bits: all 128 of them are used
)

// perGroup is what is kept about groups, one for each.
type perGroup[T any] struct{ of []T }

func (c *perGroup[T]) resize(groups int) {
	made := make([]T, groups)
	copy(made, c.of)
	c.of = made
}

func (c *perGroup[T]) clear(groups int) { clear(c.of[:groups]) }

func (c *perGroup[T]) cell() int64 { return sizeOf[T]() }

// rowCounts counts rows.
type rowCounts struct{ perGroup[int64] }

func (c *rowCounts) add(_ *input, into []uint32) {
	for _, g := range into {
		c.of[g]++
	}
}

func (c *rowCounts) merge(states []view, into []uint32) {
	counts := fixed[int64](states[0].array)
	for i, g := range into {
		c.of[g] += counts[i]
	}
}

func (c *rowCounts) states(mem memory.Allocator, from, to int) ([]arrow.Array, error) {
	column, err := c.result(mem, int64s, from, to)
	return []arrow.Array{column}, err
}

func (c *rowCounts) result(mem memory.Allocator, typ arrow.DataType, from, to int) (arrow.Array, error) {
	buf := newBuffer[int64](mem, to-from)
	copy(arrow.GetData[int64](buf.Bytes()), c.of[from:to])
	return newArray(typ, to-from, 0, nil, buf), nil
}

// valueCounts counts rows that are not null.
type valueCounts struct{ rowCounts }

func (c *valueCounts) add(rows *input, into []uint32) {
	if rows.valid == nil {
		c.rowCounts.add(rows, into)
		return
	}
	for i, g := range into {
		if !rows.null(i) {
			c.of[g]++
		}
	}
}

// noValues is any other measure of a column of type null.
type noValues struct{}

func (noValues) resize(int)             {}
func (noValues) clear(int)              {}
func (noValues) cell() int64            { return 0 }
func (noValues) add(*input, []uint32)   {}
func (noValues) merge([]view, []uint32) {}

func (noValues) states(memory.Allocator, int, int) ([]arrow.Array, error) { return nil, nil }

func (noValues) result(_ memory.Allocator, _ arrow.DataType, from, to int) (arrow.Array, error) {
	return array.NewNull(to - from), nil
}

// validBits makes the bitmap of n rows, nil if none is null.
func validBits(mem memory.Allocator, n int, isNull func(int) bool) (valid *memory.Buffer, nulls int) {
	if isNull == nil {
		return nil, 0
	}
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

// fixedArray makes a column whose layout is T's. Without isNull no row is null.
func fixedArray[T arrow.FixedWidthType](
	mem memory.Allocator, typ arrow.DataType, n int, isNull func(int) bool, value func(int) T,
) arrow.Array {
	buf := newBuffer[T](mem, n)
	dst := arrow.GetData[T](buf.Bytes())
	for i := range dst {
		dst[i] = value(i)
	}
	valid, nulls := validBits(mem, n, isNull)
	return newArray(typ, n, nulls, valid, buf)
}

// textArray makes a column of strings that have so many bytes together.
func textArray(
	mem memory.Allocator, typ arrow.DataType, n int, isNull func(int) bool, value func(int) []byte,
) (arrow.Array, error) {
	size := 0
	for i := range n {
		size += len(value(i))
	}
	if size > maxText {
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

// releaseArrays is for what was made when the next could not be.
func releaseArrays(made []arrow.Array) {
	for _, a := range slices.Backward(made) {
		a.Release()
	}
}

// maxText is how much text a column can have, which 32-bit offsets address.
const maxText = 1<<31 - 1
