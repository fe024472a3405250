package table

import (
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// What a column has where it is null is anything. Each of the columns here has other values below
// its nulls.
func TestAllNullsAreOneGroupWhateverIsBelowThem(t *testing.T) {
	const rows = 6
	own := memory.DefaultAllocator
	text, err := textArray(own, stringType, rows, nil, func(i int) []byte { return []byte{'a' + byte(i/2)} })
	if err != nil {
		t.Fatal(err)
	}
	columns := []arrow.Array{
		fixedArray(own, int64Type, rows, nil, func(i int) int64 { return int64(i / 2) }),
		fixedArray(own, arrow.PrimitiveTypes.Int32, rows, nil, func(i int) int32 { return int32(i / 2) }),
		fixedArray(own, arrow.PrimitiveTypes.Int8, rows, nil, func(i int) int8 { return int8(i / 2) }),
		fixedArray(own, float64Type, rows, nil, func(i int) float64 { return float64(i / 2) }),
		fixedArray(own, &arrow.Decimal128Type{Precision: maxDigits}, rows, nil, func(i int) decimal128.Num {
			return decimal128.New(int64(i/2), uint64(i/2))
		}),
		text,
	}
	for i, a := range columns { // rows 2 to 5, of two values, are null
		columns[i] = array.MakeFromData(array.NewData(a.DataType(), rows,
			append([]*memory.Buffer{memory.NewBufferBytes([]byte{0b000011})}, a.Data().Buffers()[1:]...), nil, rows-2, 0))
	}
	check := func(columns ...arrow.Array) {
		var fields []arrow.Field
		var by []string
		for i, a := range columns {
			by = append(by, fmt.Sprint(i))
			fields = append(fields, arrow.Field{Name: by[i], Type: a.DataType(), Nullable: true})
		}
		batch := array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, rows)
		got, _, err := aggregated(t, Aggregate{By: by, Measures: []Measure{{Func: Count}}}, batch)
		counts := map[any]int{}
		for _, row := range got {
			counts[row[len(row)-1]]++
		}
		if err != nil || len(got) != 2 || counts[int64(2)] != 1 || counts[int64(4)] != 1 {
			t.Errorf("by columns of %v: %v, %v", fields, got, err)
		}
	}
	for _, a := range columns {
		check(a)
		check(a, columns[0])
	}
	check(columns...)
}
