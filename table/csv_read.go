package table

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
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
	defer r.stop(nil)
	for _, path := range paths {
		if err := r.file(path); err != nil {
			r.fail(err)
			break
		}
	}
	r.all.Wait()
	r.trouble.report(ctx, s.Logger)
	return int(r.seq), r.err
}

// file cuts a file into blocks.
func (r *csvReading) file(path string) (err error) {
	source, err := openCSV(path, r.scan.stdin())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.close()) }()
	f, err := r.describe(source, path)
	if err != nil {
		return err
	}
	in, free, err := r.input(source)
	if err != nil {
		return fmt.Errorf("%s: %w", source.path, err)
	}
	defer free()
	if f.dialect.header {
		if err := skipHeader(in); err != nil {
			return err
		}
	}
	for {
		more, err := r.dealBlock(f, in)
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
func (r *csvReading) describe(source *csvSource, path string) (*csvFile, error) {
	f := &csvFile{
		path: source.path, schema: r.schema, dialect: r.scan.CSV.dialect(path),
		onError: r.scan.CSV.OnError, trouble: &r.trouble,
	}
	err := r.scan.eachCSV(path, func(_ *csvSource, h csvHeader) (err error) {
		f.columns = len(h.names)
		f.places, err = places(f.path, h.names, columnNames(r.schema))
		return err
	})
	for _, field := range r.schema.Fields() {
		read, failed := columnReaderOf(field.Type)
		f.readers, err = append(f.readers, read), errors.Join(err, failed)
	}
	return f, err
}

// Blocks are a part of the limit, because what is made of one may take ten times as much, and
// several are in the making.
const (
	leastCSVBlock = 4 << 10
	mostCSVBlock  = 1 << 20
	mostCSVRow    = 64 << 20
)

// input makes a buffer for a file. It is held as long as the file is read, and not to be
// spilled, like the groups of an aggregate.
func (r *csvReading) input(source *csvSource) (in *csvInput, free func(), err error) {
	from := budgetOf(r.ctx)
	blockSize := min(max(from.limit/128, leastCSVBlock), mostCSVBlock)
	mostRow := min(max(from.limit/16, leastCSVBlock), mostCSVRow)
	reserved, err := from.reserve(r.ctx, blockSize+source.unpackBytes())
	if err != nil {
		return nil, nil, err
	}
	if source.file == nil {
		source.pump = startPump(r.ctx, source.path, source.in)
	}
	memory := newAllocator(r.ctx, reserved)
	in = &csvInput{source: source, path: source.path, buf: memory.Allocate(int(blockSize))}
	in.more = func() ([]byte, error) {
		size := int64(len(in.buf))
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
		copy(larger, in.buf)
		memory.Free(in.buf)
		reserved.Release()
		memory, reserved = next, more
		return larger, nil
	}
	return in, func() {
		memory.Free(in.buf)
		reserved.Release()
	}, nil
}

// skipHeader goes past the line of names, which was read before.
func skipHeader(in *csvInput) error {
	for {
		block, _, _, err := in.next(1)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, is := blank(block, 0); !is {
			return nil
		}
	}
}

// dealBlock starts to read the next block, or says that there is none.
func (r *csvReading) dealBlock(f *csvFile, in *csvInput) (more bool, err error) {
	ticket, err := r.admit()
	if err != nil {
		return false, err
	}
	text, line, most, err := in.next(r.rows)
	if err != nil {
		r.dismiss(ticket)
		if err == io.EOF {
			return false, nil
		}
		return false, err
	}
	reserved, err := budgetOf(r.ctx).reserve(r.ctx, f.blockBytes(int64(len(text)), int64(most)))
	if err != nil {
		r.dismiss(ticket)
		return false, fmt.Errorf("%s:%d: reading %d rows at a time: %w", f.path, line, most, err)
	}
	r.deal(f.block(r.ctx, reserved, text, line, most), reserved, ticket)
	return true, nil
}
