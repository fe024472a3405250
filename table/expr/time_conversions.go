package expr

import "github.com/apache/arrow-go/v18/arrow"

// timeToTime converts between dates, timestamps and durations. What a coarser unit cannot tell apart
// is cut off downwards.
func timeToTime(from, to arrow.DataType) conversion {
	f, t := classOf(from), classOf(to)
	per, into := perSecond(unitOf(from)), perSecond(unitOf(to))
	zonedFrom, zonedTo := zoneOf(from) != "", zoneOf(to) != ""
	rescaled := func(n int64) (int64, bool) {
		if into >= per {
			return multiply(n, into/per)
		}
		n, _ = floorDiv(n, per/into)
		return n, true
	}
	set := func(do func(n int64, z *zone) (int64, bool)) conversion {
		return func(_ *Evaluator, out *register, x *vector, row int, z *zone) bool {
			n, ok := do(x.ints[row], z)
			out.ints[row] = n
			return ok
		}
	}
	switch {
	case f == classDuration && t == classDuration,
		f == classTimestamp && t == classTimestamp && zonedFrom == zonedTo: // the instant stays
		return set(func(n int64, _ *zone) (int64, bool) { return rescaled(n) })
	case f == classTimestamp && t == classTimestamp: // what the clock shows stays
		return set(func(n int64, z *zone) (int64, bool) {
			second, rest := floorDiv(n, per)
			if zonedFrom {
				second += z.at(second)
			} else {
				second = z.instant(second)
			}
			n, ok := join(second, rest, per)
			if !ok {
				return 0, false
			}
			return rescaled(n)
		})
	case f == classDate && t == classTimestamp:
		return set(func(n int64, z *zone) (int64, bool) {
			second := n * secondsPerDay
			if zonedTo {
				second = z.instant(second)
			}
			return multiply(second, into)
		})
	case f == classTimestamp && t == classDate:
		return set(func(n int64, z *zone) (int64, bool) {
			second, _ := floorDiv(n, per)
			if zonedFrom {
				second += z.at(second)
			}
			days, _ := floorDiv(second, secondsPerDay)
			return days, inDates(days)
		})
	}
	return nil
}
