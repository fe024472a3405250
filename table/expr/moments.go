package expr

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
)

// mapMoments makes a value of typ of each date or timestamp by itself, on the clock of a zone of the
// program; it is an overflow if there is no such value.
func (b *binder) mapMoments(
	at span, typ arrow.DataType, x node, in int, do func(z *zone, t int64) (r int64, ok bool),
) *apply {
	program := b.program
	return &apply{
		info: newInfo(at, typ, x),
		run: func(e *Evaluator, out *register, args []*vector, rows int) (suspect bool) {
			z := e.zone(in)
			for i, t := range args[0].ints[:rows] {
				r, ok := do(z, t)
				out.ints[i] = r
				suspect = suspect || !ok
			}
			return suspect
		},
		explain: func(args []*vector, row int) error {
			if _, ok := do(program.zone(in), args[0].ints[row]); ok {
				return nil
			}
			return fmt.Errorf("%w of %s: %s", ErrOverflow, nameOf(typ), shown(typ, args[0], row))
		},
	}
}

// zone returns the evaluator's zone of a number, nil for -1.
func (e *Evaluator) zone(i int) *zone {
	if i < 0 {
		return nil
	}
	return &e.zones[i]
}

// zone returns a copy of the program's zone of a number, nil for -1.
func (p *Program) zone(i int) *zone {
	if i < 0 {
		return nil
	}
	z := p.zones[i]
	return &z
}
