package table

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
)

// When groups do not fit, and these are more than so many of a hundred rows, it is not worth the
// while to look for groups among the rows that come next, sixteen times as many: they go on as
// they are.
const (
	manyGroups   = 60
	passFor      = 16
	judgedGroups = 32 << 10 // a table of so many is looked at before it grows
)

// A groupWorker makes groups of rows, or of states, in a table of its own. Those that do not fit
// leave it through a spillway.
type groupWorker struct {
	table   *groupTable
	away    *spillway
	seen    int // rows in the table
	passing int // rows that are to go on as they are

	alone  []uint32 // scratch: 0, 1, 2, ...
	places []place  // scratch
}

// take takes in a batch. However large it is, it ends soon after ctx does.
func (w *groupWorker) take(ctx context.Context, batch arrow.RecordBatch, read *intake, seq uint64) error {
	for from := int64(0); from < batch.NumRows(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		var n int
		var err error
		if w.passing > 0 && !read.states {
			if err = w.table.startPassing(ctx); err == nil {
				n, err = w.pass(ctx, batch, from, read, seq)
			}
		} else {
			if err = w.table.start(ctx); err == nil {
				n, err = w.takePiece(ctx, batch, from, read, seq)
			}
		}
		if err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}

func (w *groupWorker) takePiece(ctx context.Context, batch arrow.RecordBatch, from int64, read *intake, seq uint64) (int, error) {
	piece := batch.NewSlice(from, min(from+int64(w.table.rows), batch.NumRows()))
	defer piece.Release()
	n, next := w.table.take(piece, read, seq, from)
	if w.seen += n; n > 0 {
		return n, nil
	}
	if next.groups > w.table.size.groups && w.hopeless() {
		return 0, w.flush(ctx)
	}
	grown, err := w.table.grow(ctx, next)
	if grown || err != nil {
		return 0, err
	}
	return 0, w.flush(ctx)
}

// hopeless reports whether there are more groups than the table will ever have room for, if rows
// have them at random. Of n such rows from d groups, n*n/2d have one that was seen before.
func (w *groupWorker) hopeless() bool {
	groups := w.table.len()
	if groups < judgedGroups || 100*groups < manyGroups*w.seen {
		return false
	}
	again := max(1, w.seen-groups)
	return float64(w.seen)*float64(w.seen)/float64(2*again) > float64(w.table.fitting(w.table.bound))
}

// flush sends the groups away and empties the table.
func (w *groupWorker) flush(ctx context.Context) error {
	if 100*w.table.len() > manyGroups*w.seen && w.seen > fewRows {
		w.passing = passFor * w.seen
	}
	w.seen = 0
	err := w.table.each(ctx, w.table.groupPlan.states, w.table.piece(), func(chunk *Chunk) error {
		return w.away.insert(ctx, chunk)
	})
	if err != nil {
		return err
	}
	w.table.clear()
	return nil
}

// startPassing makes the table as small as it may be where rows are passed on: what waits needs the
// memory more.
func (t *groupTable) startPassing(ctx context.Context) error {
	rows := t.passedRows()
	if int64(t.size.groups) > 4*rows {
		t.release()
	}
	return t.startWith(ctx, rows)
}

// passedRows is how many rows are passed on at a time at most.
func (t *groupTable) passedRows() int64 {
	rows := int64(chunkRows)
	for rows > 1 && schemaBytes(t.groupPlan.states, rows) > t.piece() {
		rows /= 2
	}
	return rows
}

// pass sends rows away as groups of one row each, and returns how many. The table is empty, and
// its measures are used for it.
func (w *groupWorker) pass(ctx context.Context, batch arrow.RecordBatch, from int64, read *intake, seq uint64) (int, error) {
	t := w.table
	rows := int(min(batch.NumRows()-from, int64(t.size.groups), t.passedRows(), int64(w.passing)))
	piece := batch.NewSlice(from, from+int64(rows))
	defer piece.Release()
	inputs := make([]input, len(t.measures))
	for i, column := range read.measures {
		inputs[i] = input{seq: seq, row: from}
		if column >= 0 {
			inputs[i].view = newView(piece.Column(column))
		}
		if text, ok := textOfAccumulator(t.measures[i]); ok && column >= 0 {
			rows = min(rows, text.room(&inputs[i].view, rows))
		}
	}
	if rows == 0 { // a text for which the table must grow
		w.passing = 0
		return 0, nil
	}
	for i := len(w.alone); i < rows; i++ {
		w.alone = append(w.alone, uint32(i))
		w.places = append(w.places, place{row: uint32(i)})
	}
	for i, column := range read.measures {
		if column != notRead {
			t.measures[i].add(&inputs[i], w.alone[:rows])
		}
	}
	chunk, err := t.passed(ctx, piece, read.keys, w.places[:rows])
	if err != nil {
		return 0, err
	}
	for _, m := range t.measures {
		m.clear(rows)
	}
	w.passing -= rows
	return rows, w.away.insert(ctx, chunk)
}
