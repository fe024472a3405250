package table

import (
	"bufio"
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"
)

// csvText writes rows as CSV, for [Print] and [Write]. Errors of the writer are seen at the end of each
// line: a bufio.Writer remembers them.
type csvText struct {
	w *bufio.Writer
	WriteCSV
	delimiter byte
	special   string // what has to be in quotes
	cells     []cell
	quoted    []bool // of each column, whether its values may need quotes
	value     []byte // scratch
}

func newCSVText(w *bufio.Writer, schema *arrow.Schema, how WriteCSV, delimiter byte) *csvText {
	c := &csvText{w: w, WriteCSV: how, delimiter: delimiter, special: string(delimiter) + "\"\r\n"}
	for _, f := range schema.Fields() {
		c.cells = append(c.cells, cells{typ: f.Type, float: exactFloat, clock: "2006-01-02T15:04:05"}.of())
		layout, _ := layoutOf(f.Type)
		// Others have none of the usual delimiters in them, but a null may be written like one.
		c.quoted = append(c.quoted, layout == layoutText || how.QuoteAll || how.Null != "" || delimiter != ',')
	}
	return c
}

// header writes the names of the columns.
func (c *csvText) header(schema *arrow.Schema) error {
	for i, name := range columnNames(schema) {
		c.field(i, []byte(name), true)
	}
	return c.w.WriteByte('\n')
}

func (c *csvText) rows(batch arrow.RecordBatch) error {
	columns := viewsOf(batch)
	for row := range int(batch.NumRows()) {
		for i, cell := range c.cells {
			if columns[i].null(row) {
				c.separate(i)
				_, _ = c.w.WriteString(c.Null)
				continue
			}
			c.value = cell(&columns[i], row, c.value[:0])
			c.field(i, c.value, c.quoted[i])
		}
		if err := c.w.WriteByte('\n'); err != nil {
			return err
		}
	}
	return nil
}

func (c *csvText) separate(column int) {
	if column > 0 {
		_ = c.w.WriteByte(c.delimiter)
	}
}

// field writes a value. One that could be taken for a null is quoted, as an empty one is.
func (c *csvText) field(column int, value []byte, look bool) {
	c.separate(column)
	if !look || !c.QuoteAll && len(value) > 0 && !bytes.ContainsAny(value, c.special) && string(value) != c.Null {
		_, _ = c.w.Write(value)
		return
	}
	_ = c.w.WriteByte('"')
	for {
		before, after, found := bytes.Cut(value, []byte{'"'})
		_, _ = c.w.Write(before)
		if !found {
			break
		}
		_, _ = c.w.WriteString(`""`)
		value = after
	}
	_ = c.w.WriteByte('"')
}

func viewsOf(batch arrow.RecordBatch) []view {
	views := make([]view, batch.NumCols())
	for i, a := range batch.Columns() {
		views[i] = newView(a)
	}
	return views
}
