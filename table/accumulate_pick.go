package table

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// firstRow is First of all rows, also where the column is null.
const firstRow Func = "first row"

// A picker keeps one of the values of a column. What it writes is a column of these, and the
// state of Min, Max and Any alike.
type picker interface {
	accumulator
	// open says of which column the rows are that set is called with.
	open(v *view)
	// set takes the value in a row, also if it is null, for what is kept of a group.
	set(v *view, row int, group uint32)
}

// pickOf is functionOf for what picks a value.
func pickOf(f Func, typ arrow.DataType, of layout) function {
	typ = plain(typ)
	make := func() picker { return &extremes{pick: f, typ: typ} }
	switch of {
	case layoutText:
		make = func() picker { return &textExtremes{pick: f, typ: typ} }
	case layoutDecimal:
		make = func() picker { return &decimalExtremes{pick: f, typ: typ} }
	}
	if f == First || f == firstRow {
		return function{typ, []arrow.DataType{typ, uint64s, int64s}, func() accumulator {
			return &firsts{picker: make(), nulls: f == firstRow}
		}}
	}
	return function{typ, []arrow.DataType{typ}, func() accumulator { return make() }}
}

// extremes keeps the least or greatest rank, or any.
type extremes struct {
	pick Func
	typ  arrow.DataType
	perGroup[extreme]
	ranks []uint64 // scratch
}

type extreme struct {
	rank uint64
	any  bool
}

func (e *extremes) add(rows *input, into []uint32) { e.addAll(&rows.view, into) }

func (e *extremes) merge(states []view, into []uint32) { e.addAll(&states[0], into) }

func (e *extremes) addAll(v *view, into []uint32) {
	e.ranks = ranks(v, e.ranks[:0])
	max := e.pick == Max
	for i, g := range into {
		if v.null(i) {
			continue
		}
		r := e.ranks[i]
		if best := &e.of[g]; !best.any || e.pick != Any && r > best.rank == max {
			*best = extreme{r, true}
		}
	}
}

func (e *extremes) open(v *view) { e.ranks = ranks(v, e.ranks[:0]) }

func (e *extremes) set(v *view, row int, group uint32) {
	if v.null(row) {
		e.of[group] = extreme{}
		return
	}
	e.of[group] = extreme{e.ranks[row], true}
}

func (e *extremes) states(mem memory.Allocator, from, to int) ([]arrow.Array, error) {
	column, err := e.result(mem, e.typ, from, to)
	return []arrow.Array{column}, err
}

func (e *extremes) result(mem memory.Allocator, typ arrow.DataType, from, to int) (arrow.Array, error) {
	best := e.of[from:to]
	values := make([]uint64, len(best))
	for i := range best {
		values[i] = best[i].rank
	}
	return rankedArray(mem, typ, values, func(i int) bool { return !best[i].any }), nil
}

// decimalExtremes keeps the least or greatest decimal, or any.
type decimalExtremes struct {
	pick Func
	typ  arrow.DataType
	perGroup[decimalExtreme]
}

type decimalExtreme struct {
	value decimal128.Num
	any   bool
}

func (e *decimalExtremes) add(rows *input, into []uint32) { e.addAll(&rows.view, into) }

func (e *decimalExtremes) merge(states []view, into []uint32) { e.addAll(&states[0], into) }

func (e *decimalExtremes) addAll(v *view, into []uint32) {
	max := e.pick == Max
	for i, g := range into {
		if v.null(i) {
			continue
		}
		if best, x := &e.of[g], v.decimals[i]; !best.any || e.pick != Any && best.value.Less(x) == max {
			*best = decimalExtreme{x, true}
		}
	}
}

func (e *decimalExtremes) open(*view) {}

func (e *decimalExtremes) set(v *view, row int, group uint32) {
	e.of[group] = decimalExtreme{v.decimals[row], !v.null(row)}
}

func (e *decimalExtremes) states(mem memory.Allocator, from, to int) ([]arrow.Array, error) {
	column, err := e.result(mem, e.typ, from, to)
	return []arrow.Array{column}, err
}

func (e *decimalExtremes) result(mem memory.Allocator, typ arrow.DataType, from, to int) (arrow.Array, error) {
	best := e.of[from:to]
	return fixedArray(mem, typ, len(best), func(i int) bool { return !best[i].any },
		func(i int) decimal128.Num { return best[i].value }), nil
}

// firsts keeps the value of the row that comes first in the stream: by the number of its message,
// and its place in that.
type firsts struct {
	picker
	nulls bool // a null is a value like any
	at    perGroup[position]
}

type position struct {
	seq uint64
	row int64
	any bool
}

func (f *firsts) resize(groups int) {
	f.picker.resize(groups)
	f.at.resize(groups)
}

func (f *firsts) clear(groups int) {
	f.picker.clear(groups)
	f.at.clear(groups)
}

func (f *firsts) cell() int64 { return f.picker.cell() + f.at.cell() }

// take makes row i that of a group, if it is the first so far.
func (f *firsts) take(v *view, i int, group uint32, seq uint64, row int64) {
	at := &f.at.of[group]
	if !at.any || seq < at.seq || seq == at.seq && row < at.row {
		*at = position{seq, row, true}
		f.set(v, i, group)
	}
}

func (f *firsts) add(rows *input, into []uint32) {
	f.open(&rows.view)
	for i, g := range into {
		if f.nulls || !rows.null(i) {
			f.take(&rows.view, i, g, rows.seq, rows.row+int64(i))
		}
	}
}

func (f *firsts) merge(states []view, into []uint32) {
	f.open(&states[0])
	seqs, rows := fixed[uint64](states[1].array), fixed[int64](states[2].array)
	for i, g := range into {
		if !states[1].null(i) {
			f.take(&states[0], i, g, seqs[i], rows[i])
		}
	}
}

func (f *firsts) states(mem memory.Allocator, from, to int) ([]arrow.Array, error) {
	made, err := f.picker.states(mem, from, to)
	if err != nil {
		return nil, err
	}
	at := f.at.of[from:to]
	return append(made,
		fixedArray(mem, uint64s, len(at), func(i int) bool { return !at[i].any }, func(i int) uint64 { return at[i].seq }),
		fixedArray(mem, int64s, len(at), nil, func(i int) int64 { return at[i].row })), nil
}
