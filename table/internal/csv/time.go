package csv

import (
	"math"
	"math/bits"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// A clock goes along a text and takes numbers off it.
type clock struct {
	text []byte
	bad  bool
}

// two takes two digits.
func (c *clock) two() int64 {
	if len(c.text) < 2 {
		c.bad = true
		return 0
	}
	n := twoDigits(c.text[0], c.text[1])
	c.bad = c.bad || n < 0
	c.text = c.text[2:]
	return n
}

// accept takes one of some bytes, if it is next.
func (c *clock) accept(bytes string) bool {
	for i := range len(bytes) {
		if len(c.text) > 0 && c.text[0] == bytes[i] {
			c.text = c.text[1:]
			return true
		}
	}
	return false
}

func (c *clock) need(bytes string) {
	if !c.accept(bytes) {
		c.bad = true
	}
}

// date takes a date and returns its days since 1970. Years have four digits or more, and may
// be negative, by the calendar of today.
func (c *clock) date() (days int64) {
	if t := c.text; len(t) >= 10 && t[4] == '-' && t[7] == '-' { // nearly all are like that
		hundreds, year := twoDigits(t[0], t[1]), twoDigits(t[2], t[3])
		month, day := twoDigits(t[5], t[6]), twoDigits(t[8], t[9])
		if year += 100 * hundreds; hundreds|month|day >= 0 && year >= 0 && month-1 < 12 && month > 0 && day > 0 && day <= daysIn(year, month) {
			c.text = t[10:]
			return daysSince1970(year, month, day)
		}
	}
	return c.anyDate()
}

// twoDigits is a number of two digits, or far below 0.
func twoDigits(a, b byte) int64 {
	if a -= '0'; a > 9 {
		return -1 << 20
	}
	if b -= '0'; b > 9 {
		return -1 << 20
	}
	return int64(a)*10 + int64(b)
}

func (c *clock) anyDate() (days int64) {
	negative := c.accept("-")
	year, digits := int64(0), 0
	for ; digits < len(c.text) && digits < 10 && c.text[digits]-'0' <= 9; digits++ {
		year = year*10 + int64(c.text[digits]-'0')
	}
	c.text = c.text[digits:]
	if negative {
		year = -year
	}
	c.need("-")
	month := c.two()
	c.need("-")
	day := c.two()
	if digits < 4 || c.bad || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		c.bad = true
		return 0
	}
	return daysSince1970(year, month, day)
}

var monthDays = [...]int64{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

func daysIn(year, month int64) int64 {
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		return 29
	}
	return monthDays[month-1]
}

// daysSince1970 counts years from March on, so that the leap day is a year's last, and in
// eras of 400 years, which are all as long.
func daysSince1970(year, month, day int64) int64 {
	if month <= 2 {
		month += 12
		year--
	}
	era := year / 400
	if year%400 < 0 {
		era--
	}
	year -= era * 400
	const untilMarch1970 = 719468 // from March 1 of the year 0
	return era*146097 + year*365 + year/4 - year/100 + (153*(month-3)+2)/5 + day - 1 - untilMarch1970
}

// timeOfDay takes hours and minutes, and seconds with a fraction if they are there.
func (c *clock) timeOfDay() (seconds, nanos int64) {
	if t := c.text; len(t) == 8 && t[2] == ':' && t[5] == ':' { // nearly all are like that
		c.text = nil
		hour, minute, second := twoDigits(t[0], t[1]), twoDigits(t[3], t[4]), twoDigits(t[6], t[7])
		c.bad = c.bad || hour|minute|second < 0 || hour > 23 || minute > 59 || second > 59
		return hour*3600 + minute*60 + second, 0
	}
	hour := c.two()
	c.need(":")
	minute := c.two()
	second := int64(0)
	if c.accept(":") {
		second = c.two()
		if c.accept(".") {
			nanos = c.fraction()
		}
	}
	if hour > 23 || minute > 59 || second > 59 {
		c.bad = true
	}
	return hour*3600 + minute*60 + second, nanos
}

// fraction takes the digits behind the point of a second. Billionths are the finest.
func (c *clock) fraction() (nanos int64) {
	digits := 0
	for ; len(c.text) > 0 && c.text[0]-'0' <= 9; c.text = c.text[1:] {
		digit := int64(c.text[0] - '0')
		if digits++; digits <= 9 {
			nanos = nanos*10 + digit
		} else if digit != 0 {
			c.bad = true
		}
	}
	for i := digits; i < 9; i++ {
		nanos *= 10
	}
	c.bad = c.bad || digits == 0
	return nanos
}

// offset takes how far a zone is ahead of UTC, in seconds; false if there is none.
func (c *clock) offset() (seconds int64, ok bool) {
	if c.accept("Zz") {
		return 0, true
	}
	if len(c.text) == 0 || c.text[0] != '+' && c.text[0] != '-' {
		return 0, false
	}
	negative := c.accept("-")
	if !negative {
		c.need("+")
	}
	seconds = c.two() * 3600
	if c.accept(":") || len(c.text) > 0 {
		seconds += c.two() * 60
	}
	if negative {
		seconds = -seconds
	}
	return seconds, true
}

func (c *clock) done() bool { return !c.bad && len(c.text) == 0 }

func readDate(text []byte) (int32, bool) {
	c := clock{text: text}
	days := c.date()
	return int32(days), c.done() && days == int64(int32(days))
}

// timestampReader reads times of a type. A time without an offset is one of the column's
// zone; one with an offset is an error in a column without a zone.
func timestampReader(typ *arrow.TimestampType) (func(text []byte) (int64, bool), error) {
	var zone *time.Location
	if typ.TimeZone != "" {
		var err error
		if zone, err = typ.GetZone(); err != nil {
			return nil, err
		}
	}
	return func(text []byte) (int64, bool) {
		seconds, nanos, offset, ok := readTime(text)
		if !ok || offset && zone == nil {
			return 0, false
		}
		if zone != nil && !offset && zone != time.UTC {
			t := time.Unix(seconds, 0).UTC()
			t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, zone)
			seconds = t.Unix()
		}
		return ticksOf(seconds, nanos, typ.Unit)
	}, nil
}

// readTime reads a date with or without a time of day and an offset.
func readTime(text []byte) (seconds, nanos int64, offset, ok bool) {
	c := clock{text: text}
	seconds = c.date() * 24 * 60 * 60
	if !c.bad && len(c.text) > 0 {
		c.need("T t")
		var day, ahead int64
		day, nanos = c.timeOfDay()
		ahead, offset = c.offset()
		seconds += day - ahead
	}
	return seconds, nanos, offset, c.done()
}

// ticksOf is a time in a unit, false if the unit has it not.
func ticksOf(seconds, nanos int64, unit arrow.TimeUnit) (int64, bool) {
	tick := int64(unit.Multiplier())
	perSecond := int64(time.Second) / tick
	if nanos%tick != 0 {
		return 0, false
	}
	rest := nanos / tick
	if seconds < 0 { // towards zero, so that the least time does not overflow on the way
		seconds++
		rest -= perSecond
	}
	if seconds > math.MaxInt64/perSecond || seconds < math.MinInt64/perSecond {
		return 0, false
	}
	ticks := seconds * perSecond
	if rest > 0 && ticks > math.MaxInt64-rest || rest < 0 && ticks < math.MinInt64-rest {
		return 0, false
	}
	return ticks + rest, true
}

func timeReader[T int32 | int64](unit arrow.TimeUnit) func(text []byte) (T, bool) {
	return func(text []byte) (T, bool) {
		c := clock{text: text}
		seconds, nanos := c.timeOfDay()
		ticks, ok := ticksOf(seconds, nanos, unit)
		return T(ticks), ok && c.done()
	}
}

// durationUnits are in nanoseconds; longer names before those that they begin with.
var durationUnits = []struct {
	name  string
	nanos uint64
}{{"h", 3600e9}, {"ms", 1e6}, {"m", 60e9}, {"s", 1e9}, {"us", 1e3}, {"µs", 1e3}, {"μs", 1e3}, {"ns", 1}}

// durationReader reads durations as Go has them, of as many hours as there may be.
func durationReader(unit arrow.TimeUnit) func(text []byte) (int64, bool) {
	tick := uint64(unit.Multiplier())
	return func(text []byte) (int64, bool) {
		rest, negative := sign(text)
		var hi, lo uint64 // nanoseconds
		if len(rest) == 0 {
			return 0, false
		}
		for len(rest) > 0 {
			var h, l uint64
			var ok bool
			if h, l, rest, ok = durationPart(rest); !ok {
				return 0, false
			}
			var carry uint64
			lo, carry = bits.Add64(lo, l, 0)
			if hi, carry = bits.Add64(hi, h, carry); carry != 0 {
				return 0, false
			}
		}
		if hi >= tick {
			return 0, false
		}
		ticks, over := bits.Div64(hi, lo, tick)
		if negative {
			return -int64(ticks), over == 0 && ticks <= 1<<63
		}
		return int64(ticks), over == 0 && ticks < 1<<63
	}
}

// durationPart takes a number and its unit off a text, as nanoseconds.
func durationPart(text []byte) (hi, lo uint64, rest []byte, ok bool) {
	whole := 0
	for whole < len(text) && text[whole]-'0' <= 9 {
		whole++
	}
	n, ok := wholeDigits(text[:whole])
	c := clock{text: text[whole:]}
	var billionths int64
	if c.accept(".") {
		billionths = c.fraction()
	}
	if !ok || c.bad {
		return 0, 0, nil, false
	}
	for _, unit := range durationUnits {
		if len(c.text) >= len(unit.name) && string(c.text[:len(unit.name)]) == unit.name {
			hi, lo = bits.Mul64(n, unit.nanos)
			// The product fits: below 1e9 times 3600e9.
			part := uint64(billionths) * (unit.nanos / 1e3)
			if unit.nanos < 1e3 {
				return hi, lo, c.text[len(unit.name):], billionths == 0
			}
			if part%1e6 != 0 {
				return 0, 0, nil, false
			}
			lo, carry := bits.Add64(lo, part/1e6, 0)
			return hi + carry, lo, c.text[len(unit.name):], true
		}
	}
	return 0, 0, nil, false
}
