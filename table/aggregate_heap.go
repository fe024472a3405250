package table

import (
	"context"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/mem"
)

// What an aggregation keeps about its groups is on the Go heap, and counts as host memory
// by what the slices of it have capacity for. Before it takes rows in it reserves what it
// would take if each were a group of its own.

// A demand adds up what slices take, and what they would take at worst after they have grown.
type demand struct{ now, worst int64 }

// list adds a slice that grows by append to so many elements more. While it does, the old
// one and a new one are there, up to twice as long as needed and rounded up.
func (d *demand) list(length, capacity, more int, size int64) {
	now := int64(capacity) * size
	d.now += now
	d.worst += now
	if length+more > capacity {
		d.worst += 64 + int64(length+more)*size*9/4
	}
}

// table adds a hash table of which at most half is used, and which doubles.
func (d *demand) table(slots, used, more int, size int64) {
	grown := slots
	for grown < 2*(used+more) {
		grown *= 2
	}
	d.now += int64(slots) * size
	d.worst += int64(grown) * size
	if grown > slots {
		d.worst += int64(grown/2) * size
	}
}

// scratch adds a slice of which nothing is kept when it is made anew.
func (d *demand) scratch(capacity, need int, size int64) { d.list(0, capacity, need, size) }

func sizeOf[T any]() int64 {
	var v T
	return int64(unsafe.Sizeof(v))
}

// textBytes adds up the text of a column's rows.
func textBytes(v *view) (n int64) {
	if v.layout != layoutText {
		return 0
	}
	if v.text.codes == nil {
		return int64(v.text.offsets[v.rows] - v.text.offsets[0])
	}
	for row := range v.rows {
		if !v.null(row) {
			n += int64(len(v.text.at(row)))
		}
	}
	return n
}

func (t *numberTable) demand(d *demand, more int) {
	d.table(len(t.slots), t.len(), more, sizeOf[numberSlot]())
	d.list(len(t.keys), cap(t.keys), more, 8)
}

func (t *textTable) demand(d *demand, more int, text int64) {
	d.table(len(t.slots), t.len(), more, sizeOf[textSlot]())
	d.list(len(t.bytes), cap(t.bytes), int(text), 1)
	d.list(len(t.offsets), cap(t.offsets), more, 8)
}

// demand is for the rows of v, of which each may be a group.
func (k *keyColumn) demand(d *demand, v *view) {
	if k.numbers != nil {
		k.numbers.demand(d, v.rows)
		d.scratch(cap(k.ranks), v.rows, 8)
		return
	}
	bytes := textBytes(v)
	if k.of == layoutDecimal {
		bytes = int64(v.rows * arrow.Decimal128SizeBytes)
	}
	k.strings.demand(d, v.rows, bytes)
	entries := 0
	if v.text.dict != nil {
		entries = v.text.dict.Len()
	}
	d.scratch(cap(k.known), entries, 4)
}

func (g *grouping) demand(d *demand, columns []view) {
	for i, key := range g.keys {
		key.demand(d, &columns[i])
	}
	for _, pairs := range g.pairs {
		pairs.demand(d, columns[0].rows)
	}
	if len(g.keys) > 0 {
		d.scratch(cap(g.other), columns[0].rows, 4)
	}
}

// heap is what an aggregation is charged for.
type heap struct {
	charges []*mem.Charge
	bytes   int64
}

// grow charges what is more than before to a reservation.
func (h *heap) grow(res *mem.Reservation, bytes int64) error {
	if bytes <= h.bytes {
		return nil
	}
	if lacking := bytes - h.bytes - res.Left(mem.Host); lacking > 0 {
		res.Grow(mem.Host, lacking)
	}
	charge, err := res.Charge(mem.Host, bytes-h.bytes)
	if err != nil {
		return err
	}
	h.charges, h.bytes = append(h.charges, charge), bytes
	return nil
}

func (h *heap) release() {
	for _, c := range h.charges {
		c.Release()
	}
	h.charges, h.bytes = nil, 0
}

// rowsAtOnce is how many rows are taken in at a time: few enough that they do not ask for
// much more than a chunk, even if all are groups.
func (g *aggregation) rowsAtOnce() int64 {
	tables := len(g.grouping.keys) + len(g.grouping.pairs)
	row := int64(tables*160 + len(g.measured)*64 + 16)
	return max(256, min(g.chunk()/row, chunkRows))
}

// demand returns what the state takes, and will at worst when it has taken in the batch.
func (g *aggregation) demand(batch arrow.RecordBatch) demand {
	var d demand
	rows := int(batch.NumRows())
	g.keyViews = g.keyViews[:0]
	for _, column := range g.keys {
		g.keyViews = append(g.keyViews, newView(batch.Column(column)))
	}
	g.grouping.demand(&d, g.keyViews)
	for i, measured := range g.measured {
		var v view
		if column := g.measures[i]; column >= 0 {
			v = newView(batch.Column(column))
		}
		measured.demand(&d, &v, g.grouping.len(), rows)
	}
	d.scratch(cap(g.groups), rows, 4)
	return d
}

// addCounted is addPiece where memory is counted.
func (g *aggregation) addCounted(ctx context.Context, batch arrow.RecordBatch) error {
	worst := g.demand(batch).worst
	if worst <= g.heap.bytes {
		return g.addPiece(batch)
	}
	res, err := g.reserve(ctx, worst-g.heap.bytes)
	if err != nil {
		return err
	}
	defer res.Release()
	if err := g.addPiece(batch); err != nil {
		return err
	}
	return g.heap.grow(res, g.demand(batch).now)
}

// resultBytes returns what the result takes for groups from up to to.
func (g *aggregation) resultBytes(from, to int) (bytes int64) {
	rows := int64(to - from)
	for _, f := range g.schema.Fields() {
		if need := valuesBytes(f.Type, rows); need > 0 {
			bytes += need + validBytes(rows)
		}
	}
	for i, key := range g.grouping.keys {
		if key.of != layoutText {
			continue
		}
		ids, text := g.keyIDs(i, from, to), int64(0)
		for _, id := range ids {
			text += int64(len(key.strings.at(id)))
		}
		bytes += allocated(text)
	}
	for _, measured := range g.measured {
		if texts, ok := measured.(*textExtremes); ok {
			text := int64(0)
			for _, best := range texts.best[from:to] {
				text += int64(len(best.value))
			}
			bytes += allocated(text)
		}
	}
	return bytes
}
