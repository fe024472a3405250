package expr

import "github.com/apache/arrow-go/v18/arrow"

// What is calculated with is held in 64 bits. A column of a narrower type need not be brought there if it is only
// compared with a constant, or if a constant is added: that goes over the column itself, once.

type narrowNumber interface {
	int8 | int16 | int32 | uint8 | uint16 | uint32
}

// narrowed returns the column of a narrow type of which a node has the values, nil if it is none.
func narrowed(n node) *columnRef {
	if c, ok := n.(*converter); ok && c.same() {
		n = c.args[0]
	}
	column, ok := n.(*columnRef)
	if !ok {
		return nil
	}
	switch column.typ.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.UINT8, arrow.UINT16, arrow.UINT32,
		arrow.DATE32, arrow.TIME32, arrow.FLOAT32:
		return column
	}
	return nil
}

// A direct loop calculates the strip of an evaluator from a column as it is. It returns false if a row may have no
// value.
type direct = func(e *Evaluator, out *register) bool

// directSum returns the direct loop of x + y or x - y if there is one: one of them is a narrow column and the other a
// constant that cannot make an integer of 64 bits overflow.
func directSum(op string, x, y node) direct {
	column, by := narrowed(x), y
	if column == nil && op == "+" {
		column, by = narrowed(y), x
	}
	c, ok := by.(*constant)
	if column == nil || !ok || c.null || op != "+" && op != "-" {
		return nil
	}
	const most = 1 << 62
	n := c.vec.ints[0]
	if n < -most || n > most {
		return nil
	}
	if op == "-" {
		n = -n
	}
	switch column.typ.ID() {
	case arrow.INT8:
		return addTo[int8](column, n)
	case arrow.INT16:
		return addTo[int16](column, n)
	case arrow.INT32:
		return addTo[int32](column, n)
	case arrow.UINT8:
		return addTo[uint8](column, n)
	case arrow.UINT16:
		return addTo[uint16](column, n)
	case arrow.UINT32:
		return addTo[uint32](column, n)
	}
	return nil
}

func addTo[T narrowNumber](column *columnRef, n int64) direct {
	return func(e *Evaluator, out *register) bool {
		x, r := column.strip(e, out), out.ints
		values := fixed[T](x)[e.first : e.first+e.rows]
		for ; len(values) >= 4 && len(r) >= 4; values, r = values[4:], r[4:] {
			v, sum := (*[4]T)(values), (*[4]int64)(r)
			sum[0], sum[1], sum[2], sum[3] = int64(v[0])+n, int64(v[1])+n, int64(v[2])+n, int64(v[3])+n
		}
		for i, v := range values {
			r[i] = int64(v) + n
		}
		return true
	}
}

// directDays is the direct loop that adds days to dates, nil if there is none. At the root of an expression it writes
// dates rather than integers.
func directDays(dates node, days int64) direct {
	column := narrowed(dates)
	if column == nil {
		return nil
	}
	return func(e *Evaluator, out *register) bool {
		values := fixed[int32](column.strip(e, out))[e.first : e.first+e.rows]
		if out.own.days != nil {
			out.days = out.own.days
			return addDays(out.days, values, days)
		}
		return addDays(out.ints, values, days)
	}
}

// addDays returns false if a sum is no date.
func addDays[T int32 | int64](into []T, dates []int32, days int64) bool {
	const below = 1 << 31 // added to a date, leaves no more than 32 bits
	var over uint64
	for ; len(dates) >= 4 && len(into) >= 4; dates, into = dates[4:], into[4:] {
		d, sum := (*[4]int32)(dates), (*[4]T)(into)
		s, t, u, v := int64(d[0])+days, int64(d[1])+days, int64(d[2])+days, int64(d[3])+days
		sum[0], sum[1], sum[2], sum[3] = T(s), T(t), T(u), T(v)
		over |= uint64(s+below) | uint64(t+below) | (uint64(u+below) | uint64(v+below))
	}
	for i, d := range dates {
		s := int64(d) + days
		into[i] = T(s)
		over |= uint64(s + below)
	}
	return over>>32 == 0
}

// strip makes the rows of out null that are so in the column, and returns the column.
func (c *columnRef) strip(e *Evaluator, out *register) arrow.Array {
	c.nulls(e, out)
	return e.columns[c.column].array
}
