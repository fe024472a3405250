package expr

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// sampleSchema has a column of each kind.
var sampleSchema = arrow.NewSchema([]arrow.Field{
	{Name: "i", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "i8", Type: arrow.PrimitiveTypes.Int8, Nullable: true},
	{Name: "u", Type: arrow.PrimitiveTypes.Uint64, Nullable: true},
	{Name: "f", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "f32", Type: arrow.PrimitiveTypes.Float32, Nullable: true},
	{Name: "b", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	{Name: "price", Type: &arrow.Decimal128Type{Precision: 12, Scale: 2}, Nullable: true},
	{Name: "day of", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
	{Name: "t", Type: &arrow.TimestampType{Unit: arrow.Microsecond}, Nullable: true},
	{Name: "tz", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "Europe/Zurich"}, Nullable: true},
	{Name: "took", Type: &arrow.DurationType{Unit: arrow.Second}, Nullable: true},
	{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "code", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}, Nullable: true},
	{Name: "raw", Type: arrow.BinaryTypes.Binary, Nullable: true},
	{Name: "none", Type: arrow.Null, Nullable: true},
}, nil)

// sample has a row of values and one of nulls.
const sample = `[
	{"i": 7, "i8": -3, "u": 5, "f": 2.5, "f32": 0.5, "b": true, "price": "10.25", "day of": "2001-03-31",
	 "t": "2001-03-31 17:05:09.5", "tz": "2001-03-31T15:05:09Z", "took": "90s", "s": "Grüezi", "code": "ORD", "raw": "AAE="},
	{"i": null}
]`

func sampleBatch(t testing.TB) arrow.RecordBatch {
	t.Helper()
	return batchOf(t, sample)
}

func batchOf(t testing.TB, rows string) arrow.RecordBatch {
	t.Helper()
	batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, sampleSchema, strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// valuesOf returns the text of each row of an expression, or its error.
func valuesOf(t testing.TB, text string, batch arrow.RecordBatch) []string {
	t.Helper()
	p, err := Compile(text, batch.Schema())
	if err != nil {
		return []string{err.Error()}
	}
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	if tt, ok := t.(*testing.T); ok {
		defer mem.AssertSize(tt, 0)
	}
	e := p.NewEvaluator()
	a, err := e.Eval(batch, mem)
	if err != nil {
		return []string{err.Error()}
	}
	defer a.Release()
	if !arrow.TypeEqual(a.DataType(), p.Type()) {
		t.Errorf("%s: array of %v, but the program says %v", text, a.DataType(), p.Type())
	}
	if a.Len() != int(batch.NumRows()) {
		t.Errorf("%s: %d rows of %d", text, a.Len(), batch.NumRows())
	}
	if need, err := e.Bytes(batch); err != nil || int64(mem.CurrentAlloc()) > need {
		t.Errorf("%s: took %d bytes, more than the %d said before (%v)", text, mem.CurrentAlloc(), need, err)
	}
	return texts(a)
}

func texts(a arrow.Array) []string {
	var all []string
	for i := range a.Len() {
		if a.IsNull(i) {
			all = append(all, "null")
			continue
		}
		all = append(all, fmt.Sprint(a.ValueStr(i)))
	}
	return all
}
