package table

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// whole is an integer of 65 bits: what any column of integers can be compared
// with. A negative one has its two's complement in bits.
type whole struct {
	negative bool
	bits     uint64
	far      int // -1 or 1 instead of a number below or above all of them
}

func wholeOf(n int64) whole { return whole{negative: n < 0, bits: uint64(n)} }

// beyond says whether the number is below least (-1), above most (1) or between.
// least is not positive.
func (w whole) beyond(least int64, most uint64) int {
	switch {
	case w.far != 0:
		return w.far
	case w.negative && int64(w.bits) < least:
		return -1
	case !w.negative && w.bits > most:
		return 1
	default:
		return 0
	}
}

func errNot(want string, value any) error {
	return fmt.Errorf("want %s, not %s", want, shown(value))
}

// shown is a value as one would write it, or of what nothing compares with, its
// type.
func shown(value any) string {
	switch value := value.(type) {
	case nil:
		return "nothing"
	case string:
		return strconv.Quote(value)
	case time.Time:
		return value.Format(time.RFC3339Nano)
	}
	switch v := reflect.ValueOf(value); {
	case v.CanInt(), v.CanUint(), v.CanFloat(), v.Kind() == reflect.Bool:
		return fmt.Sprint(value)
	default:
		return fmt.Sprintf("%T", value)
	}
}

// constant converts a value to the integer that a column of integers, dates, times or
// durations keeps it as.
func constant(typ arrow.DataType, value any) (whole, error) {
	switch typ := typ.(type) {
	case *arrow.Date32Type:
		return date(value)
	case *arrow.TimestampType:
		return timestamp(typ, value)
	case *arrow.Time32Type:
		return timeOfDay(typ.Unit, value)
	case *arrow.Time64Type:
		return timeOfDay(typ.Unit, value)
	case *arrow.DurationType:
		return duration(typ.Unit, value)
	}
	switch v := reflect.ValueOf(value); {
	case v.CanInt():
		return wholeOf(v.Int()), nil
	case v.CanUint():
		return whole{bits: v.Uint()}, nil
	case v.CanFloat() && v.Float() == math.Trunc(v.Float()) && math.Abs(v.Float()) < 1<<63:
		return wholeOf(int64(v.Float())), nil
	}
	return whole{}, errNot("a whole number", value)
}

func floating(value any) (float64, error) {
	switch v := reflect.ValueOf(value); {
	case v.CanFloat():
		return v.Float(), nil
	case v.CanInt():
		return float64(v.Int()), nil
	case v.CanUint():
		return float64(v.Uint()), nil
	}
	return 0, errNot("a number", value)
}

func date(value any) (whole, error) {
	var t time.Time
	switch value := value.(type) {
	case time.Time:
		t = onClock(value)
	case string:
		var err error
		if t, err = time.Parse(time.DateOnly, value); err != nil {
			return whole{}, errNot("a date in quotes, such as '2001-03-31'", value)
		}
	default:
		return whole{}, errNot("a date in quotes, such as '2001-03-31'", value)
	}
	const day = 24 * 60 * 60
	if t.Unix()%day != 0 || t.Nanosecond() != 0 {
		return whole{}, errors.New("the column has dates, without a time of day")
	}
	return wholeOf(t.Unix() / day), nil
}

// onClock is the time that a clock showed, as if it had been one in Greenwich:
// how columns without a time zone keep times.
func onClock(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.Add(time.Duration(offset) * time.Second).UTC()
}

func timestamp(typ *arrow.TimestampType, value any) (whole, error) {
	var t time.Time
	switch value := value.(type) {
	case time.Time:
		t = value
		if typ.TimeZone == "" {
			t = onClock(t)
		}
	case string:
		var err error
		if t, err = parseTime(typ, value); err != nil {
			return whole{}, err
		}
	default:
		return whole{}, errNot("a time in quotes, such as '2001-03-31 17:05:00'", value)
	}
	unit := int64(typ.Unit.Multiplier())
	if int64(t.Nanosecond())%unit != 0 {
		return whole{}, errTooFine("times", typ.Unit)
	}
	ticks := big.NewInt(t.Unix())
	ticks.Mul(ticks, big.NewInt(int64(time.Second)/unit))
	ticks.Add(ticks, big.NewInt(int64(t.Nanosecond())/unit))
	if !ticks.IsInt64() { // before or after all times that a column can have
		return whole{far: ticks.Sign()}, nil
	}
	return wholeOf(ticks.Int64()), nil
}

func errTooFine(what string, unit arrow.TimeUnit) error {
	return fmt.Errorf("the column's %s are in %s, which cannot tell that one apart", what, unit)
}

func timeOfDay(unit arrow.TimeUnit, value any) (whole, error) {
	s, ok := value.(string)
	if !ok {
		return whole{}, errNot("a time of day in quotes, such as '17:05:00'", value)
	}
	for _, layout := range []string{time.TimeOnly, "15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			midnight := t.Truncate(24 * time.Hour)
			return ticks("times", t.Sub(midnight), unit)
		}
	}
	return whole{}, errNot("a time of day in quotes, such as '17:05:00'", value)
}

func duration(unit arrow.TimeUnit, value any) (whole, error) {
	switch value := value.(type) {
	case time.Duration:
		return ticks("durations", value, unit)
	case string:
		if d, err := time.ParseDuration(value); err == nil {
			return ticks("durations", d, unit)
		}
	}
	return whole{}, errNot("a duration in quotes, such as '1h30m' or '2.5s'", value)
}

// ticks is a duration in the unit of a column.
func ticks(what string, d time.Duration, unit arrow.TimeUnit) (whole, error) {
	if d%unit.Multiplier() != 0 {
		return whole{}, errTooFine(what, unit)
	}
	return wholeOf(int64(d / unit.Multiplier())), nil
}

// Layouts of a time without a zone. Fractions of a second are accepted by all
// that have seconds.
var clockLayouts = []string{
	"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly,
}

func parseTime(typ *arrow.TimestampType, value string) (time.Time, error) {
	zone := time.UTC
	if typ.TimeZone != "" {
		var err error
		if zone, err = typ.GetZone(); err != nil {
			return time.Time{}, fmt.Errorf("time zone of the column: %w", err)
		}
	}
	for _, layout := range clockLayouts {
		if t, err := time.ParseInLocation(layout, value, zone); err == nil {
			return t, nil
		}
	}
	t, err := time.Parse(time.RFC3339, strings.Replace(value, " ", "T", 1))
	switch {
	case err != nil:
		return time.Time{}, errNot("a time in quotes, such as '2001-03-31 17:05:00'", value)
	case typ.TimeZone == "":
		return time.Time{}, errors.New("the column has no time zone; write the time without one")
	default:
		return t, nil
	}
}
