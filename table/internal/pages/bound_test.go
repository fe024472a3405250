package pages

import (
	"fmt"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// meter is an allocator that counts what one piece takes. When a buffer grows or
// shrinks, old and new are there at the same time.
type meter struct {
	memory.Allocator
	kept, most int64 // what was said

	mu struct {
		sync.Mutex
		now, peak int64
	}
}

func (m *meter) add(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.now += n
	m.mu.peak = max(m.mu.peak, m.mu.now)
}

func (m *meter) Allocate(n int) []byte {
	m.add(int64(n))
	return m.Allocator.Allocate(n)
}

func (m *meter) Reallocate(n int, b []byte) []byte {
	old := int64(len(b))
	m.add(int64(n))
	m.add(-old)
	return m.Allocator.Reallocate(n, b)
}

func (m *meter) Free(b []byte) {
	m.add(-int64(len(b)))
	m.Allocator.Free(b)
}

func (m *meter) peak() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.peak
}

// check compares what was taken with what was said.
func (m *meter) check(batch arrow.RecordBatch) error {
	if peak := m.peak(); peak > m.most {
		return fmt.Errorf("takes %d bytes, and said %d", peak, m.most)
	}
	if kept := capacity(batch); kept > m.kept {
		return fmt.Errorf("keeps %d bytes, and said %d", kept, m.kept)
	}
	return nil
}

// capacity adds up the buffers of a batch, as they were allocated.
func capacity(batch arrow.RecordBatch) (total int64) {
	var add func(arrow.ArrayData)
	add = func(d arrow.ArrayData) {
		for _, b := range d.Buffers() {
			if b != nil {
				total += int64(b.Cap())
			}
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
