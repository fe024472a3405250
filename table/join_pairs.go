package table

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/table/expr"
)

// An asker asks a condition of pairs of rows. Of those whose keys are equal there may be very many, of
// which hardly any pass: so only the columns that the condition reads are gathered of them, numbers into
// memory that is used again and again. Text, of which nobody knows how much there is, is gathered into
// memory that is reserved each time. An asker belongs to one prober.
type asker struct {
	about  *pairCondition
	eval   *expr.Evaluator
	values [][]byte // by column: of joinCandidates pairs; nil for text
	valid  [][]byte // by column: their bitmap; nil until there are nulls

	selected []uint32
	arrays   []arrow.Array
	pairs    halves
}

func newAsker(about *pairCondition) *asker {
	a := &asker{about: about, eval: about.program.NewEvaluator()}
	a.values, a.valid = make([][]byte, len(about.columns)), make([][]byte, len(about.columns))
	for i, f := range about.schema.Fields() {
		if layout, _ := layoutOf(f.Type); layout != layoutText && layout != layoutNull {
			a.values[i] = make([]byte, valuesSize(f.Type, joinCandidates))
		}
	}
	return a
}

// ask keeps the candidates of which the condition is true.
func (p *prober) ask(ctx context.Context) error {
	if len(p.candidates) == 0 {
		return nil
	}
	a := p.asker
	defer a.forget()
	res, err := p.reserveText(ctx)
	if err != nil {
		return err
	}
	defer res.Release()
	own := newAllocator(ctx, res)
	for i, c := range a.about.columns {
		made, err := p.column(own, i, c)
		if err != nil {
			return err
		}
		a.arrays = append(a.arrays, made)
	}
	batch := array.NewRecordBatch(a.about.schema, a.arrays, int64(len(p.candidates)))
	defer batch.Release()
	if a.selected, err = a.eval.Select(batch, a.selected[:0]); err != nil {
		return p.withoutValue(err)
	}
	for i, at := range a.selected {
		p.candidates[i] = p.candidates[at]
	}
	p.candidates = p.candidates[:len(a.selected)]
	return nil
}

// forget gives back what was gathered of the last pairs.
func (a *asker) forget() {
	for i, made := range a.arrays {
		made.Release()
		a.arrays[i] = nil
	}
	a.arrays = a.arrays[:0]
	a.pairs.clear()
}

// reserveText reserves what it takes to gather text of the candidates.
func (p *prober) reserveText(ctx context.Context) (*mem.Reservation, error) {
	a := p.asker
	var need int64
	for i, c := range a.about.columns {
		if typ := a.about.schema.Field(i).Type; a.values[i] == nil && typ.ID() != arrow.NULL {
			from, places := p.places(c)
			need += gatherBytes(typ, from, places, textAt(typ, from, places))
		}
	}
	if need == 0 {
		return nil, nil
	}
	return p.join.budget.reserve(ctx, need)
}

// places returns the parts of a column, and where the candidates are in it.
func (p *prober) places(c joinedColumn) (from []view, places []place) {
	if s, of := c.ofPair(); s == p.side {
		if places = p.asker.pairs[s]; len(places) == 0 {
			for _, c := range p.candidates {
				places = append(places, place{0, uint32(p.from) + c.row})
			}
			p.asker.pairs[s] = places
		}
		return p.columns[of], places
	} else {
		if places = p.asker.pairs[s]; len(places) == 0 {
			for _, c := range p.candidates {
				places = append(places, p.table.places[c.built])
			}
			p.asker.pairs[s] = places
		}
		return p.table.columns[of], places
	}
}

// column gathers a column of the candidates.
func (p *prober) column(own memory.Allocator, i int, c joinedColumn) (arrow.Array, error) {
	a, n := p.asker, len(p.candidates)
	typ := a.about.schema.Field(i).Type
	if a.values[i] == nil {
		from, places := p.places(c)
		return gather(own, typ, from, places, textAt(typ, from, places))
	}
	s, of := c.ofPair()
	from := p.halves()[s][of]
	values := a.values[i]
	switch layout, _ := layoutOf(typ); layout {
	case layoutBool:
		clear(values)
		p.bits(s, from, values, (*view).bitAt)
	case layoutInt8, layoutUint8:
		pick[uint8](p, s, from, values)
	case layoutInt16, layoutUint16:
		pick[uint16](p, s, from, values)
	case layoutInt32, layoutUint32, layoutFloat32:
		pick[uint32](p, s, from, values)
	case layoutDecimal:
		pick[decimal128.Num](p, s, from, values)
	default: // 64 bits
		pick[uint64](p, s, from, values)
	}
	buffers, nulls := []*memory.Buffer{nil, memory.NewBufferBytes(values)}, 0
	if nullable(from) {
		if a.valid[i] == nil {
			a.valid[i] = make([]byte, bitutil.BytesForBits(joinCandidates))
		}
		clear(a.valid[i])
		p.bits(s, from, a.valid[i], func(v *view, row int) bool { return !v.null(row) })
		buffers[0], nulls = memory.NewBufferBytes(a.valid[i]), array.UnknownNullCount
	}
	data := array.NewData(typ, n, buffers, nil, nulls, 0)
	defer data.Release()
	return array.MakeFromData(data), nil
}

// pick gathers numbers of the candidates.
func pick[T uint8 | uint16 | uint32 | uint64 | decimal128.Num](p *prober, s side, from []view, into []byte) {
	dst := arrow.GetData[T](into)[:len(p.candidates)]
	if s == p.side {
		values := fixed[T](from[0].array)[p.from:]
		for i, c := range p.candidates {
			dst[i] = values[c.row]
		}
		return
	}
	parts := make([][]T, len(from))
	for i := range from {
		parts[i] = fixed[T](from[i].array)
	}
	if len(parts) == 1 {
		for i, c := range p.candidates {
			dst[i] = parts[0][p.table.places[c.built].row]
		}
		return
	}
	for i, c := range p.candidates {
		at := p.table.places[c.built]
		dst[i] = parts[at.batch][at.row]
	}
}

// bits sets the bits of the candidates of which something is so.
func (p *prober) bits(s side, from []view, into []byte, so func(*view, int) bool) {
	for i, c := range p.candidates {
		at := place{0, uint32(p.from) + c.row}
		if s != p.side {
			at = p.table.places[c.built]
		}
		if so(&from[at.batch], int(at.row)) {
			bitutil.SetBit(into, i)
		}
	}
}

// ofPair returns where a column of a pair comes from: the left if both have it, as in the result.
func (c joinedColumn) ofPair() (s side, column int) {
	if c[leftSide] != noColumn {
		return leftSide, c[leftSide]
	}
	return rightSide, c[rightSide]
}
