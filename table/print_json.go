package table

import (
	"bufio"
	"math"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
)

type jsonPrinter struct {
	w     *bufio.Writer
	names [][]byte // quoted, with the colon
	cells []cell
	line  []byte // scratch
}

func newJSONPrinter(w *bufio.Writer, schema *arrow.Schema) *jsonPrinter {
	p := &jsonPrinter{w: w}
	for _, f := range schema.Fields() {
		p.names = append(p.names, append(appendJSON(nil, []byte(f.Name)), ':'))
		p.cells = append(p.cells, jsonCell(f.Type))
	}
	return p
}

func jsonCell(typ arrow.DataType) cell {
	bare := cells{typ: typ, float: jsonFloat, clock: "2006-01-02T15:04:05"}.of()
	if isNumber(typ) || typ.ID() == arrow.BOOL {
		return bare
	}
	var value []byte
	return func(v *view, row int, into []byte) []byte {
		value = bare(v, row, value[:0])
		return appendJSON(into, value)
	}
}

func jsonFloat(x float64, bits int, into []byte) []byte {
	switch {
	case math.IsNaN(x):
		return append(into, `"NaN"`...)
	case math.IsInf(x, 1):
		return append(into, `"Infinity"`...)
	case math.IsInf(x, -1):
		return append(into, `"-Infinity"`...)
	default:
		return exactFloat(x, bits, into)
	}
}

func (p *jsonPrinter) print(batch arrow.RecordBatch) error {
	columns := viewsOf(batch)
	for row := range int(batch.NumRows()) {
		p.line = append(p.line[:0], '{')
		for i, cell := range p.cells {
			if i > 0 {
				p.line = append(p.line, ',')
			}
			p.line = append(p.line, p.names[i]...)
			if columns[i].null(row) {
				p.line = append(p.line, "null"...)
			} else {
				p.line = cell(&columns[i], row, p.line)
			}
		}
		p.line = append(p.line, '}', '\n')
		if _, err := p.w.Write(p.line); err != nil {
			return err
		}
	}
	return nil
}

func (p *jsonPrinter) finish() error { return nil }

// appendJSON appends a JSON string. What is not UTF-8 becomes U+FFFD.
func appendJSON(into, s []byte) []byte {
	const digits = "0123456789abcdef"
	into = append(into, '"')
	for len(s) > 0 {
		r, size := utf8.DecodeRune(s)
		switch {
		case r == '"' || r == '\\':
			into = append(into, '\\', byte(r))
		case r == '\n':
			into = append(into, '\\', 'n')
		case r == '\t':
			into = append(into, '\\', 't')
		case r == '\r':
			into = append(into, '\\', 'r')
		case r < ' ' || r == 0x7f:
			into = append(into, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
		default:
			into = utf8.AppendRune(into, r) // RuneError is U+FFFD
		}
		s = s[size:]
	}
	return append(into, '"')
}
