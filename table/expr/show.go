package expr

import (
	"encoding/hex"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// appendValue appends the text of a value that is not null, which is what a cast to text gives and a
// cast from text reads. z is the zone of a timestamp, nil if it has none.
func appendValue(into []byte, typ arrow.DataType, z *zone, v *vector, row int) []byte {
	switch classOf(typ) {
	case classBool:
		return strconv.AppendBool(into, bitAt(v.bits, row))
	case classInt:
		if formOf(typ) == formUint {
			return strconv.AppendUint(into, v.uints[row], 10)
		}
		return strconv.AppendInt(into, v.ints[row], 10)
	case classFloat:
		bits := 64
		if typ.ID() == arrow.FLOAT32 {
			bits = 32
		}
		f, format := v.floats[row], byte('f')
		if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
			format = 'e'
		}
		return strconv.AppendFloat(into, f, format, -1, bits)
	case classDecimal:
		_, scale := digitsOf(typ)
		return appendDecimal(into, v.decimals[row], scale)
	case classDate:
		return appendDate(into, v.ints[row])
	case classTimestamp:
		return appendTimestamp(into, v.ints[row], unitOf(typ), z)
	case classDuration:
		return appendDuration(into, v.ints[row], perSecond(unitOf(typ)))
	case classTime:
		per := perSecond(unitOf(typ))
		second, rest := floorDiv(v.ints[row], per)
		return appendTimeOfDay(into, second, rest, per)
	case classText, classBinary:
		return append(into, v.texts[row]...)
	default:
		return append(into, "null"...)
	}
}

func appendDecimal(into []byte, d decimal128.Num, scale int32) []byte {
	if !short(d) || scale > 18 {
		return append(into, d.ToString(scale)...)
	}
	n, by := int64(d.LowBits()), int64(tens[scale].LowBits())
	if n < 0 && n > -by {
		into = append(into, '-') // of a 0
	}
	into = strconv.AppendInt(into, n/by, 10)
	if scale == 0 {
		return into
	}
	rest := n % by
	if rest < 0 {
		rest = -rest
	}
	into = append(into, '.')
	for by /= 10; by > 0; by /= 10 {
		into = append(into, byte('0'+rest/by%10))
	}
	return into
}

// appendPadded writes a number with at least 2 or 4 digits.
func appendPadded(into []byte, n int64, digits int) []byte {
	if n < 0 {
		into, n = append(into, '-'), -n
	}
	switch {
	case digits == 4 && n < 1e4:
		into = append(into, byte('0'+n/1000), byte('0'+n/100%10))
		n %= 100
		fallthrough
	case digits == 2 && n < 100:
		return append(into, byte('0'+n/10), byte('0'+n%10))
	default:
		return strconv.AppendInt(into, n, 10)
	}
}

func appendDate(into []byte, days int64) []byte {
	year, month, day := civil(days)
	into = append(appendPadded(into, year, 4), '-')
	into = append(appendPadded(into, month, 2), '-')
	return appendPadded(into, day, 2)
}

func appendTimestamp(into []byte, t int64, unit arrow.TimeUnit, z *zone) []byte {
	per := perSecond(unit)
	second, rest := floorDiv(t, per)
	offset := int64(0)
	if z != nil {
		offset = z.at(second)
	}
	days, ofDay := floorDiv(second+offset, secondsPerDay)
	into = append(appendDate(into, days), ' ')
	into = appendTimeOfDay(into, ofDay, rest, per)
	switch {
	case z == nil:
		return into
	case offset == 0:
		return append(into, 'Z')
	case offset < 0:
		into, offset = append(into, '-'), -offset
	default:
		into = append(into, '+')
	}
	return appendPadded(append(appendPadded(into, offset/3600, 2), ':'), offset/60%60, 2)
}

// appendTimeOfDay appends 17:05:00.5 of seconds and what there is of one more.
func appendTimeOfDay(into []byte, second, rest, per int64) []byte {
	into = append(appendPadded(into, second/3600, 2), ':')
	into = append(appendPadded(into, second/60%60, 2), ':')
	return appendFraction(appendPadded(into, second%60, 2), rest, per)
}

// appendFraction appends the digits behind the point of a second that are not zero at the end.
func appendFraction(into []byte, ticks, per int64) []byte {
	if ticks == 0 {
		return into
	}
	into = append(into, '.')
	for ; ticks > 0; ticks %= per {
		per /= 10
		into = append(into, byte('0'+ticks/per))
	}
	return into
}

// appendDuration appends 26h30m0.5s.
func appendDuration(into []byte, t, per int64) []byte {
	size := uint64(t)
	if t < 0 {
		into, size = append(into, '-'), -size
	}
	second, rest := size/uint64(per), int64(size%uint64(per))
	if second >= 3600 {
		into = append(strconv.AppendUint(into, second/3600, 10), 'h')
	}
	if second >= 60 {
		into = append(strconv.AppendUint(into, second/60%60, 10), 'm')
	}
	return append(appendFraction(strconv.AppendUint(into, second%60, 10), rest, per), 's')
}

// shown is a value for an error message.
func shown(typ arrow.DataType, v *vector, row int) string {
	switch classOf(typ) {
	case classText:
		return quote(v.texts[row])
	case classBinary:
		return quote(hex.EncodeToString([]byte(v.texts[row])))
	}
	var z *zone
	if name := zoneOf(typ); name != "" {
		z = &zone{location: time.UTC}
		if location, err := loadZone(name); err == nil {
			z.location = location
		}
	}
	return string(appendValue(nil, typ, z, v, row))
}
