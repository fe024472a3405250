package table

import (
	"cmp"
	"context"
	"math"
	"slices"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/mem"
)

// kept are batches whose rows can be compared, also between batches.
type kept struct {
	budget
	schema  *arrow.Schema
	batches []keptBatch
	columns [][]view // of each column, its part in each batch
	keys    []sortColumn
	exact   bool  // whether the rank in the first of them is all there is to a value
	rows    int   // in all of them
	bytes   int64 // of these, and of the Go heap that goes with them
}

// keptBatch is a batch with what it takes.
type keptBatch struct {
	arrow.RecordBatch
	turn   int   // in which it came, where that is not its place
	bytes  int64 // with the ranks and entries
	charge *mem.Charge
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

func newKept(from budget, schema *arrow.Schema, by []SortKey, columns []int) *kept {
	k := &kept{budget: from, schema: schema, columns: make([][]view, schema.NumFields())}
	for i, key := range by {
		k.keys = append(k.keys, sortColumn{SortKey: key, column: columns[i]})
	}
	first, _ := layoutOf(schema.Field(columns[0]).Type)
	k.exact = exactRanks(first)
	return k
}

// heapBytes estimates what is on the Go heap for so many rows: an entry, and a rank for
// each key.
func (k *kept) heapBytes(rows int) int64 {
	return int64(rows) * (int64(unsafe.Sizeof(entry{})) + 8*int64(len(k.keys)))
}

// add keeps a batch, with a reference of its own. It waits for what goes with it.
func (k *kept) add(ctx context.Context, batch arrow.RecordBatch) error {
	heap, charge, err := k.accompany(ctx, int(batch.NumRows()))
	if err != nil {
		return err
	}
	batch.Retain()
	at := len(k.batches)
	k.place(at, keptBatch{RecordBatch: batch, turn: at, bytes: heap + batchBytes(batch), charge: charge})
	return nil
}

// accompany waits for what goes with so many rows on the Go heap, and counts it.
func (k *kept) accompany(ctx context.Context, rows int) (bytes int64, charge *mem.Charge, err error) {
	bytes = k.heapBytes(rows)
	res, err := k.reserve(ctx, bytes)
	if err != nil {
		return 0, nil, err
	}
	defer res.Release()
	charge, err = res.Charge(mem.Host, bytes)
	return bytes, charge, err
}

// place puts a batch at a place that is free, or at the end, and takes over what belongs to it.
func (k *kept) place(at int, batch keptBatch) {
	k.rows += int(batch.NumRows())
	k.bytes += batch.bytes
	if at == len(k.batches) {
		k.batches = append(k.batches, keptBatch{})
		for i := range k.columns {
			k.columns[i] = append(k.columns[i], view{})
		}
		for i := range k.keys {
			k.keys[i].ranks = append(k.keys[i].ranks, nil)
		}
	}
	k.batches[at] = batch
	for i, a := range batch.Columns() {
		k.columns[i][at] = newView(a)
	}
	for i := range k.keys {
		key := &k.keys[i]
		key.ranks[at] = ranks(&k.columns[key.column][at], make([]uint64, 0, batch.NumRows()))
	}
}

// clear makes a place free.
func (k *kept) clear(at int) {
	batch := &k.batches[at]
	k.rows -= int(batch.NumRows())
	k.bytes -= batch.bytes
	for i := range k.columns {
		k.columns[i][at] = view{}
	}
	for i := range k.keys {
		k.keys[i].ranks[at] = nil
	}
	batch.Release()
	batch.charge.Release()
	*batch = keptBatch{}
}

// entries returns the rows of a batch, in their order.
func (k *kept) entries(batch int) []entry {
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
	return cmp.Or(cmp.Compare(k.batches[a.batch].turn, k.batches[b.batch].turn), cmp.Compare(a.row, b.row))
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
	if order == 0 {
		order = compareEqualRanks(va, int(a.row), vb, int(b.row))
	}
	if c.Descending {
		return -order
	}
	return order
}

// gather makes a chunk of some of the rows. It waits for its memory.
func (k *kept) gather(ctx context.Context, places []place) (*Chunk, error) {
	return gatherChunk(ctx, k.budget, k.schema, k.columns, places)
}

func (k *kept) release() {
	for at := range k.batches {
		if k.batches[at].RecordBatch != nil {
			k.clear(at)
		}
	}
	k.batches = nil
	clear(k.columns)
	for i := range k.keys {
		k.keys[i].ranks = nil
	}
}
