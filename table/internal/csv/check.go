package csv

import (
	"bytes"
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Check reads the sample with the types that columns are said to have, and returns the first error, in
// the order of the rows, that trouble has the reading end with.
func (h Head) Check(d Dialect, types map[string]arrow.DataType, trouble Trouble) error {
	var fields []arrow.Field
	var places []int
	for name, typ := range types {
		fields = append(fields, arrow.Field{Name: name, Type: typ, Nullable: true})
		places = append(places, slices.Index(h.Names, name))
	}
	reader, err := NewReader(d, arrow.NewSchema(fields, nil), len(h.Names), places, trouble)
	if err != nil {
		return err
	}
	most := bytes.Count(h.rows, newline) + 1 // the last line may have no end
	batch, err := reader.Read(context.Background(), h.rows, h.line, most, memory.DefaultAllocator, memory.DefaultAllocator)
	if err == nil {
		batch.Release()
	}
	return err
}
