package expr

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// The oracle evaluates an expression row by row with the largest numbers there are, while it makes
// up the expression's text. A value is nil, bool, *big.Int, *big.Rat, float64, string, or, of dates
// and timestamps, time.Time.
type formula struct {
	text  string
	eval  func(row int) (any, error)
	scale int  // of a decimal
	plain bool // a literal
}

var errOracle = errors.New("no value")

// world is a batch, as the oracle sees it.
type world struct {
	*rapid.T
	values map[string][]any
	rows   int
}

func (w *world) pick(n int) int { return rapid.IntRange(0, n-1).Draw(w.T, "pick") }

func (w *world) column(name string, scale int) formula {
	text := name
	if strings.Contains(name, " ") {
		text = "`" + name + "`"
	}
	return formula{text: text, scale: scale, eval: func(row int) (any, error) { return w.values[name][row], nil }}
}

func literal(text string, v any) formula {
	return formula{text: text, plain: true, eval: func(int) (any, error) { return v, nil }}
}

// strict is a formula that is null if one of its arguments is.
func strict(text string, do func(args []any) (any, error), args ...formula) formula {
	texts := make([]any, len(args))
	for i := range args {
		texts[i] = args[i].text
	}
	return formula{text: fmt.Sprintf(text, texts...), eval: func(row int) (any, error) {
		values := make([]any, len(args))
		for i := range args {
			v, err := args[i].eval(row)
			if err != nil {
				return nil, err
			}
			values[i] = v
		}
		for _, v := range values {
			if v == nil {
				return nil, nil
			}
		}
		return do(values)
	}}
}

// choose is what all kinds of formulas can be made into.
func (w *world) choose(depth int, kind func(int) formula, a formula) formula {
	x, when := kind(depth), w.truth(depth)
	x.scale = a.scale
	switch w.pick(3) {
	case 0:
		return formula{scale: a.scale, text: fmt.Sprintf("if(%s, %s, %s)", when.text, a.text, x.text), eval: func(row int) (any, error) {
			c, err := when.eval(row)
			if err != nil {
				return nil, err
			}
			if c == true {
				return a.eval(row)
			}
			return x.eval(row)
		}}
	case 1:
		return formula{scale: a.scale, text: fmt.Sprintf("case when %s then %s end", when.text, a.text), eval: func(row int) (any, error) {
			if c, err := when.eval(row); c != true {
				return nil, err
			}
			return a.eval(row)
		}}
	default:
		return formula{scale: a.scale, text: fmt.Sprintf("coalesce(%s, %s)", a.text, x.text), eval: func(row int) (any, error) {
			if v, err := a.eval(row); v != nil || err != nil {
				return v, err
			}
			return x.eval(row)
		}}
	}
}

func wholeResult(n *big.Int) (any, error) {
	if !n.IsInt64() {
		return nil, errOracle
	}
	return n, nil
}

func wholeOp(op string) func(args []any) (any, error) {
	return func(args []any) (any, error) {
		x, y, r := args[0].(*big.Int), args[1].(*big.Int), new(big.Int)
		switch op {
		case "+":
			r.Add(x, y)
		case "-":
			r.Sub(x, y)
		case "*":
			r.Mul(x, y)
		case "//", "%":
			if y.Sign() == 0 {
				return nil, errOracle
			}
			if op == "//" {
				r.Quo(x, y)
			} else {
				r.Rem(x, y)
			}
		}
		return wholeResult(r)
	}
}

// An int64 or what becomes one.
func (w *world) whole(depth int) formula {
	if depth <= 0 {
		switch w.pick(3) {
		case 0:
			return w.column("i", 0)
		case 1:
			return w.column("small", 0)
		}
		n := rapid.SampledFrom([]int64{0, 1, -1, 2, 7, -10, 1000, math.MaxInt64, math.MinInt64 + 1}).Draw(w.T, "n")
		return literal(fmt.Sprint("(", n, ")"), big.NewInt(n))
	}
	depth--
	switch w.pick(9) {
	case 0, 1, 2:
		op := rapid.SampledFrom([]string{"+", "-", "*", "//", "%"}).Draw(w.T, "op")
		return strict("(%s "+strings.ReplaceAll(op, "%", "%%")+" %s)", wholeOp(op), w.whole(depth), w.whole(depth))
	case 3:
		return w.choose(depth, w.whole, w.whole(depth))
	case 4:
		return strict("length(%s)", func(a []any) (any, error) { return big.NewInt(int64(len([]rune(a[0].(string))))), nil }, w.words(depth))
	case 5:
		return strict("(year(%[1]s) * 10000 + month(%[1]s) * 100 + day(%[1]s))", func(a []any) (any, error) {
			y, m, d := a[0].(time.Time).Date()
			return big.NewInt(int64(y*10000 + int(m)*100 + d)), nil
		}, w.moment(depth))
	case 6:
		return strict("cast(%s as int64)", func(a []any) (any, error) { return wholeResult(roundRat(a[0].(*big.Rat))) }, w.decimal(depth))
	case 7:
		return strict("abs(-%s)", func(a []any) (any, error) {
			n := a[0].(*big.Int)
			if n.Cmp(big.NewInt(math.MinInt64)) == 0 {
				return nil, errOracle
			}
			return new(big.Int).Abs(n), nil
		}, w.whole(depth))
	default:
		x, y := w.whole(depth), w.whole(depth)
		return formula{text: fmt.Sprintf("greatest(%s, %s)", x.text, y.text), eval: func(row int) (any, error) {
			a, err := x.eval(row)
			b, err2 := y.eval(row)
			switch {
			case err != nil || err2 != nil:
				return nil, errOracle
			case a == nil:
				return b, nil
			case b == nil || a.(*big.Int).Cmp(b.(*big.Int)) > 0:
				return a, nil
			}
			return b, nil
		}}
	}
}

func (w *world) float(depth int) formula {
	if depth <= 0 {
		switch w.pick(3) {
		case 0:
			return w.column("f", 0)
		case 1:
			return strict("(%s * 1.0)", func(a []any) (any, error) { return a[0], nil }, w.column("f32", 0))
		}
		return literal("2.5", 2.5)
	}
	depth--
	switch w.pick(6) {
	case 0:
		return strict("(%s + %s)", func(a []any) (any, error) { return a[0].(float64) + a[1].(float64), nil }, w.float(depth), w.float(depth))
	case 1:
		return strict("(%s * %s)", func(a []any) (any, error) { return a[0].(float64) * a[1].(float64), nil }, w.float(depth), w.float(depth))
	case 2:
		return strict("(%s - %s)", func(a []any) (any, error) { return a[0].(float64) - a[1].(float64), nil }, w.float(depth), w.float(depth))
	case 3:
		return strict("(%s / %s)", func(a []any) (any, error) {
			if a[1].(float64) == 0 {
				return nil, errOracle
			}
			return a[0].(float64) / a[1].(float64), nil
		}, w.float(depth), w.float(depth))
	case 4:
		return w.choose(depth, w.float, w.float(depth))
	default:
		return strict("cast(%s as float64)", func(a []any) (any, error) {
			f, _ := new(big.Float).SetInt(a[0].(*big.Int)).Float64()
			return f, nil
		}, w.whole(depth))
	}
}

func decimalResult(r *big.Rat, scales ...int) (any, error) {
	for _, scale := range scales {
		n := new(big.Rat).Mul(r, new(big.Rat).SetInt(powerOfTen(int32(scale))))
		if n.Num().CmpAbs(powerOfTen(38)) >= 0 {
			return nil, errOracle
		}
	}
	return r, nil
}

func (w *world) decimal(depth int) formula {
	if depth <= 0 {
		switch w.pick(3) {
		case 0:
			return w.column("price", 2)
		case 1:
			return w.column("huge", 4)
		}
		return formula{text: "cast(12.5 as decimal(3, 1))", scale: 1, eval: func(int) (any, error) { return big.NewRat(25, 2), nil }}
	}
	depth--
	x, y := w.decimal(depth), w.decimal(depth)
	switch w.pick(4) {
	case 0, 1:
		scale := max(x.scale, y.scale)
		minus := w.pick(2) == 0
		text := "(%s + %s)"
		if minus {
			text = "(%s - %s)"
		}
		f := strict(text, func(a []any) (any, error) {
			x, y := a[0].(*big.Rat), a[1].(*big.Rat)
			if _, err := decimalResult(x, scale); err != nil {
				return nil, err
			}
			if _, err := decimalResult(y, scale); err != nil {
				return nil, err
			}
			if minus {
				return decimalResult(new(big.Rat).Sub(x, y), scale)
			}
			return decimalResult(new(big.Rat).Add(x, y), scale)
		}, x, y)
		f.scale = scale
		return f
	case 2:
		if x.scale+y.scale > 30 {
			return x
		}
		f := strict("(%s * %s)", func(a []any) (any, error) {
			return decimalResult(new(big.Rat).Mul(a[0].(*big.Rat), a[1].(*big.Rat)), x.scale+y.scale)
		}, x, y)
		f.scale = x.scale + y.scale
		return f
	default:
		return w.choose(depth, func(int) formula { return x }, x)
	}
}

func (w *world) words(depth int) formula {
	if depth <= 0 {
		switch w.pick(3) {
		case 0:
			return w.column("s", 0)
		case 1:
			return w.column("code", 0)
		}
		s := rapid.SampledFrom([]string{"", "a", "Ä_b", "%", "it's"}).Draw(w.T, "s")
		return literal("'"+strings.ReplaceAll(s, "'", "''")+"'", s)
	}
	depth--
	switch w.pick(6) {
	case 0:
		return strict("upper(%s)", func(a []any) (any, error) { return strings.ToUpper(a[0].(string)), nil }, w.words(depth))
	case 1:
		return strict("(%s || %s)", func(a []any) (any, error) { return a[0].(string) + a[1].(string), nil }, w.words(depth), w.words(depth))
	case 2:
		return strict("lower(%s)", func(a []any) (any, error) { return strings.ToLower(a[0].(string)), nil }, w.words(depth))
	case 3:
		from, n := rapid.IntRange(-2, 5).Draw(w.T, "from"), rapid.IntRange(-1, 4).Draw(w.T, "n")
		return strict(fmt.Sprintf("substring(%%s, %d, %d)", from, n), func(a []any) (any, error) {
			var out []rune
			for i, r := range []rune(a[0].(string)) {
				if i+1 >= from && i+1 < from+n {
					out = append(out, r)
				}
			}
			return string(out), nil
		}, w.words(depth))
	case 4:
		return strict("cast(%s as text)", func(a []any) (any, error) { return a[0].(*big.Int).String(), nil }, w.whole(depth))
	default:
		return w.choose(depth, w.words, w.words(depth))
	}
}

func (w *world) moment(depth int) formula {
	if depth <= 0 {
		return w.column(rapid.SampledFrom([]string{"date of", "t"}).Draw(w.T, "moment"), 0)
	}
	depth--
	switch w.pick(3) {
	case 0:
		return strict("date_trunc('month', %s)", func(a []any) (any, error) {
			y, m, _ := a[0].(time.Time).Date()
			return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC), nil
		}, w.moment(depth))
	case 1:
		months := rapid.IntRange(-30, 30).Draw(w.T, "months")
		return strict(fmt.Sprintf("(%%s + interval '%d months')", months), func(a []any) (any, error) {
			t := a[0].(time.Time)
			first := time.Date(t.Year(), t.Month(), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC).AddDate(0, months, 0)
			return first.AddDate(0, 0, min(t.Day(), first.AddDate(0, 1, -1).Day())-1), nil
		}, w.moment(depth))
	default:
		days := rapid.IntRange(-400, 400).Draw(w.T, "days")
		return strict(fmt.Sprintf("(%%s - interval '%d days')", days), func(a []any) (any, error) {
			return a[0].(time.Time).AddDate(0, 0, -days), nil
		}, w.moment(depth))
	}
}

func compareValues(a, b any) int {
	switch a := a.(type) {
	case *big.Int:
		if r, ok := b.(*big.Rat); ok {
			return new(big.Rat).SetInt(a).Cmp(r)
		}
		return a.Cmp(b.(*big.Int))
	case *big.Rat:
		if n, ok := b.(*big.Int); ok {
			return a.Cmp(new(big.Rat).SetInt(n))
		}
		return a.Cmp(b.(*big.Rat))
	case float64:
		return -cmp.Compare(-a, -b.(float64)) // for cmp NaN is the least
	case string:
		return strings.Compare(a, b.(string))
	case time.Time:
		return a.Compare(b.(time.Time))
	}
	panic(fmt.Sprintf("%T", a))
}

func (w *world) pair(depth int) (formula, formula) {
	switch w.pick(8) {
	case 0:
		return w.whole(depth), w.whole(depth)
	case 1:
		return w.float(depth), w.float(depth)
	case 2:
		return w.decimal(depth), w.decimal(depth)
	case 3:
		return w.decimal(depth), w.whole(depth)
	case 4:
		return w.column("u", 0), w.whole(depth)
	case 5:
		return w.words(depth), w.words(depth)
	case 6:
		return w.column("i", 0), literal("2.5", big.NewRat(5, 2))
	default:
		return w.moment(depth), w.moment(depth)
	}
}
