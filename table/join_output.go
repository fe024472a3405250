package table

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// from picks the side that a column is taken from, given whether there are rows on each; ok is false if
// it is null.
func (c joinedColumn) from(places halves) (s side, ok bool) {
	for s := leftSide; s <= rightSide; s++ {
		if c[s] != noColumn && len(places[s]) > 0 {
			return s, true
		}
	}
	return 0, false
}

// emit sends rows of the result: pairs, or, where there are no places on one side, rows of the other
// with nulls beside them. It borrows the places.
func (j *joining) emit(ctx context.Context, from [2][][]view, places halves) error {
	rows := max(len(places[0]), len(places[1]))
	if rows == 0 {
		return nil
	}
	need, texts := j.need(j.plan.schema, j.plan.columns, from, places)
	if need > j.piece && rows > 1 { // a few rows with much text
		var first, second halves
		for s, all := range places {
			if len(all) > 0 {
				first[s], second[s] = all[:rows/2], all[rows/2:]
			}
		}
		if err := j.emit(ctx, from, first); err != nil {
			return err
		}
		return j.emit(ctx, from, second)
	}
	chunk, err := j.chunk(ctx, from, places, need, texts)
	if err != nil {
		return err
	}
	return j.send(ctx, chunk)
}

// chunk makes a chunk of the result, for which it waits for memory.
func (j *joining) chunk(ctx context.Context, from [2][][]view, places halves, need int64, texts []int64) (*Chunk, error) {
	res, err := j.budget.reserve(ctx, need)
	if err != nil {
		return nil, err
	}
	defer res.Release()
	own := newAllocator(ctx, res)
	batch, err := j.gather(own, j.plan.schema, j.plan.columns, from, places, texts)
	if err != nil {
		return nil, err
	}
	return own.Chunk(batch), nil
}

// send sends a chunk with the next number.
func (j *joining) send(ctx context.Context, chunk *Chunk) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	seq := j.mu.seq
	j.mu.seq++
	return send(ctx, j.out, seq, chunk)
}

// need returns what it takes to gather rows of both sides, and what textAt says of each column.
func (j *joining) need(schema *arrow.Schema, columns []joinedColumn, from [2][][]view, places halves) (need int64, texts []int64) {
	texts = make([]int64, len(columns))
	rows := int64(max(len(places[0]), len(places[1])))
	for i, c := range columns {
		typ := schema.Field(i).Type
		s, ok := c.from(places)
		if !ok {
			if bytes := valuesBytes(typ, rows); bytes > 0 {
				need += bytes + validBytes(rows)
			}
			continue
		}
		texts[i] = textAt(typ, from[s][c[s]], places[s])
		need += gatherBytes(typ, from[s][c[s]], places[s], texts[i])
	}
	return need, texts
}

// gather makes a batch of rows of both sides.
func (j *joining) gather(
	mem memory.Allocator, schema *arrow.Schema, columns []joinedColumn, from [2][][]view, places halves, texts []int64,
) (arrow.RecordBatch, error) {
	made := make([]arrow.Array, 0, len(columns))
	defer func() {
		for _, a := range made {
			a.Release()
		}
	}()
	rows := max(len(places[0]), len(places[1]))
	for i, c := range columns {
		typ := schema.Field(i).Type
		s, ok := c.from(places)
		if !ok {
			made = append(made, nullArray(mem, typ, rows))
			continue
		}
		a, err := gather(mem, typ, from[s][c[s]], places[s], texts[i])
		if err != nil {
			return nil, err
		}
		made = append(made, a)
	}
	return array.NewRecordBatch(schema, made, int64(rows)), nil
}

// nullArray returns an array of nulls. It has no dictionary.
func nullArray(mem memory.Allocator, typ arrow.DataType, rows int) arrow.Array {
	of, _ := layoutOf(typ)
	if of == layoutNull {
		return array.NewNull(rows)
	}
	values := newBuffer[uint8](mem, int(valuesSize(typ, rows)))
	clear(values.Bytes())
	buffers := []*memory.Buffer{newBits(mem, rows), values}
	if of == layoutText {
		buffers = append(buffers, newBuffer[uint8](mem, 0))
	}
	return newArray(typ, rows, rows, buffers...)
}

// valuesSize is valuesBytes before it is rounded up.
func valuesSize(typ arrow.DataType, rows int) int64 {
	switch of, _ := layoutOf(typ); of {
	case layoutBool:
		return int64(rows+7) / 8
	case layoutText:
		return 4 * int64(rows+1)
	default:
		return int64(rows) * int64(typ.(arrow.FixedWidthDataType).Bytes())
	}
}
