package table

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
)

// Nulls says where a [Sort] puts nulls, whichever way the values go.
type Nulls string

// The two places for nulls.
const (
	NullsLast  Nulls = "last" // also what the zero value means
	NullsFirst Nulls = "first"
)

// A SortKey is a column to sort by.
type SortKey struct {
	Column     string
	Descending bool
	Nulls      Nulls // "" means NullsLast
}

// Sort orders rows by one or more columns, the first counting most. Rows that are
// equal in all of them stay in the order in which they came. The order of values
// is the one in the package documentation. The result has the columns of the
// input, with text out of its dictionary.
//
// # Memory
//
// Without Limit, rows are collected in memory, sorted as they come, together with 16 bytes for
// each, and 40 for each that is just being sorted. If that is a quarter of the network's limit of host
// memory, or less if others need the room, they are written as a run: in order, cut
// into pieces of a 256th of the limit (1 MiB at most; a 128th where that is at most 64 KiB),
// each of which is spilled to disk when, and only when, somebody needs its memory. The runs are
// merged in the end, as many at a time as have a piece each in a quarter of the limit, in
// several passes if there are more. So a
// sort of any size runs in any memory that has room for a few chunks, and in memory alone if
// there is enough or no limit; this is the external merge sort of Knuth, volume 3,
// section 5.4. What is not counted is about half a KiB of the Go heap for each piece on disk.
//
// With Limit, the rows that may still be among the first are kept in memory: at most twice so
// many and 65,536 more, and one chunk. If they take more than a quarter of the limit of host
// memory, what is kept becomes a run, and all is sorted as without Limit, up to
// the last row that is wanted.
//
// Memory for the rows sent, and what a Sort keeps, is reserved before it is taken; while it
// waits for that it keeps what it has.
type Sort struct {
	By    []SortKey
	Limit int // the most rows to pass on; 0 means all

	// Workers is how many goroutines put rows in order that are all in memory. 0 means one for each
	// processor (GOMAXPROCS). There are fewer where the limit of host memory has no room for them.
	Workers int
}

// Schema returns the columns of the result. An error names the column; one that is
// not there is a [*ColumnError].
func (s Sort) Schema(in *arrow.Schema) (*arrow.Schema, error) {
	if _, err := s.compile(in); err != nil {
		return nil, err
	}
	return plainSchema(in), nil
}

// Node returns a node that reads in to its end, and then sends the rows to out in
// chunks of up to 65,536 and of up to a sixteenth of the limit of host memory, numbered
// from 0; one without rows if there are none. It releases the messages that it reads, and their receipts, as it reads them.
func (s Sort) Node(
	name string, in, out *sluice.Channel,
) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	run := func(ctx context.Context) error { return s.run(ctx, name, in, out) }
	return name, run, reads(in), sluice.Writes(out)
}

func (s Sort) compile(in *arrow.Schema) (columns []int, err error) {
	if len(s.By) == 0 {
		return nil, errors.New("no columns to sort by")
	}
	if s.Limit < 0 {
		return nil, fmt.Errorf("limit %d is negative; 0 means all rows", s.Limit)
	}
	if err := checkWorkers(s.Workers); err != nil {
		return nil, err
	}
	if err := supported(in); err != nil {
		return nil, err
	}
	for _, key := range s.By {
		column, err := columnIndex(in, key.Column)
		if err != nil {
			return nil, err
		}
		if key.Nulls != "" && key.Nulls != NullsFirst && key.Nulls != NullsLast {
			return nil, fmt.Errorf("nulls of column %q are to come %q; want first or last", key.Column, key.Nulls)
		}
		columns = append(columns, column)
	}
	return columns, nil
}

// A sorter takes rows in and gives them out in order.
type sorter interface {
	add(context.Context, arrow.RecordBatch) error
	// each gives out all rows, in order. give takes over the chunk.
	each(ctx context.Context, give func(context.Context, *Chunk) error) error
	// next returns the next rows in order, nil after the last. It is not for rows of each.
	next(context.Context) (*Chunk, error)
	release()
}

func (s Sort) run(ctx context.Context, name string, in, out *sluice.Channel) error {
	var rows sorter
	var schema *arrow.Schema
	defer func() {
		if rows != nil {
			rows.release()
		}
	}()
	err := eachChunk(ctx, in, func(_ *sluice.Message, chunk *Chunk) error {
		if rows == nil {
			columns, err := s.compile(chunk.Schema())
			if err != nil {
				return err
			}
			schema = plainSchema(chunk.Schema())
			rows = s.sorter(budgetOf(ctx), name, schema, columns)
		}
		if chunk.Rows() == 0 {
			return nil
		}
		return rows.add(ctx, chunk.Batch())
	})
	if err != nil || rows == nil {
		return err
	}
	seq := sluice.SeqNum(0)
	give := func(ctx context.Context, chunk *Chunk) error {
		seq++
		return send(ctx, out, seq-1, chunk)
	}
	if err := rows.each(ctx, give); err != nil || seq > 0 {
		return err
	}
	return give(ctx, NewChunk(emptyBatch(ctx, schema)))
}

// giveOut gives out the rows of a sorter one chunk after the other.
func giveOut(ctx context.Context, rows sorter, give func(context.Context, *Chunk) error) error {
	for {
		chunk, err := rows.next(ctx)
		if err != nil || chunk == nil {
			return err
		}
		if err := give(ctx, chunk); err != nil {
			return err
		}
	}
}

func (s Sort) sorter(from budget, name string, schema *arrow.Schema, columns []int) sorter {
	full := newFullSort(from, name, s.Limit, s.Workers, func() *kept { return newKept(from, schema, s.By, columns) })
	if s.Limit == 0 {
		return full
	}
	return &limitedSort{top: &topRows{kept: newKept(from, schema, s.By, columns), limit: s.Limit}, full: full}
}
