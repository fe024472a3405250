package table

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice/mem"
)

// kept are batches whose rows can be compared, also between batches.
type kept struct {
	budget
	schema  *arrow.Schema
	batches []keptBatch
	columns [][]view // of each column, its part in each batch
	keys    []sortColumn
	rows    int   // in all of them
	bytes   int64 // of these, and of the Go heap that goes with them

	spreads []keySpread // of the keys in all rows that were ever put in order; nil if there were none
	space   sortSpace
}

// keptBatch is a batch with what it takes.
type keptBatch struct {
	arrow.RecordBatch
	turn   int   // in which it came, where that is not its place
	bytes  int64 // with what goes with it on the heap
	charge *mem.Charge
}

// sortColumn is a column to sort by.
type sortColumn struct {
	SortKey
	column int
	layout layout
	parts  []keyPart // in each batch
}

// A keyPart is a column of one batch, opened to compare single rows of it.
type keyPart struct {
	*view
	values []byte // of a layout of fixed width
}

// Both are bytes of the Go heap. What is estimated is counted, so it is not to be less than it takes.
const (
	// keptRow goes with a row that is kept: its word, and some of what it takes to go through them all.
	keptRow = 8 + spaceRow/spaceShare
	// spaceRow goes with a row that is being put in order: see sortSpace.
	spaceRow = 40
	// spaceShare is of how many rows that are kept one is put in order at a time.
	spaceShare = 5
)

func newKept(from budget, schema *arrow.Schema, by []SortKey, columns []int) *kept {
	k := &kept{budget: from, schema: schema, columns: make([][]view, schema.NumFields())}
	for i, key := range by {
		layout, _ := layoutOf(schema.Field(columns[i]).Type)
		k.keys = append(k.keys, sortColumn{SortKey: key, column: columns[i], layout: layout})
	}
	return k
}

// add keeps the rows of a batch in order: the batch itself if they are, else a copy, in which what is near in order is
// near in memory, for whoever merges it with others. It waits for that, and for what goes with it. If there is no
// memory for it, all is as before.
func (k *kept) add(ctx context.Context, batch arrow.RecordBatch) error {
	rows := batch.NumRows()
	columns := columnsOf(batch)
	copied, texts := orderedNeed(batch.Schema(), columns, k.space.begin(0, int(rows)))
	res, err := k.reserve(ctx, rows*(keptRow+spaceRow)+copied)
	if err != nil {
		return err
	}
	defer res.Release()
	charge, err := res.Charge(mem.Host, rows*keptRow)
	if err != nil {
		return err
	}
	at := len(k.batches)
	batch.Retain()
	k.place(at, keptBatch{RecordBatch: batch, turn: at, bytes: rows*keptRow + batchHeldBytes(batch), charge: charge})
	ordered, err := k.order(ctx, at)
	if err != nil || ordered {
		return err
	}
	for i := range k.space.places {
		k.space.places[i].batch = 0 // the only one of these columns
	}
	own := newAllocator(ctx, res)
	made, err := gatherBatch(sharedDictionaries{own}, batch.Schema(), columns, k.space.places, texts)
	if err != nil {
		return err
	}
	chunk := own.Chunk(made)
	defer chunk.Release()
	made.Retain()
	k.batches[at].charge = nil
	k.clear(at)
	k.place(at, keptBatch{RecordBatch: made, turn: at, bytes: rows*keptRow + batchHeldBytes(made), charge: charge})
	return nil
}

// sharedDictionaries is memory for rows whose dictionaries, which may be much larger than they, stay where they are.
type sharedDictionaries struct{ memory.Allocator }

// orderedNeed returns how much memory it takes to gather rows and share their dictionaries, and what textAt says of
// each column.
func orderedNeed(schema *arrow.Schema, columns [][]view, places []place) (need int64, texts []int64) {
	texts = make([]int64, len(columns))
	for i, from := range columns {
		typ := schema.Field(i).Type
		texts[i] = textAt(typ, from, places)
		need += gatherBytes(typ, from, places, texts[i])
		if dictionary := from[0].text.dict; dictionary != nil {
			need -= arrayCopyBytes(dictionary)
		}
	}
	return need, texts
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
			k.keys[i].parts = append(k.keys[i].parts, keyPart{})
		}
	}
	k.batches[at] = batch
	for i, a := range batch.Columns() {
		k.columns[i][at] = newView(a)
	}
	for i := range k.keys {
		v := newView(batch.Column(k.keys[i].column))
		k.keys[i].parts[at] = keyPart{&v, fixedBytes(&v)}
	}
}

// fixedBytes returns the values of a column of fixed width, from those of the first row on.
func fixedBytes(v *view) []byte {
	data := v.array.Data()
	typ, ok := data.DataType().(arrow.FixedWidthDataType)
	if !ok || v.layout == layoutBool || v.layout == layoutText || v.rows == 0 || data.Buffers()[1] == nil {
		return nil
	}
	return data.Buffers()[1].Bytes()[data.Offset()*typ.Bytes():]
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
		k.keys[i].parts[at] = keyPart{}
	}
	batch.Release()
	batch.charge.Release()
	*batch = keptBatch{}
}

// dropLast forgets the batch added last.
func (k *kept) dropLast() {
	last := len(k.batches) - 1
	k.clear(last)
	k.batches = k.batches[:last]
	for i := range k.columns {
		k.columns[i] = k.columns[i][:last]
	}
	for i := range k.keys {
		k.keys[i].parts = k.keys[i].parts[:last]
	}
}

// order puts the places of the rows of a batch in order, in the space for that. It reports whether they were
// already.
func (k *kept) order(ctx context.Context, at int) (ordered bool, err error) {
	space := &k.space
	space.begin(uint32(at), int(k.batches[at].NumRows()))
	p := k.look(k, at, space.words)
	if err := space.sort(ctx, k, p.exact); err != nil {
		return false, err
	}
	return slices.IsSortedFunc(space.places, func(a, b place) int { return cmp.Compare(a.row, b.row) }), nil
}

// look takes the rows of a batch, kept here or elsewhere, into account for what words are made of. It makes words of
// them, which are good among them, if they are given.
func (k *kept) look(in *kept, at int, words []uint64) packing {
	var spreads []keySpread
	p := newPacking()
	for i := 0; i < len(k.keys) && !p.full; i++ {
		v := in.keys[i].parts[at].view
		ranks, long := keyRanks(v, k.space.ranks[:0])
		k.space.ranks = ranks
		spreads = append(spreads, spreadOf(v, ranks, long))
		p.add(&k.keys[i], spreads[i])
		if words != nil {
			p.parts[i].addTo(words, v, ranks)
		}
	}
	k.spreads = addSpreads(k.spreads, spreads)
	return p
}

// words makes the words of the rows of a batch. ranks is room for its ranks, and comes back.
func (k *kept) words(p *packing, at int, ranks []uint64) (words, room []uint64) {
	words = make([]uint64, k.batches[at].NumRows())
	for i := range p.parts {
		v := k.keys[i].parts[at].view
		ranks, _ = keyRanks(v, ranks[:0])
		p.parts[i].addTo(words, v, ranks)
	}
	return words, ranks
}

// compare orders two rows by the columns from one on and, where those are equal, by which came
// first.
func (k *kept) compare(from int, a, b place) int {
	for i := from; i < len(k.keys); i++ {
		if order := k.keys[i].compare(a, b); order != 0 {
			return order
		}
	}
	if a.batch == b.batch {
		return cmp.Compare(a.row, b.row)
	}
	return cmp.Compare(k.batches[a.batch].turn, k.batches[b.batch].turn)
}

func (c *sortColumn) compare(a, b place) int {
	va, vb := &c.parts[a.batch], &c.parts[b.batch]
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
	order := 0
	switch c.layout {
	case layoutText:
		order = bytes.Compare(va.text.at(int(a.row)), vb.text.at(int(b.row)))
	case layoutDecimal:
		order = va.decimals[a.row].Cmp(vb.decimals[b.row])
	default:
		order = cmp.Compare(va.rank(int(a.row)), vb.rank(int(b.row)))
	}
	if c.Descending {
		return -order
	}
	return order
}

// rank returns the rank of one row.
func (p *keyPart) rank(row int) uint64 {
	switch p.layout {
	case layoutInt64:
		return rankInt(int64(binary.NativeEndian.Uint64(p.values[8*row:])))
	case layoutInt32:
		return rankInt(int64(int32(binary.NativeEndian.Uint32(p.values[4*row:]))))
	default:
		var rank [1]uint64
		return ranksIn(p.view, row, row+1, rank[:0])[0]
	}
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
		k.keys[i].parts = nil
	}
}
