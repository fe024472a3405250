package table

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// decimalSums adds up decimals in 192 bits, which no number of them overflows, so that
// as with integers the order of rows does not matter.
type decimalSums struct {
	mean bool
	typ  arrow.DataType // of the column
	perGroup[decimalSum]
}

type decimalSum struct {
	lo, mid uint64
	hi      int64
	count   int64
}

func (s *decimalSum) add(n decimal128.Num) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, n.LowBits(), 0)
	s.mid, carry = bits.Add64(s.mid, uint64(n.HighBits()), carry)
	s.hi += n.HighBits()>>63 + int64(carry)
	s.count++
}

func (s *decimalSums) add(rows *input, into []uint32) {
	v := &rows.view
	for i, g := range into {
		if !v.null(i) {
			s.of[g].add(v.decimals[i])
		}
	}
}

func (s *decimalSums) merge(states []view, into []uint32) {
	low, high, counts := states[0].decimals, fixed[int64](states[1].array), fixed[int64](states[2].array)
	for i, g := range into {
		sum, carry := &s.of[g], uint64(0)
		sum.lo, carry = bits.Add64(sum.lo, low[i].LowBits(), 0)
		sum.mid, carry = bits.Add64(sum.mid, uint64(low[i].HighBits()), carry)
		sum.hi += high[i] + int64(carry)
		sum.count += counts[i]
	}
}

func (s *decimalSums) states(mem memory.Allocator, from, to int) ([]arrow.Array, error) {
	sums := s.of[from:to]
	return []arrow.Array{
		fixedArray(mem, int128s, len(sums), nil, func(i int) decimal128.Num { return sums[i].low() }),
		fixedArray(mem, int64s, len(sums), nil, func(i int) int64 { return sums[i].hi }),
		fixedArray(mem, int64s, len(sums), nil, func(i int) int64 { return sums[i].count }),
	}, nil
}

func (s *decimalSums) result(mem memory.Allocator, typ arrow.DataType, from, to int) (arrow.Array, error) {
	sums := s.of[from:to]
	isNull := func(i int) bool { return sums[i].count == 0 }
	if s.mean {
		scale := s.typ.(arrow.DecimalType).GetScale()
		return fixedArray(mem, typ, len(sums), isNull, func(i int) float64 { return sums[i].meanOf(scale) }), nil
	}
	for i := range sums {
		if !sums[i].fits() {
			return nil, fmt.Errorf("does not fit %s", typeName(typ))
		}
	}
	return fixedArray(mem, typ, len(sums), isNull, func(i int) decimal128.Num { return sums[i].low() }), nil
}

// low is the sum without the bits that are only there if it does not fit.
func (s *decimalSum) low() decimal128.Num { return decimal128.New(int64(s.mid), s.lo) }

// fits reports whether the sum has no more digits than a decimal can have.
func (s *decimalSum) fits() bool {
	if s.hi != int64(s.mid)>>63 {
		return false
	}
	most := decimal128.GetMaxValue(maxDigits)
	return !s.low().Greater(most) && !s.low().Less(most.Negate())
}

// meanOf returns the float64 nearest to the exact mean of decimals of a scale.
func (s *decimalSum) meanOf(scale int32) float64 {
	if s.count == 0 {
		return 0 // of a null, of which nobody reads it
	}
	const exact = 1 << 53 // all integers up to it are floats, and one division is rounded once
	whole := int64(s.lo)
	small := s.hi == whole>>63 && int64(s.mid) == whole>>63 && -exact <= whole && whole <= exact
	if unit := float64(s.count) * math.Pow10(int(scale)); small && scale >= 0 && unit <= exact {
		return float64(whole) / unit
	}
	mean, _ := s.ratio(scale).Float64()
	return mean
}

// ratio returns the exact mean.
func (s *decimalSum) ratio(scale int32) *big.Rat {
	sum := big.NewInt(s.hi)
	for _, word := range []uint64{s.mid, s.lo} {
		sum.Add(sum.Lsh(sum, 64), new(big.Int).SetUint64(word))
	}
	count := big.NewInt(s.count)
	if scale < 0 {
		sum.Mul(sum, powerOfTen(-scale))
	} else {
		count.Mul(count, powerOfTen(scale))
	}
	return new(big.Rat).SetFrac(sum, count)
}
