package table

import (
	"context"
	"math/bits"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/mem"
)

// A joinTable finds rows by their keys. It holds chunks of one side, whose rows have numbers
// from 0 in the order in which they came, and knows where each is.
//
// The hash table is an open-addressing one with linear probing, of which at most three quarters are used. A
// slot stands for all rows of one hash, as far as it is kept; those are linked, the last first. That they
// are of one key is nearly always so, and known: then the keys of one of them are compared with those of a row that
// found them. Otherwise those of each are. This is done for many rows at a time.
type joinTable struct {
	plan    *joinPlan
	side    side
	chunks  []*keptChunk
	columns [][]view // columns[c][b] is column c of the side in chunk b
	keys    [][]view // keys[k][b] is key k in chunk b, as it is compared, where numbers do not say all

	places  []place
	numbers [][]uint64 // by key and row
	slots   []joinSlot // a power of two of them
	shift   uint       // of a hash, to get its slot
	next    []uint32   // by row: the next of its chain + 1, 0 at the end; itself + 1 in no chain
	chained int        // rows that are not the only ones of their hash, less one of each hash
	mixed   bool       // there are chains of rows whose keys are not all equal
	matched []uint32   // a bit for each row, if somebody asks; set by all workers

	charge *mem.Charge
}

// A joinSlot is 8 bytes, so that many are in a cache line.
type joinSlot struct {
	tag   uint32 // the lower half of the hash
	first uint32 // row + 1, 0 if the slot is free
}

// mostTableRows is how many rows a table can number.
const mostTableRows = 1 << 31

// joinSlots returns how many slots a table of so many rows has.
func joinSlots(rows int64) int64 {
	return int64(1) << bits.Len64(uint64(max(16, rows*4/3)))
}

// tableBytes returns what a table takes beside the chunks.
func (p *joinPlan) tableBytes(s side, rows int64) int64 {
	row := int64(8 + 4) // place and next
	for k := range p.keys[s] {
		row += 8
		if p.rescales(s, k) {
			row += formBytes
		}
	}
	return row*rows + 8*joinSlots(rows) + rows/8 + 64
}

// rescales reports whether the form of a key has values of its own: between decimals, or those and integers.
func (p *joinPlan) rescales(s side, k int) bool {
	decimal := func(s side) bool { return p.inputs[s].Field(p.keys[s][k]).Type.ID() == arrow.DECIMAL128 }
	return p.forms[s][k] != nil && (decimal(s) || decimal(s.other()))
}

// marksBuilt reports whether it has to be known which rows of the table matched anything.
func (p *joinPlan) marksBuilt(s side) bool {
	return p.kind.emits(s) || p.kind.halves() && s == leftSide
}

// newJoinTable makes a table of chunks, which are in host memory. It takes them over, and the charge.
func newJoinTable(ctx context.Context, p *joinPlan, s side, chunks []*keptChunk, charge *mem.Charge) (*joinTable, error) {
	t := &joinTable{plan: p, side: s, chunks: chunks, charge: charge}
	rows := 0
	for _, c := range chunks {
		rows += c.chunk.Rows()
	}
	t.columns = make([][]view, p.inputs[s].NumFields())
	t.keys = make([][]view, len(p.keys[s]))
	t.places = make([]place, 0, rows)
	t.numbers = make([][]uint64, len(p.keys[s]))
	for k := range t.numbers {
		t.numbers[k] = make([]uint64, 0, rows)
	}
	t.slots = make([]joinSlot, joinSlots(int64(rows)))
	t.shift = uint(64 - bits.TrailingZeros(uint(len(t.slots))))
	t.next = make([]uint32, rows)
	if p.marksBuilt(s) {
		t.matched = make([]uint32, (rows+31)/32)
	}
	keys := newJoinKeys(len(p.keys[s]))
	for b, c := range chunks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t.add(uint32(b), c.chunk.Batch(), keys)
	}
	if t.chained >= rows-rows/4 { // four rows of a hash, on the average
		t.regroup()
	}
	return t, nil
}

// add numbers the rows of a chunk, and inserts those that may match something.
func (t *joinTable) add(b uint32, batch arrow.RecordBatch, keys *joinKeys) {
	for c := range t.columns {
		t.columns[c] = append(t.columns[c], newView(batch.Column(c)))
	}
	keys.views = t.plan.keyViews(t.side, batch)
	for k, v := range keys.views {
		t.keys[k] = append(t.keys[k], v)
	}
	rows := int(batch.NumRows())
	for from := 0; from < rows; from += joinStrip {
		to := min(from+joinStrip, rows)
		keys.strip(from, to)
		t.glance(keys.hashes[:to-from], keys.slots[:])
		for k := range t.numbers {
			t.numbers[k] = append(t.numbers[k], keys.numbers[k][:to-from]...)
		}
		for i := range to - from {
			row := uint32(len(t.places))
			t.places = append(t.places, place{b, uint32(from + i)})
			if keys.nulls && keys.null[i] {
				t.next[row] = row + 1
			} else {
				t.insert(keys.hashes[i], row)
			}
		}
	}
}

// insert puts a row before the others of its hash.
func (t *joinTable) insert(hash uint64, row uint32) {
	mask := uint64(len(t.slots) - 1)
	tag := uint32(hash)
	for at := hash >> t.shift; ; at = (at + 1) & mask {
		s := &t.slots[at]
		switch {
		case s.first == 0:
			*s = joinSlot{tag, row + 1}
			return
		case s.tag == tag:
			t.mixed = t.mixed || !t.same(row, s.first-1)
			t.next[row] = s.first
			s.first = row + 1
			t.chained++
			return
		}
	}
}

// same reports whether the keys of two rows are equal.
func (t *joinTable) same(a, b uint32) bool {
	for k, numbers := range t.numbers {
		if numbers[a] != numbers[b] {
			return false
		}
		x, y := t.places[a], t.places[b]
		if v := &t.keys[k][x.batch]; !exactRanks(v.layout) && compareEqualRanks(v, int(x.row), &t.keys[k][y.batch], int(y.row)) != 0 {
			return false
		}
	}
	return true
}

// find returns the first row of a hash + 1, 0 if there is none.
func (t *joinTable) find(hash uint64) uint32 {
	mask := uint64(len(t.slots) - 1)
	tag := uint32(hash)
	for at := hash >> t.shift; ; at = (at + 1) & mask {
		s := t.slots[at]
		if s.first == 0 || s.tag == tag {
			return s.first
		}
	}
}

// glance copies the slots at which hashes begin to look. The processor fetches many of them at a time, as what
// it does next does not depend on what is in them, and then find and insert have them in its cache.
func (t *joinTable) glance(hashes []uint64, into []joinSlot) {
	for i, hash := range hashes {
		into[i] = t.slots[hash>>t.shift]
	}
}

// mark says that a row matched something, and whether it had before.
func (t *joinTable) mark(row uint32) (before bool) {
	word, bit := &t.matched[row/32], uint32(1)<<(row%32)
	if atomic.LoadUint32(word)&bit != 0 {
		return true
	}
	return atomic.OrUint32(word, bit)&bit != 0
}

func (t *joinTable) marked(row int) bool { return t.matched[row/32]>>(row%32)&1 != 0 }

// release gives up the table, and leaves the chunks to whoever has them.
func (t *joinTable) release() {
	t.charge.Release()
	*t = joinTable{}
}
