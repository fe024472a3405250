package table

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
)

// gatherChunk makes a chunk of the rows at the given places, as gatherBatch does, in memory that it
// reserves first.
func gatherChunk(
	ctx context.Context, from budget, schema *arrow.Schema, columns [][]view, places []place,
) (*Chunk, error) {
	need, texts := gatherNeed(schema, columns, places)
	res, err := from.reserve(ctx, need)
	if err != nil {
		return nil, err
	}
	defer res.Release()
	own := newAllocator(ctx, res)
	batch, err := gatherBatch(own, schema, columns, places, texts)
	if err != nil {
		return nil, err
	}
	return own.Chunk(batch), nil
}

// gatherNeed returns how much memory it takes to gather rows, and what textAt says of each column.
func gatherNeed(schema *arrow.Schema, columns [][]view, places []place) (need int64, texts []int64) {
	texts = make([]int64, len(columns))
	for i, parts := range columns {
		typ := schema.Field(i).Type
		texts[i] = textAt(typ, parts, places)
		need += gatherBytes(typ, parts, places, texts[i])
	}
	return need, texts
}

// textAt returns the bytes of text in the rows at the given places of a column; 0 if it is
// not to have text of its own.
func textAt(typ arrow.DataType, from []view, places []place) (bytes int64) {
	if typ.ID() != arrow.STRING && typ.ID() != arrow.BINARY {
		return 0
	}
	for _, p := range places {
		if v := &from[p.batch]; !v.null(int(p.row)) {
			bytes += int64(len(v.text.at(int(p.row))))
		}
	}
	return bytes
}

// gatherBytes returns what gather allocates from memory that is counted, given the same.
func gatherBytes(typ arrow.DataType, from []view, places []place, text int64) int64 {
	if coded, ok := typ.(*arrow.DictionaryType); ok {
		codes := newView(from[0].array.(interface{ Indices() arrow.Array }).Indices())
		return gatherBytes(coded.IndexType, []view{codes}, places, 0) + arrayCopyBytes(from[0].text.dict)
	}
	rows := int64(len(places))
	bytes := valuesBytes(typ, rows)
	if bytes == 0 {
		return 0
	}
	bytes += allocated(text)
	if nullable(from) {
		bytes += validBytes(rows)
	}
	return bytes
}

// valuesBytes returns what the values of a column take, without the text and the nulls.
func valuesBytes(typ arrow.DataType, rows int64) int64 {
	switch layout, _ := layoutOf(typ); layout {
	case layoutNull:
		return 0
	case layoutBool:
		return allocated(bitutil.BytesForBits(rows))
	case layoutText:
		return allocated(4 * (rows + 1))
	default:
		return allocated(rows * int64(typ.(arrow.FixedWidthDataType).Bytes()))
	}
}

// validBytes returns what the bitmap of a column takes that says which rows are null.
func validBytes(rows int64) int64 { return allocated(bitutil.BytesForBits(rows)) }
