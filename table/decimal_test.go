package table

import (
	"fmt"

	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"pgregory.net/rapid"
)

// drawDecimal draws numbers of any size, and neighbours of powers of two.
func drawDecimal(t *rapid.T, name string) decimal128.Num {
	n := decimal128.New(rapid.Int64().Draw(t, name), rapid.Uint64().Draw(t, name))
	switch bit := rapid.Uint64Range(0, 126).Draw(t, name); rapid.IntRange(0, 3).Draw(t, name) {
	case 0:
		n = decimal128.FromI64(n.HighBits())
	case 1:
		n = decimal128.FromBigInt(new(big.Int).Lsh(big.NewInt(1), uint(bit))).Add(decimal128.FromI64(n.HighBits() % 3))
	case 2:
		n = decimal128.FromBigInt(new(big.Int).Lsh(big.NewInt(-1), uint(bit))).Add(decimal128.FromI64(n.HighBits() % 3))
	}
	return n
}

func TestRanksOfDecimalsAreInTheirOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawDecimal(t, "a"), drawDecimal(t, "b")
		switch rankA, rankB := rankDecimal(a), rankDecimal(b); a.BigInt().Cmp(b.BigInt()) {
		case 0:
			if rankA != rankB {
				t.Fatalf("%v has two ranks", a.BigInt())
			}
		case -1:
			if rankA > rankB {
				t.Fatalf("%v is less than %v, its rank is not", a.BigInt(), b.BigInt())
			}
		case 1:
			if rankA < rankB {
				t.Fatalf("%v is more than %v, its rank is not", a.BigInt(), b.BigInt())
			}
		}
		if small := a.BigInt(); small.BitLen() <= 56 && rankDecimal(a.Add(decimal128.FromI64(1))) == rankDecimal(a) {
			t.Fatalf("%v and the next number have one rank", small)
		}
	})
}

func TestDecimalsAreWrittenWithAllTheirDigits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, scale := drawDecimal(t, "n"), rapid.IntRange(-40, 40).Draw(t, "scale")
		got := string(appendDecimal(nil, n, scale))
		want := new(big.Rat).SetInt(n.BigInt())
		if scale > 0 {
			want.Quo(want, new(big.Rat).SetInt(powerOfTen(int32(scale))))
		} else {
			want.Mul(want, new(big.Rat).SetInt(powerOfTen(int32(-scale))))
		}
		if got != want.FloatString(max(0, scale)) {
			t.Fatalf("%s, want %s", got, want.FloatString(max(0, scale)))
		}
	})
}

func TestZerosInTheMiddleOfADecimalAreWritten(t *testing.T) {
	for _, want := range []string{
		"10000000000000000000", "10000000000000000001", "100000000000000000000000000000000000000",
		"100000000000000000010000000000000000000", "-100000000000000000000000000000000000001",
	} {
		n, _ := new(big.Int).SetString(want, 10)
		if got := string(appendDecimal(nil, decimal128.FromBigInt(n), 0)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestSumsOfDecimalsAreExactUpTo38Digits(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("price", &arrow.Decimal128Type{Precision: 12, Scale: 2}),
		field("exact", &arrow.Decimal128Type{Precision: 38, Scale: 2})}, nil)
	a := Aggregate{Measures: []Measure{{Func: Sum, Column: "price"}, {Func: Sum, Column: "exact"}, {Func: Mean, Column: "exact"}}}
	most := number(nines)
	rows, out, err := through(t, aggregateNode(a), // 128 bits go over on the way, many times
		batchOf(schema, []any{number("1"), most}, []any{number("2"), most}, []any{nil, most}),
		batchOf(schema, []any{number("-4"), most.Negate()}, []any{nil, number("-1")}, []any{number("4"), most.Negate()},
			[]any{number("0"), number("1")}, []any{nil, nil}))
	if err != nil || rows[0][0] != number("3") || rows[0][1] != most || rows[0][2] != 1e36/7 {
		t.Errorf("%v, %v", rows, err)
	}
	for i, want := range []string{"decimal(38, 2)", "decimal(38, 2)", "float64"} {
		if got := fmt.Sprint(out.Field(i).Type); got != want {
			t.Errorf("%s is %s, want %s", out.Field(i).Name, got, want)
		}
	}
	quarter := []any{nil, decimal128.New(1<<62, 0)} // of 2 to the power of 128
	for _, over := range [][][]any{
		{{nil, most}, {nil, number("1")}}, {{nil, most}, {nil, most}}, {quarter, quarter, quarter, quarter},
	} {
		_, _, err = through(t, aggregateNode(a), batchOf(schema, over...))
		if err == nil || !strings.Contains(err.Error(), `sum of column "exact": does not fit decimal(38, 2)`) {
			t.Errorf("%v", err)
		}
	}
	_, _, err = through(t, aggregateNode(a), batchOf(schema, []any{nil, most.Negate()}, []any{nil, number("-1")}))
	if err == nil || !strings.Contains(err.Error(), "does not fit decimal(38, 2)") {
		t.Errorf("%v", err)
	}
}

func TestTheMeanOfDecimalsIsTheNearestFloat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sum decimalSum
		exact := new(big.Rat)
		n := rapid.IntRange(1, 5).Draw(t, "rows")
		for range n {
			x := drawDecimal(t, "x")
			sum.add(x)
			exact.Add(exact, new(big.Rat).SetInt(x.BigInt()))
		}
		scale := rapid.Int32Range(-3, 38).Draw(t, "scale")
		unit := new(big.Rat).SetInt(powerOfTen(max(scale, -scale)))
		if scale < 0 {
			unit.Inv(unit)
		}
		exact.Quo(exact, unit.Mul(unit, big.NewRat(int64(n), 1)))
		want, _ := exact.Float64()
		if got := sum.meanOf(scale); got != want {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

func TestDurationsAreAddedUpAndAveraged(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("took", arrow.FixedWidthTypes.Duration_ms)}, nil)
	a := Aggregate{Measures: []Measure{{Func: Sum, Column: "took"}, {Func: Mean, Column: "took"}, {Func: Min, Column: "took"}}}
	for _, tt := range []struct {
		values []int
		want   string
	}{
		{[]int{1, 2}, "[3 2 1]"}, {[]int{-1, -2}, "[-3 -2 -2]"}, {[]int{1, 1, 2}, "[4 1 1]"}, {nil, "[<nil> <nil> <nil>]"},
	} {
		var rows [][]any
		for _, v := range tt.values {
			rows = append(rows, []any{v})
		}
		got, out, err := through(t, aggregateNode(a), batchOf(schema, rows...))
		if err != nil || fmt.Sprint(got[0]) != tt.want || out.Field(1).Type.ID() != arrow.DURATION {
			t.Errorf("%v: %v, %v, want %s", tt.values, got, err, tt.want)
		}
	}
	extremes := batchOf(schema, []any{math.MaxInt64}, []any{math.MaxInt64}, []any{math.MinInt64})
	got, _, err := through(t, aggregateNode(Aggregate{Measures: a.Measures[1:]}), extremes)
	if err != nil || got[0][0] != int64(3074457345618258602) {
		t.Errorf("%v, %v", got, err)
	}
}
