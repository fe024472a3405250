package table

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// A groupRows is the rows of a row group that is being encoded.
type groupRows struct {
	parts []groupPart
	bytes int64
	done  chan struct{} // closed when it is in the file
}

// groupPart is some rows of a chunk.
type groupPart struct {
	chunk    *Chunk
	from, to int64
	last     bool // no other part has the chunk after this one, which therefore releases it
}

// drop lets go of the rows.
func (g *groupRows) drop() {
	for _, part := range g.parts {
		if part.last {
			part.chunk.Release()
		}
	}
	g.parts = nil
}

// A columnTask is a column of a row group that is to be encoded.
type columnTask struct {
	group  *groupRows
	column int
	meta   *metadata.ColumnChunkMetaDataBuilder
	pages  *columnPages
}

// encoders are the workers of a [Write] of Parquet. Each takes the next column there is, so that columns
// are begun in the order of the file. None works before it is admitted, which is when memory for it is
// reserved.
//
// What is encoded, and where it goes, depends neither on how many there are nor on who is faster.
type encoders struct {
	admit      chan struct{}
	tasks      chan columnTask // set before the first is admitted
	columns    []arrow.Field
	properties *parquet.WriterProperties
	slice      func() encodingSlice
}

func newEncoders(workers int) *encoders { return &encoders{admit: make(chan struct{}, workers)} }

// end has the workers return when all that was to be encoded is.
func (e *encoders) end() {
	close(e.admit)
	if e.tasks != nil {
		close(e.tasks)
	}
}

// work encodes columns until there are no more.
func (e *encoders) work(ctx context.Context) error {
	select {
	case _, admitted := <-e.admit:
		if !admitted {
			return nil
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	slice := e.slice()
	settings := pqarrow.DefaultWriterProps()
	encoding := pqarrow.NewArrowWriteContext(ctx, &settings) // has buffers that it uses again
	for {
		select {
		case task, more := <-e.tasks:
			if !more {
				return nil
			}
			if err := e.column(encoding, task, &slice); err != nil {
				return fmt.Errorf("column %q: %w", e.columns[task.column].Name, err)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (e *encoders) column(ctx context.Context, task columnTask, slice *encodingSlice) error {
	task.pages.ctx = ctx
	into := file.NewColumnChunkWriter(task.meta, task.pages, e.properties)
	if err := e.rows(ctx, task, into, slice); err != nil {
		return err
	}
	if err := into.Close(); err != nil {
		return err
	}
	return task.pages.done()
}

func (e *encoders) rows(ctx context.Context, task columnTask, into file.ColumnChunkWriter, slice *encodingSlice) error {
	if texts, ok := into.(*file.ByteArrayColumnChunkWriter); ok {
		if words := wordsOf(task.group, task.column, e.properties.DataPageSize()); words != nil {
			return words.write(ctx, task.group, task.column, texts)
		}
	}
	for _, part := range task.group.parts {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := slice.write(ctx, into, part.chunk.Batch().Column(task.column), int(part.from), int(part.to)); err != nil {
			return err
		}
	}
	return nil
}
