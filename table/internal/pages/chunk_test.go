package pages

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// chunkOf lays pages out as they are in a file.
func chunkOf(t *testing.T, pages ...any) []byte {
	t.Helper()
	var out []byte
	for _, p := range pages {
		switch p := p.(type) {
		case format.PageHeader:
			head, err := thrift.Marshal(new(thrift.CompactProtocol), &p)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, head...)
		case []byte:
			out = append(out, p...)
		}
	}
	return out
}

func dataPage(rows int, enc format.Encoding, packed, unpacked int) format.PageHeader {
	return format.PageHeader{
		Type: format.DataPage, CompressedPageSize: int32(packed), UncompressedPageSize: int32(unpacked),
		DataPageHeader: thrift.New(format.DataPageHeader{NumValues: int32(rows), Encoding: enc}),
	}
}

func dictionaryPage(entries, size int) format.PageHeader {
	return format.PageHeader{
		Type: format.DictionaryPage, CompressedPageSize: int32(size), UncompressedPageSize: int32(size),
		DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{NumValues: int32(entries)}),
	}
}

func int64s(values ...int64) []byte {
	var out []byte
	for _, v := range values {
		out = binary.LittleEndian.AppendUint64(out, uint64(v))
	}
	return out
}

// readChunk reads a column chunk of rows rows and returns the values, or the error,
// and how many bytes were allocated for them.
func readChunk(t *testing.T, typ arrow.DataType, codec format.CompressionCodec, rows, unpacked int, data []byte) (string, int, error) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	c := &chunk{in: bytes.NewReader(data), name: "column", typ: typ, stored: storedAs(typ), codec: codec}
	group := &RowGroup{path: "file", rows: rows, chunks: []*chunk{c}, schema: schemaOf(typ)}
	group.mu.loaded = make(map[*entry]struct{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	batch, err := func() (_ arrow.RecordBatch, err error) {
		defer recoverInto(&err)
		if err := c.index(context.Background(), rows, 0, int64(len(data)), int64(unpacked)); err != nil {
			return nil, err
		}
		if err := c.measure(); err != nil {
			return nil, err
		}
		defer group.Close()
		piece := group.Piece(0, rows)
		defer piece.Release()
		metered := &meter{Allocator: mem, kept: piece.Bound().Kept, most: piece.Bound().Kept + piece.Bound().Scratch}
		batch, err := piece.Read(context.Background(), metered)
		if err == nil {
			err = metered.check(batch)
		}
		return batch, err
	}()
	runtime.ReadMemStats(&after)
	allocated := int(after.TotalAlloc - before.TotalAlloc)
	if err != nil {
		return "", allocated, err
	}
	defer batch.Release()
	return fmt.Sprint(values(batch.Columns())), allocated, nil
}

// storedAs is how the pages of a test have a type: decimals in strings of bytes, each with
// its length.
func storedAs(typ arrow.DataType) storage {
	switch typ.ID() {
	case arrow.INT8:
		return storage{typ: format.Int32, width: 4}
	case arrow.INT64:
		return storage{typ: format.Int64, width: 8}
	case arrow.TIMESTAMP:
		return storage{typ: format.Int96, width: 12}
	default:
		return storage{typ: format.ByteArray}
	}
}

func schemaOf(typ arrow.DataType) *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{{Name: "column", Type: typ}}, nil)
}

func TestPagesThatLieAreNotBelieved(t *testing.T) {
	number, narrow := arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Int8
	coded := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	decimal, instant := &arrow.Decimal128Type{Precision: 38, Scale: 2}, &arrow.TimestampType{Unit: arrow.Nanosecond}
	three := int64s(1, 2, 3)
	const huge = 1 << 30
	delta := parquet.DeltaBinaryPacked
	packed, err := delta.EncodeInt64(nil, []int64{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	longer := bytes.Clone(packed) // says that there are 2^28 values
	longer = append(longer[:3:3], append([]byte{0x80, 0x80, 0x80, 0x80, 0x01}, longer[4:]...)...)
	for _, tt := range []struct {
		name     string
		typ      arrow.DataType
		codec    format.CompressionCodec
		rows     int
		unpacked int
		data     []byte
		want     string
	}{
		{"nothing wrong", number, format.Uncompressed, 3, 99, chunkOf(t, dataPage(3, format.Plain, 24, 24), three), `["1" "2" "3"]`},
		{"fewer rows than the row group", number, format.Uncompressed, 4, 99,
			chunkOf(t, dataPage(3, format.Plain, 24, 24), three), "ends 1 rows early"},
		{"more rows than the row group", number, format.Uncompressed, 2, 99,
			chunkOf(t, dataPage(3, format.Plain, 24, 24), three), "3 rows, where the row group has 2 left"},
		{"fewer rows than none", number, format.Uncompressed, 2, 99,
			chunkOf(t, dataPage(-3, format.Plain, 24, 24), three), "-3 rows"},
		{"more bytes than the column", number, format.Snappy, 3, 99,
			chunkOf(t, dataPage(3, format.Plain, huge, 24), three), "where the column has 24 left"},
		{"more than the column unpacks to", number, format.Snappy, 3, 99,
			chunkOf(t, dataPage(3, format.Plain, 24, huge), three), "where the column has 99 left"},
		{"more than can be saved", number, format.Snappy, 3, huge,
			chunkOf(t, dataPage(3, format.Plain, 24, huge), three), "more than SNAPPY can save"},
		{"two sizes of what is not compressed", number, format.Uncompressed, 3, 99,
			chunkOf(t, dataPage(3, format.Plain, 24, 25), three), "24 bytes not compressed, and 25"},
		{"negative sizes", number, format.Snappy, 3, 99, chunkOf(t, dataPage(3, format.Plain, -24, 24), three), "-24 bytes compressed"},
		{"values that are not there", number, format.Uncompressed, huge, huge,
			chunkOf(t, dataPage(huge, format.Plain, 24, 24), three), "fewer values"},
		{"codes that are not there", number, format.Uncompressed, huge, huge,
			chunkOf(t, dictionaryPage(3, 24), three, dataPage(huge, format.RLEDictionary, 3, 3), []byte{2, 8, 1}), "fewer values"},
		{"deltas that are not there", number, format.Uncompressed, 3, 99,
			chunkOf(t, dataPage(3, format.DeltaBinaryPacked, len(longer), len(longer)), longer), "268435456 delta encoded values instead of 3"},
		{"an empty dictionary of many", number, format.Uncompressed, 3, 99,
			chunkOf(t, dictionaryPage(huge, 24), three, dataPage(3, format.RLEDictionary, 3, 3), []byte{2, 6, 0}), "fewer values"},
		{"an empty dictionary of many strings", coded, format.Uncompressed, 3, 99,
			chunkOf(t, dictionaryPage(huge, 24), three, dataPage(3, format.RLEDictionary, 3, 3), []byte{2, 6, 0}), "fewer values"},
		{"a code beyond the dictionary", number, format.Uncompressed, 3, 99,
			chunkOf(t, dictionaryPage(3, 24), three, dataPage(3, format.RLEDictionary, 3, 3), []byte{2, 6, 3}), "entry 3 of a dictionary of 3"},
		{"a string's code beyond the dictionary", coded, format.Uncompressed, 3, 99,
			chunkOf(t, dictionaryPage(1, 5), []byte{1, 0, 0, 0, 'x'}, dataPage(3, format.RLEDictionary, 3, 3), []byte{2, 6, 1}),
			"entry 1 of a dictionary of 1"},
		{"a code without a dictionary", number, format.Uncompressed, 3, 99,
			chunkOf(t, dataPage(3, format.RLEDictionary, 3, 3), []byte{2, 6, 0}), errNoDictionary.Error()},
		{"two dictionaries", number, format.Uncompressed, 3, 99,
			chunkOf(t, dictionaryPage(3, 24), three, dictionaryPage(3, 24), three), "second dictionary"},
		{"a dictionary after what may need it", number, format.Uncompressed, 4, 99,
			chunkOf(t, dataPage(3, format.Plain, 24, 24), three, dictionaryPage(3, 24), three), "dictionary after pages"},
		{"a string longer than its page", arrow.BinaryTypes.String, format.Uncompressed, 1, 99,
			chunkOf(t, dataPage(1, format.Plain, 5, 5), []byte{2, 0, 0, 0, 'x'}), "fewer values"},
		{"a number too large for its type", narrow, format.Uncompressed, 1, 99,
			chunkOf(t, dataPage(1, format.Plain, 4, 4), []byte{0, 1, 0, 0}), "value 256 does not fit the column's 8 bits"},
		{"a decimal of no bytes", decimal, format.Uncompressed, 1, 99,
			chunkOf(t, dataPage(1, format.Plain, 4, 4), []byte{0, 0, 0, 0}), "a decimal of no bytes"},
		{"a decimal of too many digits", decimal, format.Uncompressed, 1, 99,
			chunkOf(t, dataPage(1, format.Plain, 21, 21), append([]byte{17, 0, 0, 0, 0, 0x80}, make([]byte, 15)...)),
			"a decimal of more than 38 digits"},
		{"days that are not there", instant, format.Uncompressed, 2, 99,
			chunkOf(t, dataPage(2, format.Plain, 12, 12), make([]byte, 12)), "fewer values"},
		{"a day in the year -4712", instant, format.Uncompressed, 1, 99,
			chunkOf(t, dataPage(1, format.Plain, 12, 12), make([]byte, 12)), "a time before 1677-09-21"},
		{"a day of which there are no such hours", instant, format.Uncompressed, 1, 99,
			chunkOf(t, dataPage(1, format.Plain, 12, 12), []byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}), "a time of day of"},
		{"an encoding that times never had", instant, format.Uncompressed, 1, 99,
			chunkOf(t, dataPage(1, format.DeltaBinaryPacked, len(packed), len(packed)), packed), "delta encoded values"},
		{"an encoding of another type", number, format.Uncompressed, 3, 99,
			chunkOf(t, dataPage(3, format.DeltaByteArray, 24, 24), three), "not supported for this type"},
	} {
		got, allocated, err := readChunk(t, tt.typ, tt.codec, tt.rows, tt.unpacked, tt.data)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if allocated > 1<<20 {
			t.Errorf("%s: allocates %d bytes", tt.name, allocated)
		}
	}
}

func TestARowGroupThatSaysItIsLargeHasToEarnItsMemory(t *testing.T) {
	const rows = 1 << 27 // a gigabyte of int64
	data := chunkOf(t, dataPage(3, format.Plain, 24, 24), int64s(1, 2, 3))
	_, allocated, err := readChunk(t, arrow.PrimitiveTypes.Int64, format.Uncompressed, rows, 1<<30, data)
	if err == nil || allocated > 2*trusted {
		t.Errorf("%d bytes for three rows that say they are %d: %v", allocated, rows, err)
	}
}

func TestNoCodecUnpacksMoreThanItShould(t *testing.T) {
	bomb := make([]byte, 32<<20)
	for codec, encoder := range map[format.CompressionCodec]compress.Codec{
		format.Snappy: &parquet.Snappy, format.Zstd: &parquet.Zstd, format.Gzip: &parquet.Gzip,
		format.Brotli: &parquet.Brotli, format.Lz4Raw: &parquet.Lz4Raw,
	} {
		packed, err := encoder.Encode(nil, bomb)
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]byte, 1000)
		_ = decompress(codec, dst, packed) // brings the decoders up
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err = decompress(codec, dst, packed)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; err == nil || n > 16<<20 { // brotli keeps a window
			t.Errorf("%v: allocates %d bytes, %v", codec, n, err)
		}

		small, err := encoder.Encode(nil, []byte("abc"))
		if err != nil {
			t.Fatal(err)
		}
		if err := decompress(codec, dst, small); err == nil {
			t.Errorf("%v: three bytes pass for a thousand", codec)
		}
		if err := decompress(codec, dst[:3], small); err != nil || string(dst[:3]) != "abc" {
			t.Errorf("%v: %q, %v", codec, dst[:3], err)
		}
	}
	if err := decompress(format.LZO, nil, nil); err == nil || !strings.Contains(err.Error(), "LZO, which is not supported") {
		t.Errorf("%v", err)
	}
}

func TestAPanicInADecoderIsAnError(t *testing.T) {
	err := func() (err error) {
		defer recoverInto(&err)
		return errors.New(string([]byte{1}[len(chunkOf(t)):][5:])) // out of range
	}()
	if err == nil || !strings.Contains(err.Error(), "damaged: runtime error") {
		t.Errorf("%v", err)
	}
}

func TestAFooterThatContradictsItselfIsAnError(t *testing.T) {
	path := t.TempDir() + "/footer.parquet"
	for name, spoil := range map[string]func(*format.FileMetaData){
		"footer: 51 rows":              func(m *format.FileMetaData) { m.NumRows++ },
		"row group 0: column \"flag\"": func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.NumValues-- },
		"row group 1: -1 rows":         func(m *format.FileMetaData) { m.RowGroups[1].NumRows = -1 },
	} {
		f := mustOpen(t, path, checksummed(t))
		spoil(&f.meta)
		if err := f.checkRowGroups(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %q", err, name)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
