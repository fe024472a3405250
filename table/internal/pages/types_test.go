package pages

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

func TestTypesOfOlderFilesAreKnownByTheirOlderNames(t *testing.T) {
	for _, tt := range []struct {
		stored format.Type
		name   deprecated.ConvertedType
		want   arrow.DataType
	}{
		{format.Int32, deprecated.Int8, arrow.PrimitiveTypes.Int8},
		{format.Int32, deprecated.Int16, arrow.PrimitiveTypes.Int16},
		{format.Int32, deprecated.Int32, arrow.PrimitiveTypes.Int32},
		{format.Int64, deprecated.Int64, arrow.PrimitiveTypes.Int64},
		{format.Int32, deprecated.Uint8, arrow.PrimitiveTypes.Uint8},
		{format.Int32, deprecated.Uint16, arrow.PrimitiveTypes.Uint16},
		{format.Int32, deprecated.Uint32, arrow.PrimitiveTypes.Uint32},
		{format.Int64, deprecated.Uint64, arrow.PrimitiveTypes.Uint64},
		{format.Int32, deprecated.Date, arrow.FixedWidthTypes.Date32},
		{format.Int64, deprecated.TimestampMillis, arrow.FixedWidthTypes.Timestamp_ms},
		{format.Int64, deprecated.TimestampMicros, arrow.FixedWidthTypes.Timestamp_us},
		{format.ByteArray, deprecated.UTF8, arrow.BinaryTypes.String},
		{format.ByteArray, deprecated.Enum, arrow.BinaryTypes.String},
		{format.ByteArray, deprecated.Json, arrow.BinaryTypes.String},
	} {
		got, err := typeOf(&format.SchemaElement{Type: thrift.New(tt.stored), ConvertedType: thrift.New(tt.name)})
		if err != nil || !arrow.TypeEqual(got, tt.want) {
			t.Errorf("%v %d is %v (%v), want %v", tt.stored, tt.name, got, err, tt.want)
		}
	}
	_, err := typeOf(&format.SchemaElement{Type: thrift.New(format.Int64), ConvertedType: thrift.New(deprecated.Decimal)})
	if err == nil || err.Error() != "has type INT64 DECIMAL, which is not supported" {
		t.Errorf("a decimal: %v", err)
	}
}

func TestTypesThatAreNotReadAreNamedAndOthersOfTheFileAreRead(t *testing.T) {
	type inner struct{ X int64 }
	type row struct {
		Before int64            `parquet:"before"`
		Int96  deprecated.Int96 `parquet:"int96"`
		UUID   [16]byte         `parquet:"uuid,uuid"`
		Group  inner            `parquet:"group"`
		List   []string         `parquet:"list,list"`
		Many   []int64          `parquet:"many"`
		Price  int64            `parquet:"price,decimal(2:10)"`
		After  string           `parquet:"after"`
	}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[row](&out)
	if _, err := w.Write([]row{{Before: 7, List: []string{"a", "b"}, Many: []int64{1, 2}, After: "x"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f := mustOpen(t, filepath.Join(t.TempDir(), "types.parquet"), out.Bytes())
	defer func() { _ = f.Close() }()
	want := map[string]string{
		"before": "", "after": "", "int96": "INT96", "uuid": "UUID", "group": "nested (a group)", "list": "nested (a group)",
		"many": "nested (repeated INT64)", "price": "DECIMAL",
	}
	fields := map[string]int{}
	for i, field := range f.Fields() {
		fields[field.Name] = i
		if why := want[field.Name]; (field.Err == nil) != (why == "") {
			t.Errorf("%s: %v", field.Name, field.Err)
		} else if why != "" && !strings.Contains(field.Err.Error(), why) {
			t.Errorf("%s: %v, want %q", field.Name, field.Err, why)
		}
	}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "after", Type: arrow.BinaryTypes.String}, {Name: "before", Type: arrow.PrimitiveTypes.Int64},
	}, nil)
	batch, err := readRows(f, memory.DefaultAllocator, 0, schema, []int{fields["after"], fields["before"]})
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	if got := batch.Column(0).ValueStr(0) + batch.Column(1).ValueStr(0); got != "x7" {
		t.Errorf("reads %q", got)
	}
}
