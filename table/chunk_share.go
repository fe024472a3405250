package table

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A sharing gives the columns of a chunk to another chunk, not copied. Memory that the first could
// spill belongs to both: it stays charged once, and can be spilled when one of them has it alone.
type sharing struct {
	chunk  *Chunk
	from   *Allocator
	wholes []*memory.Buffer // of the chunk's buffers; nil as long as none was needed
}

// share prepares to give columns of the chunk to one that is made with from. The chunk must
// not be moved meanwhile.
func (c *Chunk) share(from *Allocator) *sharing { return &sharing{chunk: c, from: from} }

// column returns a column of the chunk. The caller releases it.
func (s *sharing) column(i int) arrow.Array {
	c := s.chunk
	if c.own == nil || !s.from.counts() { // Arrow counts alone who uses it
		column := c.Batch().Column(i)
		column.Retain()
		return column
	}
	if s.wholes == nil {
		s.wholes = make([]*memory.Buffer, len(c.mu.buffers))
	}
	shape := c.shape[i]
	shape.eachBuffer(s.adopt)
	data := shape.data(s.wholes)
	defer data.Release()
	return array.MakeFromData(data)
}

// adopt makes one of the chunk's buffers also one of the allocator's.
func (s *sharing) adopt(buffer int) {
	if s.wholes[buffer] != nil {
		return
	}
	owned := s.chunk.mu.buffers[buffer].Retain()
	bytes, err := owned.Bytes()
	if err != nil {
		panic(fmt.Errorf("table: memory of a chunk in host memory: %w", err))
	}
	s.from.adopt(bytes, owned)
	s.wholes[buffer] = memory.NewBufferWithAllocator(bytes, s.from)
}

// release lets go of what no column has.
func (s *sharing) release() {
	for _, b := range s.wholes {
		if b != nil {
			b.Release()
		}
	}
}

// eachBuffer calls do with the number of each buffer that the array lies in.
func (s *shape) eachBuffer(do func(buffer int)) {
	for _, p := range s.parts {
		if p.buffer >= 0 {
			do(p.buffer)
		}
	}
	for _, child := range s.children {
		child.eachBuffer(do)
	}
	if s.dictionary != nil {
		s.dictionary.eachBuffer(do)
	}
}
