package table

import (
	"bytes"
	"encoding/hex"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// A cell appends the text of the value in a row that is not null.
type cell func(v *view, row int, into []byte) []byte

// cells says how values of a type are written.
type cells struct {
	typ   arrow.DataType
	float func(x float64, bits int, into []byte) []byte
	clock string // layout of a timestamp
}

// of returns the cell for the type: numbers, true and false, dates, times, durations
// and text as they are.
func (c cells) of() cell {
	switch typ := plain(c.typ).(type) {
	case *arrow.BooleanType:
		return func(v *view, row int, into []byte) []byte { return strconv.AppendBool(into, v.bitAt(row)) }
	case *arrow.Date32Type:
		return func(v *view, row int, into []byte) []byte {
			days := fixed[int32](v.array)[row]
			return time.Unix(int64(days)*24*60*60, 0).UTC().AppendFormat(into, time.DateOnly)
		}
	case *arrow.TimestampType:
		return c.timestamp(typ)
	case *arrow.Time32Type:
		return timeOfDayCell[int32](typ.Unit)
	case *arrow.Time64Type:
		return timeOfDayCell[int64](typ.Unit)
	case *arrow.DurationType:
		return func(v *view, row int, into []byte) []byte {
			return appendDuration(into, fixed[int64](v.array)[row], typ.Unit)
		}
	case *arrow.Decimal128Type:
		return func(v *view, row int, into []byte) []byte {
			return appendDecimal(into, v.decimals[row], int(typ.Scale))
		}
	case *arrow.BinaryType:
		return func(v *view, row int, into []byte) []byte { return hex.AppendEncode(into, v.text.at(row)) }
	case *arrow.StringType:
		return func(v *view, row int, into []byte) []byte { return append(into, v.text.at(row)...) }
	case *arrow.Float32Type:
		return func(v *view, row int, into []byte) []byte {
			return c.float(float64(fixed[float32](v.array)[row]), 32, into)
		}
	case *arrow.Float64Type:
		return func(v *view, row int, into []byte) []byte { return c.float(fixed[float64](v.array)[row], 64, into) }
	case *arrow.Int8Type:
		return signed[int8]
	case *arrow.Int16Type:
		return signed[int16]
	case *arrow.Int32Type:
		return signed[int32]
	case *arrow.Int64Type:
		return signed[int64]
	case *arrow.Uint8Type:
		return unsigned[uint8]
	case *arrow.Uint16Type:
		return unsigned[uint16]
	case *arrow.Uint32Type:
		return unsigned[uint32]
	case *arrow.Uint64Type:
		return unsigned[uint64]
	default: // null, of which no row is not
		return func(_ *view, _ int, into []byte) []byte { return into }
	}
}

func signed[T int8 | int16 | int32 | int64](v *view, row int, into []byte) []byte {
	return strconv.AppendInt(into, int64(fixed[T](v.array)[row]), 10)
}

func unsigned[T uint8 | uint16 | uint32 | uint64](v *view, row int, into []byte) []byte {
	return strconv.AppendUint(into, uint64(fixed[T](v.array)[row]), 10)
}

func (c cells) timestamp(typ *arrow.TimestampType) cell {
	zone, err := typ.GetZone()
	if typ.TimeZone == "" || err != nil {
		zone = time.UTC
	}
	layout := c.clock + ".999999999"
	if typ.TimeZone != "" {
		layout += "Z07:00"
	}
	unit := int64(typ.Unit.Multiplier())
	perSecond := int64(time.Second) / unit
	return func(v *view, row int, into []byte) []byte {
		ticks := fixed[int64](v.array)[row]
		seconds, rest := ticks/perSecond, ticks%perSecond
		return time.Unix(seconds, rest*unit).In(zone).AppendFormat(into, layout)
	}
}

func timeOfDayCell[T int32 | int64](unit arrow.TimeUnit) cell {
	return func(v *view, row int, into []byte) []byte {
		sinceMidnight := time.Duration(fixed[T](v.array)[row]) * unit.Multiplier()
		return time.Time{}.Add(sinceMidnight).AppendFormat(into, "15:04:05.999999999")
	}
}

// appendDuration writes a duration as Go's time package reads it: 26h30m0.5s. Unlike
// there, hours may be as many as seconds in 64 bits make.
func appendDuration(into []byte, ticks int64, unit arrow.TimeUnit) []byte {
	size := uint64(ticks)
	if ticks < 0 {
		into = append(into, '-')
		size = -size
	}
	perSecond := uint64(time.Second / unit.Multiplier())
	seconds, fraction := size/perSecond, size%perSecond
	if seconds >= 3600 {
		into = append(strconv.AppendUint(into, seconds/3600, 10), 'h')
	}
	if seconds >= 60 {
		into = append(strconv.AppendUint(into, seconds/60%60, 10), 'm')
	}
	into = strconv.AppendUint(into, seconds%60, 10)
	if fraction > 0 {
		digits := strconv.AppendUint(nil, perSecond+fraction, 10)[1:] // with the zeros in front
		into = append(append(into, '.'), bytes.TrimRight(digits, "0")...)
	}
	return append(into, 's')
}

// exactFloat writes the fewest digits that read back as the same number.
func exactFloat(x float64, bits int, into []byte) []byte {
	return strconv.AppendFloat(into, x, shortest(x), -1, bits)
}

// shortest chooses an exponent only for numbers that would be long without.
func shortest(x float64) byte {
	if abs := math.Abs(x); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return 'e'
	}
	return 'f'
}

// readableFloat writes six decimals, so that points stand under each other.
func readableFloat(x float64, bits int, into []byte) []byte {
	if abs := math.Abs(x); abs != 0 && (abs < 1e-4 || abs >= 1e15) {
		return strconv.AppendFloat(into, x, 'g', 7, bits)
	}
	return strconv.AppendFloat(into, x, 'f', 6, bits)
}

func isNumber(typ arrow.DataType) bool {
	switch layout, _ := layoutOf(typ); layout {
	case layoutBool, layoutText, layoutNull:
		return false
	case layoutInt32, layoutInt64: // which are also layouts of times
		return typ.ID() == arrow.INT32 || typ.ID() == arrow.INT64
	default:
		return true
	}
}
