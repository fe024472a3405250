package table

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
)

func TestColumnsThatNodesCannotCarryAreNamed(t *testing.T) {
	for _, typ := range []arrow.DataType{
		&arrow.Decimal256Type{Precision: 40, Scale: 2}, &arrow.Decimal32Type{Precision: 5}, arrow.FixedWidthTypes.Float16,
		arrow.BinaryTypes.LargeString, arrow.FixedWidthTypes.MonthInterval, arrow.ListOf(stringType),
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: &arrow.Decimal128Type{Precision: 5}},
	} {
		schema := arrow.NewSchema([]arrow.Field{field("x", typ)}, nil)
		want := `column "x" has type ` + typ.String() + ", which is not supported"
		_, filter := Filter{Where: "x is not null"}.Schema(schema)
		_, aggregate := Aggregate{By: []string{"x"}}.Schema(schema)
		_, sort := Sort{By: []SortKey{{Column: "x"}}}.Schema(schema)
		_, print := Print{}.Schema(schema)
		for _, err := range []error{filter, aggregate, sort, print} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
		}
	}
}
