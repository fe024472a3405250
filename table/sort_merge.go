package table

import (
	"context"
	"math"
	"sort"
)

// merging gives out, in order, the rows of several sequences that are each in order. Rows of
// different sequences that are equal come in the order of their turns.
//
// It does not compare the sequences row by row. It cuts off the beginning of each, up to a row that is
// the same for all, and puts what it has cut off in order as a whole. If all rows are there, those to cut at are
// sampled; else it is the first row behind which some sequence has nothing that is there.
type merging struct {
	*kept
	packing   packing
	sequences []sequence // that have rows not cut off yet; by turn
	cuts      []cut      // still to come, if all rows are there
	block     []place    // what was cut off, in order, and not given out yet
	ready     bool       // whether sequences have words
	places    []place    // of the rows of the next chunk

	// more returns the next rows of the sequence that has that turn, which are kept at a
	// free place, or none. It is nil if all rows are there.
	more  func(ctx context.Context, turn int) (sequence, error)
	spent []int // places of batches whose rows were all given out, but some not gathered yet
	free  []int // places free to be used again
}

// A sequence is the rows of a batch, which are in order.
type sequence struct {
	batch uint32
	turn  int
	words []uint64
	next  int // the first row not cut off
}

func (s *sequence) at(row int) place { return place{s.batch, uint32(row)} }

// A cut is between a row and the one that comes next in order.
type cut struct {
	word uint64
	place
}

// last returns the cut behind the last row.
func (s *sequence) last() cut { return cut{s.words[len(s.words)-1], s.at(len(s.words) - 1)} }

// next returns the next rows: at least one, at most so many rows and bytes, or nil after the
// last.
func (m *merging) next(ctx context.Context, rows int, bytes int64) (*Chunk, error) {
	if err := m.choose(ctx, rows, bytes); err != nil || len(m.places) == 0 {
		return nil, err
	}
	defer m.done()
	return m.gather(ctx, m.places)
}

// nextPiece is next for rows that are kept as a piece; one without rows comes after the last.
func (m *merging) nextPiece(ctx context.Context, rows int, bytes int64) (piece, error) {
	if err := m.choose(ctx, rows, bytes); err != nil || len(m.places) == 0 {
		return piece{}, err
	}
	defer m.done()
	return m.gatherPiece(ctx, m.places)
}

// choose puts into places which rows come next: none after the last.
func (m *merging) choose(ctx context.Context, rows int, bytes int64) error {
	if !m.ready {
		if err := m.prepare(ctx, 1); err != nil {
			return err
		}
	}
	m.places = m.places[:0]
	size := m.sizer(rows, bytes)
	for {
		n := size.take(m.block)
		m.places, m.block = append(m.places, m.block[:n]...), m.block[n:]
		if len(m.block) > 0 || len(m.places) > 0 && m.ungathered() > m.chunk() {
			return nil
		}
		if again, err := m.refill(ctx); err != nil || !again {
			return err
		}
	}
}

// ungathered returns the bytes that are kept only to be gathered, while other rows of their sequences are there, too.
func (m *merging) ungathered() (bytes int64) {
	if m.more == nil {
		return 0
	}
	for _, at := range m.spent {
		bytes += m.batches[at].bytes
	}
	return bytes
}

// done lets go of the batches that are not needed any more now that the places were gathered.
func (m *merging) done() {
	for _, at := range m.spent {
		m.clear(at)
	}
	m.free, m.spent = append(m.free, m.spent...), m.spent[:0]
}

// prepare makes the words of all rows that are there, and where they are all, the cuts, such that as many workers as
// there are have room to put a block in order at a time.
func (m *merging) prepare(ctx context.Context, workers int) error {
	m.ready = true
	m.packing = packingOf(m.keys, m.spreads)
	if err := m.wordsOfAll(ctx, workers); err != nil || m.more != nil {
		return err
	}
	// What is left to a full chunk is for blocks that become a bit longer.
	most := min(chunkRows-chunkRows/16, m.rows/spaceShare/workers)
	cuts, err := m.sample(ctx, most)
	m.cuts = cuts
	return err
}

// refill cuts off the next block, which may turn out without rows. It returns false if there are no more.
func (m *merging) refill(ctx context.Context) (again bool, err error) {
	left := m.sequences[:0]
	for _, s := range m.sequences {
		if s.next == len(s.words) {
			m.spent = append(m.spent, int(s.batch))
			if m.more == nil {
				continue
			}
			if s, err = m.more(ctx, s.turn); err != nil {
				return false, err
			}
			if s.words == nil {
				continue
			}
		}
		left = append(left, s)
	}
	m.sequences = left
	if len(left) == 0 {
		return false, nil
	}
	space := &m.space
	space.empty()
	at, all := m.cut()
	for i := range left {
		s := &left[i]
		to := len(s.words)
		if !all {
			to = m.before(s, s.next, at)
		}
		space.add(s, s.next, to)
		s.next = to
	}
	err = space.sort(ctx, m.kept, m.packing.exact)
	m.block = space.places
	return true, err
}

// cut returns where to cut next; all if not at all.
func (m *merging) cut() (at cut, all bool) {
	if m.more == nil {
		if len(m.cuts) == 0 {
			return cut{}, true
		}
		at, m.cuts = m.cuts[0], m.cuts[1:]
		return at, false
	}
	at = m.sequences[0].last()
	for i := range m.sequences[1:] {
		if other := m.sequences[1+i].last(); m.comesBefore(other.word, other.place, at) {
			at = other
		}
	}
	return at, false
}

// comesBefore reports whether a row comes before a cut.
func (m *merging) comesBefore(word uint64, row place, at cut) bool {
	if word != at.word {
		return word < at.word
	}
	return m.compare(m.packing.exact, row, at.place) <= 0
}

// before returns how many rows of a sequence come before a cut, those before from being known to.
func (m *merging) before(s *sequence, from int, at cut) int {
	return from + sort.Search(len(s.words)-from, func(i int) bool {
		return !m.comesBefore(s.words[from+i], s.at(from+i), at)
	})
}

// sample returns where to cut so that blocks have about so many rows: it looks at every so manyth row of each
// sequence, and what it does not look at is an eighth of a block or so.
func (m *merging) sample(ctx context.Context, rows int) ([]cut, error) {
	if rows = max(1, rows); m.rows <= rows {
		return nil, nil
	}
	every := max(8, rows/8/len(m.sequences))
	space := &m.space
	space.empty()
	for i := range m.sequences {
		s := &m.sequences[i]
		for row := every - 1; row < len(s.words); row += every {
			space.words, space.places = append(space.words, s.words[row]), append(space.places, s.at(row))
		}
	}
	if err := space.sort(ctx, m.kept, m.packing.exact); err != nil {
		return nil, err
	}
	blocks := (m.rows + rows - 1) / rows
	each := float64(len(space.words)) / float64(blocks)
	var cuts []cut
	for block := 1; block < blocks; block++ {
		if i := int(math.Round(float64(block)*each)) - 1; i >= 0 {
			cuts = append(cuts, cut{space.words[i], space.places[i]})
		}
	}
	return cuts, nil
}

// keep puts a batch of rows in order at a free place and returns them.
func (m *merging) keep(batch keptBatch) sequence {
	at := len(m.batches)
	if last := len(m.free) - 1; last >= 0 {
		at, m.free = m.free[last], m.free[:last]
	}
	m.place(at, batch)
	if !m.ready {
		m.ready, m.packing = true, packingOf(m.keys, m.spreads)
	}
	var words []uint64
	words, m.space.ranks = m.words(&m.packing, at, m.space.ranks)
	return sequence{batch: uint32(at), turn: batch.turn, words: words}
}

func (m *merging) release() {
	m.kept.release()
	m.sequences, m.block, m.spent, m.free = nil, nil, nil, nil
}
