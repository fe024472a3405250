package expr

// The loops of comparisons make a word of 64 rows at a time, without a branch. The rows that are
// left over are compared as a block of 64, too.

type ordered interface{ int64 | uint64 | float64 }

// compareNumbers compares x with y, or with y[0] if that is constant. With floats it is right only
// if y is constant and not NaN.
func compareNumbers[T ordered](out []uint64, o order, x, y []T, constant bool) {
	if !constant {
		y = y[:len(x)]
	}
	w := 0
	for ; len(x) >= 64; x = x[64:] {
		if constant {
			out[w] = blockWith(o, (*[64]T)(x), y[0])
		} else {
			out[w] = block(o, (*[64]T)(x), (*[64]T)(y))
			y = y[64:]
		}
		w++
	}
	if len(x) == 0 {
		return
	}
	var restX, restY [64]T
	copy(restX[:], x)
	if constant {
		out[w] = blockWith(o, &restX, y[0])
	} else {
		copy(restY[:], y)
		out[w] = block(o, &restX, &restY)
	}
}

func blockWith[T ordered](o order, x *[64]T, c T) (word uint64) {
	switch o {
	case equal:
		for i := 63; i >= 0; i-- {
			var b uint64
			if x[i] == c {
				b = 1
			}
			word = word<<1 | b
		}
	case less:
		for i := 63; i >= 0; i-- {
			var b uint64
			if x[i] < c {
				b = 1
			}
			word = word<<1 | b
		}
	case lessOrEqual:
		for i := 63; i >= 0; i-- {
			var b uint64
			if x[i] <= c {
				b = 1
			}
			word = word<<1 | b
		}
	}
	return word
}

func block[T ordered](o order, x, y *[64]T) (word uint64) {
	switch o {
	case equal:
		for i := 63; i >= 0; i-- {
			var b uint64
			if x[i] == y[i] {
				b = 1
			}
			word = word<<1 | b
		}
	case less:
		for i := 63; i >= 0; i-- {
			var b uint64
			if x[i] < y[i] {
				b = 1
			}
			word = word<<1 | b
		}
	case lessOrEqual:
		for i := 63; i >= 0; i-- {
			var b uint64
			if x[i] <= y[i] {
				b = 1
			}
			word = word<<1 | b
		}
	}
	return word
}

// compareFloats has NaN equal to NaN and above all others.
func compareFloats(out []uint64, o order, x, y []float64) {
	clear(out)
	y = y[:len(x)]
	for i, a := range x {
		b := y[i]
		var holds bool
		switch o {
		case equal:
			holds = a == b || a != a && b != b
		case less:
			holds = a < b || b != b && a == a
		case lessOrEqual:
			holds = a <= b || b != b
		}
		if holds {
			setBit(out, i)
		}
	}
}
