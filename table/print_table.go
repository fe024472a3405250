package table

import (
	"bufio"
	"bytes"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
)

// measured is how many rows are looked at before the widths of the columns are
// settled.
const measured = 1000

// tablePrinter holds the first rows back to see how wide the columns are.
type tablePrinter struct {
	w       *bufio.Writer
	cells   []cell
	right   []bool // aligned to the right
	widths  []int  // in characters
	held    [][]byte
	settled bool
	line    []byte // scratch
}

func newTablePrinter(w *bufio.Writer, schema *arrow.Schema) *tablePrinter {
	p := &tablePrinter{w: w, widths: make([]int, schema.NumFields())}
	for i, f := range schema.Fields() {
		p.cells = append(p.cells, tableCell(f.Type))
		p.right = append(p.right, isNumber(f.Type))
		p.hold(i, visible(nil, []byte(f.Name)))
	}
	return p
}

func tableCell(typ arrow.DataType) cell {
	bare := cells{typ: typ, float: readableFloat, clock: "2006-01-02 15:04:05"}.of()
	if plain(typ).ID() != arrow.STRING {
		return bare
	}
	return func(v *view, row int, into []byte) []byte { return visible(into, v.text.at(row)) }
}

// visible appends s with everything escaped that would move the cursor.
func visible(into, s []byte) []byte {
	for len(s) > 0 {
		r, size := utf8.DecodeRune(s)
		if r == utf8.RuneError && size == 1 || !unicode.IsPrint(r) {
			quoted := strconv.AppendQuote(nil, string(s[:size]))
			into = append(into, quoted[1:len(quoted)-1]...)
		} else {
			into = append(into, s[:size]...)
		}
		s = s[size:]
	}
	return into
}

func (p *tablePrinter) hold(column int, value []byte) {
	p.held = append(p.held, value)
	p.widths[column] = max(p.widths[column], utf8.RuneCount(value))
}

func (p *tablePrinter) print(batch arrow.RecordBatch) error {
	columns := viewsOf(batch)
	for row := range int(batch.NumRows()) {
		for i := range columns {
			p.value(&columns[i], i, row)
		}
		if p.settled {
			if err := p.end(); err != nil {
				return err
			}
		} else if len(p.held) > measured*len(p.cells) { // and the names
			if err := p.settle(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *tablePrinter) value(v *view, column, row int) {
	value := []byte("NULL")
	if !v.null(row) {
		value = p.cells[column](v, row, nil)
	}
	if p.settled {
		p.place(column, value)
	} else {
		p.hold(column, value)
	}
}

// settle writes the rows held back.
func (p *tablePrinter) settle() error {
	p.settled = true
	for i, value := range p.held {
		column := i % len(p.cells)
		p.place(column, value)
		if column == len(p.cells)-1 {
			if err := p.end(); err != nil {
				return err
			}
		}
	}
	p.held = nil
	return nil
}

func (p *tablePrinter) place(column int, value []byte) {
	if column > 0 {
		p.line = append(p.line, ' ', ' ')
	}
	padding := bytes.Repeat([]byte{' '}, max(0, p.widths[column]-utf8.RuneCount(value)))
	if p.right[column] {
		p.line = append(append(p.line, padding...), value...)
	} else {
		p.line = append(append(p.line, value...), padding...)
	}
}

func (p *tablePrinter) end() error {
	p.line = append(bytes.TrimRight(p.line, " "), '\n')
	_, err := p.w.Write(p.line)
	p.line = p.line[:0]
	return err
}

func (p *tablePrinter) finish() error {
	if p.settled {
		return nil
	}
	return p.settle()
}
