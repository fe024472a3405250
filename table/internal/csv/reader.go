package csv

import (
	"bytes"
	"context"
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A Reader makes record batches of the blocks of a text. It may be used by several goroutines.
type Reader struct {
	dialect Dialect
	schema  *arrow.Schema
	columns int            // in the text
	places  []int          // of the schema's columns among them
	readers []columnReader // of the schema's columns
	trouble Trouble
}

// NewReader returns a reader of the columns of a schema from a text that has so many; places are
// where among those they are. Their types are those that [Readable] lets pass.
func NewReader(d Dialect, schema *arrow.Schema, columns int, places []int, trouble Trouble) (*Reader, error) {
	r := &Reader{dialect: d, schema: schema, columns: columns, places: places, trouble: trouble}
	for _, f := range schema.Fields() {
		read, err := columnReaderOf(f.Type)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		r.readers = append(r.readers, read)
	}
	return r, nil
}

// Bytes is the most memory that Read takes for a block of so much text and so many rows at most, the
// batch included.
func (r *Reader) Bytes(text, rows int64) int64 {
	need := allocated(4 * rows)
	for _, f := range r.schema.Fields() {
		need += allocated(fieldBytes*rows) + columnBytes(f.Type, rows)
	}
	return need + allocated(text) // all that can be text is, once
}

const fieldBytes = int64(unsafe.Sizeof(field{}))

// Read makes a batch of a block, which begins at a line and has so many rows at most. The batch is
// from memory, and what is only needed meanwhile from scratch. Nothing refers to the block
// afterwards.
func (r *Reader) Read(ctx context.Context, block []byte, line int64, most int, scratch, from memory.Allocator) (arrow.RecordBatch, error) {
	rows := newRows(r, block, line, most, scratch)
	defer rows.release()
	broken := rows.find()
	columns, err := rows.read(ctx, from)
	if err == nil && broken != nil {
		releaseColumns(columns)
		return nil, broken // and what is before it parses
	}
	if err == nil && rows.bad != nil {
		// Whatever is left parses.
		releaseColumns(columns)
		rows.leaveOut()
		columns, err = rows.read(ctx, from)
	}
	if err != nil {
		return nil, err
	}
	defer releaseColumns(columns)
	return array.NewRecordBatch(r.schema, columns, int64(rows.n)), nil
}

func releaseColumns(arrays []arrow.Array) {
	for _, a := range arrays {
		if a != nil {
			a.Release()
		}
	}
}

// rows is where in a block the rows and their fields are.
type rows struct {
	*Reader
	block   []byte
	line    int64 // that it begins at
	n       int
	starts  []uint32 // of each row
	fields  [][]field
	scratch memory.Allocator
	memory  [][]byte // from there
	bad     []bool   // rows to leave out; nil if there are none
}

func newRows(reader *Reader, block []byte, line int64, most int, scratch memory.Allocator) *rows {
	r := &rows{Reader: reader, block: block, line: line, scratch: scratch, fields: make([][]field, len(reader.places))}
	r.starts = unsafe.Slice((*uint32)(r.allocate(4*most)), most)
	for i := range r.fields {
		r.fields[i] = unsafe.Slice((*field)(r.allocate(int(fieldBytes)*most)), most)
	}
	return r
}

func (r *rows) allocate(n int) unsafe.Pointer {
	bytes := r.scratch.Allocate(n)
	r.memory = append(r.memory, bytes)
	return unsafe.Pointer(unsafe.SliceData(bytes))
}

func (r *rows) release() {
	for _, m := range r.memory {
		r.scratch.Free(m)
	}
}

// find finds the rows that are well formed; if it ends with an error, those before it.
func (r *rows) find() error {
	split := newSplitter(r.dialect.Delimiter, r.columns)
	record := make([]field, r.columns)
	for at := 0; at < len(r.block); {
		if next, is := blank(r.block, at); is && r.columns > 1 {
			at = next
			continue
		}
		_, next, err := split.record(r.block, at, record)
		if err == nil {
			r.starts[r.n] = uint32(at)
			for i, place := range r.places {
				r.fields[i][r.n] = record[place]
			}
			r.n++
		} else if err := r.trouble.Row(r.errorAt(at, "", err)); err != nil {
			return err
		}
		at = next
	}
	return nil
}

func (r *rows) errorAt(at int, column string, err error) *Error {
	return &Error{Line: r.line + int64(bytes.Count(r.block[:at], newline)), Column: column, Err: err}
}

// read makes the arrays, and finds out which rows are bad. An error of a value is the one of the
// first row that has any: behind a column with one, the others are read to the row before it.
func (r *rows) read(ctx context.Context, from memory.Allocator) (columns []arrow.Array, err error) {
	columns = make([]arrow.Array, len(r.readers))
	n := r.n
	for i, read := range r.readers {
		if ended := ctx.Err(); ended != nil {
			err = ended
			break
		}
		var wrong error
		columns[i], wrong = read(from, column{
			block: r.block, fields: r.fields[i][:n], dialect: &r.dialect,
			wrong: func(row int, value []byte) error {
				why := r.wrong(i, row, value)
				if why != nil {
					n = row
				}
				return why
			},
		})
		if wrong != nil {
			err = wrong
		}
	}
	if err != nil {
		releaseColumns(columns)
		return nil, err
	}
	return columns, nil
}

// wrong is told of a value that does not parse.
func (r *rows) wrong(column, row int, value []byte) error {
	if r.bad != nil && r.bad[row] {
		return nil // it is left out already
	}
	f := r.schema.Field(column)
	why := fmt.Errorf("%s %w", shown(value), ErrUTF8) // all that can be wrong with a text
	if f.Type.ID() != arrow.STRING {
		why = fmt.Errorf("%s is not %s", shown(value), exampleOf(f.Type))
	}
	leaveOut, err := r.trouble.Value(r.errorAt(int(r.starts[row]), f.Name, why))
	if leaveOut && err == nil {
		if r.bad == nil {
			r.bad = make([]bool, r.n)
		}
		r.bad[row] = true
	}
	return err
}

// leaveOut takes the bad rows out.
func (r *rows) leaveOut() {
	kept := 0
	for row, bad := range r.bad {
		if bad {
			continue
		}
		r.starts[kept] = r.starts[row]
		for _, fields := range r.fields {
			fields[kept] = fields[row]
		}
		kept++
	}
	r.n, r.bad = kept, nil
}

// shown is a value for an error: short, and as one line.
func shown(value []byte) string {
	const most = 40
	if len(value) > most {
		return fmt.Sprintf("%q...", value[:most])
	}
	return fmt.Sprintf("%q", value)
}
