package expr

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/internal/suggest"
)

// maxDigits is how many digits a decimal has at most.
const maxDigits = 38

// A class is a family of types that expressions treat alike.
type class uint8

const (
	classOther class = iota // of types that expressions do not work on
	classNull
	classBool
	classInt
	classFloat
	classDecimal
	classDate
	classTimestamp
	classDuration
	classTime // of day
	classText
	classBinary
)

func classOf(typ arrow.DataType) class {
	switch id := typ.ID(); {
	case id == arrow.NULL:
		return classNull
	case id == arrow.BOOL:
		return classBool
	case arrow.IsInteger(id):
		return classInt
	case id == arrow.FLOAT32 || id == arrow.FLOAT64:
		return classFloat
	case id == arrow.DECIMAL128:
		return classDecimal
	case id == arrow.DATE32:
		return classDate
	case id == arrow.TIMESTAMP:
		return classTimestamp
	case id == arrow.DURATION:
		return classDuration
	case id == arrow.TIME32 || id == arrow.TIME64:
		return classTime
	case id == arrow.STRING:
		return classText
	case id == arrow.BINARY:
		return classBinary
	default:
		return classOther
	}
}

func (c class) number() bool { return c == classInt || c == classFloat || c == classDecimal }

func formOf(typ arrow.DataType) form {
	switch classOf(typ) {
	case classBool:
		return formBool
	case classInt:
		if typ.ID() == arrow.UINT64 {
			return formUint
		}
		return formInt
	case classDate, classTimestamp, classDuration, classTime:
		return formInt
	case classFloat:
		return formFloat
	case classDecimal:
		return formDecimal
	case classText, classBinary:
		return formText
	default:
		return formNone
	}
}

// plain returns the type of the values of a dictionary, or typ itself.
func plain(typ arrow.DataType) arrow.DataType {
	if dict, ok := typ.(*arrow.DictionaryType); ok {
		return dict.ValueType
	}
	return typ
}

// nameOf says in a word what an expression gives.
func nameOf(typ arrow.DataType) string {
	switch classOf(typ) {
	case classText:
		return "text"
	case classDate:
		return "date"
	default:
		return typ.String()
	}
}

// fixedTypes are those with nothing in parentheses.
var fixedTypes = map[string]arrow.DataType{
	"bool": arrow.FixedWidthTypes.Boolean, "boolean": arrow.FixedWidthTypes.Boolean,
	"int8": arrow.PrimitiveTypes.Int8, "tinyint": arrow.PrimitiveTypes.Int8,
	"int16": arrow.PrimitiveTypes.Int16, "smallint": arrow.PrimitiveTypes.Int16,
	"int32": arrow.PrimitiveTypes.Int32, "int": arrow.PrimitiveTypes.Int32, "integer": arrow.PrimitiveTypes.Int32,
	"int64": arrow.PrimitiveTypes.Int64, "bigint": arrow.PrimitiveTypes.Int64,
	"uint8": arrow.PrimitiveTypes.Uint8, "uint16": arrow.PrimitiveTypes.Uint16,
	"uint32": arrow.PrimitiveTypes.Uint32, "uint64": arrow.PrimitiveTypes.Uint64,
	"float32": arrow.PrimitiveTypes.Float32, "real": arrow.PrimitiveTypes.Float32,
	"float64": arrow.PrimitiveTypes.Float64, "double": arrow.PrimitiveTypes.Float64,
	"date": arrow.FixedWidthTypes.Date32, "date32": arrow.FixedWidthTypes.Date32,
	"text": arrow.BinaryTypes.String, "string": arrow.BinaryTypes.String,
	"utf8": arrow.BinaryTypes.String, "varchar": arrow.BinaryTypes.String,
	"binary": arrow.BinaryTypes.Binary, "blob": arrow.BinaryTypes.Binary,
}

var typeNames = []string{
	"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
	"decimal(12, 2)", "date", "timestamp[us]", "timestamp[us, UTC]", "duration[us]", "text", "binary",
}

// parseType reads the name of a type.
func parseType(text string) (arrow.DataType, error) {
	word, inside := text, ""
	if i := strings.IndexAny(text, "(["); i >= 0 {
		end := strings.IndexByte(text, text[i]+1)
		if text[i] == '[' {
			end = strings.IndexByte(text, ']')
		}
		if end != len(text)-1 {
			return nil, fmt.Errorf("unknown type %q%s", text, suggest.Phrase(text, typeNames))
		}
		word, inside = text[:i], text[i+1:end]
	}
	word = strings.ToLower(strings.TrimSpace(word))
	parts := strings.Split(inside, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	if typ, ok := fixedTypes[word]; ok && inside == "" {
		return typ, nil
	}
	switch {
	case word == "decimal" || word == "numeric" || word == "decimal128":
		return parseDecimal(parts)
	case word == "timestamp" && len(parts) <= 2:
		unit, err := parseUnit(parts[0])
		if err != nil || len(parts) == 1 {
			return &arrow.TimestampType{Unit: unit}, err
		}
		zone := strings.Trim(strings.TrimPrefix(parts[1], "tz="), `"'`)
		if _, err := time.LoadLocation(zone); err != nil || zone == "" || zone == "Local" {
			return nil, fmt.Errorf("unknown time zone %q; write it like Europe/Zurich or UTC", zone)
		}
		return &arrow.TimestampType{Unit: unit, TimeZone: zone}, nil
	case word == "duration" && len(parts) == 1:
		unit, err := parseUnit(parts[0])
		return &arrow.DurationType{Unit: unit}, err
	}
	return nil, fmt.Errorf("unknown type %q%s", text, suggest.Phrase(text, typeNames))
}

func parseDecimal(parts []string) (arrow.DataType, error) {
	precision, err := strconv.Atoi(parts[0])
	scale := 0
	if err == nil && len(parts) == 2 {
		scale, err = strconv.Atoi(parts[1])
	}
	if err != nil || len(parts) > 2 || precision < 1 || precision > maxDigits || scale < 0 || scale > precision {
		return nil, fmt.Errorf("write a decimal like decimal(12, 2): its digits, at most %d, and how many of them stand behind the point", maxDigits)
	}
	return &arrow.Decimal128Type{Precision: int32(precision), Scale: int32(scale)}, nil
}

func parseUnit(text string) (arrow.TimeUnit, error) {
	switch text {
	case "s":
		return arrow.Second, nil
	case "ms":
		return arrow.Millisecond, nil
	case "us", "":
		return arrow.Microsecond, nil
	case "ns":
		return arrow.Nanosecond, nil
	}
	return 0, fmt.Errorf("unknown unit of time %q; there are s, ms, us and ns", text)
}

// unitOf returns the unit of a timestamp, a duration or a time of day.
func unitOf(typ arrow.DataType) arrow.TimeUnit {
	switch typ := typ.(type) {
	case *arrow.TimestampType:
		return typ.Unit
	case *arrow.DurationType:
		return typ.Unit
	case *arrow.Time32Type:
		return typ.Unit
	case *arrow.Time64Type:
		return typ.Unit
	}
	return arrow.Second
}

// perSecond is how many of a unit there are in a second.
func perSecond(unit arrow.TimeUnit) int64 { return int64(time.Second / unit.Multiplier()) }

func zoneOf(typ arrow.DataType) string {
	if typ, ok := typ.(*arrow.TimestampType); ok {
		return typ.TimeZone
	}
	return ""
}

// digitsOf returns the digits of a decimal type, or those that a type of integers needs.
func digitsOf(typ arrow.DataType) (precision, scale int32) {
	switch typ := typ.(type) {
	case *arrow.Decimal128Type:
		return typ.Precision, typ.Scale
	case *arrow.Int8Type, *arrow.Uint8Type:
		return 3, 0
	case *arrow.Int16Type, *arrow.Uint16Type:
		return 5, 0
	case *arrow.Int32Type, *arrow.Uint32Type:
		return 10, 0
	case *arrow.Int64Type:
		return 19, 0
	default:
		return 20, 0
	}
}

// decimalType has a number of digits before the point and behind it, or as many as there can be.
func decimalType(whole, scale int32) *arrow.Decimal128Type {
	return &arrow.Decimal128Type{Precision: min(max(whole+scale, 1), maxDigits), Scale: scale}
}
