package table

import (
	"bufio"
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"
)

type csvPrinter struct {
	w      *bufio.Writer
	header []string // nil once written
	cells  []cell
	value  []byte // scratch
}

func newCSVPrinter(w *bufio.Writer, schema *arrow.Schema) *csvPrinter {
	p := &csvPrinter{w: w, header: columnNames(schema)}
	for _, f := range schema.Fields() {
		p.cells = append(p.cells, cells{typ: f.Type, float: exactFloat, clock: "2006-01-02T15:04:05"}.of())
	}
	return p
}

func (p *csvPrinter) print(batch arrow.RecordBatch) error {
	if p.header != nil {
		for i, name := range p.header {
			p.field(i, []byte(name))
		}
		p.header = nil
		if err := p.end(); err != nil {
			return err
		}
	}
	columns := viewsOf(batch)
	for row := range int(batch.NumRows()) {
		for i, cell := range p.cells {
			if columns[i].null(row) {
				p.separate(i)
				continue
			}
			p.value = cell(&columns[i], row, p.value[:0])
			p.field(i, p.value)
		}
		if err := p.end(); err != nil {
			return err
		}
	}
	return nil
}

func (p *csvPrinter) finish() error { return nil }

func (p *csvPrinter) separate(column int) {
	if column > 0 {
		_ = p.w.WriteByte(',') // end reports what went wrong: a bufio.Writer remembers
	}
}

func (p *csvPrinter) field(column int, value []byte) {
	p.separate(column)
	if len(value) > 0 && !bytes.ContainsAny(value, ",\"\r\n") {
		_, _ = p.w.Write(value)
		return
	}
	_ = p.w.WriteByte('"')
	_, _ = p.w.Write(bytes.ReplaceAll(value, []byte(`"`), []byte(`""`)))
	_ = p.w.WriteByte('"')
}

func (p *csvPrinter) end() error { return p.w.WriteByte('\n') }

func viewsOf(batch arrow.RecordBatch) []view {
	views := make([]view, batch.NumCols())
	for i, a := range batch.Columns() {
		views[i] = newView(a)
	}
	return views
}
