package expr

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
)

// timeArithmetic is x op y of dates, timestamps and durations.
func (b *binder) timeArithmetic(at span, op string, x, y node) node {
	moment := func(c class) bool { return c == classDate || c == classTimestamp }
	cx, cy := classOf(x.base().typ), classOf(y.base().typ)
	// A text beside a moment is one, and a null is whatever makes sense.
	if _, ok := isLiteral(y); ok && op == "-" && moment(cx) && (cy == classText || cy == classNull) {
		y, cy = b.to(y, x.base().typ), cx
	}
	if _, ok := isLiteral(x); ok && op == "-" && moment(cy) && (cx == classText || cx == classNull) {
		x, cx = b.to(x, y.base().typ), cy
	}
	second := arrow.DataType(&arrow.DurationType{Unit: arrow.Second})
	if cy == classNull && (moment(cx) || cx == classDuration) {
		y, cy = b.to(y, second), classDuration
	} else if cx == classNull && (moment(cy) || cy == classDuration) {
		x, cx = b.to(x, second), classDuration
	}
	switch {
	case op == "-" && cx == classDate && cy == classDate:
		return &apply{info: newInfo(at, arrow.PrimitiveTypes.Int64, x, y), run: subtractInts}
	case op == "-" && moment(cx) && moment(cy):
		typ, ok := common([]node{x, y})
		if !ok {
			break
		}
		return b.ticks(at, op, &arrow.DurationType{Unit: unitOf(typ)}, b.to(x, typ), b.to(y, typ))
	case (op == "+" || op == "-") && cx == classDate && cy == classInt:
		return b.addDays(at, op, x, b.to(y, arrow.PrimitiveTypes.Int64))
	case op == "+" && cx == classInt && cy == classDate:
		return b.addDays(at, op, y, b.to(x, arrow.PrimitiveTypes.Int64))
	case (op == "+" || op == "-") && moment(cx) && cy == classDuration:
		return b.addDuration(at, op, x, y)
	case op == "+" && cx == classDuration && moment(cy):
		return b.addDuration(at, op, y, x)
	case (op == "+" || op == "-") && cx == classDuration && cy == classDuration:
		typ, _ := common([]node{x, y})
		return b.ticks(at, op, typ, b.to(x, typ), b.to(y, typ))
	case (op == "*" || op == "//") && cx == classDuration && cy == classInt:
		return b.ticks(at, op, x.base().typ, x, b.to(y, arrow.PrimitiveTypes.Int64))
	case op == "*" && cx == classInt && cy == classDuration:
		return b.ticks(at, op, y.base().typ, y, b.to(x, arrow.PrimitiveTypes.Int64))
	case op == "/" && cx == classDuration && cy == classDuration:
		typ, _ := common([]node{x, y})
		float := arrow.PrimitiveTypes.Float64
		return &apply{info: newInfo(at, float, b.count(x, typ), b.count(y, typ)), run: divideFloats, explain: explainDivision}
	}
	b.failOperands(at, op, x, y)
	return nil
}

// count is the ticks of a duration, as a float64.
func (b *binder) count(n node, typ arrow.DataType) node {
	n = b.to(n, typ)
	return b.fold(&apply{info: newInfo(n.base().span, arrow.PrimitiveTypes.Float64, n), run: intsToFloats})
}

func intsToFloats(_ *Evaluator, out *register, args []*vector, n int) bool {
	r, x := out.floats[:n], args[0].ints[:n]
	for i := range r {
		r[i] = float64(x[i])
	}
	return false
}

// ticks calculates with what timestamps and durations are held as, and makes a value of typ.
func (b *binder) ticks(at span, op string, typ arrow.DataType, x, y node) node {
	n := b.wholeArithmetic(at, op, arrow.PrimitiveTypes.Int64, x, y).(*apply)
	n.typ = typ
	explain := n.explain
	n.explain = func(args []*vector, row int) error {
		if err := explain(args, row); err != nil {
			return fmt.Errorf("%w (in units of %v)", err, typ)
		}
		return nil
	}
	return n
}

func (b *binder) addDuration(at span, op string, moment, length node) node {
	unit := max(unitOf(moment.base().typ), unitOf(length.base().typ))
	typ := &arrow.TimestampType{Unit: unit, TimeZone: zoneOf(moment.base().typ)}
	return b.ticks(at, op, typ, b.to(moment, typ), b.to(length, &arrow.DurationType{Unit: unit}))
}

func (b *binder) addDays(at span, op string, date, days node) node {
	sign := int64(1)
	if op == "-" {
		sign = -1
	}
	n := &apply{info: newInfo(at, arrow.FixedWidthTypes.Date32, date, days)}
	n.run = func(_ *Evaluator, out *register, args []*vector, rows int) bool {
		r, d, by := out.ints[:rows], args[0].ints[:rows], args[1].ints[:rows]
		var over int64
		for i := range r {
			r[i] = plusDays(d[i], sign*by[i])
			over |= r[i] ^ int64(int32(r[i]))
		}
		return over != 0
	}
	if c, ok := days.(*constant); ok && !c.null {
		if by := sign * c.vec.ints[0]; by == int64(int32(by)) {
			n.run, n.direct = addTicks(n.typ, by), directDays(date, by)
		}
	}
	n.explain = func(args []*vector, row int) error {
		if inDates(plusDays(args[0].ints[row], sign*args[1].ints[row])) {
			return nil
		}
		return fmt.Errorf("%w of dates: %s %s %d days", ErrOverflow, shown(date.base().typ, args[0], row), op, args[1].ints[row])
	}
	return n
}

// plusDays makes of a date no other date if by is too much.
func plusDays(date, by int64) int64 {
	const most = 1 << 33 // days that no date survives
	return date + min(max(by, -most), most)
}

func inDates(days int64) bool { return days == int64(int32(days)) }

// shift moves dates and timestamps by an interval: on the clock of their zone by its months and days,
// then by its hours and less.
func (b *binder) shift(at span, x node, by interval, back bool) node {
	if back {
		by = interval{-by.months, -by.days, -by.nanos}
	}
	var typ arrow.DataType = arrow.FixedWidthTypes.Date32
	if classOf(x.base().typ) == classTimestamp || by.nanos != 0 {
		unit := max(unitOf(x.base().typ), interval{nanos: by.nanos}.unit())
		typ = &arrow.TimestampType{Unit: unit, TimeZone: zoneOf(x.base().typ)}
	}
	x = b.to(x, typ)
	in := b.zone(at, zoneOf(typ))
	move := func(z *zone, t int64) (int64, bool) {
		if typ.ID() == arrow.DATE32 {
			r := addMonths(t, by.months) + by.days
			return r, inDates(r)
		}
		return moved(t, by, unitOf(typ), z)
	}
	n := b.mapMoments(at, typ, x, in, move)
	if ticks, ok := by.steady(typ); ok && in < 0 {
		n.run = addTicks(typ, ticks)
	}
	return n
}

// steady returns how far an interval moves every date or timestamp without a zone, false if that depends on
// which it is.
func (by interval) steady(typ arrow.DataType) (int64, bool) {
	if by.months != 0 {
		return 0, false
	}
	if typ.ID() == arrow.DATE32 {
		return by.days, inDates(by.days)
	}
	seconds, ok := multiply(by.days, secondsPerDay)
	if !ok {
		return 0, false
	}
	return join(seconds, by.nanos/int64(unitOf(typ).Multiplier()), perSecond(unitOf(typ)))
}

func addTicks(typ arrow.DataType, ticks int64) loop {
	if typ.ID() == arrow.DATE32 {
		return func(_ *Evaluator, out *register, args []*vector, rows int) bool {
			r, x := out.ints[:rows], args[0].ints[:rows]
			var over int64
			for i, t := range x {
				s := t + ticks
				over |= s ^ int64(int32(s))
				r[i] = s
			}
			return over != 0
		}
	}
	return func(_ *Evaluator, out *register, args []*vector, rows int) bool {
		r, x := out.ints[:rows], args[0].ints[:rows]
		var over int64
		for i, t := range x {
			s := t + ticks
			over |= (t ^ s) & (ticks ^ s)
			r[i] = s
		}
		return over < 0
	}
}

// moved moves a timestamp.
func moved(t int64, by interval, unit arrow.TimeUnit, z *zone) (int64, bool) {
	per := perSecond(unit)
	ticks := by.nanos / int64(unit.Multiplier())
	if by.months != 0 || by.days != 0 {
		second, rest := floorDiv(t, per)
		if z != nil {
			second += z.at(second)
		}
		day, ofDay := floorDiv(second, secondsPerDay)
		second, ok := join(addMonths(day, by.months)+by.days, ofDay, secondsPerDay)
		if z != nil {
			second = z.instant(second)
		}
		sum, fits := join(second, rest, per)
		if !ok || !fits {
			return 0, false
		}
		t = sum
	}
	sum := t + ticks
	return sum, (t^sum)&(ticks^sum) >= 0
}
