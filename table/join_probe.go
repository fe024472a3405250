package table

import (
	"context"
	"math/bits"
)

// joinCandidates is how many pairs of rows whose hashes are equal are looked at together: at least
// one for each row of a strip.
const joinCandidates = 4 * joinStrip

// A prober leads chunks past a table. It belongs to one worker.
type prober struct {
	join  *joining
	plan  *joinPlan
	side  side // of the chunks
	table *joinTable
	keys  *joinKeys
	asker *asker // of the condition; nil if nothing is asked of pairs

	// Of the chunk that is passing:
	columns [][]view        // its parts of columns, which are all of it
	matched []uint64        // nil if nobody asks which rows match
	from    int             // of the strip
	done    [joinStrip]bool // rows of the strip that need not be looked at any more

	open       []openRow
	candidates []pair
	pairs      halves // to be sent
}

// An openRow is a row of the strip for which there are candidates left.
type openRow struct{ row, next uint32 }

// A pair is a row of the strip and one of the table.
type pair struct{ row, built uint32 }

// halves are pairs of places, by side.
type halves [2][]place

func (h *halves) clear() { h[0], h[1] = h[0][:0], h[1][:0] }

func newProber(j *joining, t *joinTable) *prober {
	p := &prober{join: j, plan: j.plan, side: t.side.other(), table: t, keys: newJoinKeys(len(j.plan.keys[t.side]))}
	p.open = make([]openRow, 0, joinStrip)
	p.candidates = make([]pair, 0, joinCandidates)
	if where := p.plan.where.cross; where != nil {
		p.asker = newAsker(where)
	}
	return p
}

// marksProbed reports whether it has to be known of each row of a chunk whether it has matched.
func (p *joinPlan) marksProbed(s side) bool {
	return p.kind.emits(s) || p.kind.halves() && s == leftSide
}

// probe leads a chunk, which is in host memory, past the table, and sends what comes of it. It
// passes several tables one after the other; after the last, what matched nothing is sent, too.
func (p *prober) probe(ctx context.Context, c *keptChunk, last bool) error {
	if whole := p.plan.where.whole; p.join.undecided.Load() && (p.asker == nil || p.asker.about != whole) {
		p.asker = newAsker(whole)
	}
	batch := c.chunk.Batch()
	rows := int(batch.NumRows())
	p.columns = make([][]view, batch.NumCols())
	for i, a := range batch.Columns() {
		p.columns[i] = []view{newView(a)}
	}
	p.keys.views = p.plan.keyViews(p.side, batch)
	if p.plan.marksProbed(p.side) && c.matched == nil {
		c.matched = make([]uint64, (rows+63)/64)
	}
	p.matched = c.matched
	for p.from = 0; p.from < rows; p.from += joinStrip {
		if err := p.strip(ctx, min(joinStrip, rows-p.from)); err != nil {
			return err
		}
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	if last && p.matched != nil {
		return p.rest(ctx, rows)
	}
	return nil
}

// once reports whether a row needs not more than one match: only whether there is any is asked.
func (p *prober) once() bool { return p.plan.kind.halves() }

func (p *prober) strip(ctx context.Context, rows int) error {
	p.keys.strip(p.from, p.from+rows)
	return p.match(ctx, rows)
}

// match finds what the hashed rows of the strip match.
func (p *prober) match(ctx context.Context, rows int) error {
	p.look(rows)
	if p.once() {
		clear(p.done[:rows])
	}
	for round := 0; len(p.open) > 0; round++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.propose(round)
		if p.table.mixed {
			p.compare()
		}
		if p.asker != nil {
			if err := p.ask(ctx); err != nil {
				return err
			}
		}
		if err := p.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// look opens the rows of the strip for which there are candidates. If those of each are of one key, it is
// compared here.
func (p *prober) look(rows int) {
	p.table.glance(p.keys.hashes[:rows], p.keys.slots[:rows])
	found := p.candidates[:0]
	for i, hash := range p.keys.hashes[:rows] {
		if p.keys.nulls && p.keys.null[i] || p.once() && p.matched != nil && p.isMatched(p.from+i) {
			continue
		}
		first := p.keys.slots[i].first
		if first != 0 && p.keys.slots[i].tag != uint32(hash) {
			first = p.table.find(hash)
		}
		if first != 0 {
			found = append(found, pair{uint32(i), first - 1})
		}
	}
	p.candidates = found
	if !p.table.mixed {
		p.compare()
	}
	p.open = p.open[:len(p.candidates)]
	for i, c := range p.candidates {
		p.open[i] = openRow{c.row, c.built + 1}
	}
}

// propose fills the candidates from the open rows, and closes those that have no more. Where one match is
// enough for a row, only one is proposed of each at first, and more of those that are still open then.
func (p *prober) propose(round int) {
	each := joinCandidates
	if p.once() {
		each = 1 << min(round, bits.Len(joinCandidates))
	}
	candidates, n := p.candidates[:joinCandidates], 0
	next, left := p.table.next, p.open[:0]
	for _, o := range p.open {
		if p.once() && p.done[o.row] {
			continue
		}
		at, end := o.next, min(n+each, joinCandidates)
		for ; at != 0 && n < end; n++ {
			candidates[n] = pair{o.row, at - 1}
			// Most often the next row lies behind this one, which the processor can guess faster than
			// it can load it.
			if following := next[at-1]; following == at+1 {
				at++
			} else {
				at = following
			}
		}
		if at != 0 {
			left = append(left, openRow{o.row, at})
		}
	}
	p.candidates, p.open = candidates[:n], left
}

// compare keeps the candidates that are equal in all keys.
func (p *prober) compare() {
	for k := range p.keys.views {
		p.compareKey(k)
	}
}

func (p *prober) compareKey(k int) {
	probed, built := p.keys.numbers[k], p.table.numbers[k]
	kept := p.candidates[:0]
	v := &p.keys.views[k]
	if exactRanks(v.layout) {
		for _, c := range p.candidates {
			if probed[c.row] == built[c.built] {
				kept = append(kept, c)
			}
		}
	} else {
		for _, c := range p.candidates {
			if probed[c.row] != built[c.built] {
				continue
			}
			at := p.table.places[c.built]
			if compareEqualRanks(v, p.from+int(c.row), &p.table.keys[k][at.batch], int(at.row)) == 0 {
				kept = append(kept, c)
			}
		}
	}
	p.candidates = kept
}

// settle does with the candidates, which match now, what the kind of join asks for.
func (p *prober) settle(ctx context.Context) error {
	if p.matched != nil {
		for _, c := range p.candidates {
			row := p.from + int(c.row)
			p.matched[row/64] |= 1 << (row % 64)
		}
	}
	if p.once() {
		p.settleOnce()
		return nil
	}
	if p.table.matched != nil {
		for _, c := range p.candidates {
			p.table.mark(c.built)
		}
	}
	for left := p.candidates; len(left) > 0; {
		n := min(len(left), p.join.most-len(p.pairs[p.side]))
		probed, built := p.pairs[p.side], p.pairs[p.table.side]
		for _, c := range left[:n] {
			probed = append(probed, place{0, uint32(p.from) + c.row})
			built = append(built, p.table.places[c.built])
		}
		p.pairs[p.side], p.pairs[p.table.side] = probed, built
		if left = left[n:]; len(probed) == p.join.most {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleOnce closes rows that need not be looked at any more. One of a chunk of the left is when it has
// matched. Those of the right are to find all rows of the table that they match: but these match
// the same, if there is no condition, so who finds one of them marked finds all marked, now or soon.
func (p *prober) settleOnce() {
	for _, c := range p.candidates {
		if p.table.matched == nil {
			p.done[c.row] = true
		} else if before := p.table.mark(c.built); before && p.asker == nil {
			p.done[c.row] = true
		}
	}
}

func (p *prober) isMatched(row int) bool { return p.matched[row/64]>>(row%64)&1 != 0 }

// halves are the columns of both sides: all parts of the table's, and the chunk.
func (p *prober) halves() (from [2][][]view) {
	from[p.side], from[p.table.side] = p.columns, p.table.columns
	return from
}

// flush sends the pairs.
func (p *prober) flush(ctx context.Context) error {
	err := p.join.emit(ctx, p.halves(), p.pairs)
	p.pairs.clear()
	return err
}

// rest sends the rows of the chunk that are wanted for what they match on the whole.
func (p *prober) rest(ctx context.Context, rows int) error {
	wanted := p.plan.kind == SemiJoin
	var places halves
	for row := range rows {
		if p.isMatched(row) == wanted {
			places[p.side] = append(places[p.side], place{0, uint32(row)})
		}
		if len(places[p.side]) == p.join.most || row == rows-1 {
			if err := p.join.emit(ctx, p.halves(), places); err != nil {
				return err
			}
			places.clear()
		}
	}
	return nil
}

// rest sends the rows of the table that are wanted for what they match on the whole, after all has gone
// past it.
func (t *joinTable) rest(ctx context.Context, j *joining) error {
	if t.matched == nil {
		return nil
	}
	wanted := t.plan.kind == SemiJoin
	var from [2][][]view
	from[t.side] = t.columns
	var places halves
	for row, at := range t.places {
		if t.marked(row) == wanted {
			places[t.side] = append(places[t.side], at)
		}
		if len(places[t.side]) == j.most || row == len(t.places)-1 {
			if err := j.emit(ctx, from, places); err != nil {
				return err
			}
			places.clear()
		}
	}
	return nil
}
