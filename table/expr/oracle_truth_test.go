package expr

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"

	"pgregory.net/rapid"
)

func (w *world) truth(depth int) formula {
	if depth <= 0 {
		if w.pick(2) == 0 {
			return w.column("b", 0)
		}
		x, y := w.pair(0)
		return w.comparison(x, y)
	}
	depth--
	switch w.pick(8) {
	case 0, 1:
		return w.connected(depth)
	case 2:
		return strict("(not %s)", func(a []any) (any, error) { return !a[0].(bool), nil }, w.truth(depth))
	case 3:
		x, _ := w.pair(depth)
		not := w.pick(2) == 0
		text := "(%s is null)"
		if not {
			text = "(%s is not null)"
		}
		return formula{text: fmt.Sprintf(text, x.text), eval: func(row int) (any, error) {
			v, err := x.eval(row)
			if err != nil {
				return nil, err
			}
			return (v == nil) != not, nil
		}}
	case 4:
		return w.member(depth)
	case 5:
		pattern := rapid.SampledFrom([]string{"a%", "%b", "_%", "%ä%b%", "Ä_b", "%a_%"}).Draw(w.T, "pattern")
		re := regexp.MustCompile("(?s)^" + strings.NewReplacer("%", ".*", "_", ".").Replace(pattern) + "$")
		return strict("(%s like '"+strings.ReplaceAll(pattern, "%", "%%")+"')", func(a []any) (any, error) { return re.MatchString(a[0].(string)), nil }, w.words(depth))
	default:
		x, y := w.pair(depth)
		return w.comparison(x, y)
	}
}

func (w *world) comparison(x, y formula) formula {
	op := rapid.SampledFrom([]string{"=", "<>", "<", "<=", ">", ">="}).Draw(w.T, "cmp")
	if w.pick(2) == 0 {
		x, y = y, x
	}
	return strict("(%s "+op+" %s)", func(a []any) (any, error) {
		by := compareValues(a[0], a[1])
		return map[string]bool{"=": by == 0, "<>": by != 0, "<": by < 0, "<=": by <= 0, ">": by > 0, ">=": by >= 0}[op], nil
	}, x, y)
}

func (w *world) connected(depth int) formula {
	x, y, or := w.truth(depth), w.truth(depth), w.pick(2) == 0
	text := "(%s and %s)"
	if or {
		text = "(%s or %s)"
	}
	return formula{text: fmt.Sprintf(text, x.text, y.text), eval: func(row int) (any, error) {
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

func (w *world) member(depth int) formula {
	x := w.whole(depth)
	n, null := rapid.IntRange(1, 12).Draw(w.T, "members"), w.pick(3) == 0
	var members []string
	for i := range n {
		members = append(members, fmt.Sprint(i*i-3))
	}
	if null {
		members = append(members, "null")
	}
	return formula{text: fmt.Sprintf("(%s in (%s))", x.text, strings.Join(members, ", ")), eval: func(row int) (any, error) {
		v, err := x.eval(row)
		if v == nil || err != nil {
			return nil, err
		}
		for i := range n {
			if v.(*big.Int).Cmp(big.NewInt(int64(i*i-3))) == 0 {
				return true, nil
			}
		}
		if null {
			return nil, nil
		}
		return false, nil
	}}
}
