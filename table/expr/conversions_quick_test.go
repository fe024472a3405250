package expr

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// What a quick conversion makes of rows is what the conversion of each makes of it, and it makes nothing of
// what that does not.
func TestQuickConversionsAreThoseOfEachRow(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	types := []arrow.DataType{
		arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
		arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Float64, arrow.BinaryTypes.String,
		&arrow.Decimal128Type{Precision: 5, Scale: 2}, &arrow.Decimal128Type{Precision: 18, Scale: 0},
		&arrow.Decimal128Type{Precision: 18, Scale: 18}, &arrow.Decimal128Type{Precision: 19, Scale: 1},
		&arrow.Decimal128Type{Precision: 38, Scale: 4}, &arrow.Decimal128Type{Precision: 38, Scale: 0},
	}
	for _, from := range types {
		for _, to := range types {
			quick, row := quickConversion(from, to), conversionOf(from, to)
			if quick == nil || arrow.TypeEqual(from, to) || bulkConversion(from, to) != nil {
				continue
			}
			done := 0
			for range 400 {
				x := anyValue(r, from)
				var out, want register
				out.reset(formOf(to), 1)
				want.reset(formOf(to), 1)
				fits := row(nil, &want, x, 0, nil)
				if !quick(&out, x, 1) {
					continue
				}
				done++
				got, should := cellOf(&out.vector, to), cellOf(&want.vector, to)
				if !fits || got != should {
					t.Fatalf("%v to %v: %s gives %s, want %s, %v", from, to, cellOf(x, from), got, should, fits)
				}
			}
			if done < 3 {
				t.Errorf("%v to %v: %d of 400 are quick", from, to, done)
			}
		}
	}
}

func cellOf(v *vector, typ arrow.DataType) string {
	if classOf(typ) == classFloat {
		return fmt.Sprintf("%x", math.Float64bits(v.floats[0]))
	}
	return string(appendValue(nil, typ, nil, v, 0))
}

// anyValue returns a row, small or large, at the edge of types and of halves or anywhere.
func anyValue(r *rand.Rand, typ arrow.DataType) *vector {
	n := int64(r.Uint64() >> r.IntN(64))
	switch r.IntN(4) {
	case 0:
		edges := []int64{0, 1, 5, 49, 50, 51, 99, 100, 127, 128, 255, 256, 32767, 32768, 99999, 100000, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 53, 1e18 - 1, 1e18, 1 << 62}
		n = edges[r.IntN(len(edges))]
	case 1:
		n /= 100
		n = n*100 + 50
	}
	if r.IntN(2) == 0 {
		n = -n
	}
	switch formOf(typ) {
	case formInt:
		least, most := bounds(typ)
		return &vector{ints: []int64{min(max(n, least), most)}}
	case formFloat:
		f := []float64{float64(n), float64(n) / 2, float64(n) / 100, float64(n) / 1024, math.Ldexp(r.Float64(), r.IntN(200)-120), math.Nextafter(0.5, 0), -0.5, math.NaN(), math.Inf(1)}
		return &vector{floats: []float64{f[r.IntN(len(f))]}}
	case formDecimal:
		d := decimal128.FromI64(n)
		if r.IntN(8) == 0 {
			d = decimal128.FromBigInt(new(big.Int).Mul(big.NewInt(n), big.NewInt(1e17)))
		}
		return &vector{decimals: []decimal128.Num{d}}
	default:
		s := []string{fmt.Sprint(n), fmt.Sprint(n), fmt.Sprint(n), fmt.Sprintf("%d.5", n), fmt.Sprintf(" %d", n), fmt.Sprintf("+%d", n), fmt.Sprintf("0%d", n), "-0", "-", "", "1_0", "0x1"}
		return &vector{texts: []string{s[r.IntN(len(s))]}}
	}
}

func TestFloatsAreRoundedHalfAwayFromZero(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200000 {
		f := math.Float64frombits(r.Uint64())
		switch r.IntN(3) {
		case 0:
			f = float64(r.Int64N(1<<54)-1<<53) / 2
		case 1:
			f = math.Nextafter(float64(r.IntN(100))+0.5, float64(r.IntN(200)))
		}
		for _, f := range []float64{f, -f} {
			if got, want := roundFloat(f), math.Round(f); math.Float64bits(got) != math.Float64bits(want) && want == want {
				t.Fatalf("%g: got %g, want %g", f, got, want)
			}
		}
	}
}
