package table

import (
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// textExtremes keeps the least or greatest string, or any, each in memory that it shares with
// the others. What a string leaves behind that takes its place is lost until that is
// made anew.
type textExtremes struct {
	pick Func
	typ  arrow.DataType
	perGroup[textExtreme]
	text []byte
	lost int // bytes of text that no group has
}

type textExtreme struct {
	from, size int
	any        bool
}

// keepsText is an accumulator that needs memory for text.
type keepsText interface {
	// room returns how many of the first n rows are sure to fit.
	room(v *view, n int) int
	// space is what there is for text, and how much of that groups have.
	space() (capacity, used int)
	// resizeText makes room for so many bytes, and finds again what was lost.
	resizeText(capacity int)
	// textBytes adds up the text of groups.
	textBytes(from, to int) int64
}

// textOfAccumulator returns the part of an accumulator that keeps text, if any.
func textOfAccumulator(a accumulator) (keepsText, bool) {
	if f, ok := a.(*firsts); ok {
		text, ok := f.picker.(*textExtremes)
		return text, ok
	}
	text, ok := a.(keepsText)
	return text, ok
}

func (e *textExtremes) clear(groups int) {
	e.perGroup.clear(groups)
	e.text, e.lost = e.text[:0], 0
}

func (e *textExtremes) room(v *view, n int) int {
	free := cap(e.text) - len(e.text)
	if v.text.codes == nil && int(v.text.offsets[n]-v.text.offsets[0]) <= free {
		return n
	}
	for i := range n {
		if !v.null(i) {
			if free -= len(v.text.at(i)); free < 0 {
				return i
			}
		}
	}
	return n
}

func (e *textExtremes) space() (capacity, used int) { return cap(e.text), len(e.text) - e.lost }

func (e *textExtremes) resizeText(capacity int) {
	made := make([]byte, 0, capacity)
	for g := range e.of {
		if best := &e.of[g]; best.size > 0 {
			from := len(made)
			made = append(made, e.text[best.from:best.from+best.size]...)
			best.from = from
		}
	}
	e.text, e.lost = made, 0
}

func (e *textExtremes) textBytes(from, to int) (n int64) {
	for _, best := range e.of[from:to] {
		n += int64(best.size)
	}
	return n
}

func (e *textExtremes) at(group int) []byte {
	best := &e.of[group]
	return e.text[best.from : best.from+best.size]
}

func (e *textExtremes) add(rows *input, into []uint32) { e.addAll(&rows.view, into) }

func (e *textExtremes) merge(states []view, into []uint32) { e.addAll(&states[0], into) }

func (e *textExtremes) addAll(v *view, into []uint32) {
	max := e.pick == Max
	for i, g := range into {
		if v.null(i) {
			continue
		}
		if !e.of[g].any {
			e.set(v, i, g)
		} else if e.pick != Any {
			if order := bytes.Compare(v.text.at(i), e.at(int(g))); order != 0 && order > 0 == max {
				e.set(v, i, g)
			}
		}
	}
}

func (e *textExtremes) open(*view) {}

func (e *textExtremes) set(v *view, row int, group uint32) {
	best := &e.of[group]
	if v.null(row) {
		e.lost += best.size
		*best = textExtreme{}
		return
	}
	value := v.text.at(row)
	if len(value) <= best.size { // in place
		e.lost += best.size - len(value)
		copy(e.text[best.from:], value)
		best.size, best.any = len(value), true
		return
	}
	e.lost += best.size
	*best = textExtreme{len(e.text), len(value), true}
	e.text = append(e.text, value...)
}

func (e *textExtremes) states(mem memory.Allocator, from, to int) ([]arrow.Array, error) {
	column, err := e.result(mem, e.typ, from, to)
	return []arrow.Array{column}, err
}

func (e *textExtremes) result(mem memory.Allocator, typ arrow.DataType, from, to int) (arrow.Array, error) {
	return textArray(mem, typ, to-from, func(i int) bool { return !e.of[from+i].any },
		func(i int) []byte { return e.at(from + i) })
}
