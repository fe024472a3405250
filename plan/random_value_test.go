package plan_test

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// What the naive evaluation calculates with: nil, bool, *big.Int for all that is whole (integers,
// dates, times, durations, in their units), *big.Rat for decimals, float64, and string for text and
// binary.

// valueAt reads a value from a column.
func valueAt(a arrow.Array, row int) any {
	if a.IsNull(row) {
		return nil
	}
	switch a := a.(type) {
	case *array.Boolean:
		return a.Value(row)
	case *array.Int8:
		return big.NewInt(int64(a.Value(row)))
	case *array.Int16:
		return big.NewInt(int64(a.Value(row)))
	case *array.Int32:
		return big.NewInt(int64(a.Value(row)))
	case *array.Int64:
		return big.NewInt(a.Value(row))
	case *array.Uint8:
		return big.NewInt(int64(a.Value(row)))
	case *array.Uint16:
		return big.NewInt(int64(a.Value(row)))
	case *array.Uint32:
		return big.NewInt(int64(a.Value(row)))
	case *array.Uint64:
		return new(big.Int).SetUint64(a.Value(row))
	case *array.Date32:
		return big.NewInt(int64(a.Value(row)))
	case *array.Time32:
		return big.NewInt(int64(a.Value(row)))
	case *array.Time64:
		return big.NewInt(int64(a.Value(row)))
	case *array.Timestamp:
		return big.NewInt(int64(a.Value(row)))
	case *array.Duration:
		return big.NewInt(int64(a.Value(row)))
	case *array.Float32:
		return float64(a.Value(row))
	case *array.Float64:
		return a.Value(row)
	case *array.Decimal128:
		scale := a.DataType().(*arrow.Decimal128Type).Scale
		return new(big.Rat).SetFrac(a.Value(row).BigInt(), powerOfTen(scale))
	case *array.String:
		return strings.Clone(a.Value(row))
	case *array.Binary:
		return string(a.Value(row))
	case *array.Dictionary:
		return valueAt(a.Dictionary(), a.GetValueIndex(row))
	default:
		panic(fmt.Sprintf("no value for %v", a.DataType()))
	}
}

func powerOfTen(n int32) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// compareValues compares two values that are not null, in the order that package table promises.
func compareValues(a, b any) int {
	switch a := a.(type) {
	case bool:
		return cmp.Compare(btoi(a), btoi(b.(bool)))
	case float64:
		b := b.(float64)
		switch {
		case math.IsNaN(a) || math.IsNaN(b):
			return cmp.Compare(btoi(math.IsNaN(a)), btoi(math.IsNaN(b)))
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	case string:
		return strings.Compare(a, b.(string))
	default:
		return rational(a).Cmp(rational(b))
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func rational(v any) *big.Rat {
	if n, ok := v.(*big.Int); ok {
		return new(big.Rat).SetInt(n)
	}
	return v.(*big.Rat)
}

func approximately(v any) float64 {
	if f, ok := v.(float64); ok {
		return f
	}
	f, _ := rational(v).Float64()
	return f
}

// identity is a text that equal values have in common, and no others.
func identity(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case *big.Int:
		return v.String()
	case *big.Rat:
		return v.RatString()
	case float64:
		return "f" + strconv.FormatFloat(v+0, 'g', -1, 64) // -0 + 0 is 0
	default:
		return strconv.Quote(v.(string))
	}
}

func identityOf(row []any, columns []int) string {
	var b strings.Builder
	for _, c := range columns {
		b.WriteString(identity(row[c]))
		b.WriteByte('|')
	}
	return b.String()
}

// written is the text of a value that is not null, as CSV has it and as literals beside a column of
// the type have it in quotes.
func written(v any, typ arrow.DataType) string {
	switch typ := typ.(type) {
	case *arrow.BinaryType:
		return hex.EncodeToString([]byte(v.(string)))
	case *arrow.Date32Type:
		return time.Unix(v.(*big.Int).Int64()*86400, 0).UTC().Format(time.DateOnly)
	case *arrow.Time32Type:
		return clockOf(v, typ.Unit).Format("15:04:05.999999999")
	case *arrow.Time64Type:
		return clockOf(v, typ.Unit).Format("15:04:05.999999999")
	case *arrow.TimestampType:
		layout := "2006-01-02T15:04:05.999999999"
		if typ.TimeZone != "" {
			layout += "Z07:00"
		}
		return clockOf(v, typ.Unit).Format(layout)
	case *arrow.DurationType:
		return (time.Duration(v.(*big.Int).Int64()) * typ.Unit.Multiplier()).String()
	case *arrow.Decimal128Type:
		return v.(*big.Rat).FloatString(int(typ.Scale))
	case *arrow.Float32Type:
		return strconv.FormatFloat(v.(float64), 'f', -1, 32)
	case *arrow.Float64Type:
		return strconv.FormatFloat(v.(float64), 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

func clockOf(v any, unit arrow.TimeUnit) time.Time {
	perSecond := int64(time.Second / unit.Multiplier())
	ticks := v.(*big.Int).Int64()
	return time.Unix(ticks/perSecond, ticks%perSecond*int64(unit.Multiplier())).UTC()
}
