package table

import "context"

// merging gives out, in order, the rows of several sequences that are each in order. Rows of
// different sequences that are equal come in the order of their turns.
type merging struct {
	*kept
	heads  [][]entry // of each sequence, what was not given out yet; a heap by the first
	ready  bool      // whether it is a heap already
	places []place   // of the rows of the next chunk

	// more returns the next rows of the sequence that has that turn, which are kept at a
	// free place, or nil. It is nil if all rows are there.
	more  func(ctx context.Context, turn int) ([]entry, error)
	spent []int // places of batches whose rows were all given out, but some not gathered yet
	free  []int // places free to be used again
}

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
	if err := ctx.Err(); err != nil {
		return err
	}
	if !m.ready {
		m.ready = true
		for i := len(m.heads)/2 - 1; i >= 0; i-- {
			m.sink(i)
		}
	}
	m.places = m.places[:0]
	size := m.sizer(rows, bytes)
	for spent := int64(0); len(m.heads) > 0 && spent <= m.chunk() && size.takes(m.heads[0][0].place); m.sink(0) {
		head := m.heads[0]
		m.places = append(m.places, head[0].place)
		if len(head) > 1 {
			m.heads[0] = head[1:]
			continue
		}
		if m.more != nil { // else there is nothing to wait for with it
			spent += m.batches[head[0].batch].bytes
		}
		if err := m.advance(ctx); err != nil {
			return err
		}
	}
	return nil
}

// done lets go of the batches that are not needed any more now that the places were gathered.
func (m *merging) done() {
	for _, at := range m.spent {
		m.clear(at)
	}
	m.free, m.spent = append(m.free, m.spent...), m.spent[:0]
}

// advance goes on with the next rows of the first sequence, all of whose rows were given
// out that are there.
func (m *merging) advance(ctx context.Context) error {
	at := int(m.heads[0][0].batch)
	m.spent = append(m.spent, at)
	if m.more != nil {
		rows, err := m.more(ctx, m.batches[at].turn)
		if err != nil {
			return err
		}
		if rows != nil {
			m.heads[0] = rows
			return nil
		}
	}
	last := len(m.heads) - 1
	m.heads[0], m.heads[last] = m.heads[last], nil
	m.heads = m.heads[:last]
	return nil
}

// keep puts a batch at a free place and returns its rows.
func (m *merging) keep(batch keptBatch) []entry {
	at := len(m.batches)
	if last := len(m.free) - 1; last >= 0 {
		at, m.free = m.free[last], m.free[:last]
	}
	m.place(at, batch)
	return m.entries(at)
}

// sink moves the sequence at i down the heap to where it belongs.
func (m *merging) sink(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(m.heads); child++ {
			if m.compare(m.heads[child][0], m.heads[least][0]) < 0 {
				least = child
			}
		}
		if least == i {
			return
		}
		m.heads[i], m.heads[least] = m.heads[least], m.heads[i]
		i = least
	}
}

func (m *merging) release() {
	m.kept.release()
	m.heads, m.spent, m.free = nil, nil, nil
}
