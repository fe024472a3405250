package expr

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

func loadZone(name string) (*time.Location, error) {
	return (&arrow.TimestampType{TimeZone: name}).GetZone()
}

var (
	errDate      = errors.New("want a date like '2001-03-31'")
	errTimeOfDay = errors.New("want a time of day like '17:05:00'")
	errTime      = errors.New("want a time like '2001-03-31 17:05:00'")
	errNoZone    = errors.New("the other side has no time zone; write the time without one")
	errFraction  = errors.New("has more digits behind the second than the other side can tell apart")
	errRange     = errors.New("is beyond the times that the other side can have")
)

// parseTimeText reads a date, timestamp, duration or time of day as a type holds it. A time without a zone is in
// that of the type.
func parseTimeText(typ arrow.DataType, text string) (int64, error) {
	switch typ := typ.(type) {
	case *arrow.Date32Type:
		t, ok := readTime(text)
		if !ok || t.clock {
			return 0, fmt.Errorf("%w, not %s", errDate, quote(text))
		}
		return t.days, nil
	case *arrow.TimestampType:
		var z *zone
		if typ.TimeZone != "" {
			location, err := loadZone(typ.TimeZone)
			if err != nil {
				return 0, fmt.Errorf("unknown time zone %q", typ.TimeZone)
			}
			z = &zone{location: location}
		}
		return timestampOf(text, typ.Unit, z)
	case *arrow.DurationType:
		i, err := parseInterval(text)
		if err != nil {
			return 0, err
		}
		return i.ticks(typ.Unit)
	case *arrow.Time32Type, *arrow.Time64Type:
		return timeOfDay(text, unitOf(typ))
	}
	return 0, errTime
}

// timeOfDay reads 17:05, 17:05:00 or 17:05:00.25.
func timeOfDay(text string, unit arrow.TimeUnit) (int64, error) {
	var t writtenTime
	if !t.readClock(text) || t.zoned {
		return 0, fmt.Errorf("%w, not %s", errTimeOfDay, quote(text))
	}
	per := perSecond(unit)
	step := int64(time.Second) / per
	if t.nanos%step != 0 {
		return 0, fmt.Errorf("%s %w", quote(text), errFraction)
	}
	return t.second*per + t.nanos/step, nil
}

// timestampOf reads a time of a zone, nil for none.
func timestampOf(text string, unit arrow.TimeUnit, z *zone) (int64, error) {
	t, ok := readTime(text)
	if !ok {
		return 0, fmt.Errorf("%w, not %s", errTime, quote(text))
	}
	second := t.days*secondsPerDay + t.second
	switch {
	case t.zoned && z == nil:
		return 0, errNoZone
	case t.zoned:
		second -= t.offset
	case z != nil:
		second = z.instant(second)
	}
	per := perSecond(unit)
	step := int64(time.Second) / per
	if t.nanos%step != 0 {
		return 0, fmt.Errorf("%s %w", quote(text), errFraction)
	}
	if ticks, ok := join(second, t.nanos/step, per); ok {
		return ticks, nil
	}
	return 0, fmt.Errorf("%s %w", quote(text), errRange)
}

// writtenTime is what a text says of a time.
type writtenTime struct {
	days   int64 // since 1970-01-01
	second int64 // of the day
	nanos  int64
	offset int64 // ahead of Greenwich
	clock  bool  // there is a time of day
	zoned  bool  // there is an offset, or Z
}

// readTime reads 2001-03-31, or that and after a space or T 17:05, 17:05:00 or 17:05:00.123456789,
// and then Z, +01, +0130 or +01:30, if anything.
func readTime(s string) (t writtenTime, ok bool) {
	year, s, ok1 := digits(s, 4)
	s, ok2 := skip(s, "-")
	month, s, ok3 := digits(s, 2)
	s, ok4 := skip(s, "-")
	day, s, ok5 := digits(s, 2)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month) {
		return t, false
	}
	t.days = daysOf(year, month, day)
	if s == "" {
		return t, true
	}
	if s[0] != ' ' && s[0] != 'T' && s[0] != 't' {
		return t, false
	}
	t.clock = true
	return t, t.readClock(s[1:])
}

func (t *writtenTime) readClock(s string) bool {
	hour, s, ok1 := digits(s, 2)
	s, ok2 := skip(s, ":")
	minute, s, ok3 := digits(s, 2)
	if !ok1 || !ok2 || !ok3 || hour > 23 || minute > 59 {
		return false
	}
	t.second = hour*3600 + minute*60
	if rest, ok := skip(s, ":"); ok {
		second, rest, ok := digits(rest, 2)
		if !ok || second > 59 {
			return false
		}
		t.second += second
		s = rest
		if rest, ok := skip(s, "."); ok {
			n := 0
			for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
				n++
			}
			if n == 0 || n > 9 {
				return false
			}
			t.nanos, _ = strconv.ParseInt((rest[:n] + "000000000")[:9], 10, 64)
			s = rest[n:]
		}
	}
	if s == "" {
		return true
	}
	t.zoned = true
	if s == "Z" || s == "z" {
		return true
	}
	sign := int64(1)
	if s[0] == '-' {
		sign = -1
	} else if s[0] != '+' {
		return false
	}
	hours, s, ok := digits(s[1:], 2)
	s, _ = skip(s, ":")
	minutes := int64(0)
	if ok && s != "" {
		minutes, s, ok = digits(s, 2)
	}
	t.offset = sign * (hours*3600 + minutes*60)
	return ok && s == "" && hours < 24 && minutes < 60
}

func digits(s string, n int) (value int64, rest string, ok bool) {
	if len(s) < n {
		return 0, s, false
	}
	for i := range n {
		if s[i] < '0' || s[i] > '9' {
			return 0, s, false
		}
		value = value*10 + int64(s[i]-'0')
	}
	return value, s[n:], true
}

func skip(s, prefix string) (string, bool) {
	return strings.CutPrefix(s, prefix)
}

// An interval is a stretch of the calendar: months are not all as long, nor are days where clocks
// are changed.
type interval struct{ months, days, nanos int64 }

// intervalUnits has what a unit adds to an interval.
var intervalUnits = map[string]interval{
	"year": {months: 12}, "quarter": {months: 3}, "month": {months: 1}, "week": {days: 7}, "day": {days: 1},
	"hour": {nanos: int64(time.Hour)}, "minute": {nanos: int64(time.Minute)}, "second": {nanos: int64(time.Second)},
	"millisecond": {nanos: int64(time.Millisecond)}, "microsecond": {nanos: int64(time.Microsecond)}, "nanosecond": {nanos: 1},
}

var errInterval = errors.New("want an interval like '3 days', '1 hour 30 minutes' or '1h30m'")

// parseInterval reads numbers with their units, or what Go's time package reads: 1h30m.
func parseInterval(text string) (interval, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return interval{nanos: int64(d)}, nil
	}
	words := strings.Fields(strings.ToLower(text))
	var total interval
	fail := func() (interval, error) { return total, fmt.Errorf("%w, not %s", errInterval, quote(text)) }
	if len(words) == 0 || len(words)%2 != 0 {
		return fail()
	}
	for ; len(words) > 0; words = words[2:] {
		n, err := strconv.ParseInt(strings.ReplaceAll(words[0], "_", ""), 10, 64)
		unit, ok := intervalUnits[strings.TrimSuffix(words[1], "s")]
		if err != nil || !ok {
			return fail()
		}
		months, ok1 := multiply(n, unit.months)
		days, ok2 := multiply(n, unit.days)
		nanos, ok3 := multiply(n, unit.nanos)
		sum := total.nanos + nanos
		const most = 1 << 40 // months and days that no date survives
		if !ok1 || !ok2 || !ok3 || max(months, days, -months, -days) > most || (total.nanos^sum)&(nanos^sum) < 0 {
			return total, fmt.Errorf("the interval %s is too long", quote(text))
		}
		total = interval{total.months + months, total.days + days, sum}
	}
	return total, nil
}

// unit returns the coarsest unit that has the interval's hours and less exactly.
func (i interval) unit() arrow.TimeUnit {
	for unit := arrow.Second; unit < arrow.Nanosecond; unit++ {
		if i.nanos%int64(unit.Multiplier()) == 0 {
			return unit
		}
	}
	return arrow.Nanosecond
}

// ticks returns how long the interval is, a day being 24 hours.
func (i interval) ticks(unit arrow.TimeUnit) (int64, error) {
	if i.months != 0 {
		return 0, errors.New("a month has no fixed length; add it to a date or a timestamp")
	}
	step := int64(unit.Multiplier())
	if i.nanos%step != 0 {
		return 0, fmt.Errorf("the interval %w", errFraction)
	}
	days, ok := multiply(i.days, secondsPerDay*perSecond(unit))
	sum := days + i.nanos/step
	if !ok || (days^sum)&(i.nanos^sum) < 0 {
		return 0, errors.New("the interval is too long")
	}
	return sum, nil
}

// multiply is false if the product is no int64.
func multiply(x, y int64) (int64, bool) {
	p := x * y
	return p, x == 0 || p/x == y && (x != -1 || y != math.MinInt64)
}

// join makes ticks of whole seconds and of the ticks after them; false if that is no int64.
func join(second, rest, per int64) (int64, bool) {
	if second < 0 { // so that the first of all times does not have a second that is none
		second, rest = second+1, rest-per
	}
	ticks, ok := multiply(second, per)
	sum := ticks + rest
	return sum, ok && (ticks^sum)&(rest^sum) >= 0
}

// typedLiteral is date '...', timestamp '...' or interval '...'.
func (b *binder) typedLiteral(s typedLiteral) node {
	var typ arrow.DataType
	switch s.kind {
	case "date":
		typ = arrow.FixedWidthTypes.Date32
	case "timestamp":
		typ = timestampTypeOf(s.text)
	default:
		i := b.interval(s)
		typ = &arrow.DurationType{Unit: i.unit()}
		n, err := i.ticks(i.unit())
		if err != nil {
			b.fail(s.span, "%v", err)
		}
		c := intConstant(s.span, typ, n)
		c.literal, c.text = true, s.text
		return c
	}
	n, err := parseTimeText(typ, s.text)
	if err != nil {
		b.fail(s.span, "%v", err)
	}
	c := intConstant(s.span, typ, n)
	c.literal, c.text = true, s.text
	return c
}

// timestampTypeOf is microseconds, or nanoseconds if that many are written; in UTC if there is a zone.
func timestampTypeOf(text string) arrow.DataType {
	typ := &arrow.TimestampType{Unit: arrow.Microsecond}
	t, _ := readTime(text)
	if t.nanos%1000 != 0 {
		typ.Unit = arrow.Nanosecond
	}
	if t.zoned {
		typ.TimeZone = "UTC"
	}
	return typ
}

func (b *binder) interval(s typedLiteral) interval {
	i, err := parseInterval(s.text)
	if err != nil {
		b.fail(s.span, "%v", err)
	}
	return i
}
