package csv

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// column is the fields of one column of a block.
type column struct {
	block   []byte
	fields  []field
	dialect *Dialect
	wrong   func(row int, value []byte) error // is told of a value that does not parse; unless it returns an error, that is a null
}

// A columnReader makes an array of a column. Arrays are from the memory given, in the sizes that
// columnBytes says.
type columnReader func(mem memory.Allocator, c column) (arrow.Array, error)

// Readable says whether columns can be read as a type: any but nested ones, dictionaries and such
// that Arrow has and nobody writes.
func Readable(typ arrow.DataType) error {
	_, err := columnReaderOf(typ)
	return err
}

func columnReaderOf(typ arrow.DataType) (columnReader, error) {
	switch typ := typ.(type) {
	case *arrow.BooleanType:
		return readBools, nil
	case *arrow.Int8Type:
		return fixedReader(typ, readSigned[int8]), nil
	case *arrow.Int16Type:
		return fixedReader(typ, readSigned[int16]), nil
	case *arrow.Int32Type:
		return fixedReader(typ, readSigned[int32]), nil
	case *arrow.Int64Type:
		return fixedReader(typ, readSigned[int64]), nil
	case *arrow.Uint8Type:
		return fixedReader(typ, readUnsigned[uint8]), nil
	case *arrow.Uint16Type:
		return fixedReader(typ, readUnsigned[uint16]), nil
	case *arrow.Uint32Type:
		return fixedReader(typ, readUnsigned[uint32]), nil
	case *arrow.Uint64Type:
		return fixedReader(typ, readUnsigned[uint64]), nil
	case *arrow.Float32Type:
		return fixedReader(typ, readFloat32), nil
	case *arrow.Float64Type:
		return fixedReader(typ, readFloat64), nil
	case *arrow.Decimal128Type:
		return fixedReader[decimal128.Num](typ, decimalReader(typ.Precision, typ.Scale)), nil
	case *arrow.Date32Type:
		return fixedReader(typ, readDate), nil
	case *arrow.TimestampType:
		read, err := timestampReader(typ)
		return fixedReader(typ, read), err
	case *arrow.Time32Type:
		return fixedReader(typ, timeReader[int32](typ.Unit)), nil
	case *arrow.Time64Type:
		return fixedReader(typ, timeReader[int64](typ.Unit)), nil
	case *arrow.DurationType:
		return fixedReader(typ, durationReader(typ.Unit)), nil
	case *arrow.StringType:
		return readTexts, nil
	case *arrow.BinaryType:
		return readBinaries, nil
	default:
		return nil, fmt.Errorf("%v is not a type that CSV can be read as", typ)
	}
}

// null reports whether a field is a null: what a dialect says is one, or nothing where there has to
// be something. A field in quotes is none, unless it is empty.
func (c *column) null(f field, text bool) bool {
	value := f.text(c.block)
	if f.to&inQuotes == 0 && c.dialect.isNull(value) {
		return true
	}
	return !text && len(value) == 0
}

func fixedReader[T arrow.FixedWidthType](typ arrow.DataType, read func([]byte) (T, bool)) columnReader {
	return func(mem memory.Allocator, c column) (arrow.Array, error) {
		buf := newBuffer[T](mem, len(c.fields))
		valid := newValidity(mem, len(c.fields))
		values := arrow.GetData[T](buf.Bytes())
		onlyEmpty := c.dialect.onlyEmpty()
		for row, f := range c.fields {
			text := f.text(c.block)
			value, ok := read(text)
			// A null may look like a value, -1 or NaN, only if somebody said so.
			if ok && (onlyEmpty || !c.null(f, false)) {
				values[row] = value
				continue
			}
			var zero T
			values[row] = zero
			if !c.null(f, false) {
				if value, ok = read(bytes.Trim(text, " \t")); ok {
					values[row] = value
					continue
				}
				if err := c.wrong(row, text); err != nil {
					buf.Release()
					valid.buf.Release()
					return nil, err
				}
			}
			valid.clear(row)
		}
		return newArray(typ, len(c.fields), valid.nulls, valid.taken(), buf), nil
	}
}

func readBools(mem memory.Allocator, c column) (arrow.Array, error) {
	buf, valid := newBits(mem, len(c.fields), 0), newValidity(mem, len(c.fields))
	for row, f := range c.fields {
		text := f.text(c.block)
		if c.null(f, false) {
			valid.clear(row)
			continue
		}
		value, ok := readBool(bytes.Trim(text, " \t"))
		if !ok {
			if err := c.wrong(row, text); err != nil {
				buf.Release()
				valid.buf.Release()
				return nil, err
			}
			valid.clear(row)
		}
		bitutil.SetBitTo(buf.Bytes(), row, value && ok)
	}
	return newArray(arrow.FixedWidthTypes.Boolean, len(c.fields), valid.nulls, valid.taken(), buf), nil
}

func readTexts(mem memory.Allocator, c column) (arrow.Array, error) {
	return c.texts(mem, arrow.BinaryTypes.String, func(into []byte, f field) ([]byte, bool) {
		text, from := f.text(c.block), len(into)
		if f.to&doubledQuotes != 0 {
			into = unquote(into, text)
		} else {
			into = append(into, text...)
		}
		return into, validText(into[from:])
	})
}

// validText is utf8.Valid, quicker for what is short and ASCII.
func validText(text []byte) bool {
	for _, b := range text {
		if b >= utf8.RuneSelf {
			return utf8.Valid(text)
		}
	}
	return true
}

func readBinaries(mem memory.Allocator, c column) (arrow.Array, error) {
	return c.texts(mem, arrow.BinaryTypes.Binary, func(into []byte, f field) ([]byte, bool) {
		return readHex(into, f.text(c.block))
	})
}

// texts makes an array of text, which is no longer than its fields are.
func (c *column) texts(
	mem memory.Allocator, typ arrow.DataType, read func(into []byte, f field) ([]byte, bool),
) (arrow.Array, error) {
	bytes := 0
	for _, f := range c.fields {
		bytes += f.len()
	}
	offsets, values := newBuffer[int32](mem, len(c.fields)+1), newBuffer[uint8](mem, bytes)
	valid := newValidity(mem, len(c.fields))
	ends, into := arrow.GetData[int32](offsets.Bytes()), values.Bytes()[:0]
	ends[0] = 0
	for row, f := range c.fields {
		if c.null(f, true) {
			valid.clear(row)
		} else {
			was := len(into)
			var ok bool
			if into, ok = read(into, f); !ok {
				into = into[:was]
				if err := c.wrong(row, f.text(c.block)); err != nil {
					offsets.Release()
					values.Release()
					valid.buf.Release()
					return nil, err
				}
				valid.clear(row)
			}
		}
		ends[row+1] = int32(len(into))
	}
	values.ResizeNoShrink(len(into))
	return newArray(typ, len(c.fields), valid.nulls, valid.taken(), offsets, values), nil
}

// exampleOf says what a value of a type looks like, for errors.
func exampleOf(typ arrow.DataType) string {
	switch typ := typ.(type) {
	case *arrow.BooleanType:
		return "true or false"
	case *arrow.Float32Type, *arrow.Float64Type:
		return "a number"
	case *arrow.Decimal128Type:
		return fmt.Sprintf("a number of at most %d digits, %d of them behind the point", typ.Precision, typ.Scale)
	case *arrow.Date32Type:
		return "a date such as 2001-03-31"
	case *arrow.TimestampType:
		if typ.TimeZone != "" {
			return fmt.Sprintf("a time such as 2001-03-31T17:05:00Z, to the %s", unitName(typ.Unit))
		}
		return fmt.Sprintf("a time such as 2001-03-31T17:05:00, without an offset, to the %s", unitName(typ.Unit))
	case *arrow.Time32Type, *arrow.Time64Type:
		return "a time of day such as 17:05:00"
	case *arrow.DurationType:
		return "a duration such as 1h30m or 2.5s"
	case *arrow.BinaryType:
		return "hexadecimal digits, two for each byte"
	default:
		return "a whole number that fits " + typ.String()
	}
}

func unitName(unit arrow.TimeUnit) string {
	return [...]string{"second", "millisecond", "microsecond", "nanosecond"}[unit]
}
