package expr

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A number is compared as it is written, whether the type of the column has it or not.
func TestComparisonsWithNumbersAreExact(t *testing.T) {
	for _, typ := range []arrow.DataType{
		arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
		arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
		&arrow.Decimal128Type{Precision: 5, Scale: 2}, &arrow.Decimal128Type{Precision: 38, Scale: 4},
	} {
		batch, values := edges(typ)
		for _, literal := range []string{
			"0", "0.5", "1", "12.345", "127", "127.5", "128", "255", "256", "32767.5", "32768", "65535", "65536",
			"2147483647", "2147483647.25", "4294967295", "4294967296", "9223372036854775807", "9223372036854775808",
			"18446744073709551615", "18446744073709551616", "123456789012345678901234567890.5", "1e30", "1e300",
			"0.00000000000000000000000000000000000000000001", "9999999999999999999999999999999999.99990000001",
		} {
			for _, sign := range []string{"", "-"} {
				want, _ := new(big.Rat).SetString(sign + literal)
				for _, op := range []string{"=", "<>", "<", "<=", ">", ">="} {
					expectRows(t, batch, fmt.Sprintf("x %s %s%s", op, sign, literal), func(row int) any {
						if values[row] == nil {
							return "null"
						}
						return holdsFor(op, values[row].Cmp(want))
					})
				}
			}
		}
	}
}

// expectRows checks the value of an expression in each row.
func expectRows(t *testing.T, batch arrow.RecordBatch, text string, want func(row int) any) {
	t.Helper()
	for row, got := range texts(mustEval(t, text, batch)) {
		if want := fmt.Sprint(want(row)); got != want {
			t.Fatalf("%v: %s, row %d, %s: got %s, want %s",
				batch.Schema().Field(0).Type, text, row, batch.Column(0).ValueStr(row), got, want)
		}
	}
}

// holdsFor says whether a comparison holds of values that compare by.
func holdsFor(op string, by int) bool {
	switch op {
	case "=":
		return by == 0
	case "<>":
		return by != 0
	case "<":
		return by < 0
	case "<=":
		return by <= 0
	case ">":
		return by > 0
	default:
		return by >= 0
	}
}

// edges returns a batch with a column x of the least and greatest values of a type, of what lies about 0
// and of nulls. It is cut out of a larger one.
func edges(typ arrow.DataType) (arrow.RecordBatch, []*big.Rat) {
	least, most, all := rangeOf(typ)
	_, scale := digitsOf(all)
	few := []*big.Int{least, most, big.NewInt(0), big.NewInt(1), new(big.Int).Sub(most, big.NewInt(1)), big.NewInt(127), nil}
	if least.Sign() < 0 {
		few = append(few, big.NewInt(-1), big.NewInt(-128), new(big.Int).Add(least, big.NewInt(1)))
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "x", Type: typ, Nullable: true}}, nil))
	defer b.Release()
	var values []*big.Rat
	for range 20 {
		for _, n := range few {
			if n == nil {
				b.Field(0).AppendNull()
				values = append(values, nil)
				continue
			}
			if d, ok := b.Field(0).(*array.Decimal128Builder); ok {
				d.Append(decimal128.FromBigInt(n))
			} else if err := b.Field(0).AppendValueFromString(n.String()); err != nil {
				panic(err)
			}
			values = append(values, new(big.Rat).SetFrac(n, powerOfTen(scale)))
		}
	}
	return b.NewRecordBatch().NewSlice(3, int64(len(values))), values[3:]
}

// NaN is equal to itself and above all else, also as a constant.
func TestFloatsAreOrderedFromEndToEnd(t *testing.T) {
	floats := []float64{math.NaN(), math.Inf(-1), -1.5, math.Copysign(0, -1), 0, 0.5, math.Inf(1), math.Float64frombits(0xfff8000000000001)}
	for _, typ := range []arrow.DataType{arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64} {
		b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "x", Type: typ}, {Name: "y", Type: typ}}, nil))
		var x, y []float64
		for _, v := range slices.Repeat(floats, 9) {
			for _, w := range floats {
				x, y = append(x, v), append(y, w)
			}
		}
		for column, values := range [][]float64{x, y} {
			for _, v := range values {
				if f, ok := b.Field(column).(*array.Float32Builder); ok {
					f.Append(float32(v))
				} else {
					b.Field(column).(*array.Float64Builder).Append(v)
				}
			}
		}
		batch := b.NewRecordBatch()
		for _, op := range []string{"=", "<>", "<", "<=", ">", ">="} {
			for constant, c := range map[string]float64{
				"0": 0, "-0.0": 0, "-1.5": -1.5, "0.5": 0.5, "cast('nan' as float32)": math.NaN(),
				"cast('inf' as float32)": math.Inf(1), "cast('-inf' as float32)": math.Inf(-1),
			} {
				expectRows(t, batch, "x "+op+" "+constant, func(row int) any { return holdsFor(op, compareValues(x[row], c)) })
			}
			expectRows(t, batch, "x "+op+" y", func(row int) any { return holdsFor(op, compareValues(x[row], y[row])) })
		}
		b.Release()
	}
}
