package table

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// upTo returns the end of the groups from from on that make one chunk of so many bytes.
func (t *groupTable) upTo(schema *arrow.Schema, from int, bytes int64) int {
	to := min(from+chunkRows, t.len())
	if t.from == nil {
		return to
	}
	for to-from > 1 && t.batchBytes(schema, from, to) > bytes {
		to = from + (to-from)/2
	}
	return to
}

// chunkOf makes a chunk of groups, complete or not: of the schema of either. It waits
// for the memory.
func (t *groupTable) chunkOf(ctx context.Context, schema *arrow.Schema, from, to int) (*Chunk, error) {
	var need int64
	if t.from != nil {
		need = t.batchBytes(schema, from, to)
	}
	res, err := t.reserve(ctx, need)
	if err != nil {
		return nil, err
	}
	defer res.Release()
	own := newAllocator(ctx, res)
	make := t.batch
	if schema == t.groupPlan.states {
		make = t.stateBatch
	}
	batch, err := make(own, from, to)
	if err != nil {
		return nil, err
	}
	return own.Chunk(batch), nil
}

// passed makes a chunk of the keys of rows, and of what the measures have of them, row i in
// group i.
func (t *groupTable) passed(ctx context.Context, rows arrow.RecordBatch, keys []int, places []place) (*Chunk, error) {
	schema := t.groupPlan.states
	need := schemaBytes(schema, int64(len(places)))
	views, texts := make([]view, len(keys)), make([]int64, len(keys))
	for i, column := range keys {
		views[i] = newView(rows.Column(column))
		texts[i] = textAt(schema.Field(i).Type, views[i:i+1], places)
		need += texts[i]
	}
	for _, m := range t.measures {
		if text, ok := textOfAccumulator(m); ok {
			need += text.textBytes(0, len(places))
		}
	}
	res, err := t.reserve(ctx, need)
	if err != nil {
		return nil, err
	}
	defer res.Release()
	own := newAllocator(ctx, res)
	var columns []arrow.Array
	defer func() { releaseArrays(columns) }()
	for i := range keys {
		column, err := gather(own, schema.Field(i).Type, views[i:i+1], places, texts[i])
		if err != nil {
			return nil, err
		}
		columns = append(columns, column)
	}
	for _, m := range t.measures {
		made, err := m.states(own, 0, len(places))
		if err != nil {
			return nil, err
		}
		columns = append(columns, made...)
	}
	return own.Chunk(array.NewRecordBatch(schema, columns, int64(len(places)))), nil
}

// each makes chunks of all groups, of so many bytes, complete or not: of the schema of either. They are
// do's to release.
func (t *groupTable) each(ctx context.Context, schema *arrow.Schema, bytes int64, do func(*Chunk) error) error {
	for from := 0; from < t.len(); {
		to := t.upTo(schema, from, bytes)
		chunk, err := t.chunkOf(ctx, schema, from, to)
		if err != nil {
			return err
		}
		if err := do(chunk); err != nil {
			return err
		}
		from = to
	}
	return nil
}
