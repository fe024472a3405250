package table

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
)

// A layout is how the values of a column lie in memory, which is all that most
// loops need to know of its type.
type layout uint8

const (
	layoutBool layout = iota
	layoutInt8
	layoutInt16
	layoutInt32 // also dates, and times of day in seconds or milliseconds
	layoutInt64 // also timestamps, durations, and finer times of day
	layoutUint8
	layoutUint16
	layoutUint32
	layoutUint64
	layoutFloat32
	layoutFloat64
	layoutDecimal // of 128 bits
	layoutText    // strings and binary, plain or in a dictionary
	layoutNull    // a column of type null: of a stream without a schema
)

// layoutOf returns the layout of a type, false if the nodes of this package do
// not work on it.
func layoutOf(typ arrow.DataType) (layout, bool) {
	switch typ.ID() {
	case arrow.BOOL:
		return layoutBool, true
	case arrow.INT8:
		return layoutInt8, true
	case arrow.INT16:
		return layoutInt16, true
	case arrow.INT32, arrow.DATE32, arrow.TIME32:
		return layoutInt32, true
	case arrow.INT64, arrow.TIMESTAMP, arrow.DURATION, arrow.TIME64:
		return layoutInt64, true
	case arrow.UINT8:
		return layoutUint8, true
	case arrow.UINT16:
		return layoutUint16, true
	case arrow.UINT32:
		return layoutUint32, true
	case arrow.UINT64:
		return layoutUint64, true
	case arrow.FLOAT32:
		return layoutFloat32, true
	case arrow.FLOAT64:
		return layoutFloat64, true
	case arrow.DECIMAL128:
		return layoutDecimal, true
	case arrow.STRING, arrow.BINARY:
		return layoutText, true
	case arrow.NULL:
		return layoutNull, true
	case arrow.DICTIONARY:
		of, ok := layoutOf(plain(typ))
		return of, ok && of == layoutText
	default:
		return 0, false
	}
}

// plain returns the type of the values of a dictionary, or typ itself.
func plain(typ arrow.DataType) arrow.DataType {
	if dict, ok := typ.(*arrow.DictionaryType); ok {
		return dict.ValueType
	}
	return typ
}

// typeName says in a word what a column has. Whether text comes with a dictionary
// is nothing to anybody who reads an error.
func typeName(typ arrow.DataType) string {
	switch typ = plain(typ); typ.ID() {
	case arrow.STRING:
		return "text"
	case arrow.DATE32:
		return "date"
	default:
		return typ.String()
	}
}

// typeNames are the names of two types that differ, so that they differ, too.
func typeNames(a, b arrow.DataType) (string, string) {
	if name, other := typeName(a), typeName(b); name != other {
		return name, other
	}
	return a.String(), b.String()
}

// supported says which columns of a schema the nodes of this package cannot carry.
func supported(schema *arrow.Schema) error {
	for _, f := range schema.Fields() {
		if _, ok := layoutOf(f.Type); !ok {
			return fmt.Errorf("column %q has type %v, which is not supported", f.Name, f.Type)
		}
	}
	return nil
}

// plainSchema is a schema with its dictionaries decoded.
func plainSchema(schema *arrow.Schema) *arrow.Schema {
	fields := make([]arrow.Field, schema.NumFields())
	for i, f := range schema.Fields() {
		fields[i] = arrow.Field{Name: f.Name, Type: plain(f.Type), Nullable: f.Nullable}
	}
	return arrow.NewSchema(fields, nil)
}
