package expr

import "github.com/apache/arrow-go/v18/arrow/decimal128"

// Expressions are evaluated a strip of rows at a time, so that what passes between their parts
// stays in the processor's caches.
const (
	stripRows  = 1024
	stripWords = stripRows / 64
)

// A form is how the values of a type are held while they are calculated with.
type form uint8

const (
	formNone    form = iota // of the type null, whose rows have no value
	formBool                // bits
	formInt                 // signed integers, unsigned ones of up to 32 bits, dates, times, durations: ints
	formUint                // uint64: uints
	formFloat               // floats
	formDecimal             // decimals
	formText                // texts
)

// A vector is the values of an expression in the rows of a strip, or of a constant in any strip.
// Only the slice of its form is used. Values of rows that are null are arbitrary.
type vector struct {
	valid    []uint64 // nil if no row is null
	bits     []uint64
	ints     []int64
	uints    []uint64
	floats   []float64
	decimals []decimal128.Num
	texts    []string // borrow from the batch, from constants or from the evaluator's arena
	days     []int32  // dates instead of ints, which the root of an expression may write where its array has them
	packed   string   // the texts, if they lie one after the other and those of null rows are empty, else ""

	constant bool // all values are the first
}

// A register is a vector with memory of its own, used again for each strip.
type register struct {
	vector
	validStore [stripWords]uint64
	bitsStore  [stripWords]uint64
	own        vector // what the vector's slices are cut from, unless they borrow
}

// reset makes the register hold n values of a form that are still to be written, none of them null.
func (r *register) reset(f form, n int) {
	r.valid, r.days = nil, nil
	r.resetValues(f, n)
}

// resetValues is reset of the values, without the nulls.
func (r *register) resetValues(f form, n int) {
	switch f {
	case formBool:
		r.bits = r.bitsStore[:]
	case formInt:
		r.ints = cut(&r.own.ints, n)
	case formUint:
		r.uints = cut(&r.own.uints, n)
	case formFloat:
		r.floats = cut(&r.own.floats, n)
	case formDecimal:
		r.decimals = cut(&r.own.decimals, n)
	case formText:
		r.texts, r.packed = cut(&r.own.texts, n), ""
	}
}

func cut[T any](own *[]T, n int) []T {
	if cap(*own) < n {
		*own = make([]T, stripRows)
	}
	return (*own)[:n]
}

// makeNull makes all rows null.
func (r *register) makeNull() {
	clear(r.validStore[:])
	r.valid = r.validStore[:]
}

// nulls makes the rows null that are null in x, too.
func (r *register) nulls(x *vector) {
	switch {
	case x.valid == nil:
	case r.valid == nil:
		r.valid = r.validStore[:copy(r.validStore[:], x.valid)]
	default:
		for w := range r.valid {
			r.valid[w] &= x.valid[w]
		}
	}
}

// copyRow copies a value, not its being null.
func (r *register) copyRow(f form, row int, x *vector) {
	switch f {
	case formBool:
		if bitAt(x.bits, row) {
			r.bits[row>>6] |= 1 << (uint(row) & 63)
		} else {
			r.bits[row>>6] &^= 1 << (uint(row) & 63)
		}
	case formInt:
		r.ints[row] = x.ints[row]
	case formUint:
		r.uints[row] = x.uints[row]
	case formFloat:
		r.floats[row] = x.floats[row]
	case formDecimal:
		r.decimals[row] = x.decimals[row]
	case formText:
		r.texts[row] = x.texts[row]
	}
}

// copyAll copies n values and which are null. Texts are not copied but shared.
func (r *register) copyAll(f form, n int, x *vector) {
	r.reset(f, n)
	r.nulls(x)
	switch f {
	case formBool:
		copy(r.bits, x.bits)
	case formInt:
		copy(r.ints, x.ints)
	case formUint:
		copy(r.uints, x.uints)
	case formFloat:
		copy(r.floats, x.floats)
	case formDecimal:
		copy(r.decimals, x.decimals)
	case formText:
		copy(r.texts, x.texts)
	}
}
