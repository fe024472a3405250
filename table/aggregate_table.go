package table

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/table/internal/groups"
)

// pieceRows is how many rows a table takes in at a time at most: few enough that what is computed
// of them on the way stays in the processor's cache.
const pieceRows = 2048

// fewRows is how many rows must fit at a time for their text; rather than take fewer, a table is
// made larger, or its groups go elsewhere.
const fewRows = 256

func sizeOf[T any]() int64 {
	var v T
	return int64(unsafe.Sizeof(v))
}

// A groupTable is groups and their measures. It is on the Go heap and counts as host memory by
// what it has room for, which is decided before rows are taken in. It is no larger than
// a bound, as long as that has room for one group.
type groupTable struct {
	*groupPlan
	budget
	bound    int64
	rows     int // that are taken in at a time
	keys     *keyTable
	measures []accumulator
	size     tableSize
	charge   *mem.Charge

	into     []uint32 // scratch, as are those:
	keyViews []view
	inputs   []input
	states   []view
}

// tableSize is what a table has room for.
type tableSize struct {
	groups int
	nulls  bool  // in keys
	text   []int // bytes of text, for each key column and then for each measure
}

func newGroupTable(plan *groupPlan, from budget, bound int64) *groupTable {
	texts := int64(1)
	for _, of := range plan.layouts {
		if of == layoutText {
			texts++
		}
	}
	mostKnown := int(min(bound/texts/64, 64<<10))
	t := &groupTable{groupPlan: plan, budget: from, bound: bound, keys: newKeyTable(plan.layouts, mostKnown)}
	for _, f := range plan.measures {
		t.measures = append(t.measures, f.make())
	}
	t.size.text = make([]int, len(plan.layouts)+len(plan.measures))
	for t.rows = pieceRows; t.rows > fewRows/2 && t.scratch() > bound/4; {
		t.rows /= 2
	}
	return t
}

// len returns how many groups there are.
func (t *groupTable) len() int { return t.keys.len() }

// bytes is what the table takes with room for so much.
func (t *groupTable) bytes(s tableSize) int64 {
	if s.groups == 0 {
		return 0
	}
	bytes := t.scratch() + t.keys.bytesWith(s.groups, s.nulls) + t.cells()*int64(s.groups)
	for i, capacity := range s.text {
		if i < len(t.keys.columns) && t.keys.columns[i].text != nil {
			bytes += groups.StringsBytes(s.groups, capacity)
		} else {
			bytes += int64(capacity)
		}
	}
	return bytes
}

// scratch is what the table takes whatever it has room for.
func (t *groupTable) scratch() int64 {
	return t.keys.scratchBytes(t.rows) + int64(t.rows)*(4+8*int64(len(t.measures)))
}

// cells is what the measures of a group take.
func (t *groupTable) cells() (bytes int64) {
	for _, m := range t.measures {
		bytes += m.cell()
	}
	return bytes
}

// fitting returns how many groups, without text, a table has room for in so many bytes.
func (t *groupTable) fitting(bytes int64) int {
	each := t.bytes(tableSize{groups: 1 << 10, text: t.size.text}) - t.scratch()
	return int(max(0, min(bytes-t.scratch(), 1<<40)) << 10 / max(each, 1))
}

// start makes the table as small as it usefully is.
func (t *groupTable) start(ctx context.Context) error {
	if t.size.groups > 0 {
		return nil
	}
	s := tableSize{groups: 16, text: slices.Clone(t.size.text)}
	for s.groups < 1<<10 && 2*s.groups <= t.fitting(t.bound/4) {
		s.groups *= 2
	}
	for i := range s.text {
		if t.textAt(i) {
			s.text[i] = int(min(8*int64(s.groups), t.bound/16))
		}
	}
	return t.resize(ctx, s)
}

// textAt reports whether there is text to keep for a key or a measure.
func (t *groupTable) textAt(i int) bool {
	if i < len(t.keys.columns) {
		return t.keys.columns[i].text != nil
	}
	_, ok := textOfAccumulator(t.measures[i-len(t.keys.columns)])
	return ok
}

// resize gives the table room for so much. It waits for memory, for the table beside
// the one there is.
func (t *groupTable) resize(ctx context.Context, s tableSize) error {
	bytes := t.bytes(s)
	res, err := t.reserve(ctx, bytes)
	if err != nil {
		return err
	}
	defer res.Release()
	charge, err := res.Charge(mem.Host, bytes)
	if err != nil {
		return err
	}
	t.keys.resize(s.groups, s.nulls)
	for i, c := range t.keys.columns {
		if c.text != nil && (s.groups != t.size.groups || s.text[i] != t.size.text[i]) {
			c.text.Resize(s.groups, s.text[i])
		}
	}
	for i, m := range t.measures {
		if s.groups != t.size.groups {
			m.resize(s.groups)
		}
		if text, ok := textOfAccumulator(m); ok {
			text.resizeText(s.text[len(t.keys.columns)+i])
		}
	}
	t.size = s
	t.charge.Release()
	t.charge = charge
	return nil
}

// grow makes room for what the table lacks, and reports false if that is beyond what it may have.
// A table of one group may have what that needs: it would not become less elsewhere.
func (t *groupTable) grow(ctx context.Context, next tableSize) (bool, error) {
	if !t.single() && t.bytes(next)+t.bytes(t.size) > t.bound {
		return false, nil
	}
	err := t.resize(ctx, next)
	if !t.single() && errors.Is(err, mem.ErrNoMemory) {
		return false, nil
	}
	return err == nil, err
}

// single reports whether there is at most one group.
func (t *groupTable) single() bool { return t.size.groups == 0 || t.len() <= 1 }

// clear forgets all groups. What is beyond the bound is given back.
func (t *groupTable) clear() {
	if t.bytes(t.size) > t.bound {
		t.release()
		return
	}
	if t.size.groups == 0 {
		return
	}
	for _, m := range t.measures {
		m.clear(t.len())
	}
	t.keys.clear()
}

// release gives all memory back; the table can be used again.
func (t *groupTable) release() {
	t.charge.Release()
	*t = *newGroupTable(t.groupPlan, t.budget, t.bound)
}

// lacksKeys is the size to grow to when keys found no room.
func (t *groupTable) lacksKeys() tableSize {
	next := t.size
	next.text = slices.Clone(next.text)
	if t.keys.lacksNulls {
		next.nulls = true
		return next
	}
	for i, c := range t.keys.columns {
		if c.text == nil {
			continue
		}
		if needs := c.text.Needs(); needs > 0 {
			next.text[i] = max(2*next.text[i], needs)
			return next
		}
	}
	next.groups *= 2
	return next
}

// lacksText is the size to grow to when a measure found no room for so many bytes.
func (t *groupTable) lacksText(measure int, bytes int) tableSize {
	next := t.size
	next.text = slices.Clone(next.text)
	text, _ := textOfAccumulator(t.measures[measure])
	capacity, used := text.space()
	at := &next.text[len(t.keys.columns)+measure]
	if used > capacity/2 { // or else making it anew is enough
		*at = 2 * capacity
	}
	*at = max(*at, used+bytes)
	return next
}

// take takes in the first of up to t.rows rows of a batch, and returns how many; if that is
// fewer than there are, it also says what size the table should have for the next.
func (t *groupTable) take(batch arrow.RecordBatch, read *intake, seq uint64, row int64) (n int, next tableSize) {
	n = int(batch.NumRows())
	t.into = slices.Grow(t.into[:0], n)[:n]
	t.keyViews, t.inputs = t.keyViews[:0], t.inputs[:0]
	for _, column := range read.keys {
		t.keyViews = append(t.keyViews, newView(batch.Column(column)))
	}
	for i, column := range read.measures {
		in := input{seq: seq, row: row}
		if column >= 0 && column < int(batch.NumCols()) {
			in.view = newView(batch.Column(column))
		}
		t.inputs = append(t.inputs, in)
		if text, ok := textOfAccumulator(t.measures[i]); ok && column >= 0 {
			fits := text.room(&in.view, n)
			if single := t.single(); fits == 0 && single {
				return 0, t.lacksText(i, firstText(&in.view, 1))
			} else if fits < min(n, fewRows) && !single {
				return 0, t.lacksText(i, firstText(&in.view, min(n, fewRows)))
			}
			n = fits
		}
	}
	into := t.into[:n]
	if n = t.keys.groups(t.keyViews, into); n == 0 {
		return 0, t.lacksKeys()
	}
	into = into[:n]
	for i, column := range read.measures {
		switch {
		case column == notRead:
		case read.states:
			t.states = t.states[:0]
			for at := range t.groupPlan.measures[i].states {
				t.states = append(t.states, newView(batch.Column(column+at)))
			}
			t.measures[i].merge(t.states, into)
		default:
			t.measures[i].add(&t.inputs[i], into)
		}
	}
	return n, next
}

// firstText adds up the text of the first rows.
func firstText(v *view, rows int) (bytes int) {
	for i := range rows {
		if !v.null(i) {
			bytes += len(v.text.at(i))
		}
	}
	return bytes
}

// batch makes the result for groups from up to to.
func (t *groupTable) batch(mem memory.Allocator, from, to int) (arrow.RecordBatch, error) {
	batch, err := t.columns(mem, t.schema, from, to, func(i int) ([]arrow.Array, error) {
		typ := t.schema.Field(len(t.keys.columns) + i).Type
		column, err := t.measures[i].result(mem, typ, from, to)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.names[i], err)
		}
		return []arrow.Array{column}, nil
	})
	if err != nil || t.order == nil {
		return batch, err
	}
	defer batch.Release()
	var columns []arrow.Array
	for _, column := range t.order {
		columns = append(columns, batch.Column(column))
	}
	return array.NewRecordBatch(t.ordered, columns, batch.NumRows()), nil
}

// stateBatch makes columns of the states of groups from up to to.
func (t *groupTable) stateBatch(mem memory.Allocator, from, to int) (arrow.RecordBatch, error) {
	return t.columns(mem, t.groupPlan.states, from, to, func(i int) ([]arrow.Array, error) {
		return t.measures[i].states(mem, from, to)
	})
}

func (t *groupTable) columns(
	mem memory.Allocator, schema *arrow.Schema, from, to int, measure func(i int) ([]arrow.Array, error),
) (arrow.RecordBatch, error) {
	var columns []arrow.Array
	defer func() { releaseArrays(columns) }()
	for i := range t.keys.columns {
		if t.counted && schema == t.schema && i == len(t.keys.columns)-1 {
			columns = append(columns, t.keys.notNull(mem, i, from, to))
			break
		}
		column, err := t.keys.array(mem, schema.Field(i).Type, i, from, to)
		if err != nil {
			return nil, err
		}
		columns = append(columns, column)
	}
	for i := range t.measures {
		made, err := measure(i)
		if err != nil {
			return nil, err
		}
		columns = append(columns, made...)
	}
	return array.NewRecordBatch(schema, columns, int64(to-from)), nil
}

// batchBytes returns what a batch of groups takes at most.
func (t *groupTable) batchBytes(schema *arrow.Schema, from, to int) int64 {
	bytes := schemaBytes(schema, int64(to-from)) + t.keys.textBytes(from, to)
	for _, m := range t.measures {
		if text, ok := textOfAccumulator(m); ok {
			bytes += text.textBytes(from, to)
		}
	}
	return bytes
}

// schemaBytes returns what rows take at most, without text.
func schemaBytes(schema *arrow.Schema, rows int64) (bytes int64) {
	for _, f := range schema.Fields() {
		if need := valuesBytes(f.Type, rows); need > 0 {
			bytes += need + validBytes(rows) + 64 // text is rounded up
		}
	}
	return bytes
}
