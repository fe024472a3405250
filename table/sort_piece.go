package table

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice/mem"
)

// A piece is rows of a run in one buffer, which the resource may move on its own. What is kept
// of them beside that is not counted, and there may be thousands, so it is as little as says
// how to make a batch of the buffer again: not a [Chunk], that knows each of its arrays.
//
// Measured, a piece on disk takes some 540 bytes of the Go heap: its buffer, extent and
// registration, and what is here, 48 bytes and 8 for each column. So each MiB that is spilled
// takes 9 KiB in pieces of 64 KiB, and 17 in those of 32.
type piece struct {
	buffer       *mem.Buffer
	registration *mem.Registration
	lengths      []columnLength
	rows         int
}

// columnLength is what a column of a piece has besides its rows and its type.
type columnLength struct {
	text  int32 // bytes
	nulls int32 // or noBitmap
}

// noBitmap instead of a number of nulls says that there are none, and nothing that says so.
const noBitmap = -1

// gatherPiece makes a piece of some of the rows. It waits for its memory.
func (k *kept) gatherPiece(ctx context.Context, places []place) (p piece, err error) {
	need, texts := gatherNeed(k.schema, k.columns, places)
	res, err := k.reserve(ctx, need)
	if err != nil {
		return piece{}, err
	}
	defer res.Release()
	buffer, err := res.Alloc(mem.Host, need, nil)
	if err != nil {
		return piece{}, err
	}
	defer func() {
		if err != nil {
			buffer.Release()
		}
	}()
	bytes, err := buffer.Exclusive()
	if err != nil {
		return piece{}, err
	}
	batch, err := gatherBatch(&carving{left: bytes}, k.schema, k.columns, places, texts)
	if err != nil {
		return piece{}, err
	}
	defer batch.Release()
	lengths := make([]columnLength, len(texts))
	for i, column := range batch.Columns() {
		lengths[i] = columnLength{text: int32(texts[i]), nulls: noBitmap}
		if data := column.Data(); len(data.Buffers()) > 0 && data.Buffers()[0] != nil {
			lengths[i].nulls = int32(data.NullN())
		}
	}
	return piece{buffer: buffer, lengths: lengths, rows: len(places)}, nil
}

// batch makes a batch of the piece, which must be in host memory, and takes over its buffer.
func (p *piece) batch(schema *arrow.Schema) (arrow.RecordBatch, error) {
	bytes, err := p.buffer.Bytes()
	if err != nil {
		return nil, err
	}
	whole := memory.NewBufferWithAllocator(bytes, pieceMemory{p.buffer})
	defer whole.Release() // the arrays hold references of their own
	cut := cutting{whole: whole}
	columns := make([]arrow.Array, len(p.lengths))
	for i, length := range p.lengths {
		columns[i] = cut.column(schema.Field(i).Type, p.rows, length)
		defer columns[i].Release()
	}
	return array.NewRecordBatch(schema, columns, int64(p.rows)), nil
}

func (p *piece) release() {
	p.registration.Remove()
	p.buffer.Release()
}

// carving is memory for Arrow that comes, one buffer after the other, from one that is as
// large as they are together. It is not given back by Arrow.
type carving struct{ left []byte }

func (c *carving) Allocate(n int) []byte {
	if n > len(c.left) {
		panic(fmt.Sprintf("table: %d bytes for a piece of a run, for which %d were reserved", n, len(c.left)))
	}
	made := c.left[:n:n]
	c.left = c.left[n:]
	return made
}

func (c *carving) Reallocate(n int, old []byte) []byte {
	if n <= cap(old) {
		return old[:n]
	}
	made := c.Allocate(n)
	copy(made, old)
	return made
}

func (c *carving) Free([]byte) {}

// pieceMemory is where Arrow frees the buffer of a piece: once, after the last array of it.
type pieceMemory struct{ buffer *mem.Buffer }

func (m pieceMemory) Free([]byte) { m.buffer.Release() }

func (m pieceMemory) Allocate(int) []byte {
	panic("table: the memory of a piece of a run is all there is of it")
}

func (m pieceMemory) Reallocate(n int, _ []byte) []byte { return m.Allocate(n) }

// cutting finds the buffers again that carving gave out, in the order in which gather takes them.
type cutting struct {
	whole *memory.Buffer
	at    int
}

// next returns the next buffer, of n bytes.
func (c *cutting) next(n int64) *memory.Buffer {
	b := memory.SliceBuffer(c.whole, c.at, int(n))
	c.at += int(allocated(n))
	return b
}

func (c *cutting) column(typ arrow.DataType, rows int, length columnLength) arrow.Array {
	layout, _ := layoutOf(typ)
	if layout == layoutNull {
		return array.NewNull(rows)
	}
	buffers := []*memory.Buffer{nil, c.next(valuesBytes(typ, int64(rows)))}
	if layout == layoutText {
		buffers = append(buffers, c.next(int64(length.text)))
	}
	if length.nulls == noBitmap {
		return newArray(typ, rows, 0, buffers...)
	}
	buffers[0] = c.next(validBytes(int64(rows)))
	return newArray(typ, rows, int(length.nulls), buffers...)
}
