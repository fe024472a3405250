package table

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// An encodingSlice has what is needed to encode some rows of a column: whether each is there,
// and of text the values, which stay where they are.
type encodingSlice struct {
	rows  int   // at a time
	bytes int64 // of text at a time, unless it is that of one row
	there []int16
	texts []parquet.ByteArray
}

func newEncodingSlice(rows int, bytes int64) encodingSlice {
	return encodingSlice{rows: rows, bytes: bytes, there: make([]int16, 0, rows), texts: make([]parquet.ByteArray, 0, rows)}
}

// write encodes rows of a column.
func (s *encodingSlice) write(ctx context.Context, into file.ColumnChunkWriter, column arrow.Array, from, to int) error {
	view := newView(column)
	for from < to {
		var n int
		var err error
		if view.layout == layoutText {
			n, err = s.text(into, &view, from, to)
		} else {
			n, err = s.fixed(ctx, into, &view, from, to)
		}
		if err != nil {
			return err
		}
		from += n
	}
	return nil
}

// text writes text itself: pqarrow has dictionaries only where all chunks share one.
func (s *encodingSlice) text(into file.ColumnChunkWriter, column *view, from, to int) (n int, err error) {
	texts, ok := into.(*file.ByteArrayColumnChunkWriter)
	if !ok {
		return 0, fmt.Errorf("text is to be written as %v", into.Type())
	}
	s.there, s.texts = s.there[:0], s.texts[:0]
	for bytes := int64(0); from+n < to && n < s.rows && bytes < s.bytes; n++ {
		if column.null(from + n) {
			s.there = append(s.there, 0)
			continue
		}
		value := column.text.at(from + n)
		if value == nil { // which statistics would take for none, and not for an empty text
			value = []byte{}
		}
		bytes += int64(len(value))
		s.there = append(s.there, 1)
		s.texts = append(s.texts, value)
	}
	_, err = texts.WriteBatch(s.texts, s.there, nil)
	clear(s.texts) // they are the chunk's
	return n, err
}

func (s *encodingSlice) fixed(ctx context.Context, into file.ColumnChunkWriter, column *view, from, to int) (n int, err error) {
	n = min(to-from, s.rows)
	s.there = s.there[:0]
	for row := from; row < from+n; row++ {
		there := int16(1)
		if column.null(row) {
			there = 0
		}
		s.there = append(s.there, there)
	}
	slice := array.NewSlice(column.array, int64(from), int64(from+n))
	defer slice.Release()
	return n, pqarrow.WriteArrowToColumn(ctx, into, slice, s.there, nil, true)
}
