package table

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice/mem"
)

// Copy returns a [*Chunk] with the same rows, whose memory is from res and can be spilled without
// this one's. What this one shares between its columns, the copy shares between its own. Where res is
// nil, and no resource counts this chunk's memory either, nothing is gained by other memory:
// the copy has the same. Otherwise the memory is
// from res, which must have enough left of the kind Host: what CopyNeed says. The error is a [*mem.OverdrawnError], a
// [*ResidencyError] if this chunk is not in host memory, or that of ctx.
func (c *Chunk) Copy(ctx context.Context, res *mem.Reservation) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	batch, err := c.resident()
	if err != nil {
		return nil, err
	}
	if need, left := batchCopyBytes(batch), res.Left(mem.Host); res != nil && left < need {
		return nil, &mem.OverdrawnError{Kind: mem.Host, Need: need, Left: left}
	}
	if res == nil && c.own == nil {
		batch.Retain()
		return NewChunk(batch), nil
	}
	from := newAllocator(ctx, res)
	return from.Chunk(copyBatch(from, batch)), nil
}

// CopyNeed returns the bytes of host memory that a copy takes at most, wherever this chunk is. It differs
// from the Content: each buffer takes a multiple of 64 bytes, and what this chunk shares with
// others, such as a dictionary, is copied, too, but not its own.
func (c *Chunk) CopyNeed() (n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.mu.packed != nil:
		_, sizes := packedShapes(c.schema, c.rows, c.mu.columns)
		for _, size := range sizes {
			n += allocated(size)
		}
	case c.shape != nil: // also while it is moved, when the batch is not there
		for _, s := range c.shape {
			n += s.copyBytes()
		}
	case c.mu.batch != nil:
		for _, column := range c.mu.batch.Columns() {
			n += arrayCopyBytes(column.Data())
		}
	}
	return n
}

// copyBytes returns what a copy takes at most, as if no two buffers were one: those of a chunk that
// has been on disk are two.
func (s *shape) copyBytes() (n int64) {
	for _, p := range s.parts {
		if p.buffer >= 0 {
			n += allocated(int64(p.n))
		}
	}
	for _, child := range s.children {
		n += child.copyBytes()
	}
	if s.dictionary != nil {
		n += s.dictionary.copyBytes()
	}
	return n
}

// copyBatch returns a batch with the same rows in memory of its own.
func copyBatch(mem memory.Allocator, batch arrow.RecordBatch) arrow.RecordBatch {
	copying := copier{mem: mem, made: make(map[*memory.Buffer]*memory.Buffer)}
	defer copying.release()
	columns := make([]arrow.Array, batch.NumCols())
	for i, column := range batch.Columns() {
		data := copying.data(column.Data())
		columns[i] = array.MakeFromData(data)
		data.Release()
		defer columns[i].Release()
	}
	return array.NewRecordBatch(batch.Schema(), columns, batch.NumRows())
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

// copyData returns the data of an array with the same values in memory of its own.
func copyData(mem memory.Allocator, d arrow.ArrayData) *array.Data {
	copying := copier{mem: mem, made: make(map[*memory.Buffer]*memory.Buffer)}
	defer copying.release()
	return copying.data(d)
}

// eachBuffer calls do for all Arrow buffers of array data, as often as they occur.
func eachBuffer(d arrow.ArrayData, do func(*memory.Buffer)) {
	for _, b := range d.Buffers() {
		if b != nil {
			do(b)
		}
	}
	for _, child := range d.Children() {
		eachBuffer(child, do)
	}
	if dict, ok := d.Dictionary().(*array.Data); ok && dict != nil {
		eachBuffer(dict, do)
	}
}

// batchBytes adds up the buffers of a batch, each once and whole.
func batchBytes(batch arrow.RecordBatch) (total int64) {
	eachWhole(batch, func(n int64) { total += n })
	return total
}

// batchHeldBytes is batchBytes as those who have allocated the buffers take it. Of a few rows that is a multiple.
func batchHeldBytes(batch arrow.RecordBatch) (total int64) {
	eachWhole(batch, func(n int64) { total += allocated(n) })
	return total
}

// eachWhole calls do with the length of each buffer of a batch, once, whatever part of it the batch has.
func eachWhole(batch arrow.RecordBatch, do func(bytes int64)) {
	seen := make(map[*memory.Buffer]bool)
	for _, column := range batch.Columns() {
		eachBuffer(column.Data(), func(b *memory.Buffer) {
			if b = root(b); !seen[b] {
				seen[b] = true
				do(int64(b.Len()))
			}
		})
	}
}

// batchCopyBytes returns what a copy of a batch takes.
func batchCopyBytes(batch arrow.RecordBatch) (total int64) {
	seen := make(map[*memory.Buffer]bool)
	for _, column := range batch.Columns() {
		eachBuffer(column.Data(), func(b *memory.Buffer) {
			if !seen[b] {
				seen[b] = true
				total += allocated(int64(b.Len()))
			}
		})
	}
	return total
}

// arrayCopyBytes returns what a copy of array data takes at most.
func arrayCopyBytes(d arrow.ArrayData) (total int64) {
	eachBuffer(d, func(b *memory.Buffer) { total += allocated(int64(b.Len())) })
	return total
}

// allocated returns what an Arrow buffer of n bytes takes.
func allocated(n int64) int64 { return (n + 63) &^ 63 }
