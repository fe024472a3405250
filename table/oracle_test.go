package table

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"
)

// everyType has a column of each type that nodes work on, called after it.
func everyType() *arrow.Schema {
	small := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.Binary}
	return arrow.NewSchema([]arrow.Field{
		field("bool", arrow.FixedWidthTypes.Boolean),
		field("int8", arrow.PrimitiveTypes.Int8), field("int16", arrow.PrimitiveTypes.Int16),
		field("int32", arrow.PrimitiveTypes.Int32), field("int64", arrow.PrimitiveTypes.Int64),
		field("uint8", arrow.PrimitiveTypes.Uint8), field("uint16", arrow.PrimitiveTypes.Uint16),
		field("uint32", arrow.PrimitiveTypes.Uint32), field("uint64", arrow.PrimitiveTypes.Uint64),
		field("float32", arrow.PrimitiveTypes.Float32), field("float64", arrow.PrimitiveTypes.Float64),
		field("string", stringType), field("binary", arrow.BinaryTypes.Binary),
		field("coded", codedType), field("small", small),
		field("date", arrow.FixedWidthTypes.Date32),
		field("time", &arrow.TimestampType{Unit: arrow.Microsecond}),
		field("instant", &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}),
		field("millis", arrow.FixedWidthTypes.Time32ms), field("nanos", arrow.FixedWidthTypes.Time64ns),
		field("price", &arrow.Decimal128Type{Precision: 10, Scale: 2}),
		field("exact", &arrow.Decimal128Type{Precision: 38, Scale: 4}),
		field("duration", arrow.FixedWidthTypes.Duration_us),
	}, nil)
}

// everyStoredType has those of them that Parquet has.
func everyStoredType() *arrow.Schema {
	fields := slices.DeleteFunc(everyType().Fields(), func(f arrow.Field) bool { return f.Type.ID() == arrow.DURATION })
	return arrow.NewSchema(fields, nil)
}

// drawValue draws from few values, extremes among them, so that they meet.
func drawValue(t *rapid.T, typ arrow.DataType) any {
	pick := func(values ...any) any { return rapid.SampledFrom(values).Draw(t, "value") }
	switch typ.ID() {
	case arrow.BOOL:
		return pick(nil, true, false)
	case arrow.INT8:
		return pick(nil, -128, -1, 0, 1, 127)
	case arrow.INT16:
		return pick(nil, -32768, -1, 0, 7, 32767)
	case arrow.INT32, arrow.DATE32:
		return pick(nil, math.MinInt32, -1, 0, 5, math.MaxInt32)
	case arrow.TIME32:
		return pick(nil, 0, 1, 86_399_999)
	case arrow.TIME64:
		return pick(nil, 0, 1, 86_399_999_999_999)
	case arrow.DECIMAL128:
		if typ.(arrow.DecimalType).GetPrecision() < maxDigits {
			return pick(nil, number("0"), number("1"), number("-1"), number("1025"), number("9999999999"), number("-9999999999"))
		}
		return pick(nil, number("0"), number("-1"), number("102500"), number(nines), number("-"+nines),
			number("18446744073709551616"), number("18446744073709551617"), // 2 to the power of 64, and the next
			number("-18446744073709551616"), number("-18446744073709551617"))
	case arrow.DURATION: // as long as Go has them, so that they can be written down
		return pick(nil, math.MinInt64/1000, -3, -2, 0, 2, 3, math.MaxInt64/1000)
	case arrow.INT64, arrow.TIMESTAMP:
		return pick(nil, math.MinInt64, -3, -2, 0, 2, 3, math.MaxInt64)
	case arrow.UINT8:
		return pick(nil, 0, 1, 255)
	case arrow.UINT16:
		return pick(nil, 0, 1, 65535)
	case arrow.UINT32:
		return pick(nil, 0, 1, math.MaxUint32)
	case arrow.UINT64:
		return pick(nil, 0, 1, uint64(math.MaxInt64)+1, uint64(math.MaxUint64))
	case arrow.FLOAT32, arrow.FLOAT64:
		return pick(nil, math.NaN(), math.Inf(1), math.Inf(-1), 0.0, math.Copysign(0, -1), -1.5, 2.25, 1e30)
	default:
		return pick(nil, "", "a", "ab", "abcdefgh", "abcdefghi", "abcdefghj", "\xff", "z")
	}
}

// drawBatches draws chunks, some of them without rows, some of them slices of
// larger batches.
func drawBatches(t *rapid.T, schema *arrow.Schema) []arrow.RecordBatch {
	var batches []arrow.RecordBatch
	for range rapid.IntRange(0, 4).Draw(t, "batches") {
		builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		rows := rapid.IntRange(0, 12).Draw(t, "rows")
		before, after := rapid.IntRange(0, 9).Draw(t, "before"), rapid.IntRange(0, 3).Draw(t, "after")
		for i, f := range schema.Fields() {
			for range before + rows + after {
				appendValue(builder.Field(i), drawValue(t, f.Type))
			}
		}
		batch := builder.NewRecordBatch()
		builder.Release()
		if before+after > 0 {
			slice := batch.NewSlice(int64(before), int64(before+rows))
			batch.Release()
			batch = slice
		}
		batches = append(batches, batch)
	}
	return batches
}

// nines is the greatest decimal.
var nines = strings.Repeat("9", maxDigits)

// number is the decimal of so many units.
func number(units string) decimal128.Num {
	n, err := decimal128.FromString(units, maxDigits, 0)
	if err != nil {
		panic(err)
	}
	return n
}

func allRows(batches []arrow.RecordBatch) [][]any {
	var rows [][]any
	for _, b := range batches {
		rows = append(rows, rowsOf(b)...)
	}
	return rows
}

// order compares two values of one column that are not null, in the order that the
// documentation promises.
func naiveOrder(a, b any) int {
	switch a := a.(type) {
	case bool:
		x, y := 0, 0
		if a {
			x = 1
		}
		if b.(bool) {
			y = 1
		}
		return x - y
	case int64:
		return cmp.Compare(a, b.(int64))
	case uint64:
		return cmp.Compare(a, b.(uint64))
	case string:
		return cmp.Compare(a, b.(string))
	case decimal128.Num:
		return a.BigInt().Cmp(b.(decimal128.Num).BigInt())
	case float64:
		b := b.(float64)
		switch {
		case math.IsNaN(a) && math.IsNaN(b):
			return 0
		case math.IsNaN(a):
			return 1
		case math.IsNaN(b):
			return -1
		default:
			return cmp.Compare(a, b)
		}
	default:
		panic(fmt.Sprintf("no order for %T", a))
	}
}

// asText makes rows comparable: NaN is itself, and the zeros are one.
func asText(rows [][]any) []string {
	var out []string
	for _, row := range rows {
		text := ""
		for _, v := range row {
			if f, ok := v.(float64); ok && f == 0 {
				v = 0.0
			}
			text += fmt.Sprintf("%T %#v|", v, v)
		}
		out = append(out, text)
	}
	return out
}
