package pages

import (
	"encoding/binary"
	"math"
	"math/big"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/parquet-go/parquet-go/format"
)

// A Range is what the footer says about the values of a column in a row group, as far as it can be
// believed.
type Range struct {
	// Min and Max are bounds of the values that are not null, nor NaN: an int64 for signed integers,
	// dates, times and timestamps; a uint64 for unsigned integers; a float64; a string; or a *big.Int,
	// the units of a decimal. nil if not known.
	Min, Max any
	AllNull  bool // every row is null
	NoNull   bool // none is
}

// longestBound is the most bytes of a text that is believed to be a bound. Writers cut longer ones short,
// and not all of them see to it that the rest is still a bound.
const longestBound = 15

// Range returns what is known of the values of a field in row group g.
//
// Only min_value and max_value are believed, and only if the file says that they are in the order of the
// type. The older min and max are in the order of signed bytes, whatever the type. Bounds of the wrong
// size, and such of which the lower one is above the other, count as unknown; so does a number of nulls of
// 0, because that cannot be told from one that was not written, and one of nothing but nulls beside bounds.
func (f *File) Range(g, field int) (r Range) {
	leaf := f.leaves[field]
	if leaf < 0 || f.fields[field].Err != nil {
		return r
	}
	column := &f.meta.RowGroups[g].Columns[leaf].MetaData
	s := &column.Statistics
	r.NoNull = !f.fields[field].Nullable
	r.AllNull = !r.NoNull && s.NullCount > 0 && s.NullCount == column.NumValues && len(s.MinValue)+len(s.MaxValue) == 0
	if leaf >= len(f.meta.ColumnOrders) {
		return r
	}
	if _, known := f.meta.ColumnOrders[leaf].Value.(*format.TypeDefinedOrder); !known {
		return r
	}
	r.bound(f.fields[field], s.MinValue, s.MaxValue)
	return r
}

// bound sets the bounds to what a file says they are, unless they are the wrong way round.
func (r *Range) bound(of Field, least, most []byte) {
	r.Min, r.Max = boundOf(of.Type, of.stored, least), boundOf(of.Type, of.stored, most)
	if r.Min != nil && r.Max != nil && CompareBounds(r.Min, r.Max) > 0 {
		r.Min, r.Max = nil, nil
	}
}

// CompareBounds compares two bounds of one type.
func CompareBounds(a, b any) int {
	switch a := a.(type) {
	case int64:
		return compare(a, b.(int64))
	case uint64:
		return compare(a, b.(uint64))
	case float64:
		return compare(a, b.(float64))
	case string:
		return compare(a, b.(string))
	default:
		return a.(*big.Int).Cmp(b.(*big.Int))
	}
}

func compare[T int64 | uint64 | float64 | string](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// boundOf reads a value as statistics have it, nil if it is none of the type.
func boundOf(typ arrow.DataType, as storage, value []byte) any {
	if len(value) == 0 || as.width > 0 && len(value) != as.width || as.typ == format.Int96 {
		return nil
	}
	switch typ := typ.(type) {
	case *arrow.StringType, *arrow.BinaryType:
		if len(value) > longestBound {
			return nil
		}
		return string(value)
	case *arrow.Float32Type:
		return number(float64(math.Float32frombits(binary.LittleEndian.Uint32(value))))
	case *arrow.Float64Type:
		return number(math.Float64frombits(binary.LittleEndian.Uint64(value)))
	case *arrow.Decimal128Type:
		return decimalBound(as, value)
	case *arrow.BooleanType:
		return nil
	default:
		return wholeBound(typ, as, value)
	}
}

func number(f float64) any {
	if f != f {
		return nil
	}
	return f
}

func wholeBound(typ arrow.DataType, as storage, value []byte) any {
	var bits int64
	switch as.typ {
	case format.Int32:
		bits = int64(int32(binary.LittleEndian.Uint32(value)))
		if arrow.IsUnsignedInteger(typ.ID()) {
			bits &= math.MaxUint32
		}
	case format.Int64:
		bits = int64(binary.LittleEndian.Uint64(value))
	default:
		return nil
	}
	if arrow.IsUnsignedInteger(typ.ID()) {
		return uint64(bits)
	}
	return bits
}

// decimalBound reads the units of a decimal. Those in bytes begin with the highest.
func decimalBound(as storage, value []byte) any {
	switch as.typ {
	case format.Int32, format.Int64:
		return big.NewInt(wholeBound(arrow.PrimitiveTypes.Int64, as, value).(int64))
	}
	n := new(big.Int).SetBytes(value)
	if value[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(value))))
	}
	return n
}
