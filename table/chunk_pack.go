package table

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"

	"github.com/seed14ed4225/sluice/mem"
)

// Packing chunks.
//
// Chunks that wait together for the same thing, such as the pieces of a partition, go to disk
// one behind the other, column by column, so that they come back as one chunk. What stays in
// memory says nothing of the chunks that it was, and no more of a column than how long it is.
//
// Only bitmaps and the ends of text are made anew for that, on the Go heap and until they are
// written; all else is written from where it is.

// A packedBatch is what chunks are written as.
type packedBatch struct {
	parts   [][]byte
	columns []columnInPack
	bytes   int64
}

// A columnInPack is what is known of a column that is packed, besides its type and the rows.
type columnInPack struct{ nulls, text int }

// packChunks moves the first of some chunks of one schema, without dictionaries, to disk as one, and
// releases them; as many as res has room for, and at least one. On an error nothing has changed.
func packChunks(ctx context.Context, label string, chunks []*Chunk, res *mem.Reservation) (*Chunk, int, error) {
	batches := make([]arrow.RecordBatch, len(chunks))
	for i, c := range chunks {
		var err error
		if batches[i], err = c.resident(); err != nil {
			return nil, 0, err
		}
	}
	n := len(chunks)
	made := packBatches(batches)
	for n > 1 && mem.Need(mem.Disk, made.bytes) > res.Left(mem.Disk) {
		n /= 2
		made = packBatches(batches[:n])
	}
	of := chunks[0].buffer()
	if of == nil {
		return nil, 0, fmt.Errorf("table: packing a chunk of %d rows: nobody has counted its memory", chunks[0].rows)
	}
	packed, err := mem.PackBytes(ctx, res, label, of, made.parts...)
	if err != nil {
		return nil, 0, err
	}
	c := &Chunk{schema: chunks[0].schema, own: &Allocator{}}
	c.own.made.Store(true)
	for _, from := range chunks[:n] {
		c.rows += from.rows
		from.Release()
	}
	c.mu.packed, c.mu.columns, c.mu.content = packed, made.columns, packed.Content()
	return c, n, nil
}

// buffer returns one of the chunk's buffers, if they are counted.
func (c *Chunk) buffer() *mem.Buffer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.buffers) == 0 {
		return nil
	}
	return c.mu.buffers[0]
}

func packBatches(batches []arrow.RecordBatch) *packedBatch {
	p := &packedBatch{}
	rows := 0
	for _, batch := range batches {
		rows += int(batch.NumRows())
	}
	views := make([]view, len(batches))
	for i := range batches[0].Columns() {
		for b, batch := range batches {
			views[b] = newView(batch.Column(i))
		}
		p.column(batches[0].Schema().Field(i).Type, views, rows)
	}
	return p
}

// column adds a column: its bitmap, if there are nulls, then what else Arrow has of the type.
func (p *packedBatch) column(typ arrow.DataType, views []view, rows int) {
	of, _ := layoutOf(typ)
	if of == layoutNull {
		p.columns = append(p.columns, columnInPack{nulls: rows})
		return
	}
	c := columnInPack{}
	if nullable(views) {
		bits := joinBits(views, rows, func(v *view) ([]byte, int) { return v.valid, v.offset })
		if c.nulls = rows - bitutil.CountSetBits(bits, 0, rows); c.nulls > 0 {
			p.add(bits)
		}
	}
	switch of {
	case layoutBool:
		p.add(joinBits(views, rows, func(v *view) ([]byte, int) {
			data := v.array.Data()
			return data.Buffers()[1].Bytes(), data.Offset()
		}))
	case layoutText:
		ends := make([]int32, 0, rows+1)
		ends = append(ends, 0)
		for i := range views {
			from := views[i].text.offsets
			shift := int32(c.text) - from[0]
			for _, end := range from[1:] {
				ends = append(ends, end+shift)
			}
			c.text += int(from[len(from)-1] - from[0])
		}
		p.add(arrow.GetBytes(ends))
		for i := range views {
			t := &views[i].text
			p.add(t.values[t.offsets[0]:t.offsets[len(t.offsets)-1]])
		}
	default:
		width := typ.(arrow.FixedWidthDataType).Bytes()
		for i := range views {
			data := views[i].array.Data()
			p.add(data.Buffers()[1].Bytes()[data.Offset()*width:][:data.Len()*width])
		}
	}
	p.columns = append(p.columns, c)
}

func (p *packedBatch) add(bytes []byte) {
	if len(bytes) > 0 {
		p.parts = append(p.parts, bytes)
		p.bytes += int64(len(bytes))
	}
}

// joinBits puts bitmaps one behind the other; nil ones are all set.
func joinBits(views []view, rows int, of func(*view) (bits []byte, offset int)) []byte {
	joined := make([]byte, bitutil.BytesForBits(int64(rows)))
	at := 0
	for i := range views {
		if bits, offset := of(&views[i]); bits == nil {
			bitutil.SetBitsTo(joined, int64(at), int64(views[i].rows), true)
		} else {
			bitutil.CopyBitmap(bits, offset, views[i].rows, joined, at)
		}
		at += views[i].rows
	}
	return joined
}

// unpack brings a packed chunk back to host memory.
func (c *Chunk) unpack(ctx context.Context, res *mem.Reservation) (restored int64, err error) {
	shapes, sizes := packedShapes(c.schema, c.rows, c.mu.columns)
	buffers, err := c.mu.packed.Restore(ctx, res, sizes...)
	if err != nil {
		return 0, err
	}
	c.shape, c.mu.packed, c.mu.columns = shapes, nil, nil
	c.land(buffers)
	return mem.ContentOf(buffers...).Total(), nil
}

// packedShapes returns the shapes of packed columns, and how large their buffers are.
func packedShapes(schema *arrow.Schema, rows int, columns []columnInPack) (shapes []*shape, sizes []int64) {
	for i, c := range columns {
		s := &shape{typ: schema.Field(i).Type, rows: rows, nulls: c.nulls}
		add := func(n int64) {
			if n == 0 {
				s.parts = append(s.parts, part{buffer: empty})
				return
			}
			s.parts = append(s.parts, part{buffer: len(sizes), n: int(n)})
			sizes = append(sizes, n)
		}
		bits := bitutil.BytesForBits(int64(rows))
		of, _ := layoutOf(s.typ)
		if of == layoutNull || c.nulls == 0 {
			s.parts = append(s.parts, part{buffer: absent})
		} else {
			add(bits)
		}
		switch of {
		case layoutNull:
		case layoutBool:
			add(bits)
		case layoutText:
			add(4 * int64(rows+1))
			add(int64(c.text))
		default:
			add(int64(rows) * int64(s.typ.(arrow.FixedWidthDataType).Bytes()))
		}
		shapes = append(shapes, s)
	}
	return shapes, sizes
}
