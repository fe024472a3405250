package plan_test

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"
)

// A formula is the text of an expression and what it means for a row.
type formula struct {
	text     string
	typ      arrow.DataType
	loose    bool // see columnOf
	constant bool
	eval     func(row []any) (any, error)
}

// errNoValue is what a formula gives where there is no value: an overflow, a division by zero.
var errNoValue = errors.New("no value")

// A composer makes up formulas over some columns.
type composer struct {
	t       *rapid.T
	columns []columnOf
}

func (c *composer) pick(n int) int { return pick(c.t, n) }

func quotedName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// column is a column that is wanted, false if there is none.
func (c *composer) column(wanted func(columnOf) bool) (formula, bool) {
	var some []int
	for i, column := range c.columns {
		if !column.approx && wanted(column) {
			some = append(some, i)
		}
	}
	if len(some) == 0 {
		return formula{}, false
	}
	at := some[c.pick(len(some))]
	of := c.columns[at]
	return formula{text: quotedName(of.name), typ: of.typ, loose: of.loose, eval: func(row []any) (any, error) { return row[at], nil }}, true
}

// literal is one of the usual values of a type; false if there is no way to write it.
func (c *composer) literal(typ arrow.DataType) (formula, bool) {
	if typ.ID() == arrow.BINARY {
		return formula{}, false
	}
	v := usual(typ, c.pick(12))
	text := written(v, typ)
	switch {
	case typ.ID() == arrow.BOOL || arrow.IsInteger(typ.ID()) || arrow.IsFloating(typ.ID()) || typ.ID() == arrow.DECIMAL128:
		if strings.HasPrefix(text, "-") {
			text = "(" + text + ")"
		}
	default:
		text = "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return formula{text: text, typ: typ, constant: true, eval: func([]any) (any, error) { return v, nil }}, true
}

// strict is a formula that is null where an argument is.
func strict(text string, typ arrow.DataType, do func(args []any) (any, error), args ...formula) formula {
	texts := make([]any, len(args))
	for i := range args {
		texts[i] = args[i].text
	}
	return formula{text: fmt.Sprintf(text, texts...), typ: typ, eval: func(row []any) (any, error) {
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

// any is a formula of whatever type.
func (c *composer) any(depth int) formula {
	switch c.pick(8) {
	case 0:
		return c.truth(depth)
	case 1:
		if f, ok := c.whole(depth); ok {
			return f
		}
	case 2:
		if f, ok := c.float(depth); ok {
			return f
		}
	case 3:
		if f, ok := c.decimal(); ok {
			return f
		}
	case 4:
		if f, ok := c.words(depth); ok {
			return f
		}
	}
	return c.choice(depth)
}

// choice is one of two values of a column's type.
func (c *composer) choice(depth int) formula {
	a, ok := c.column(func(columnOf) bool { return true })
	if !ok {
		return formula{text: "1", typ: int64s, constant: true, eval: func([]any) (any, error) { return big.NewInt(1), nil }}
	}
	same := func(of columnOf) bool { return arrow.TypeEqual(of.typ, a.typ) && of.loose == a.loose }
	b, _ := c.column(same)
	if !a.loose && c.pick(2) == 0 {
		if l, ok := c.literal(a.typ); ok {
			b = l
		}
	}
	made := formula{typ: a.typ, loose: a.loose}
	both := func(do func(x, y any) any) func([]any) (any, error) {
		return func(row []any) (any, error) {
			x, _ := a.eval(row)
			y, _ := b.eval(row)
			return do(x, y), nil
		}
	}
	switch c.pick(5) {
	case 0:
		made.text = fmt.Sprintf("coalesce(%s, %s)", a.text, b.text)
		made.eval = both(func(x, y any) any {
			if x != nil {
				return x
			}
			return y
		})
	case 1:
		made.text = fmt.Sprintf("nullif(%s, %s)", a.text, b.text)
		made.eval = both(func(x, y any) any {
			if x != nil && y != nil && compareValues(x, y) == 0 {
				return nil
			}
			return x
		})
	case 2:
		name, sign := "least", -1
		if c.pick(2) == 0 {
			name, sign = "greatest", 1
		}
		made.text = fmt.Sprintf("%s(%s, %s)", name, a.text, b.text)
		made.eval = both(func(x, y any) any {
			if x == nil || y != nil && compareValues(y, x) == sign {
				return y
			}
			return x
		})
	default:
		when := c.truth(depth - 1)
		text := "if(%s, %s, %s)"
		if c.pick(2) == 0 {
			text = "case when %s then %s else %s end"
		}
		made.text = fmt.Sprintf(text, when.text, a.text, b.text)
		made.eval = func(row []any) (any, error) {
			v, err := when.eval(row)
			if err != nil {
				return nil, err
			}
			if v == true {
				return a.eval(row)
			}
			return b.eval(row)
		}
	}
	return made
}

// narrow are the integers that make an int64 together.
func narrow(c columnOf) bool { return arrow.IsInteger(c.typ.ID()) && c.typ.ID() != arrow.UINT64 }

// whole is an int64, never a constant.
func (c *composer) whole(depth int) (formula, bool) {
	if depth > 0 && c.pick(4) == 0 {
		if f, ok := c.fromOthers(); ok {
			return f, true
		}
	}
	x, ok := c.column(narrow)
	if !ok {
		return x, false
	}
	if depth > 1 {
		x, _ = c.whole(depth - 1)
	}
	y, _ := c.literal(int64s)
	if c.pick(3) > 0 {
		y, _ = c.column(narrow)
	}
	op := oneOf(c.t, "+", "-", "*", "//", "%")
	if y.constant && (op == "//" || op == "%") {
		y = formula{text: "7", eval: func([]any) (any, error) { return big.NewInt(7), nil }}
	}
	return strict("(%s "+strings.ReplaceAll(op, "%", "%%")+" %s)", int64s, func(args []any) (any, error) {
		a, b, r := args[0].(*big.Int), args[1].(*big.Int), new(big.Int)
		switch {
		case op == "+":
			r.Add(a, b)
		case op == "-":
			r.Sub(a, b)
		case op == "*":
			r.Mul(a, b)
		case b.Sign() == 0:
			return nil, errNoValue
		case op == "//":
			r.Quo(a, b)
		default:
			r.Rem(a, b)
		}
		if !r.IsInt64() {
			return nil, errNoValue
		}
		return r, nil
	}, x, y), true
}

// fromOthers is an int64 from a column of another type.
func (c *composer) fromOthers() (formula, bool) {
	x, ok := c.column(func(c columnOf) bool {
		return c.typ.ID() == arrow.STRING || c.typ.ID() == arrow.DATE32 || c.typ.ID() == arrow.TIMESTAMP
	})
	if !ok {
		return x, false
	}
	if x.typ.ID() == arrow.STRING {
		return strict("length(%s)", int64s, func(args []any) (any, error) {
			return big.NewInt(int64(len([]rune(args[0].(string))))), nil
		}, x), true
	}
	at := func(v any) time.Time {
		if x.typ.ID() == arrow.DATE32 {
			return time.Unix(v.(*big.Int).Int64()*86400, 0).UTC()
		}
		return clockOf(v, x.typ.(*arrow.TimestampType).Unit)
	}
	return strict("(year(%[1]s) * 10000 + month(%[1]s) * 100 + day(%[1]s))", int64s, func(args []any) (any, error) {
		y, m, d := at(args[0]).Date()
		return big.NewInt(int64(y*10000 + int(m)*100 + d)), nil
	}, x), true
}

// float is a float64, never a constant.
func (c *composer) float(depth int) (formula, bool) {
	x, ok := c.column(func(c columnOf) bool { return arrow.IsFloating(c.typ.ID()) })
	if !ok || c.pick(4) == 0 {
		n, ok := c.whole(depth)
		if !ok {
			return n, false
		}
		return strict("cast(%s as float64)", float64s, func(args []any) (any, error) { return approximately(args[0]), nil }, n), true
	}
	y, _ := c.column(func(c columnOf) bool { return arrow.IsFloating(c.typ.ID()) })
	if c.pick(2) == 0 {
		y, _ = c.literal(float64s)
	}
	op := oneOf(c.t, "+", "-", "*", "/")
	if y.constant && op == "/" {
		y = formula{text: "2.5", eval: func([]any) (any, error) { return 2.5, nil }}
	}
	return strict("(%s "+op+" %s)", float64s, func(args []any) (any, error) {
		a, b := args[0].(float64), args[1].(float64)
		switch op {
		case "+":
			return a + b, nil
		case "-":
			return a - b, nil
		case "*":
			return a * b, nil
		}
		if b == 0 {
			return nil, errNoValue
		}
		return a / b, nil
	}, x, y), true
}

// decimal is a sum or a product of decimals, never a constant.
func (c *composer) decimal() (formula, bool) {
	x, ok := c.column(func(c columnOf) bool { return c.typ.ID() == arrow.DECIMAL128 })
	if !ok {
		return x, false
	}
	y, _ := c.column(func(c columnOf) bool { return c.typ.ID() == arrow.DECIMAL128 })
	if c.pick(2) == 0 {
		y, _ = c.literal(&arrow.Decimal128Type{Precision: 4, Scale: 2})
	}
	scaleOf := func(f formula, v any) int32 {
		if !f.constant {
			return f.typ.(*arrow.Decimal128Type).Scale
		}
		for scale := int32(0); ; scale++ { // no more digits than it is written with
			if new(big.Rat).Mul(v.(*big.Rat), new(big.Rat).SetInt(powerOfTen(scale))).IsInt() {
				return scale
			}
		}
	}
	var v any
	if y.constant {
		v, _ = y.eval(nil)
	}
	s, t := scaleOf(x, nil), scaleOf(y, v)
	fits := func(r *big.Rat, scale int32) bool {
		units := new(big.Rat).Mul(r, new(big.Rat).SetInt(powerOfTen(scale)))
		return new(big.Int).Quo(units.Num(), units.Denom()).CmpAbs(powerOfTen(38)) < 0
	}
	op := oneOf(c.t, "+", "-", "*")
	scale := max(s, t)
	if op == "*" {
		if scale = s + t; scale > 20 {
			return x, true
		}
	}
	made := strict("(%s "+op+" %s)", &arrow.Decimal128Type{Precision: 38, Scale: scale}, func(args []any) (any, error) {
		a, b, r := args[0].(*big.Rat), args[1].(*big.Rat), new(big.Rat)
		switch op {
		case "+":
			r.Add(a, b)
		case "-":
			r.Sub(a, b)
		default:
			r.Mul(a, b)
		}
		if op != "*" && (!fits(a, scale) || !fits(b, scale)) || !fits(r, scale) {
			return nil, errNoValue
		}
		return r, nil
	}, x, y)
	made.loose = true
	return made, true
}

func isText(c columnOf) bool { return c.typ.ID() == arrow.STRING }

// words is a text, never a constant.
func (c *composer) words(depth int) (formula, bool) {
	x, ok := c.column(isText)
	if !ok {
		if x, ok = c.whole(depth); !ok {
			return x, false
		}
		return strict("cast(%s as text)", texts, func(args []any) (any, error) { return args[0].(*big.Int).String(), nil }, x), true
	}
	switch c.pick(4) {
	case 0:
		return strict("upper(%s)", texts, func(args []any) (any, error) { return strings.ToUpper(args[0].(string)), nil }, x), true
	case 1:
		from, n := c.pick(4)+1, c.pick(4)
		return strict(fmt.Sprintf("substring(%%s, %d, %d)", from, n), texts, func(args []any) (any, error) {
			runes := []rune(args[0].(string))
			from := min(from-1, len(runes))
			return string(runes[from:min(from+n, len(runes))]), nil
		}, x), true
	case 2:
		y, _ := c.column(isText)
		return strict("(%s || '-' || %s)", texts, func(args []any) (any, error) { return args[0].(string) + "-" + args[1].(string), nil }, x, y), true
	default:
		return strict("trim(%s)", texts, func(args []any) (any, error) { return strings.Trim(args[0].(string), " "), nil }, x), true
	}
}

// truth is a condition.
func (c *composer) truth(depth int) formula {
	if depth > 0 {
		switch c.pick(5) {
		case 0, 1:
			return c.connected(depth - 1)
		case 2:
			return strict("(not %s)", truths, func(args []any) (any, error) { return !args[0].(bool), nil }, c.truth(depth-1))
		}
	}
	x, ok := c.column(func(columnOf) bool { return true })
	if !ok {
		return formula{text: "true", typ: truths, constant: true, eval: func([]any) (any, error) { return true, nil }}
	}
	if w, ok := c.whole(depth); ok && c.pick(5) == 0 {
		x = w
	}
	switch c.pick(6) {
	case 0:
		return c.nullness(x)
	case 1:
		if f, ok := c.among(x); ok {
			return f
		}
	case 2:
		if f, ok := c.between(x); ok {
			return f
		}
	case 3:
		if f, ok := c.like(); ok {
			return f
		}
	}
	y, ok := c.column(func(of columnOf) bool { return arrow.TypeEqual(of.typ, x.typ) })
	if !ok || c.pick(2) == 0 {
		if l, written := c.literal(x.typ); written {
			y, ok = l, true
		}
	}
	if !ok {
		return c.nullness(x)
	}
	return c.comparison(x, y)
}

func (c *composer) comparison(x, y formula) formula {
	op := oneOf(c.t, "=", "<>", "<", "<=", ">", ">=")
	return strict("(%s "+op+" %s)", truths, func(args []any) (any, error) {
		by := compareValues(args[0], args[1])
		switch op {
		case "=":
			return by == 0, nil
		case "<>":
			return by != 0, nil
		case "<":
			return by < 0, nil
		case "<=":
			return by <= 0, nil
		case ">":
			return by > 0, nil
		}
		return by >= 0, nil
	}, x, y)
}

func (c *composer) nullness(x formula) formula {
	want := c.pick(2) == 0
	text := "(%s is null)"
	if !want {
		text = "(%s is not null)"
	}
	return formula{text: fmt.Sprintf(text, x.text), typ: truths, eval: func(row []any) (any, error) {
		v, err := x.eval(row)
		return (v == nil) == want, err
	}}
}

func (c *composer) among(x formula) (formula, bool) {
	var members []string
	var values []any
	for range c.pick(3) + 1 {
		m, ok := c.literal(x.typ)
		if !ok {
			return m, false
		}
		v, _ := m.eval(nil)
		members, values = append(members, m.text), append(values, v)
	}
	null, not := c.pick(3) == 0, c.pick(3) == 0
	if null {
		members = append(members, "null")
	}
	word := "in"
	if not {
		word = "not in"
	}
	text := strings.ReplaceAll(strings.Join(members, ", "), "%", "%%")
	return strict(fmt.Sprintf("(%%s %s (%s))", word, text), truths, func(args []any) (any, error) {
		for _, v := range values {
			if compareValues(args[0], v) == 0 {
				return !not, nil
			}
		}
		if null {
			return nil, nil
		}
		return not, nil
	}, x), true
}

func (c *composer) between(x formula) (formula, bool) {
	from, ok := c.literal(x.typ)
	to, _ := c.literal(x.typ)
	if !ok {
		return x, false
	}
	return strict("(%s between %s and %s)", truths, func(args []any) (any, error) {
		return compareValues(args[0], args[1]) >= 0 && compareValues(args[0], args[2]) <= 0, nil
	}, x, from, to), true
}

func (c *composer) like() (formula, bool) {
	x, ok := c.column(isText)
	if !ok {
		return x, false
	}
	pattern := oneOf(c.t, "a%", "%b%", "_%", "Ä__", "%y_", "")
	matches := regexp.MustCompile("(?s)^" + strings.NewReplacer("%", ".*", "_", ".").Replace(pattern) + "$")
	return strict("(%s like '"+strings.ReplaceAll(pattern, "%", "%%")+"')", truths, func(args []any) (any, error) {
		return matches.MatchString(args[0].(string)), nil
	}, x), true
}

func (c *composer) connected(depth int) formula {
	x, y, or := c.truth(depth), c.truth(depth), c.pick(2) == 0
	word := "and"
	if or {
		word = "or"
	}
	return formula{text: fmt.Sprintf("(%s %s %s)", x.text, word, y.text), typ: truths, eval: func(row []any) (any, error) {
		a, err := x.eval(row)
		if err != nil || a == or {
			return a, err
		}
		b, err := y.eval(row)
		switch {
		case err != nil || b == or:
			return b, err
		case a == nil || b == nil:
			return nil, nil
		}
		return !or, nil
	}}
}
