package table

import (
	"bufio"

	"github.com/apache/arrow-go/v18/arrow"
)

type csvPrinter struct {
	text   *csvText
	header *arrow.Schema // nil once written
}

func newCSVPrinter(w *bufio.Writer, schema *arrow.Schema) *csvPrinter {
	return &csvPrinter{newCSVText(w, schema, WriteCSV{}, ','), schema}
}

func (p *csvPrinter) print(batch arrow.RecordBatch) error {
	if p.header != nil {
		if err := p.text.header(p.header); err != nil {
			return err
		}
		p.header = nil
	}
	return p.text.rows(batch)
}

func (p *csvPrinter) finish() error { return nil }
