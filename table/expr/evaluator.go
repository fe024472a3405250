package expr

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// An Evaluator evaluates a [Program]. It keeps memory for one strip of rows, a few kilobytes for
// each part of the expression, from one batch to the next, and of an expression that is text about 2 MiB of
// that. It belongs to one goroutine at a time.
type Evaluator struct {
	program   *Program
	columns   []column // those of the program, of the batch
	registers []register
	masks     [][stripWords]uint64
	kept      []int // by register: the strip that a shared node has its values of
	stack     []*vector
	tables    []*table // of nodes evaluated once per entry of a dictionary
	zones     []zone
	arena     []byte // what texts of the strip are made of that are in no batch; grows only

	first int // row of the batch with which the strip begins
	rows  int // of the strip
	strip int // number of the strip, never used twice
	err   error

	measured measurement // what Bytes found out, for the Eval that follows
}

// NewEvaluator returns an evaluator for one goroutine.
func (p *Program) NewEvaluator() *Evaluator {
	e := &Evaluator{
		program:   p,
		columns:   make([]column, len(p.columns)),
		registers: make([]register, p.registers),
		masks:     make([][stripWords]uint64, p.masks),
		kept:      make([]int, p.registers),
		tables:    make([]*table, len(p.tables)),
		zones:     slices.Clone(p.zones),
	}
	for i, t := range p.tables {
		e.tables[i] = &table{of: t, sub: t.sub.NewEvaluator()}
	}
	return e
}

// begin returns the register of a node, for it to write the strip's values into.
func (e *Evaluator) begin(n *info) *register {
	r := &e.registers[n.register]
	r.reset(n.form, e.rows)
	return r
}

// evalAll evaluates nodes. Their vectors are given back with done.
func (e *Evaluator) evalAll(nodes []node, active []uint64) []*vector {
	from := len(e.stack)
	for _, n := range nodes {
		v := n.eval(e, active)
		e.stack = append(e.stack, v)
	}
	return e.stack[from:]
}

func (e *Evaluator) done(vectors []*vector) { e.stack = e.stack[:len(e.stack)-len(vectors)] }

// failAt remembers the first row without a value.
func (e *Evaluator) failAt(n *info, row int, err error) {
	if e.err == nil {
		source := []rune(e.program.text)
		e.err = &RowError{
			Expr: e.program.text, Offset: n.from, Part: string(source[n.from:n.to]), Row: e.first + row, Err: err,
		}
	}
}

// each evaluates the program strip by strip.
func (e *Evaluator) each(rows int, do func(v *vector)) error {
	e.err = nil
	for e.first = 0; e.first < rows; e.first += stripRows {
		e.rows = min(stripRows, rows-e.first)
		v := e.next()
		if e.err != nil {
			return e.err
		}
		do(v)
	}
	return nil
}

// next evaluates the strip that first and rows say.
func (e *Evaluator) next() *vector {
	e.strip++
	e.arena, e.stack = e.arena[:0], e.stack[:0]
	return e.program.root.eval(e, nil)
}

// open looks at the columns of a batch that the program uses.
func (e *Evaluator) open(batch arrow.RecordBatch) error {
	for i, c := range e.program.columns {
		if c.index >= int(batch.NumCols()) || !arrow.TypeEqual(batch.Column(c.index).DataType(), c.typ) {
			return fmt.Errorf("%s was compiled for another schema: column %d is to be %q of type %v",
				quote(e.program.text), c.index, c.name, c.typ)
		}
		e.columns[i].open(batch.Column(c.index))
	}
	for _, t := range e.tables {
		if err := t.fill(e, int(batch.NumRows())); err != nil {
			return err
		}
	}
	return nil
}

// close lets go of the batch.
func (e *Evaluator) close() {
	clear(e.columns)
	for _, t := range e.tables {
		clear(t.sub.columns)
	}
}

// Select appends to into the numbers of the rows of which the expression, which must be boolean, is
// true: neither false nor null. It is an error if it has no value for a row, a [*RowError].
func (e *Evaluator) Select(batch arrow.RecordBatch, into []uint32) ([]uint32, error) {
	if e.program.Type().ID() != arrow.BOOL {
		return into, fmt.Errorf("%s is %s, not true or false", quote(e.program.text), nameOf(e.program.Type()))
	}
	if err := e.open(batch); err != nil {
		return into, err
	}
	defer e.close()
	from := len(into)
	err := e.each(int(batch.NumRows()), func(v *vector) { into = e.selected(v, into) })
	if err != nil {
		return into[:from], err
	}
	return into, nil
}

func (e *Evaluator) selected(v *vector, into []uint32) []uint32 {
	var words [stripWords]uint64
	for w := range words {
		words[w] = v.bits[w]
		if v.valid != nil {
			words[w] &= v.valid[w]
		}
	}
	n, more := len(into), count(words[:], e.rows)
	into = slices.Grow(into, more)[:n+more]
	next := into[n:]
	for w := range (e.rows + 63) / 64 {
		word := words[w]
		if left := e.rows - 64*w; left < 64 {
			word &= 1<<left - 1
		}
		base, at := uint32(e.first+64*w), 0
		for ; word != 0; word &= word - 1 {
			next[at] = base + uint32(bits.TrailingZeros64(word))
			at++
		}
		next = next[at:]
	}
	return into
}
