package expr

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/seed14ed4225/sluice/internal/suggest"
)

// A function makes a node of its arguments, of which it takes from least to most.
type function struct {
	least, most int // most is 0 if any number is allowed
	usage       string
	bind        func(b *binder, at span, args []node) node
}

var functions map[string]function

// measures are what SQL calculates with the same words, but of many rows.
var measures = func() map[string]string {
	all := map[string]string{}
	for _, name := range []string{"count", "sum", "mean", "avg", "variance", "stddev", "first", "any"} {
		all[name] = "it belongs into the compute of a node of kind aggregate"
	}
	all["min"] = all["sum"] + ", and the least of several values in a row is least(a, b)"
	all["max"] = all["sum"] + ", and the greatest of several values in a row is greatest(a, b)"
	return all
}()

// The functions refer to the binder, which refers to them.
func init() {
	functions = map[string]function{
		"length":    {1, 1, "length(text)", func(b *binder, at span, a []node) node { return b.length(at, a[0]) }},
		"lower":     {1, 1, "lower(text)", func(b *binder, at span, a []node) node { return b.mapText(at, "lower", a[0], lowerText) }},
		"upper":     {1, 1, "upper(text)", func(b *binder, at span, a []node) node { return b.mapText(at, "upper", a[0], upperText) }},
		"trim":      {1, 1, "trim(text)", func(b *binder, at span, a []node) node { return b.mapText(at, "trim", a[0], trimText) }},
		"ltrim":     {1, 1, "ltrim(text)", func(b *binder, at span, a []node) node { return b.mapText(at, "ltrim", a[0], trimLeft) }},
		"rtrim":     {1, 1, "rtrim(text)", func(b *binder, at span, a []node) node { return b.mapText(at, "rtrim", a[0], trimRight) }},
		"substring": {2, 3, "substring(text, from, characters)", (*binder).substring},
		"replace":   {3, 3, "replace(text, part, by)", (*binder).replace},
		"concat":    {1, 0, "concat(text, ...)", (*binder).concatAll},
		"contains": {2, 2, "contains(text, part)", func(b *binder, at span, a []node) node {
			return b.textTest(at, "contains", a[0], a[1], strings.Contains)
		}},
		"starts_with": {2, 2, "starts_with(text, part)", func(b *binder, at span, a []node) node {
			return b.textTest(at, "starts_with", a[0], a[1], strings.HasPrefix)
		}},
		"ends_with": {2, 2, "ends_with(text, part)", func(b *binder, at span, a []node) node {
			return b.textTest(at, "ends_with", a[0], a[1], strings.HasSuffix)
		}},
		"date_trunc": {2, 2, "date_trunc('month', moment)", (*binder).dateTruncation},
		"if":         {3, 3, "if(condition, then, else)", (*binder).ifElse},
		"coalesce":   {1, 0, "coalesce(value, ...)", (*binder).coalesce},
		"nullif":     {2, 2, "nullif(value, other)", (*binder).nullIf},
		"least":      {1, 0, "least(value, ...)", func(b *binder, at span, a []node) node { return b.extreme(at, "least", a) }},
		"greatest":   {1, 0, "greatest(value, ...)", func(b *binder, at span, a []node) node { return b.extreme(at, "greatest", a) }},
		"abs":        {1, 1, "abs(number)", func(b *binder, at span, a []node) node { return b.abs(at, a[0]) }},
		"round":      {1, 2, "round(number, digits)", (*binder).round},
		"floor":      {1, 1, "floor(number)", func(b *binder, at span, a []node) node { return b.whole(at, "floor", a[0], floorFloats, -1) }},
		"ceil":       {1, 1, "ceil(number)", func(b *binder, at span, a []node) node { return b.whole(at, "ceil", a[0], ceilFloats, 1) }},
	}
	for _, parts := range []map[string]func(int64) int64{dayParts, clockParts} {
		for name := range parts {
			functions[name] = function{1, 1, name + "(moment)", func(b *binder, at span, a []node) node { return b.datePart(at, name, a[0]) }}
		}
	}
}

// Functions returns the names of all functions, sorted. Besides them there are cast and try_cast.
func Functions() []string {
	var names []string
	for name := range functions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (b *binder) call(s call) node {
	f, ok := functions[s.name]
	if !ok {
		at := span{s.from, s.from + len([]rune(s.name))}
		if advice := measures[s.name]; advice != "" {
			b.fail(at, "%s is of many rows; %s", s.name, advice)
		}
		b.fail(at, "unknown function %q%s", s.name, suggest.Phrase(s.name, append(Functions(), "cast", "try_cast")))
	}
	if n := len(s.args); n < f.least || f.most > 0 && n > f.most {
		plural := "s"
		if n == 1 {
			plural = ""
		}
		b.fail(s.span, "%s has %d argument%s; write %s", s.name, n, plural, f.usage)
	}
	args := make([]node, len(s.args))
	for i := range args {
		args[i] = b.bind(s.args[i])
	}
	return f.bind(b, s.span, args)
}

// aNumber checks that an argument is a number. Whole ones become int64, or stay uint64.
func (b *binder) aNumber(what string, x node) node {
	switch i := x.base(); classOf(i.typ) {
	case classNull:
		return b.to(x, arrow.PrimitiveTypes.Int64)
	case classInt:
		if i.form == formUint {
			return x
		}
		return b.to(x, arrow.PrimitiveTypes.Int64)
	case classFloat:
		return b.to(x, arrow.PrimitiveTypes.Float64)
	case classDecimal:
		return x
	default:
		b.failType(x, "%s wants a number, not %s, which is %s", what, b.text(i.span), nameOf(i.typ))
		return nil
	}
}

// floats makes a node of a loop over floats.
func (b *binder) floats(at span, x node, run func(r, x []float64)) node {
	return &apply{info: newInfo(at, arrow.PrimitiveTypes.Float64, x), run: func(_ *Evaluator, out *register, args []*vector, n int) bool {
		run(out.floats[:n], args[0].floats[:n])
		return false
	}}
}

func absFloats(r, x []float64) {
	for i, f := range x {
		r[i] = math.Abs(f)
	}
}

func floorFloats(r, x []float64) {
	for i, f := range x {
		r[i] = math.Floor(f)
	}
}

func ceilFloats(r, x []float64) {
	for i, f := range x {
		r[i] = math.Ceil(f)
	}
}

func roundFloats(r, x []float64) {
	for i, f := range x {
		r[i] = roundFloat(f)
	}
}

// roundFloatsTo rounds to digits behind the point, or, negative, before it.
func roundFloatsTo(digits int64) func(r, x []float64) {
	by := math.Pow10(int(max(digits, -digits)))
	if digits < 0 {
		return func(r, x []float64) {
			for i, f := range x {
				r[i] = roundFloat(f/by) * by
			}
		}
	}
	return func(r, x []float64) {
		for i, f := range x {
			r[i] = f // what is too large to have such digits has none to round, either
			if fine := f * by; math.Abs(fine) <= math.MaxFloat64 {
				r[i] = roundFloat(fine) / by
			}
		}
	}
}

// mapDecimals makes decimals of typ, which may have more digits than fit.
func (b *binder) mapDecimals(at span, typ arrow.DataType, x node, do func(decimal128.Num) (decimal128.Num, bool)) node {
	run := func(_ *Evaluator, out *register, args []*vector, n int) (suspect bool) {
		for i, d := range args[0].decimals[:n] {
			r, ok := do(d)
			out.decimals[i] = r
			suspect = suspect || !ok
		}
		return suspect
	}
	return &apply{info: newInfo(at, typ, x), run: run, explain: func(args []*vector, row int) error {
		if _, ok := do(args[0].decimals[row]); ok {
			return nil
		}
		return fmt.Errorf("%w of %s: %s", ErrOverflow, nameOf(typ), shown(x.base().typ, args[0], row))
	}}
}

func (b *binder) abs(at span, x node) node {
	if classOf(x.base().typ) == classDuration {
		x = b.share(x)
		return b.extreme(at, "greatest", []node{x, b.minus(at, again(x))})
	}
	switch x = b.aNumber("abs", x); x.base().form {
	case formUint:
		return x
	case formFloat:
		return b.floats(at, x, absFloats)
	case formDecimal:
		return b.mapDecimals(at, x.base().typ, x, func(d decimal128.Num) (decimal128.Num, bool) { return d.Abs(), true })
	default:
		return &apply{info: newInfo(at, arrow.PrimitiveTypes.Int64, x), run: func(_ *Evaluator, out *register, args []*vector, n int) (suspect bool) {
			for i, v := range args[0].ints[:n] {
				out.ints[i] = max(v, -v)
				suspect = suspect || v == math.MinInt64
			}
			return suspect
		}, explain: func(args []*vector, row int) error {
			if args[0].ints[row] != math.MinInt64 {
				return nil
			}
			return fmt.Errorf("%w of int64: abs(%d)", ErrOverflow, args[0].ints[row])
		}}
	}
}

// whole is floor, or ceil with up 1.
func (b *binder) whole(at span, name string, x node, float func(r, x []float64), up int) node {
	switch x = b.aNumber(name, x); x.base().form {
	case formFloat:
		return b.floats(at, x, float)
	case formDecimal:
		p, s := digitsOf(x.base().typ)
		return b.mapDecimals(at, decimalType(p-s+min(s, 1), 0), x, func(d decimal128.Num) (decimal128.Num, bool) {
			q, r, ok := divideDecimals(d, tens[s])
			if r.Sign() == up {
				q = q.Add(decimal128.FromI64(int64(up)))
			}
			return q, ok && isDecimal(q)
		})
	default:
		return x
	}
}

// round is round(x) and round(x, digits), half away from zero.
func (b *binder) round(at span, args []node) node {
	digits := int64(0)
	if len(args) == 2 {
		c, ok := args[1].(*constant)
		if !ok || c.typ.ID() != arrow.INT64 || c.null || c.vec.ints[0] < -maxDigits || c.vec.ints[0] > maxDigits {
			b.fail(args[1].base().span, "round wants its digits as a whole number from -38 to 38, the same for all rows")
		}
		digits = c.vec.ints[0]
	}
	x := b.aNumber("round", args[0])
	switch x.base().form {
	case formFloat:
		if digits == 0 {
			return b.floats(at, x, roundFloats)
		}
		return b.floats(at, x, roundFloatsTo(digits))
	case formDecimal:
		return b.roundDecimal(at, x, int32(digits))
	}
	if digits >= 0 {
		return x
	}
	// Whole numbers are rounded as decimals are, and back.
	typ := x.base().typ
	return b.convert(at, b.roundDecimal(at, b.asDecimal(x), int32(digits)), typ, false)
}

func (b *binder) roundDecimal(at span, x node, digits int32) node {
	p, s := digitsOf(x.base().typ)
	if digits >= s {
		return x
	}
	scale := max(digits, 0)
	typ := decimalType(p-s+1, scale)
	return b.mapDecimals(at, typ, x, func(d decimal128.Num) (decimal128.Num, bool) {
		if s-digits > maxDigits {
			return decimal128.Num{}, true
		}
		r, ok := rescale(d, s, digits)
		if ok && digits < 0 {
			r, ok = multiplyDecimals(r, tens[-digits])
		}
		return r, ok && fitsDigits(r, typ.Precision)
	})
}
