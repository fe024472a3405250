package expr

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// What depends on one column only, and that has a dictionary, is calculated once for each entry of
// the dictionary and once for null, rather than for each row, as long as there are fewer of them.

// entries is such a part of a program, as a program of its own.
type entries struct {
	column int // in the program's list
	sub    *Program
}

// An entriesRef stands where the part was.
type entriesRef struct {
	info
	table  int // in the program's list
	column int // in the program's list
}

// A table has the value of the part for each entry of a batch's dictionary.
type table struct {
	of      *entries
	sub     *Evaluator
	use     bool // false if the dictionary has more entries than the batch has rows
	all     vector
	null    []bool // by entry
	anyNull bool   // in a row that is not null
}

// withEntries replaces the parts of an expression that can be calculated by entry.
func (p *Program) withEntries(n node) node {
	if column, ok := p.byEntry(n); ok {
		switch n.(type) {
		case *columnRef, *constant:
			return n
		}
		i := n.base()
		sub := &Program{text: p.text, root: n, columns: p.columns, zones: p.zones}
		sub.allocate()
		p.tables = append(p.tables, &entries{column: column, sub: sub})
		return &entriesRef{info: newInfo(i.span, i.typ), table: len(p.tables) - 1, column: column}
	}
	args := n.base().args
	for i := range args {
		args[i] = p.withEntries(args[i])
	}
	if s, ok := n.(*shared); ok {
		s.of = args[0]
	}
	return n
}

// byEntry returns the one column that a node reads, false if it reads another, too, or one without a
// dictionary, or if it may fail: an entry that no row has must not.
func (p *Program) byEntry(n node) (column int, ok bool) {
	column = -1
	switch n := n.(type) {
	case *constant:
		return -1, true
	case *columnRef:
		return n.column, p.columns[n.column].typ.ID() == arrow.DICTIONARY
	case *shared: // which has parents elsewhere
		return -1, false
	case *apply:
		if n.explain != nil {
			return -1, false
		}
	case *converter:
		if n.bulk == nil && !n.shows && !n.try {
			return -1, false
		}
	}
	for _, arg := range n.base().args {
		c, ok := p.byEntry(arg)
		if !ok || c >= 0 && column >= 0 && c != column {
			return -1, false
		}
		column = max(column, c)
	}
	return column, column >= 0
}

// fill evaluates the part for a batch's dictionary.
func (t *table) fill(e *Evaluator, rows int) error {
	of := &e.columns[t.of.column]
	n := of.data.Len() + 1
	if t.use = n <= rows; !t.use {
		t.sub.columns[t.of.column] = *of
		return nil
	}
	t.all = vector{
		bits: t.all.bits[:0], ints: t.all.ints[:0], uints: t.all.uints[:0], floats: t.all.floats[:0],
		decimals: t.all.decimals[:0], texts: t.all.texts[:0],
	}
	t.null = t.null[:0]
	t.sub.columns[t.of.column].openEntries(of)
	defer clear(t.sub.columns)
	f := t.of.sub.root.base().form
	err := t.sub.each(n, func(v *vector) { t.add(f, v, t.sub.rows) })
	t.anyNull = slices.Contains(t.null[:len(t.null)-1], true)
	return err
}

func (t *table) add(f form, v *vector, n int) {
	for i := range n {
		t.null = append(t.null, !holds(v.valid, i))
	}
	switch f {
	case formBool: // a strip has whole words
		t.all.bits = append(t.all.bits, v.bits...)
	case formInt:
		t.all.ints = append(t.all.ints, v.ints[:n]...)
	case formUint:
		t.all.uints = append(t.all.uints, v.uints[:n]...)
	case formFloat:
		t.all.floats = append(t.all.floats, v.floats[:n]...)
	case formDecimal:
		t.all.decimals = append(t.all.decimals, v.decimals[:n]...)
	case formText:
		for _, s := range v.texts[:n] {
			t.all.texts = append(t.all.texts, strings.Clone(s))
		}
	}
}

func (r *entriesRef) eval(e *Evaluator, _ []uint64) *vector {
	t := e.tables[r.table]
	if !t.use {
		t.sub.first, t.sub.rows = e.first, e.rows
		return t.sub.next()
	}
	out := e.begin(&r.info)
	codes := e.columns[r.column].codes[e.first : e.first+e.rows]
	null := int32(len(t.null) - 1)
	switch r.form {
	case formBool:
		gatherBits(out.bits, t.all.bits, codes, null)
	case formInt:
		gather(out.ints, t.all.ints, codes, null)
	case formUint:
		gather(out.uints, t.all.uints, codes, null)
	case formFloat:
		gather(out.floats, t.all.floats, codes, null)
	case formDecimal:
		gather(out.decimals, t.all.decimals, codes, null)
	case formText:
		gather(out.texts, t.all.texts, codes, null)
	}
	if !t.anyNull && e.columns[r.column].valid == nil {
		return &out.vector
	}
	for i, code := range codes {
		if code < 0 {
			code = null
		}
		if t.null[code] {
			if out.valid == nil {
				out.valid = out.validStore[:]
				fill(out.valid, true)
			}
			out.valid[i>>6] &^= 1 << (uint(i) & 63)
		}
	}
	return &out.vector
}

func gather[T any](out, from []T, codes []int32, null int32) {
	for i, code := range codes {
		if code < 0 {
			code = null
		}
		out[i] = from[code]
	}
}

func gatherBits(out, from []uint64, codes []int32, null int32) {
	clear(out)
	for i, code := range codes {
		if code < 0 {
			code = null
		}
		out[i>>6] |= from[code>>6] >> (uint(code) & 63) & 1 << (uint(i) & 63)
	}
}
