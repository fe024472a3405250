package plan_test

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"
)

// joinable says whether columns can be keys of a join together.
func joinable(a, b columnOf) bool {
	number := func(c columnOf) bool { return arrow.IsInteger(c.typ.ID()) || c.typ.ID() == arrow.DECIMAL128 }
	float := func(c columnOf) bool { return arrow.IsFloating(c.typ.ID()) }
	return exact(a) && exact(b) &&
		(arrow.TypeEqual(a.typ, b.typ) || number(a) && number(b) || float(a) && float(b))
}

// join makes up a join of two branches. There are always columns to join on: if none agree,
// each side gets a number.
func (j *jobMaker) join(a, b string, x, y relation) (string, relation) {
	var left, right []int
	for _, i := range rapid.Permutation(indices(len(x.columns))).Draw(j.t, "left keys") {
		for _, k := range rapid.Permutation(indices(len(y.columns))).Draw(j.t, "right keys") {
			if len(left) < 3 && joinable(x.columns[i], y.columns[k]) {
				left, right = append(left, i), append(right, k)
				break
			}
		}
	}
	if left == nil {
		a, x = j.numbered(a, x)
		b, y = j.numbered(b, y)
		left, right = []int{len(x.columns) - 1}, []int{len(y.columns) - 1}
	}
	n := 1 + j.pick(len(left))
	left, right = left[:n], right[:n]

	kind := oneOf(j.t, "inner", "left", "right", "full", "semi", "anti")
	groups := map[string][]int{}
	pairs := 0
	for at, row := range y.rows {
		if id, ok := keyOf(row, right); ok {
			groups[id] = append(groups[id], at)
		}
	}
	for _, row := range x.rows {
		if id, ok := keyOf(row, left); ok {
			pairs += len(groups[id])
		}
	}
	if pairs > mostJoined {
		kind = []string{"semi", "anti"}[j.pick(2)]
	}

	using := j.pick(3) == 0
	for i := range left {
		l, r := x.columns[left[i]], y.columns[right[i]]
		using = using && l.name == r.name && arrow.TypeEqual(l.typ, r.typ)
	}
	settings := []any{"type", kind}
	if using {
		settings = append(settings, "using", namesOf(choose(x, left).columns))
	} else {
		var on []string
		for i := range left {
			on = append(on, quotedName(x.columns[left[i]].name)+" = "+quotedName(y.columns[right[i]].name))
		}
		settings = append(settings, "on", on)
	}
	suffix := fmt.Sprintf("_r%d", len(j.nodes))
	settings = append(settings, "suffix", suffix)

	// The columns of an inner join, which the condition sees.
	var taken []int // of the right
	columns := slices.Clone(x.columns)
	for k, c := range y.columns {
		if using && slices.Contains(right, k) {
			continue
		}
		if slices.ContainsFunc(x.columns, func(l columnOf) bool { return l.name == c.name }) {
			c.name += suffix
		}
		columns, taken = append(columns, c), append(taken, k)
	}
	beside := func(l, r []any) []any {
		row := make([]any, 0, len(columns))
		if l == nil {
			row = append(row, make([]any, len(x.columns))...)
			for i, k := range right {
				if using {
					row[left[i]] = r[k]
				}
			}
		} else {
			row = append(row, l...)
		}
		for _, k := range taken {
			if r == nil {
				row = append(row, nil)
			} else {
				row = append(row, r[k])
			}
		}
		return row
	}
	matches := func(l, r []any) (bool, error) { return true, nil }
	if pairs <= mostJoined && j.pick(3) == 0 {
		where := (&composer{j.t, columns}).truth(1)
		for range j.pick(3) { // parts that may be about one side
			first, second := where, (&composer{j.t, columns}).truth(1)
			where.text = "(" + first.text + ") and (" + second.text + ")"
			where.eval = func(row []any) (any, error) {
				a, err := first.eval(row)
				if err != nil || a == false {
					return a, err
				}
				b, err := second.eval(row)
				if err != nil || b == false || a == true {
					return b, err
				}
				return a, nil
			}
		}
		matches = func(l, r []any) (bool, error) {
			v, err := where.eval(beside(l, r))
			return v == true, err
		}
		// What has no value for any pair is left alone.
		for _, l := range x.rows {
			id, _ := keyOf(l, left)
			for _, at := range groups[id] {
				if _, err := matches(l, y.rows[at]); err != nil {
					where.text = ""
				}
			}
		}
		if where.text == "" {
			matches = func(l, r []any) (bool, error) { return true, nil }
		} else {
			settings = append(settings, "where", where.text)
		}
	}

	joined := relation{columns: columns}
	if kind == "semi" || kind == "anti" {
		joined.columns = x.columns
	}
	matched := make([]bool, len(y.rows))
	for _, l := range x.rows {
		id, ok := keyOf(l, left)
		any := false
		for _, at := range groups[id] {
			if fits, _ := matches(l, y.rows[at]); !ok || !fits {
				continue
			}
			any, matched[at] = true, true
			if kind == "semi" || kind == "anti" {
				break
			}
			joined.rows = append(joined.rows, beside(l, y.rows[at]))
		}
		switch {
		case kind == "semi" && any || kind == "anti" && !any:
			joined.rows = append(joined.rows, l)
		case !any && (kind == "left" || kind == "full"):
			joined.rows = append(joined.rows, beside(l, nil))
		}
	}
	if kind == "right" || kind == "full" {
		for at, r := range y.rows {
			if !matched[at] {
				joined.rows = append(joined.rows, beside(nil, r))
			}
		}
	}
	return j.node("join", []string{a, b}, j.workers(settings)...), joined
}

func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// keyOf is what keys that are equal have in common, false if one of them is null.
func keyOf(row []any, keys []int) (string, bool) {
	for _, k := range keys {
		if row[k] == nil {
			return "", false
		}
	}
	return identityOf(row, keys), true
}

// numbered gives a branch a column that is 1 in all rows.
func (j *jobMaker) numbered(in string, r relation) (string, relation) {
	name := fmt.Sprintf("one%d", len(j.nodes))
	one := (&composer{j.t, nil}).choice(0)
	out := relation{columns: append(slices.Clone(r.columns), columnOf{name: name, typ: one.typ}), ordered: r.ordered}
	for _, row := range r.rows {
		v, _ := one.eval(row)
		out.rows = append(out.rows, append(slices.Clone(row), v))
	}
	return j.node("project", []string{in}, "columns", []string{"*"}, "compute", [][2]string{{name, one.text}}), out
}
