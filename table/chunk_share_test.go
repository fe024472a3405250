package table

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/seed14ed4225/sluice/mem"
)

// As what a Project makes of a chunk that it then releases: whoever keeps that (a join) counts on its
// bytes, and on its being spilled.
func TestAChunkThatWasGivenColumnsOwnsThemWhenTheOtherIsReleased(t *testing.T) {
	r := ample()
	batch := someRows()
	first := countedIn(t, r, batch)
	batch.Release()
	whole := first.Content()
	res := reserved(t, r, mem.Host, 1<<10)
	from := NewAllocator(res)
	shared := first.share(from)
	var columns []arrow.Array
	for i := range first.Schema().NumFields() {
		columns = append(columns, shared.column(i))
	}
	shared.release()
	second := from.Chunk(array.NewRecordBatch(first.Schema(), columns, int64(first.Rows())))
	for _, c := range columns {
		c.Release()
	}
	res.Release()
	if content := second.Content(); content.Spillable || content.Total() != 0 {
		t.Errorf("while both have them, it owns %+v", content)
	}
	first.Release()
	if content := second.Content(); content != whole || !content.Spillable {
		t.Errorf("it owns %+v alone, but of that says %+v", whole, content)
	}
	second.Release()
	assertNothingTaken(t, r)
}
