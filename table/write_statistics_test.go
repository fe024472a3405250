package table

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
)

// TestStatisticsOfLongTextAreSmallBesideThePages: those of all pages are kept in memory until the end, and then
// written to the file.
func TestStatisticsOfLongTextAreSmallBesideThePages(t *testing.T) {
	const rows, width, times = 20, 3900, 50
	schema := arrow.NewSchema([]arrow.Field{field("long", stringType)}, nil)
	made := make([][]any, rows)
	for i := range made {
		made[i] = []any{fmt.Sprint(i, strings.Repeat("x", width))}
	}
	batches := make([]arrow.RecordBatch, times)
	for i := range batches {
		batches[i] = batchOf(schema, made...)
		defer batches[i].Release()
	}
	var file bytes.Buffer
	// Of the least pages there are: no dictionary of them has room for a second text.
	w := Write{Path: StandardStream, Format: FormatParquet, Codec: CodecNone}
	if err := written(t, newResource(t, 2<<20), w, &file, batches...); err != nil {
		t.Fatal(err)
	}
	if most := rows * width * times * 11 / 10; file.Len() > most {
		t.Errorf("the file has %d bytes, want at most %d", file.Len(), most)
	}
}
