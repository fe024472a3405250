package plan_test

import (
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

func (j *jobMaker) aggregate(in string, r relation) (string, relation) {
	keys := j.some(r.columns, exact)
	if len(keys) > 3 {
		keys = keys[:3]
	}
	if j.pick(6) == 0 {
		keys = nil
	}
	groups := map[string][][]any{}
	var order []string
	for _, row := range r.rows {
		id := identityOf(row, keys)
		if groups[id] == nil {
			order = append(order, id)
		}
		groups[id] = append(groups[id], row)
	}
	if keys == nil && len(r.rows) == 0 {
		order = []string{""}
	}
	out := relation{rows: make([][]any, len(order)), ordered: len(keys) == 0}
	var by []string
	for _, k := range keys {
		out.columns = append(out.columns, r.columns[k])
		by = append(by, r.columns[k].name)
		for g, id := range order {
			out.rows[g] = append(out.rows[g], groups[id][0][k])
		}
	}
	var computed [][2]string
	for i := range j.pick(4) + btoi(len(keys) == 0) {
		text, made, values, ok := j.measure(r, order, groups)
		if !ok {
			text, made = "count", columnOf{typ: int64s}
			values = values[:0]
			for _, id := range order {
				values = append(values, big.NewInt(int64(len(groups[id]))))
			}
		}
		made.name = fmt.Sprintf("m%d_%d", len(j.nodes), i)
		computed = append(computed, [2]string{made.name, text})
		out.columns = append(out.columns, made)
		for g := range out.rows {
			out.rows[g] = append(out.rows[g], values[g])
		}
	}
	var settings []any
	if by != nil {
		settings = append(settings, "by", by)
	}
	if computed != nil {
		settings = append(settings, "compute", computed)
	}
	return j.node("aggregate", []string{in}, j.workers(settings)...), out
}

// measure is one of a column, and its values by group; false if it has none.
func (j *jobMaker) measure(r relation, order []string, groups map[string][][]any) (text string, made columnOf, values []any, ok bool) {
	name := oneOf(j.t, []string{
		"count", "count distinct", "sum", "sum", "mean", "min", "max", "variance", "stddev", "variance_pop", "stddev_pop", "first", "any",
	}...)
	fits := func(c columnOf) bool {
		number := arrow.IsInteger(c.typ.ID()) || arrow.IsFloating(c.typ.ID()) || c.typ.ID() == arrow.DECIMAL128
		switch name {
		case "sum", "mean":
			return exact(c) && (number || c.typ.ID() == arrow.DURATION)
		case "variance", "stddev", "variance_pop", "stddev_pop":
			return exact(c) && number
		case "first":
			return r.ordered
		}
		return exact(c)
	}
	some := j.some(r.columns, fits)
	if some == nil {
		return "", made, nil, false
	}
	column := some[0]
	of := r.columns[column]
	text = fmt.Sprintf("%s(%s)", name, quotedName(of.name))
	float := arrow.IsFloating(of.typ.ID())
	switch name {
	case "count", "count distinct":
		made.typ = int64s
		if name == "count distinct" {
			text = fmt.Sprintf("count(distinct %s)", quotedName(of.name))
		}
	case "sum":
		switch typ := of.typ.(type) {
		case *arrow.Decimal128Type:
			made.typ = &arrow.Decimal128Type{Precision: 38, Scale: typ.Scale}
		case *arrow.DurationType:
			made.typ = typ
		default:
			made.typ = sumOfNumbers(of.typ)
		}
		made.approx = float
	case "mean", "variance", "stddev", "variance_pop", "stddev_pop":
		made.typ, made.approx = float64s, true
		if of.typ.ID() == arrow.DURATION {
			made.typ, made.approx = of.typ, false
		}
	default:
		made = of
	}
	// Floats are added in any order, and how far values are from each other is lost among large ones.
	most := 1e6
	if name == "sum" || name == "mean" {
		most = 1e12
	}
	if made.approx && (float || most == 1e6) && !moderate(r.rows, column, most) {
		return "", made, nil, false
	}
	for _, id := range order {
		var of []any
		for _, row := range groups[id] {
			if row[column] != nil {
				of = append(of, row[column])
			}
		}
		v, ok := naiveMeasure(name, of, made.typ)
		if !ok {
			return "", made, nil, false
		}
		values = append(values, v)
	}
	return text, made, values, true
}

func sumOfNumbers(typ arrow.DataType) arrow.DataType {
	switch {
	case arrow.IsFloating(typ.ID()):
		return float64s
	case arrow.IsUnsignedInteger(typ.ID()):
		return arrow.PrimitiveTypes.Uint64
	}
	return int64s
}

// naiveMeasure is a function of values that are not null; false if there is no such number.
func naiveMeasure(name string, of []any, typ arrow.DataType) (any, bool) {
	switch name {
	case "count":
		return big.NewInt(int64(len(of))), true
	case "count distinct":
		seen := map[string]bool{}
		for _, v := range of {
			seen[identity(v)] = true
		}
		return big.NewInt(int64(len(seen))), true
	}
	if len(of) == 0 {
		return nil, true
	}
	switch name {
	case "sum":
		return naiveSum(of, typ)
	case "mean":
		sum, ok := naiveSum(of, nil)
		if f, isFloat := sum.(float64); isFloat || !ok {
			return f / float64(len(of)), ok
		}
		mean := new(big.Rat).Quo(rational(sum), big.NewRat(int64(len(of)), 1))
		if typ.ID() == arrow.DURATION {
			return halfAway(mean), true
		}
		return approximately(mean), true
	case "min":
		return slices.MinFunc(of, compareValues), true
	case "max":
		return slices.MaxFunc(of, compareValues), true
	case "first":
		return of[0], true
	case "any": // which is only known if there is but one
		return of[0], !slices.ContainsFunc(of, func(v any) bool { return compareValues(v, of[0]) != 0 })
	default:
		return naiveSpread(name, of), true
	}
}

// halfAway rounds to a whole number, halves away from zero.
func halfAway(r *big.Rat) *big.Int {
	twice := new(big.Rat).Mul(new(big.Rat).Abs(r), big.NewRat(2, 1))
	twice.Add(twice, big.NewRat(1, 1))
	n := new(big.Int).Quo(twice.Num(), twice.Denom())
	n.Quo(n, big.NewInt(2))
	if r.Sign() < 0 {
		n.Neg(n)
	}
	return n
}

// naiveSum adds up; false if the type cannot hold the sum.
func naiveSum(of []any, typ arrow.DataType) (any, bool) {
	if _, float := of[0].(float64); float {
		sum := 0.0
		for _, v := range of {
			sum += v.(float64)
		}
		return sum, true
	}
	sum := new(big.Rat)
	for _, v := range of {
		sum.Add(sum, rational(v))
	}
	if _, whole := of[0].(*big.Int); whole {
		least, most, ok := wholeRange(int64s)
		if typ != nil && typ.ID() == arrow.UINT64 {
			least, most, ok = wholeRange(typ)
		}
		n := sum.Num()
		return n, typ == nil || ok && n.Cmp(least) >= 0 && n.Cmp(most) <= 0
	}
	if typ == nil {
		return sum, true
	}
	units := new(big.Rat).Mul(sum, new(big.Rat).SetInt(powerOfTen(typ.(*arrow.Decimal128Type).Scale)))
	return sum, units.Num().CmpAbs(powerOfTen(38)) < 0
}

// naiveSpread is exact until the end.
func naiveSpread(name string, of []any) any {
	by := int64(len(of)) - 1
	if name == "variance_pop" || name == "stddev_pop" {
		by++
	}
	if by == 0 {
		return nil
	}
	sum, squares := new(big.Rat), new(big.Rat)
	for _, v := range of {
		x := new(big.Rat)
		if f, float := v.(float64); !float {
			x = rational(v)
		} else if x.SetFloat64(f) == nil {
			return math.NaN()
		}
		sum.Add(sum, x)
		squares.Add(squares, new(big.Rat).Mul(x, x))
	}
	sum.Mul(sum, sum)
	squares.Sub(squares, sum.Quo(sum, big.NewRat(int64(len(of)), 1)))
	variance := approximately(squares.Quo(squares, big.NewRat(by, 1)))
	if name == "stddev" || name == "stddev_pop" {
		return math.Sqrt(variance)
	}
	return variance
}

// moderate says whether no number of a column is larger than most, either way. NaN is not.
func moderate(rows [][]any, column int, most float64) bool {
	for _, row := range rows {
		if v := row[column]; v != nil && math.Abs(approximately(v)) > most {
			return false
		}
	}
	return true
}
