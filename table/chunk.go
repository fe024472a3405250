package table

import (
	"context"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice/mem"
)

// A Chunk is some rows of a table: the payload of the messages between the nodes
// of this package. It holds one reference to an Arrow record batch, which it gives
// back on Release. A Chunk is never changed; several goroutines may read it.
type Chunk struct {
	batch    arrow.RecordBatch
	content  mem.Content
	released atomic.Bool
}

// NewChunk returns a chunk that takes over the caller's reference to batch: the
// caller releases the chunk, or sends it, and no longer the batch.
func NewChunk(batch arrow.RecordBatch) *Chunk {
	c := &Chunk{batch: batch}
	c.content.Bytes[mem.Host] = batchBytes(batch)
	return c
}

// Batch lends the record batch. It is good until the chunk is released; whoever
// keeps it longer retains it. After Release, Batch panics.
func (c *Chunk) Batch() arrow.RecordBatch {
	if c.released.Load() {
		panic("table: Batch of a Chunk that was released")
	}
	return c.batch
}

// Rows returns the number of rows.
func (c *Chunk) Rows() int { return int(c.batch.NumRows()) }

// Schema returns the names and types of the columns.
func (c *Chunk) Schema() *arrow.Schema { return c.batch.Schema() }

// Release gives the reference back. Only the first call does; more are harmless.
func (c *Chunk) Release() {
	if !c.released.Swap(true) {
		c.batch.Release()
	}
}

// Content returns how many bytes of host memory the chunk keeps alive: each buffer
// once and whole, however many columns share it or how small a slice of it they
// use, dictionaries included. Chunks cannot be spilled yet.
func (c *Chunk) Content() mem.Content { return c.content }

// Copy returns a [*Chunk] with the same rows that shares no memory with this one.
// What this one shares between its columns, the copy shares between its own. Host
// memory is not accounted yet, so res may be nil.
func (c *Chunk) Copy(ctx context.Context, _ *mem.Reservation) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	batch := c.Batch()
	copying := copier{mem: allocator(ctx), made: make(map[*memory.Buffer]*memory.Buffer)}
	defer copying.release()
	columns := make([]arrow.Array, batch.NumCols())
	for i, column := range batch.Columns() {
		data := copying.data(column.Data())
		columns[i] = array.MakeFromData(data)
		data.Release()
	}
	made := array.NewRecordBatch(batch.Schema(), columns, batch.NumRows())
	for _, column := range columns {
		column.Release()
	}
	return NewChunk(made), nil
}

// copier copies array data, each buffer once.
type copier struct {
	mem  memory.Allocator
	made map[*memory.Buffer]*memory.Buffer
}

func (c *copier) data(d arrow.ArrayData) *array.Data {
	buffers := make([]*memory.Buffer, len(d.Buffers()))
	for i, b := range d.Buffers() {
		buffers[i] = c.buffer(b)
	}
	var children []arrow.ArrayData
	for _, child := range d.Children() {
		made := c.data(child)
		defer made.Release()
		children = append(children, made)
	}
	if dict, ok := d.Dictionary().(*array.Data); ok && dict != nil {
		made := c.data(dict)
		defer made.Release()
		return array.NewDataWithDictionary(d.DataType(), d.Len(), buffers, d.NullN(), d.Offset(), made)
	}
	return array.NewData(d.DataType(), d.Len(), buffers, children, d.NullN(), d.Offset())
}

func (c *copier) buffer(b *memory.Buffer) *memory.Buffer {
	if b == nil {
		return nil
	}
	made, ok := c.made[b]
	if !ok {
		made = memory.NewResizableBuffer(c.mem)
		made.Resize(b.Len())
		copy(made.Bytes(), b.Bytes())
		c.made[b] = made
	}
	return made
}

// release drops the copier's references: the arrays hold their own.
func (c *copier) release() {
	for _, b := range c.made {
		b.Release()
	}
}

// batchBytes adds up the buffers of a batch, each once.
func batchBytes(batch arrow.RecordBatch) int64 {
	var total int64
	seen := make(map[*memory.Buffer]bool)
	var add func(arrow.ArrayData)
	add = func(d arrow.ArrayData) {
		for _, b := range d.Buffers() {
			if b == nil {
				continue
			}
			for b.Parent() != nil {
				b = b.Parent()
			}
			if !seen[b] {
				seen[b] = true
				total += int64(b.Len())
			}
		}
		for _, child := range d.Children() {
			add(child)
		}
		if dict, ok := d.Dictionary().(*array.Data); ok && dict != nil {
			add(dict)
		}
	}
	for _, column := range batch.Columns() {
		add(column.Data())
	}
	return total
}
