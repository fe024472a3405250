package pages

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/format"
)

// typeOf gives the Arrow type of a flat Parquet column, or an error that names
// the Parquet type. Text is plain here, whether or not the file has dictionaries.
func typeOf(e *format.SchemaElement) (arrow.DataType, error) {
	if !e.Type.Valid || e.NumChildren.V > 0 {
		return nil, fmt.Errorf("is nested (a group), which is not supported")
	}
	if e.RepetitionType.V == format.Repeated {
		return nil, fmt.Errorf("is nested (repeated %v), which is not supported", e.Type.V)
	}
	if typ, err := decimalType(e); typ != nil || err != nil {
		return typ, err
	}
	if typ := annotatedType(e); typ != nil {
		return typ, nil
	}
	name := strings.TrimSpace(fmt.Sprintf("%v %v", e.Type.V, annotation(e)))
	return nil, fmt.Errorf("has type %s, which is not supported", name)
}

func annotation(e *format.SchemaElement) string {
	if e.LogicalType.Value != nil {
		return e.LogicalType.Value.String()
	}
	if e.ConvertedType.Valid {
		return unsupported[e.ConvertedType.V]
	}
	return ""
}

// unsupported names the older annotations that are not read.
var unsupported = map[deprecated.ConvertedType]string{
	deprecated.Decimal: "DECIMAL", deprecated.Bson: "BSON", deprecated.Interval: "INTERVAL",
}

// maxDigits is how many digits 128 bits always hold.
const maxDigits = 38

// decimalType returns nil for what is no decimal.
func decimalType(e *format.SchemaElement) (arrow.DataType, error) {
	var precision, scale int32
	switch logical := e.LogicalType.Value.(type) {
	case *format.DecimalType:
		precision, scale = logical.Precision, logical.Scale
	case nil:
		if !e.ConvertedType.Valid || e.ConvertedType.V != deprecated.Decimal {
			return nil, nil
		}
		precision, scale = e.Precision.V, e.Scale.V
	default:
		return nil, nil
	}
	switch e.Type.V {
	case format.Int32, format.Int64, format.ByteArray, format.FixedLenByteArray:
	default:
		return nil, nil
	}
	switch name := fmt.Sprintf("%v DECIMAL(%d,%d)", e.Type.V, precision, scale); {
	case precision > maxDigits:
		return nil, fmt.Errorf("has type %s, which is not supported; decimals may have up to %d digits", name, maxDigits)
	case precision < 1 || scale < 0 || scale > precision:
		return nil, fmt.Errorf("has type %s, which cannot be", name)
	case e.Type.V == format.FixedLenByteArray && (e.TypeLength.V < 1 || e.TypeLength.V > 32):
		return nil, fmt.Errorf("has type %s in %d bytes, which cannot be", name, e.TypeLength.V)
	}
	return &arrow.Decimal128Type{Precision: precision, Scale: scale}, nil
}

func annotatedType(e *format.SchemaElement) arrow.DataType {
	plain := e.LogicalType.Value == nil && !e.ConvertedType.Valid
	switch e.Type.V {
	case format.Boolean:
		if plain {
			return arrow.FixedWidthTypes.Boolean
		}
	case format.Float:
		if plain {
			return arrow.PrimitiveTypes.Float32
		}
	case format.Double:
		if plain {
			return arrow.PrimitiveTypes.Float64
		}
	case format.Int32:
		if plain {
			return arrow.PrimitiveTypes.Int32
		}
		return int32Type(e)
	case format.Int64:
		if plain {
			return arrow.PrimitiveTypes.Int64
		}
		return int64Type(e)
	case format.Int96: // never meant anything else
		if plain {
			return &arrow.TimestampType{Unit: arrow.Nanosecond}
		}
	case format.ByteArray:
		if plain {
			return arrow.BinaryTypes.Binary
		}
		return textType(e)
	}
	return nil
}

func int32Type(e *format.SchemaElement) arrow.DataType {
	switch logical := e.LogicalType.Value.(type) {
	case *format.DateType:
		return arrow.FixedWidthTypes.Date32
	case *format.IntType:
		if logical.BitWidth <= 32 {
			return intType(logical)
		}
	case *format.TimeType:
		if _, ok := logical.Unit.Value.(*format.MilliSeconds); ok {
			return arrow.FixedWidthTypes.Time32ms
		}
	case nil:
		switch e.ConvertedType.V {
		case deprecated.Date:
			return arrow.FixedWidthTypes.Date32
		case deprecated.TimeMillis:
			return arrow.FixedWidthTypes.Time32ms
		case deprecated.Int8:
			return arrow.PrimitiveTypes.Int8
		case deprecated.Int16:
			return arrow.PrimitiveTypes.Int16
		case deprecated.Int32:
			return arrow.PrimitiveTypes.Int32
		case deprecated.Uint8:
			return arrow.PrimitiveTypes.Uint8
		case deprecated.Uint16:
			return arrow.PrimitiveTypes.Uint16
		case deprecated.Uint32:
			return arrow.PrimitiveTypes.Uint32
		}
	}
	return nil
}

func intType(t *format.IntType) arrow.DataType {
	signed := map[int8]arrow.DataType{
		8: arrow.PrimitiveTypes.Int8, 16: arrow.PrimitiveTypes.Int16,
		32: arrow.PrimitiveTypes.Int32, 64: arrow.PrimitiveTypes.Int64,
	}
	unsigned := map[int8]arrow.DataType{
		8: arrow.PrimitiveTypes.Uint8, 16: arrow.PrimitiveTypes.Uint16,
		32: arrow.PrimitiveTypes.Uint32, 64: arrow.PrimitiveTypes.Uint64,
	}
	if t.IsSigned {
		return signed[t.BitWidth]
	}
	return unsigned[t.BitWidth]
}

func int64Type(e *format.SchemaElement) arrow.DataType {
	switch logical := e.LogicalType.Value.(type) {
	case *format.IntType:
		if logical.BitWidth == 64 {
			return intType(logical)
		}
	case *format.TimestampType:
		return timestampType(logical)
	case *format.TimeType:
		switch logical.Unit.Value.(type) {
		case *format.MicroSeconds:
			return arrow.FixedWidthTypes.Time64us
		case *format.NanoSeconds:
			return arrow.FixedWidthTypes.Time64ns
		}
	case nil:
		switch e.ConvertedType.V {
		case deprecated.TimeMicros:
			return arrow.FixedWidthTypes.Time64us
		case deprecated.Int64:
			return arrow.PrimitiveTypes.Int64
		case deprecated.Uint64:
			return arrow.PrimitiveTypes.Uint64
		case deprecated.TimestampMillis:
			return &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}
		case deprecated.TimestampMicros:
			return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
		}
	}
	return nil
}

func timestampType(t *format.TimestampType) arrow.DataType {
	zone := ""
	if t.IsAdjustedToUTC {
		zone = "UTC"
	}
	switch t.Unit.Value.(type) {
	case *format.MilliSeconds:
		return &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: zone}
	case *format.MicroSeconds:
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: zone}
	case *format.NanoSeconds:
		return &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: zone}
	}
	return nil
}

func textType(e *format.SchemaElement) arrow.DataType {
	switch e.LogicalType.Value.(type) {
	case *format.StringType, *format.EnumType, *format.JsonType:
		return arrow.BinaryTypes.String
	case nil:
		switch e.ConvertedType.V {
		case deprecated.UTF8, deprecated.Enum, deprecated.Json:
			return arrow.BinaryTypes.String
		}
	}
	return nil
}

// A column collects the pages of one column chunk into an Arrow array.
type column interface {
	dictionary(page) error // before the first append, if the chunk has one
	append(page) error
	array() arrow.Array // takes what was collected
	release()           // gives back what was collected and not taken
}

// storage is how a file has the values of a column, whatever they are read as.
type storage struct {
	typ   format.Type
	width int // bytes of a value; 0 if each has its own, and for booleans
}

func storageOf(e *format.SchemaElement) storage {
	s := storage{typ: e.Type.V}
	switch s.typ {
	case format.Int32, format.Float:
		s.width = 4
	case format.Int64, format.Double:
		s.width = 8
	case format.Int96:
		s.width = 12
	case format.FixedLenByteArray:
		s.width = int(e.TypeLength.V)
	}
	return s
}

// packed reports whether values are strings of bytes that stand for something.
func (s storage) packed() bool {
	return s.typ == format.ByteArray || s.typ == format.FixedLenByteArray || s.typ == format.Int96
}

// newColumn returns the column for rows values of typ, which typeOf has given, or a
// dictionary of such text with at most so many entries.
func newColumn(mem memory.Allocator, typ arrow.DataType, as storage, rows, entries int) (column, error) {
	if as.packed() {
		switch typ := typ.(type) {
		case *arrow.Decimal128Type:
			return newPacked(mem, typ, as.width, rows, decimalOf), nil
		case *arrow.TimestampType:
			return newPacked(mem, typ, as.width, rows, nanosecondsOf), nil
		}
	}
	switch typ := typ.(type) {
	case *arrow.BooleanType:
		return newBool(mem, rows), nil
	case *arrow.Int8Type:
		return newFixed(mem, typ, rows, decodeInt32, narrow[int8]), nil
	case *arrow.Int16Type:
		return newFixed(mem, typ, rows, decodeInt32, narrow[int16]), nil
	case *arrow.Uint8Type:
		return newFixed(mem, typ, rows, decodeInt32, narrow[uint8]), nil
	case *arrow.Uint16Type:
		return newFixed(mem, typ, rows, decodeInt32, narrow[uint16]), nil
	case *arrow.Int32Type, *arrow.Uint32Type, *arrow.Date32Type, *arrow.Time32Type:
		return newFixed[int32, int32](mem, typ, rows, decodeInt32, nil), nil
	case *arrow.Int64Type, *arrow.Uint64Type, *arrow.TimestampType, *arrow.Time64Type:
		return newFixed[int64, int64](mem, typ, rows, encoding.Encoding.DecodeInt64, nil), nil
	case *arrow.Float32Type:
		return newFixed[float32, float32](mem, typ, rows, encoding.Encoding.DecodeFloat, nil), nil
	case *arrow.Float64Type:
		return newFixed[float64, float64](mem, typ, rows, encoding.Encoding.DecodeDouble, nil), nil
	case *arrow.Decimal128Type:
		if as.typ == format.Int32 {
			return newFixed(mem, typ, rows, decodeInt32, widen[int32]), nil
		}
		return newFixed(mem, typ, rows, encoding.Encoding.DecodeInt64, widen[int64]), nil
	case *arrow.StringType, *arrow.BinaryType:
		return newText(mem, typ, rows), nil
	case *arrow.DictionaryType:
		return newCoded(mem, typ, rows, entries), nil
	default:
		return nil, fmt.Errorf("cannot be read as %v", typ)
	}
}
