package pages

import (
	"math"
	"math/big"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go/format"
)

func TestABoundIsReadOnlyIfItCanBeOne(t *testing.T) {
	i32, i64 := storage{typ: format.Int32, width: 4}, storage{typ: format.Int64, width: 8}
	bytes, fixed := storage{typ: format.ByteArray}, storage{typ: format.FixedLenByteArray, width: 3}
	decimal := &arrow.Decimal128Type{Precision: 5, Scale: 2}
	for _, tt := range []struct {
		typ   arrow.DataType
		as    storage
		value []byte
		want  any
	}{
		{arrow.PrimitiveTypes.Int32, i32, []byte{255, 255, 255, 255}, int64(-1)},
		{arrow.PrimitiveTypes.Uint32, i32, []byte{255, 255, 255, 255}, uint64(math.MaxUint32)},
		{arrow.PrimitiveTypes.Int64, i64, []byte{254, 255, 255, 255, 255, 255, 255, 255}, int64(-2)},
		{arrow.PrimitiveTypes.Uint64, i64, []byte{255, 255, 255, 255, 255, 255, 255, 255}, uint64(math.MaxUint64)},
		{arrow.PrimitiveTypes.Int64, i64, []byte{1, 0, 0, 0}, nil}, // of another width
		{arrow.PrimitiveTypes.Int64, i64, nil, nil},
		{arrow.PrimitiveTypes.Float64, i64, []byte{0, 0, 0, 0, 0, 0, 248, 127}, nil}, // NaN
		{arrow.PrimitiveTypes.Float64, i64, []byte{0, 0, 0, 0, 0, 0, 240, 63}, 1.0},
		{arrow.BinaryTypes.String, bytes, []byte("ORD"), "ORD"},
		{arrow.BinaryTypes.String, bytes, []byte("long enough to have been cut"), nil},
		{decimal, fixed, []byte{255, 255, 0}, big.NewInt(-256)},
		{decimal, i32, []byte{1, 1, 0, 0}, big.NewInt(257)},
		{&arrow.TimestampType{Unit: arrow.Nanosecond}, storage{typ: format.Int96, width: 12}, make([]byte, 12), nil},
		{arrow.FixedWidthTypes.Boolean, storage{typ: format.Boolean}, []byte{1}, nil},
	} {
		got := boundOf(tt.typ, tt.as, tt.value)
		if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 })); diff != "" {
			t.Errorf("%v %v: %s", tt.typ, tt.value, diff)
		}
	}
}

// rangeOf is what a footer says of the one column, of int64, that a file has.
func rangeOf(s format.Statistics, orders []format.ColumnOrder) Range {
	f := &File{
		fields: []Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true, stored: storage{typ: format.Int64, width: 8}}},
		leaves: []int{0},
	}
	f.meta.ColumnOrders = orders
	f.meta.RowGroups = []format.RowGroup{{NumRows: 3, Columns: []format.ColumnChunk{{MetaData: format.ColumnMetaData{NumValues: 3, Statistics: s}}}}}
	return f.Range(0, 0)
}

func TestStatisticsOfOldWritersAreNotBelieved(t *testing.T) {
	one, two := []byte{1, 0, 0, 0, 0, 0, 0, 0}, []byte{2, 0, 0, 0, 0, 0, 0, 0}
	known := []format.ColumnOrder{{Value: &format.TypeDefinedOrder{}}}
	for _, tt := range []struct {
		about  string
		s      format.Statistics
		orders []format.ColumnOrder
		want   Range
	}{
		{"bounds", format.Statistics{MinValue: one, MaxValue: two}, known, Range{Min: int64(1), Max: int64(2)}},
		{"the deprecated fields", format.Statistics{Min: one, Max: two}, known, Range{}},
		{"no order", format.Statistics{MinValue: one, MaxValue: two}, nil, Range{}},
		{"an unknown order", format.Statistics{MinValue: one, MaxValue: two}, make([]format.ColumnOrder, 1), Range{}},
		{"upside down", format.Statistics{MinValue: two, MaxValue: one}, known, Range{}},
		{"all null", format.Statistics{NullCount: 3}, known, Range{AllNull: true}},
		{"some null", format.Statistics{NullCount: 2}, known, Range{}},
		{"no null, or not written", format.Statistics{}, known, Range{}},
	} {
		if diff := cmp.Diff(tt.want, rangeOf(tt.s, tt.orders)); diff != "" {
			t.Errorf("%s: %s", tt.about, diff)
		}
	}
}
