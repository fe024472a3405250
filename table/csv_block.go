package table

import (
	"bytes"
	"context"
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice/mem"
)

// csvFile is what the blocks of a file have in common.
type csvFile struct {
	path    string
	schema  *arrow.Schema
	dialect dialect
	columns int            // in the file
	places  []int          // of the columns of the schema among them
	readers []columnReader // of the columns of the schema
	onError OnError
	trouble *csvTrouble
}

// csvBlock is some records of a file, on their way to be a chunk.
type csvBlock struct {
	*csvFile
	text    []byte // its own copy
	line    int64  // that it begins at
	most    int    // rows that it has at most
	scratch *Allocator
}

// blockBytes is what it takes to make a chunk of a block, with its copy, where the fields are, and
// the chunk itself.
func (f *csvFile) blockBytes(text, rows int64) int64 {
	need := allocated(text) + allocated(4*rows)
	for _, field := range f.schema.Fields() {
		need += allocated(fieldBytes*rows) + csvBytes(field.Type, rows)
		if layout, _ := layoutOf(field.Type); layout == layoutText {
			need += 64 // where its size is rounded up
		}
	}
	return need + allocated(text) // all that can be text is, once
}

const fieldBytes = int64(unsafe.Sizeof(csvField{}))

// block copies records. Their memory is reserved, and goes back to what it came from with
// Release.
func (f *csvFile) block(ctx context.Context, reserved *mem.Reservation, text []byte, line int64, most int) *csvBlock {
	scratch := newAllocator(ctx, reserved)
	b := &csvBlock{csvFile: f, line: line, most: most, scratch: scratch, text: scratch.Allocate(len(text))}
	copy(b.text, text)
	return b
}

// Release gives back the copy; it may be called again.
func (b *csvBlock) Release() {
	if b.text != nil {
		b.scratch.Free(b.text)
		b.text = nil
	}
}

// Read makes a batch of the block.
func (b *csvBlock) Read(ctx context.Context, from memory.Allocator) (arrow.RecordBatch, error) {
	rows := newCSVRows(b)
	defer rows.release()
	if err := rows.find(); err != nil {
		return nil, err
	}
	columns, err := rows.read(ctx, from)
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
	return array.NewRecordBatch(b.schema, columns, int64(rows.n)), nil
}

func releaseColumns(arrays []arrow.Array) {
	for _, a := range arrays {
		if a != nil {
			a.Release()
		}
	}
}

// csvRows is where in a block the rows and their fields are.
type csvRows struct {
	*csvBlock
	n      int
	starts []uint32 // of each row
	fields [][]csvField
	memory [][]byte // of those
	bad    []bool   // rows to leave out; nil if there are none
}

func newCSVRows(b *csvBlock) *csvRows {
	r := &csvRows{csvBlock: b, fields: make([][]csvField, len(b.places))}
	r.starts = unsafe.Slice((*uint32)(r.allocate(4*b.most)), b.most)
	for i := range r.fields {
		r.fields[i] = unsafe.Slice((*csvField)(r.allocate(int(fieldBytes)*b.most)), b.most)
	}
	return r
}

func (r *csvRows) allocate(n int) unsafe.Pointer {
	bytes := r.scratch.Allocate(n)
	r.memory = append(r.memory, bytes)
	return unsafe.Pointer(unsafe.SliceData(bytes))
}

func (r *csvRows) release() {
	for _, m := range r.memory {
		r.scratch.Free(m)
	}
}

// find finds the rows that are well formed.
func (r *csvRows) find() error {
	split := newSplitter(r.dialect.delimiter, r.columns)
	record := make([]csvField, r.columns)
	for at := 0; at < len(r.text); {
		if next, is := blank(r.text, at); is && r.columns > 1 {
			at = next
			continue
		}
		_, next, err := split.record(r.text, at, record)
		if err == nil {
			r.starts[r.n] = uint32(at)
			for i, place := range r.places {
				r.fields[i][r.n] = record[place]
			}
			r.n++
		} else if err := r.drop(r.errorAt(at, "", err)); err != nil {
			return err
		}
		at = next
	}
	return nil
}

func (r *csvRows) errorAt(at int, column string, err error) error {
	line := r.line + int64(bytes.Count(r.text[:at], newline))
	return &RowError{File: r.path, Line: line, Column: column, Err: err}
}

// drop leaves out a row for a reason, unless that is to be an error.
func (r *csvRows) drop(why error) error {
	if r.onError == "" || r.onError == OnErrorFail {
		return why
	}
	r.trouble.skipped(why)
	return nil
}

// read makes the arrays, and finds out which rows are bad.
func (r *csvRows) read(ctx context.Context, from memory.Allocator) (columns []arrow.Array, err error) {
	columns = make([]arrow.Array, len(r.readers))
	for i, read := range r.readers {
		if err = ctx.Err(); err == nil {
			columns[i], err = read(from, csvColumn{
				block: r.text, fields: r.fields[i][:r.n], nulls: &r.dialect,
				wrong: func(row int, value []byte) error { return r.wrong(i, row, value) },
			})
		}
		if err != nil {
			releaseColumns(columns)
			return nil, err
		}
	}
	return columns, nil
}

// wrong is told of a value that does not parse.
func (r *csvRows) wrong(column, row int, value []byte) error {
	if r.bad != nil && r.bad[row] {
		return nil // it is left out already
	}
	field := r.schema.Field(column)
	why := fmt.Errorf("%s is not %s", shownField(value), exampleOf(field.Type))
	err := r.errorAt(int(r.starts[row]), field.Name, why)
	switch r.onError {
	case OnErrorSkip:
		if r.bad == nil {
			r.bad = make([]bool, r.n)
		}
		r.bad[row] = true
		r.trouble.skipped(err)
	case OnErrorNull:
		r.trouble.nulled(err)
	default:
		return err
	}
	return nil
}

// leaveOut takes the bad rows out.
func (r *csvRows) leaveOut() {
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

// shownField is a value for an error: short, and as one line.
func shownField(value []byte) string {
	const most = 40
	if len(value) > most {
		return fmt.Sprintf("%q...", value[:most])
	}
	return fmt.Sprintf("%q", value)
}
