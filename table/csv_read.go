package table

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/table/internal/csv"
)

// csvReading is one run of a scan of CSV. The node's own goroutine cuts the files into blocks of
// records, which costs next to nothing; what the blocks are made of, readers find out, several at a
// time, and send in turn.
type csvReading struct {
	*reading
	scan    Scan
	trouble csvTrouble
}

func (s Scan) runCSV(ctx context.Context, schema *arrow.Schema, paths []string, throttle *sluice.Throttle, readers int) (int, error) {
	r := &csvReading{reading: newReading(ctx, schema, throttle, s.rows(), readers), scan: s}
	r.trouble.onError = s.CSV.OnError
	defer r.stop(nil)
	for i, path := range paths {
		if err := r.file(i, path); err != nil {
			var row *RowError
			if errors.As(err, &row) {
				r.all.Wait() // rows before it may be wrong, too, and are to be named then
			}
			r.fail(err)
			break
		}
	}
	r.all.Wait()
	r.trouble.report(ctx, s.Logger)
	return int(r.seq), r.err
}

// file cuts a file into blocks, the i-th of the scan.
func (r *csvReading) file(i int, path string) (err error) {
	source, err := openCSV(path, r.scan.stdin())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(rowError(source.path, err), source.close()) }()
	f, err := r.describe(source, i, path)
	if err != nil {
		return err
	}
	if err := source.start(r.ctx); err != nil {
		return err
	}
	cutter, free, err := r.cutter(source)
	if err != nil {
		return fmt.Errorf("%s: %w", source.path, err)
	}
	defer free()
	if !r.scan.CSV.NoHeader {
		if err := cutter.SkipHeader(); err != nil {
			return err
		}
	}
	for {
		more, err := r.dealBlock(f, cutter)
		if err != nil {
			return err
		}
		if !more {
			return source.unchanged()
		}
	}
}

// describe looks again at the columns of a file, which was closed since they were agreed on, and
// leaves it at its beginning.
func (r *csvReading) describe(source *csvSource, i int, path string) (*csvFile, error) {
	f := &csvFile{path: source.path}
	err := r.scan.eachCSV(path, func(_ *csvSource, head csv.Head) error {
		places, err := places(f.path, head.Names, columnNames(r.schema))
		if err != nil {
			return err
		}
		f.Reader, err = csv.NewReader(r.scan.CSV.dialect(path), r.schema, len(head.Names), places, csvFileTrouble{&r.trouble, f.path, i, r.scan.CSV.Types})
		return err
	})
	return f, err
}

// mostCSVRow is the most bytes that a row may have, whatever the limit.
const mostCSVRow = 64 << 20

// errLongRow is why a row longer than that is not read.
var errLongRow = errors.New("the limit for a row")

// cutter makes a buffer for a file. It is held as long as the file is read, and not to be
// spilled, like the groups of an aggregate.
func (r *csvReading) cutter(source *csvSource) (cutter *csv.Cutter, free func(), err error) {
	from := budgetOf(r.ctx)
	blockSize := from.csvBlock()
	mostRow := min(max(from.limit/16, leastCSVBlock), mostCSVRow)
	reserved, err := from.reserve(r.ctx, blockSize+source.unpackBytes())
	if err != nil {
		return nil, nil, err
	}
	memory := newAllocator(r.ctx, reserved)
	buf := memory.Allocate(int(blockSize))
	free = func() {
		memory.Free(buf)
		reserved.Release()
	}
	larger := func() ([]byte, error) {
		size := int64(len(buf))
		if size >= mostRow {
			return nil, errLongRow
		}
		size = min(2*size, mostRow)
		more, err := from.reserve(r.ctx, size+source.unpackBytes())
		if err != nil {
			return nil, err
		}
		next := newAllocator(r.ctx, more)
		larger := next.Allocate(int(size))
		copy(larger, buf)
		free()
		buf, memory, reserved = larger, next, more
		return larger, nil
	}
	return csv.NewCutter(source, buf, larger), free, nil
}

// dealBlock starts to read the next block, or says that there is none.
func (r *csvReading) dealBlock(f *csvFile, cutter *csv.Cutter) (more bool, err error) {
	ticket, err := r.admit()
	if err != nil {
		return false, err
	}
	text, line, most, err := cutter.Next(r.rows)
	if err != nil {
		r.dismiss(ticket)
		if err == io.EOF {
			return false, nil
		}
		return false, err
	}
	reserved, err := budgetOf(r.ctx).reserve(r.ctx, f.blockBytes(len(text), most))
	if err != nil {
		r.dismiss(ticket)
		return false, fmt.Errorf("%s:%d: reading %d rows at a time: %w", f.path, line, most, err)
	}
	r.deal(f.block(r.ctx, reserved, text, line, most), reserved, ticket)
	return true, nil
}

// csvFile is what the blocks of a file have in common.
type csvFile struct {
	*csv.Reader
	path string
}

// csvBlock is some records of a file, on their way to be a chunk.
type csvBlock struct {
	file    *csvFile
	text    []byte // its own copy
	line    int64  // that it begins at
	most    int    // rows that it has at most
	scratch *Allocator
}

// blockBytes is what it takes to make a chunk of a block, with its copy and the chunk itself.
func (f *csvFile) blockBytes(text, rows int) int64 {
	return allocated(int64(text)) + f.Bytes(int64(text), int64(rows))
}

// block copies records. Their memory is reserved, and goes back to what it came from with
// Release.
func (f *csvFile) block(ctx context.Context, reserved *mem.Reservation, text []byte, line int64, most int) *csvBlock {
	scratch := newAllocator(ctx, reserved)
	b := &csvBlock{file: f, line: line, most: most, scratch: scratch, text: scratch.Allocate(len(text))}
	copy(b.text, text)
	return b
}

// Read makes a batch of the block.
func (b *csvBlock) Read(ctx context.Context, from memory.Allocator) (arrow.RecordBatch, error) {
	batch, err := b.file.Read(ctx, b.text, b.line, b.most, b.scratch, from)
	return batch, rowError(b.file.path, err)
}

// Release gives back the copy; it may be called again.
func (b *csvBlock) Release() {
	if b.text != nil {
		b.scratch.Free(b.text)
		b.text = nil
	}
}
