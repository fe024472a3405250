package table

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

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
// Without a limit all rows are kept in memory. With one, at most twice so many and
// 65,536 more are, and one chunk.
type Sort struct {
	By    []SortKey
	Limit int // the most rows to pass on; 0 means all
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
// chunks of up to 65,536, numbered from 0; one without rows if there are none. It
// releases the messages that it reads, and their receipts, as it reads them.
func (s Sort) Node(
	name string, in, out *sluice.Channel,
) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	run := func(ctx context.Context) error { return s.run(ctx, in, out) }
	return name, run, sluice.Reads(in), sluice.Writes(out)
}

func (s Sort) compile(in *arrow.Schema) (columns []int, err error) {
	if len(s.By) == 0 {
		return nil, errors.New("no columns to sort by")
	}
	if s.Limit < 0 {
		return nil, fmt.Errorf("limit %d is negative; 0 means all rows", s.Limit)
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
	// next returns the next rows in order, nil after the last.
	next(context.Context) (arrow.RecordBatch, error)
	release()
}

func (s Sort) run(ctx context.Context, in, out *sluice.Channel) error {
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
			rows = s.sorter(schema, columns)
		}
		if chunk.Rows() == 0 {
			return nil
		}
		return rows.add(ctx, chunk.Batch())
	})
	if err != nil || rows == nil {
		return err
	}
	for seq := sluice.SeqNum(0); ; seq++ {
		batch, err := rows.next(ctx)
		if err != nil {
			return err
		}
		if batch == nil {
			if seq > 0 {
				return nil
			}
			batch = emptyBatch(ctx, schema)
		}
		if err := send(ctx, out, seq, batch); err != nil {
			return err
		}
	}
}

func (s Sort) sorter(schema *arrow.Schema, columns []int) sorter {
	kept := newKept(schema, s.By, columns)
	if s.Limit > 0 {
		return &topRows{kept: kept, limit: s.Limit}
	}
	return &runs{kept: kept}
}

// kept are batches whose rows can be compared, also between batches.
type kept struct {
	schema  *arrow.Schema
	batches []arrow.RecordBatch
	columns [][]view // of each column, its part in each batch
	keys    []sortColumn
	exact   bool // whether the rank in the first of them is all there is to a value
	rows    int  // in all of them
}

// sortColumn is a column to sort by.
type sortColumn struct {
	SortKey
	column int
	ranks  [][]uint64 // in each batch
}

// An entry is a row to be sorted. What has the lower prefix comes first; it is made
// from the first column and decides nearly always.
type entry struct {
	prefix uint64
	place
}

func newKept(schema *arrow.Schema, by []SortKey, columns []int) *kept {
	k := &kept{schema: schema, columns: make([][]view, schema.NumFields())}
	for i, key := range by {
		k.keys = append(k.keys, sortColumn{SortKey: key, column: columns[i]})
	}
	first, _ := layoutOf(schema.Field(columns[0]).Type)
	k.exact = first != layoutText
	return k
}

// add keeps a batch, with a reference of its own.
func (k *kept) add(batch arrow.RecordBatch) {
	batch.Retain()
	k.batches = append(k.batches, batch)
	k.rows += int(batch.NumRows())
	for i, a := range batch.Columns() {
		k.columns[i] = append(k.columns[i], newView(a))
	}
	for i := range k.keys {
		key := &k.keys[i]
		column := k.columns[key.column]
		key.ranks = append(key.ranks, ranks(&column[len(column)-1], nil))
	}
}

// entries returns the rows of the batch added last, in their order.
func (k *kept) entries() []entry {
	batch := len(k.batches) - 1
	key := &k.keys[0]
	column := &k.columns[key.column][batch]
	made := make([]entry, column.rows)
	for row, rank := range key.ranks[batch] {
		made[row] = entry{key.prefix(rank, column.null(row)), place{uint32(batch), uint32(row)}}
	}
	return made
}

// prefix is the rank, put where it belongs among all ranks, and nulls at one end.
func (c *sortColumn) prefix(rank uint64, null bool) uint64 {
	switch {
	case null && c.Nulls == NullsFirst:
		return 0
	case null:
		return math.MaxUint64
	case c.Descending:
		return ^rank
	default:
		return rank
	}
}

// compare orders two rows by the columns and, where those are equal, by which came
// first.
func (k *kept) compare(a, b entry) int {
	if a.prefix != b.prefix {
		return cmp.Compare(a.prefix, b.prefix)
	}
	keys := k.keys
	if k.exact && a.prefix != 0 && a.prefix != math.MaxUint64 {
		keys = keys[1:] // equal, and no null
	}
	for i := range keys {
		if order := keys[i].compare(k.columns[keys[i].column], a.place, b.place); order != 0 {
			return order
		}
	}
	return cmp.Or(cmp.Compare(a.batch, b.batch), cmp.Compare(a.row, b.row))
}

// lookEvery is how many comparisons a sort makes between two looks at its
// context: about those for chunkRows rows.
const lookEvery = 16 * chunkRows

// sort puts rows in order. When ctx ends it returns its error soon, however many
// rows there are, and their order is of no use: from then on all compare as equal,
// with which slices.SortFunc, that cannot be stopped, has little left to do.
func (k *kept) sort(ctx context.Context, rows []entry) error {
	compared, ended := 0, false
	slices.SortFunc(rows, func(a, b entry) int {
		if compared++; compared%lookEvery == 0 {
			ended = ended || ctx.Err() != nil
		}
		if ended {
			return 0
		}
		return k.compare(a, b)
	})
	return ctx.Err()
}

func (c *sortColumn) compare(column []view, a, b place) int {
	va, vb := &column[a.batch], &column[b.batch]
	nullA, nullB := va.null(int(a.row)), vb.null(int(b.row))
	if nullA || nullB {
		if nullA && nullB {
			return 0
		}
		if nullA == (c.Nulls == NullsFirst) {
			return -1
		}
		return 1
	}
	order := cmp.Compare(c.ranks[a.batch][a.row], c.ranks[b.batch][b.row])
	if order == 0 && va.layout == layoutText {
		order = bytes.Compare(va.text.at(int(a.row)), vb.text.at(int(b.row)))
	}
	if c.Descending {
		return -order
	}
	return order
}

// gather makes a batch of some of the rows.
func (k *kept) gather(ctx context.Context, places []place) (arrow.RecordBatch, error) {
	return gatherBatch(allocator(ctx), k.schema, k.columns, places)
}

func (k *kept) release() {
	for _, batch := range k.batches {
		batch.Release()
	}
	k.batches, k.rows = nil, 0
	clear(k.columns)
	for i := range k.keys {
		k.keys[i].ranks = nil
	}
}
