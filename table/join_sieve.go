package table

import (
	"context"
	"errors"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/seed14ed4225/sluice/table/expr"
)

// A sieve takes the rows of one input of a join out that can match nothing: those of which their own part
// of the condition is not true, and those with a null in a key. Where the result has rows that match
// nothing, they are sent at once; else they are dropped. So they are neither kept nor spilled,
// partitioned or looked up. A sieve belongs to one goroutine at a time.
type sieve struct {
	join *joining
	side side
	own  *ownCondition   // nil if the condition says nothing about this side alone
	eval *expr.Evaluator // of that

	stays    []uint64 // a bit for each row of the chunk
	selected []uint32
	places   []place
}

// rareNulls says when rows with a null in a key are too few for a chunk to be copied without them, which
// nobody else minds: less than one in so many.
const rareNulls = 8

// sift takes a chunk over, which is in host memory, and returns what may match something; nil if nothing does.
func (j *joining) sift(ctx context.Context, s side, chunk *Chunk) (*Chunk, error) {
	v, ok := j.sieves[s].Get().(*sieve)
	if !ok {
		v = &sieve{join: j, side: s, own: j.plan.where.own[s]}
		if v.own != nil {
			v.eval = v.own.program.NewEvaluator()
		}
	}
	stays, err := v.sift(ctx, chunk)
	if stays != chunk {
		chunk.Release()
	}
	j.sieves[s].Put(v)
	return stays, err
}

func (v *sieve) sift(ctx context.Context, chunk *Chunk) (*Chunk, error) {
	batch, rows := chunk.Batch(), chunk.Rows()
	pass, err := v.look(batch)
	if err != nil {
		return nil, err
	}
	left := v.hideNulls(batch, pass)
	switch {
	case left == rows, pass == rows && rows-left < rows/rareNulls:
		return chunk, nil
	case left == 0 && !v.join.plan.kind.givesAlone(v.side):
		return nil, nil
	}
	columns := columnsOf(batch)
	if v.join.plan.kind.givesAlone(v.side) {
		if err := v.join.alone(ctx, v.side, columns, v.where(rows, false)); err != nil {
			return nil, err
		}
	}
	if left == 0 {
		return nil, nil
	}
	return gatherChunk(ctx, v.join.budget, chunk.Schema(), columns, v.where(rows, true))
}

// look finds out which rows pass their own part of the condition, or may, and returns how many do.
func (v *sieve) look(batch arrow.RecordBatch) (pass int, err error) {
	rows := int(batch.NumRows())
	v.stays = append(v.stays[:0], make([]uint64, (rows+63)/64)...)
	if v.eval == nil {
		for i := range v.stays {
			v.stays[i] = ^uint64(0)
		}
		if rest := rows % 64; rest > 0 {
			v.stays[len(v.stays)-1] = 1<<rest - 1
		}
		return rows, nil
	}
	columns := make([]arrow.Array, len(v.own.columns))
	for i, column := range v.own.columns {
		columns[i] = batch.Column(column)
	}
	read := array.NewRecordBatch(v.own.schema, columns, int64(rows))
	defer read.Release()
	if err := v.choose(read, 0, rows); err != nil {
		return 0, err
	}
	return v.count(), nil
}

// choose lets those rows of a range stay of which the condition is true, or which have no value for it.
func (v *sieve) choose(batch arrow.RecordBatch, from, to int) error {
	for from < to {
		part := batch.NewSlice(int64(from), int64(to))
		var err error
		v.selected, err = v.eval.Select(part, v.selected[:0])
		part.Release()
		var without *expr.RowError
		if !errors.As(err, &without) {
			for _, row := range v.selected {
				v.let(from + int(row))
			}
			return err
		}
		at := from + without.Row
		if err := v.choose(batch, from, at); err != nil {
			return err
		}
		v.let(at)
		v.join.undecided.Store(true)
		from = at + 1
	}
	return nil
}

func (v *sieve) let(row int) { v.stays[row/64] |= 1 << (row % 64) }

// hideNulls takes out the rows with a null in a key, and returns how many are left.
func (v *sieve) hideNulls(batch arrow.RecordBatch, before int) int {
	any := false
	for _, column := range v.join.plan.keys[v.side] {
		key := newView(batch.Column(column))
		if key.valid == nil {
			continue
		}
		any = true
		for row := range key.rows {
			if key.null(row) {
				v.stays[row/64] &^= 1 << (row % 64)
			}
		}
	}
	if !any {
		return before
	}
	return v.count()
}

func (v *sieve) count() (rows int) {
	for _, word := range v.stays {
		rows += bits.OnesCount64(word)
	}
	return rows
}

// where returns the rows that stay, or those that do not, until it is called again.
func (v *sieve) where(rows int, stay bool) []place {
	v.places = v.places[:0]
	for row := range rows {
		if (v.stays[row/64]>>(row%64)&1 == 1) == stay {
			v.places = append(v.places, place{row: uint32(row)})
		}
	}
	return v.places
}

// givesAlone reports whether the result has rows of a side that match nothing.
func (k JoinKind) givesAlone(s side) bool { return k.emits(s) || k == AntiJoin && s == leftSide }

// alone sends rows of one side, by themselves.
func (j *joining) alone(ctx context.Context, s side, columns [][]view, places []place) error {
	var from [2][][]view
	from[s] = columns
	for len(places) > 0 {
		n := min(len(places), j.most)
		var some halves
		some[s] = places[:n]
		if err := j.emit(ctx, from, some); err != nil {
			return err
		}
		places = places[n:]
	}
	return nil
}
