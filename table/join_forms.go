package table

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// A keyForm makes a key comparable with that of the other input: it returns a view of the same
// rows in which equal values are the same. Values that cannot equal any of the other
// input are null in it, as null equals nothing either.
type keyForm func(view) view

// formBytes is what a form takes on the Go heap for each row, at most: a decimal, and a bit that says
// whether it is null.
const formBytes = 16 + 1

// keyForms returns how columns of two types are brought to one form, nil for one that has it; false if the
// types cannot be compared.
func keyForms(a, b arrow.DataType) (forms [2]keyForm, ok bool) {
	a, b = plain(a), plain(b)
	switch {
	case arrow.IsInteger(a.ID()) && arrow.IsInteger(b.ID()):
		if wide := arrow.UINT64; a.ID() == wide && arrow.IsSignedInteger(b.ID()) || b.ID() == wide && arrow.IsSignedInteger(a.ID()) {
			return [2]keyForm{withoutTopBit, withoutTopBit}, true
		}
		return forms, true
	case arrow.IsFloating(a.ID()) && arrow.IsFloating(b.ID()):
		return forms, true
	case a.ID() == arrow.DECIMAL128 && b.ID() == arrow.DECIMAL128,
		a.ID() == arrow.DECIMAL128 && arrow.IsInteger(b.ID()),
		b.ID() == arrow.DECIMAL128 && arrow.IsInteger(a.ID()):
		return decimalForms(a, b), true
	case a.ID() == arrow.TIMESTAMP && b.ID() == arrow.TIMESTAMP:
		x, y := a.(*arrow.TimestampType), b.(*arrow.TimestampType)
		return forms, x.Unit == y.Unit && (x.TimeZone == "") == (y.TimeZone == "")
	default:
		return forms, arrow.TypeEqual(a, b)
	}
}

// withoutTopBit is for 64-bit integers of which one side has a sign and the other has not: those with the highest
// bit set are negative there, or greater than any of the other side here.
func withoutTopBit(v view) view {
	if v.layout != layoutInt64 && v.layout != layoutUint64 {
		return signless(v)
	}
	values := fixed[uint64](v.array)
	return v.hide(func(row int) bool { return values[row]>>63 != 0 })
}

// signless hides negative numbers of narrower types, which no number without a sign equals.
func signless(v view) view {
	switch v.layout {
	case layoutInt8:
		values := fixed[int8](v.array)
		return v.hide(func(row int) bool { return values[row] < 0 })
	case layoutInt16:
		values := fixed[int16](v.array)
		return v.hide(func(row int) bool { return values[row] < 0 })
	case layoutInt32:
		values := fixed[int32](v.array)
		return v.hide(func(row int) bool { return values[row] < 0 })
	default:
		return v
	}
}

// decimalForms brings decimals and integers to the larger of two scales.
func decimalForms(a, b arrow.DataType) (forms [2]keyForm) {
	scales := [2]int32{scaleOf(a), scaleOf(b)}
	scale := max(scales[0], scales[1])
	for s, typ := range [2]arrow.DataType{a, b} {
		more := scale - scales[s]
		switch {
		case typ.ID() != arrow.DECIMAL128:
			forms[s] = func(v view) view { return rescaled(v, integers(v), more) }
		case more > 0:
			forms[s] = func(v view) view { return rescaled(v, v.decimals, more) }
		}
	}
	return forms
}

// scaleOf returns how many digits of a decimal are behind the point; 0 of other numbers.
func scaleOf(typ arrow.DataType) int32 {
	if d, ok := typ.(*arrow.Decimal128Type); ok {
		return d.Scale
	}
	return 0
}

// rescaled returns a view of decimals with so many digits more behind the point. One that does not fit
// then is greater than all of the other side.
func rescaled(v view, values []decimal128.Num, more int32) view {
	made := make([]decimal128.Num, len(values))
	fits := func(n decimal128.Num) bool { return more < maxDigits && n.FitsInPrecision(maxDigits-more) }
	hidden := false
	for row, n := range values {
		switch {
		case v.null(row) || n == decimal128.Num{}:
		case fits(n):
			made[row] = n.IncreaseScaleBy(more)
		default:
			hidden = true
		}
	}
	if hidden {
		v = v.hide(func(row int) bool { return values[row] != decimal128.Num{} && !fits(values[row]) })
	}
	v.layout, v.decimals = layoutDecimal, made
	return v
}

// integers returns integers of any width as decimals.
func integers(v view) []decimal128.Num {
	made := make([]decimal128.Num, v.rows)
	switch v.layout {
	case layoutInt8:
		widenTo(made, fixed[int8](v.array))
	case layoutInt16:
		widenTo(made, fixed[int16](v.array))
	case layoutInt32:
		widenTo(made, fixed[int32](v.array))
	case layoutInt64:
		widenTo(made, fixed[int64](v.array))
	case layoutUint8:
		widenTo(made, fixed[uint8](v.array))
	case layoutUint16:
		widenTo(made, fixed[uint16](v.array))
	case layoutUint32:
		widenTo(made, fixed[uint32](v.array))
	default: // layoutUint64
		for i, x := range fixed[uint64](v.array) {
			made[i] = decimal128.FromU64(x)
		}
	}
	return made
}

func widenTo[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32](into []decimal128.Num, values []T) {
	for i, x := range values {
		into[i] = decimal128.FromI64(int64(x))
	}
}

// hide returns a view in which more rows are null.
func (v view) hide(also func(row int) bool) view {
	valid := make([]byte, bitutil.BytesForBits(int64(v.rows)))
	for row := range v.rows {
		if !v.null(row) && !also(row) {
			bitutil.SetBit(valid, row)
		}
	}
	v.valid, v.offset = valid, 0
	return v
}

// keyViews opens the keys of a batch in the form in which they are compared.
func (p *joinPlan) keyViews(s side, batch arrow.RecordBatch) []view {
	views := make([]view, len(p.keys[s]))
	for i, column := range p.keys[s] {
		views[i] = newView(batch.Column(column))
		if form := p.forms[s][i]; form != nil {
			views[i] = form(views[i])
		}
	}
	return views
}
