package table

import (
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice/mem"
)

// A shape is an array without its memory: what stays of it while that is elsewhere.
type shape struct {
	typ                 arrow.DataType
	rows, nulls, offset int
	parts               []part
	children            []*shape
	dictionary          *shape
}

// A part is where in which of a chunk's buffers an Arrow buffer lies.
type part struct {
	buffer int // or absent, or empty
	off, n int
}

const (
	absent = -1 // no Arrow buffer
	empty  = -2 // one without any memory
)

// takeApart returns the shapes of a batch's columns and the buffers that these refer to, each
// once; all is false if some memory is not the allocator's.
func takeApart(batch arrow.RecordBatch, own *Allocator) (columns []*shape, buffers []*mem.Buffer, all bool) {
	t := taking{own: own, found: make(map[*memory.Buffer]int), all: true}
	for _, column := range batch.Columns() {
		columns = append(columns, t.shape(column.Data()))
	}
	return columns, t.buffers, t.all
}

type taking struct {
	own     *Allocator
	found   map[*memory.Buffer]int
	buffers []*mem.Buffer
	all     bool
}

func (t *taking) shape(d arrow.ArrayData) *shape {
	s := &shape{typ: d.DataType(), rows: d.Len(), nulls: d.NullN(), offset: d.Offset()}
	for _, b := range d.Buffers() {
		s.parts = append(s.parts, t.part(b))
	}
	for _, child := range d.Children() {
		s.children = append(s.children, t.shape(child))
	}
	if dictionary, ok := d.Dictionary().(*array.Data); ok && dictionary != nil {
		s.dictionary = t.shape(dictionary)
	}
	return s
}

func (t *taking) part(b *memory.Buffer) part {
	if b == nil {
		return part{buffer: absent}
	}
	whole := root(b)
	if len(whole.Buf()) == 0 {
		return part{buffer: empty}
	}
	at, ok := t.found[whole]
	if !ok {
		buffer := t.own.owner(whole.Buf())
		if buffer == nil {
			t.all = false
			return part{buffer: absent}
		}
		at = len(t.buffers)
		t.found[whole] = at
		t.buffers = append(t.buffers, buffer)
	}
	off := uintptr(unsafe.Pointer(unsafe.SliceData(b.Buf()))) - uintptr(unsafe.Pointer(unsafe.SliceData(whole.Buf())))
	return part{at, int(off), b.Len()}
}

// root returns the buffer that has the memory of which b is a slice.
func root(b *memory.Buffer) *memory.Buffer {
	for b.Parent() != nil {
		b = b.Parent()
	}
	return b
}

// putTogether makes a batch of the shapes of its columns and the memory of the buffers, whose
// references go to Arrow.
func putTogether(
	schema *arrow.Schema, rows int, columns []*shape, buffers []*mem.Buffer, memories [][]byte, own *Allocator,
) arrow.RecordBatch {
	wholes := make([]*memory.Buffer, len(buffers))
	for i, b := range buffers {
		own.adopt(memories[i], b)
		wholes[i] = memory.NewBufferWithAllocator(memories[i], own)
		defer wholes[i].Release() // the arrays hold their own references
	}
	arrays := make([]arrow.Array, len(columns))
	for i, s := range columns {
		data := s.data(wholes)
		arrays[i] = array.MakeFromData(data)
		data.Release()
		defer arrays[i].Release()
	}
	return array.NewRecordBatch(schema, arrays, int64(rows))
}

func (s *shape) data(wholes []*memory.Buffer) *array.Data {
	buffers := make([]*memory.Buffer, len(s.parts))
	for i, p := range s.parts {
		switch p.buffer {
		case absent:
		case empty:
			buffers[i] = memory.NewBufferBytes([]byte{})
		default:
			buffers[i] = memory.SliceBuffer(wholes[p.buffer], p.off, p.n)
			defer buffers[i].Release()
		}
	}
	if s.dictionary != nil {
		dictionary := s.dictionary.data(wholes)
		defer dictionary.Release()
		return array.NewDataWithDictionary(s.typ, s.rows, buffers, s.nulls, s.offset, dictionary)
	}
	var children []arrow.ArrayData
	for _, child := range s.children {
		made := child.data(wholes)
		defer made.Release()
		children = append(children, made)
	}
	return array.NewData(s.typ, s.rows, buffers, children, s.nulls, s.offset)
}
