package pages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	arrowparquet "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding"
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
		{format.Int32, deprecated.TimeMillis, arrow.FixedWidthTypes.Time32ms},
		{format.Int64, deprecated.TimeMicros, arrow.FixedWidthTypes.Time64us},
		{format.ByteArray, deprecated.UTF8, arrow.BinaryTypes.String},
		{format.ByteArray, deprecated.Enum, arrow.BinaryTypes.String},
		{format.ByteArray, deprecated.Json, arrow.BinaryTypes.String},
	} {
		got, err := typeOf(&format.SchemaElement{Type: thrift.New(tt.stored), ConvertedType: thrift.New(tt.name)})
		if err != nil || !arrow.TypeEqual(got, tt.want) {
			t.Errorf("%v %d is %v (%v), want %v", tt.stored, tt.name, got, err, tt.want)
		}
	}
	_, err := typeOf(&format.SchemaElement{Type: thrift.New(format.ByteArray), ConvertedType: thrift.New(deprecated.Bson)})
	if err == nil || err.Error() != "has type BYTE_ARRAY BSON, which is not supported" {
		t.Errorf("an object: %v", err)
	}
}

func TestDecimalsHaveUpTo38DigitsHoweverTheyAreStored(t *testing.T) {
	type element = format.SchemaElement
	annotated := func(precision, scale int32) format.LogicalType {
		return format.LogicalType{Value: &format.DecimalType{Precision: precision, Scale: scale}}
	}
	older := element{
		Type: thrift.New(format.Int64), ConvertedType: thrift.New(deprecated.Decimal),
		Precision: thrift.New(int32(15)), Scale: thrift.New(int32(3)),
	}
	for _, tt := range []struct {
		element element
		want    string
	}{
		{older, "decimal(15, 3)"},
		{element{Type: thrift.New(format.Int32), LogicalType: annotated(9, 2)}, "decimal(9, 2)"},
		{element{Type: thrift.New(format.ByteArray), LogicalType: annotated(38, 38)}, "decimal(38, 38)"},
		{element{Type: thrift.New(format.FixedLenByteArray), TypeLength: thrift.New(int32(16)), LogicalType: annotated(38, 0)}, "decimal(38, 0)"},
		{element{Type: thrift.New(format.FixedLenByteArray), TypeLength: thrift.New(int32(17)), LogicalType: annotated(39, 2)},
			"has type FIXED_LEN_BYTE_ARRAY DECIMAL(39,2), which is not supported; decimals may have up to 38 digits"},
		{element{Type: thrift.New(format.FixedLenByteArray), TypeLength: thrift.New(int32(-1)), LogicalType: annotated(9, 2)},
			"has type FIXED_LEN_BYTE_ARRAY DECIMAL(9,2) in -1 bytes, which cannot be"},
		{element{Type: thrift.New(format.Int32), LogicalType: annotated(5, 6)}, "has type INT32 DECIMAL(5,6), which cannot be"},
		{element{Type: thrift.New(format.Int32), LogicalType: annotated(0, 0)}, "has type INT32 DECIMAL(0,0), which cannot be"},
		{element{Type: thrift.New(format.Double), LogicalType: annotated(5, 2)}, "has type DOUBLE DECIMAL(5,2), which is not supported"},
		{element{Type: thrift.New(format.FixedLenByteArray), TypeLength: thrift.New(int32(2)), LogicalType: format.LogicalType{Value: &format.Float16Type{}}},
			"has type FIXED_LEN_BYTE_ARRAY FLOAT16, which is not supported"},
	} {
		typ, err := typeOf(&tt.element)
		got := fmt.Sprint(typ)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestDecimalsOfAnyLengthAreReadInEveryEncoding(t *testing.T) {
	const repeated = 100 // so that it shows if memory was not reserved
	var text []byte
	offsets := []uint32{0}
	add := func(value ...byte) {
		for range repeated {
			text = append(text, value...)
			offsets = append(offsets, uint32(len(text)))
		}
	}
	add(0x7f)
	add(0xff)
	add(0x80, 0)
	add(1, 2, 3, 4, 5, 6, 7, 8)
	add(0xff, 2, 3, 4, 5, 6, 7, 8, 9)
	add(0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
	add(0xff, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2)
	add(0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	var every []string
	for _, value := range []string{
		"127", "-1", "-32768", "72623859790382856", "-18301780041081092087", "-170141183460469231731687303715884105727",
		"-170141183460469231731687303715884105726", "170141183460469231731687303715884105727",
	} {
		every = append(every, slices.Repeat([]string{value}, repeated)...)
	}
	want := fmt.Sprint(every)
	rows := len(offsets) - 1
	for _, enc := range []encoding.Encoding{&parquet.Plain, &parquet.DeltaLengthByteArray, &parquet.DeltaByteArray} {
		page, err := enc.EncodeByteArray(nil, text, offsets)
		if err != nil {
			t.Fatal(err)
		}
		data := chunkOf(t, dataPage(rows, enc.Encoding(), len(page), len(page)), page)
		got, _, err := readChunk(t, &arrow.Decimal128Type{Precision: 38}, format.Uncompressed, rows, len(page), data)
		if err != nil || got != want {
			t.Errorf("%v: %s, %v", enc, got, err)
		}
	}
}

func TestDecimalsAreReadInTheMemoryThatWasSaid(t *testing.T) {
	encodings := arrowparquet.Encodings
	for _, tt := range []struct {
		precision  int32
		encoding   arrowparquet.Encoding
		dictionary bool
	}{
		{9, encodings.Plain, false}, {9, encodings.Plain, true}, {9, encodings.DeltaBinaryPacked, false},
		{18, encodings.ByteStreamSplit, false}, {18, encodings.Plain, true},
		{38, encodings.Plain, false}, {38, encodings.Plain, true}, {38, encodings.ByteStreamSplit, false},
	} {
		path := filepath.Join(t.TempDir(), "one.parquet")
		schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: &arrow.Decimal128Type{Precision: tt.precision}}}, nil)
		builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for i := range uint64(5000) {
			builder.Field(0).(*array.Decimal128Builder).Append(decimal(i*0x9e3779b97f4a7c15, tt.precision))
		}
		batch := builder.NewRecordBatch()
		write(t, path, batch, arrowparquet.WithStoreDecimalAsInteger(true),
			arrowparquet.WithDictionaryDefault(tt.dictionary), arrowparquet.WithEncoding(tt.encoding))
		want := values([]arrow.Array{batch.Column(0)})
		for _, rows := range []int{5000, 1700} {
			columns, _, err := readCut(memory.DefaultAllocator, path, false, func(left int) int { return min(left, rows) })
			if err != nil || !slices.Equal(columns[0], want) {
				t.Errorf("%+v in pieces of %d rows: %v, %v", tt, rows, columns, err)
			}
		}
	}
}

func TestFixedLengthsThatArePrefixedAreReadIfTheyAreThatLong(t *testing.T) {
	text := []byte{0, 1, 2, 0, 1, 3}
	for length, want := range map[uint32]string{3: "[258 259]", 2: "a value of 2 bytes in a column of 3"} {
		if got := prefixed(t, text, []uint32{0, length, 6}); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// prefixed returns the two values of a page, or what is wrong with it.
func prefixed(t *testing.T, text []byte, offsets []uint32) string {
	t.Helper()
	c := newPacked(memory.DefaultAllocator, &arrow.Decimal128Type{Precision: 38}, 3, 2, decimalOf)
	defer c.release()
	data, err := parquet.DeltaByteArray.EncodeByteArray(nil, text, offsets)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.append(page{rows: 2, take: 2, encoding: format.DeltaByteArray, data: data}); err != nil {
		return err.Error()
	}
	a := c.array()
	defer a.Release()
	return fmt.Sprint(values([]arrow.Array{a}))
}

func TestTimesOfOldFilesAreReadToTheNanosecond(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Nanosecond}, Nullable: true}}, nil)
	for _, coded := range []bool{false, true} {
		builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		at := builder.Field(0).(*array.TimestampBuilder)
		// One short of the least: arrow-go takes that for an overflow.
		at.AppendValues([]arrow.Timestamp{0, 1, -1, math.MaxInt64, math.MinInt64 + 1, 986058300123456789, 1}, nil)
		at.AppendNull()
		batch := builder.NewRecordBatch()
		path := filepath.Join(t.TempDir(), "old.parquet")
		out, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		w, err := pqarrow.NewFileWriter(schema, out, arrowparquet.NewWriterProperties(arrowparquet.WithDictionaryDefault(coded)),
			pqarrow.NewArrowWriterProperties(pqarrow.WithDeprecatedInt96Timestamps(true)))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Write(batch), w.Close()); err != nil {
			t.Fatal(err)
		}
		columns, fields, err := readCut(memory.DefaultAllocator, path, false, func(left int) int { return min(left, 3) })
		if err != nil {
			t.Fatal(err)
		}
		if want := values([]arrow.Array{batch.Column(0)}); !slices.Equal(columns[0], want) {
			t.Errorf("with a dictionary %v: %v, want %v", coded, columns[0], want)
		}
		if !arrow.TypeEqual(fields[0].Type, schema.Field(0).Type) {
			t.Errorf("read as %v", fields[0].Type)
		}
	}
}

func TestTheEndsOfTimeInNanoseconds(t *testing.T) {
	old := func(time int64, day int32) []byte {
		return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint64(nil, uint64(time)), uint32(day))
	}
	const first, last = 2440588 - 106752, 2440588 + 106751
	for _, tt := range []struct {
		time int64
		day  int32
		want int64
		fits bool
	}{
		{763145224192, first, math.MinInt64, true}, {763145224191, first, 0, false}, {0, first - 1, 0, false},
		{85636854775807, last, math.MaxInt64, true}, {85636854775808, last, 0, false}, {0, last + 1, 0, false},
		{0, math.MinInt32, 0, false}, {0, math.MaxInt32, 0, false}, {-1, 2440588, 0, false},
		{0, 2440587, -24 * 60 * 60 * 1e9, true}, {24*60*60*1e9 - 1, 2440587, -1, true},
	} {
		if got, err := nanosecondsOf(old(tt.time, tt.day)); got != tt.want || (err == nil) != tt.fits {
			t.Errorf("%d on day %d is %d, %v; want %d", tt.time, tt.day, got, err, tt.want)
		}
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
		"before": "", "after": "", "int96": "", "uuid": "UUID", "group": "nested (a group)", "list": "nested (a group)",
		"many": "nested (repeated INT64)", "price": "",
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
