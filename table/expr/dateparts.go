package expr

import (
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/internal/suggest"
)

// A day part is a number that a calendar gives a day, a clock part one that a clock gives a second of
// the day.
var dayParts = map[string]func(days int64) int64{
	"year":        func(days int64) int64 { y, _, _ := civil(days); return y },
	"month":       func(days int64) int64 { _, m, _ := civil(days); return m },
	"day":         func(days int64) int64 { _, _, d := civil(days); return d },
	"quarter":     func(days int64) int64 { _, m, _ := civil(days); return (m + 2) / 3 },
	"day_of_week": func(days int64) int64 { _, d := floorDiv(days+3, 7); return d + 1 },
	"day_of_year": func(days int64) int64 { y, _, _ := civil(days); return days - daysOf(y, 1, 1) + 1 },
}

var clockParts = map[string]func(second int64) int64{
	"hour":   func(second int64) int64 { return second / 3600 },
	"minute": func(second int64) int64 { return second / 60 % 60 },
	"second": func(second int64) int64 { return second % 60 },
}

// datePart is year(x), hour(x) and so on, on the clock of the zone of x.
func (b *binder) datePart(at span, name string, x node) node {
	x = b.moment(at, name, x)
	typ := x.base().typ
	day, ofDay := dayParts[name], clockParts[name]
	in, per := b.zone(at, zoneOf(typ)), perSecond(unitOf(typ))
	n := &apply{info: newInfo(at, arrow.PrimitiveTypes.Int64, x)}
	if typ.ID() == arrow.DATE32 {
		n.run = func(_ *Evaluator, out *register, args []*vector, rows int) bool {
			for i, t := range args[0].ints[:rows] {
				if out.ints[i] = 0; day != nil {
					out.ints[i] = day(t)
				}
			}
			return false
		}
		return n
	}
	perDay := newDivisor(uint64(per * secondsPerDay))
	n.run = func(e *Evaluator, out *register, args []*vector, rows int) bool {
		z := e.zone(in)
		for i, t := range args[0].ints[:rows] {
			var days, ofClock int64
			unit := per
			if z == nil {
				days, ofClock = perDay.floored(t)
			} else {
				second, _ := floorDiv(t, per)
				days, ofClock = floorDiv(second+z.at(second), secondsPerDay)
				unit = 1
			}
			if day != nil {
				out.ints[i] = day(days)
			} else {
				out.ints[i] = ofDay(ofClock / unit)
			}
		}
		return false
	}
	return n
}

// moment checks that x is a date or a timestamp.
func (b *binder) moment(at span, what string, x node) node {
	switch classOf(x.base().typ) {
	case classDate, classTimestamp:
		return x
	case classNull:
		return b.to(x, arrow.FixedWidthTypes.Date32)
	}
	b.failOperands(at, what, x)
	return nil
}

// truncations has the first day of what a day is in.
var truncations = map[string]func(days int64) int64{
	"year":    func(days int64) int64 { y, _, _ := civil(days); return daysOf(y, 1, 1) },
	"quarter": func(days int64) int64 { y, m, _ := civil(days); return daysOf(y, (m-1)/3*3+1, 1) },
	"month":   func(days int64) int64 { _, _, d := civil(days); return days - d + 1 },
	"week":    func(days int64) int64 { _, d := floorDiv(days+3, 7); return days - d },
	"day":     func(days int64) int64 { return days },
}

// ticksIn are the ticks per second of what is shorter than a day, or, negative, its seconds.
var ticksIn = map[string]int64{"hour": -3600, "minute": -60, "second": -1, "millisecond": 1e3, "microsecond": 1e6}

var truncationNames = []string{"year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond"}

// dateTruncation is date_trunc('month', x).
func (b *binder) dateTruncation(at span, args []node) node {
	unit, ok := args[0].(*constant)
	if !ok || classOf(unit.typ) != classText || unit.null {
		b.fail(args[0].base().span, "date_trunc wants what to cut to in quotes, such as 'month'")
	}
	name := strings.ToLower(unit.vec.texts[0])
	if !slices.Contains(truncationNames, name) {
		b.fail(unit.span, "date_trunc cannot cut to %q%s", name, suggest.Phrase(name, truncationNames))
	}
	x := b.moment(at, "date_trunc", args[1])
	typ := x.base().typ
	cut, per, in := truncations[name], perSecond(unitOf(typ)), b.zone(at, zoneOf(typ))
	truncate := func(z *zone, t int64) (int64, bool) { return truncated(t, per, ticksIn[name], z) }
	switch {
	case typ.ID() == arrow.DATE32 && cut == nil:
		return x // a day has no hours
	case typ.ID() == arrow.DATE32:
		truncate = func(_ *zone, t int64) (int64, bool) { r := cut(t); return r, inDates(r) }
	case cut != nil:
		truncate = func(z *zone, t int64) (int64, bool) { return truncatedToDay(t, per, cut, z) }
	}
	n := b.mapMoments(at, typ, x, in, truncate)
	if step := stepOf(per, ticksIn[name]); cut == nil && in < 0 && step > 1 {
		n.run = truncateTo(newDivisor(uint64(step)))
	}
	return n
}

// truncateTo cuts to a step.
func truncateTo(step divisor) loop {
	return func(_ *Evaluator, out *register, args []*vector, rows int) bool {
		r, x := out.ints[:rows], args[0].ints[:rows]
		var over int64
		for i, t := range x {
			_, rest := step.floored(t)
			r[i] = t - rest
			over |= t &^ r[i] // from the least to the greatest there are
		}
		return over < 0
	}
}

func truncatedToDay(t, per int64, cut func(int64) int64, z *zone) (int64, bool) {
	second, _ := floorDiv(t, per)
	if z != nil {
		second += z.at(second)
	}
	days, _ := floorDiv(second, secondsPerDay)
	second, ok := multiply(cut(days), secondsPerDay)
	if z != nil {
		second = z.instant(second)
	}
	ticks, fits := multiply(second, per)
	return ticks, ok && fits
}

// stepOf returns how many ticks, of which there are per in a second, are in what ticksIn says.
func stepOf(per, ticks int64) int64 {
	if ticks < 0 {
		return per * -ticks
	}
	return per / max(ticks, 1)
}

// truncated cuts to what is shorter than a day. Where clocks are put back an hour, the hour stays the
// one that it was.
func truncated(t, per, ticks int64, z *zone) (int64, bool) {
	step, offset := stepOf(per, ticks), int64(0)
	if ticks < 0 && z != nil {
		second, _ := floorDiv(t, per)
		offset = z.at(second) * per
	}
	if step <= 1 {
		return t, true
	}
	_, rest := floorDiv(t, step)
	_, ahead := floorDiv(offset, step)
	_, rest = floorDiv(rest+ahead, step)
	return t - rest, t >= math.MinInt64+rest
}
