package expr

import "github.com/apache/arrow-go/v18/arrow"

// Memory for a text has to be asked for before it is there, but how long it is shows only when it is
// calculated. So what is calculated to measure it is kept, as far as keptText goes, and copied; only what
// is beyond that is calculated again.

// keptText is the bytes that an evaluator keeps of the text of one batch, in memory that nobody counts.
const keptText = 2 << 20

// A measurement is the text of a batch, as far as it is kept.
type measurement struct {
	batch arrow.RecordBatch // nil if there is none
	bytes int64             // of all text

	rows  int     // that are kept, whole strips
	ends  []int32 // where the text of each ends
	text  []byte
	valid []uint64 // which are not null
}

// forget leaves the memory for the next batch.
func (m *measurement) forget() {
	m.batch, m.bytes, m.rows = nil, 0, 0
	m.ends, m.text, m.valid = m.ends[:0], m.text[:0], m.valid[:0]
}

// measure evaluates texts.
func (e *Evaluator) measure(batch arrow.RecordBatch) error {
	m := &e.measured
	if m.batch == batch {
		return nil
	}
	m.forget()
	if err := e.open(batch); err != nil {
		return err
	}
	defer e.close()
	keep := true
	err := e.each(int(batch.NumRows()), func(v *vector) {
		bytes := m.bytes + textBytes(v, e.rows)
		if keep = keep && bytes+4*int64(m.rows+e.rows) <= keptText; keep {
			m.keep(v, e.rows)
		}
		m.bytes = bytes
	})
	if err != nil {
		m.forget()
		return err
	}
	m.batch = batch
	return nil
}

func textBytes(v *vector, n int) (bytes int64) {
	if v.packed != "" {
		return int64(len(v.packed))
	}
	for i, s := range v.texts[:n] {
		if holds(v.valid, i) {
			bytes += int64(len(s))
		}
	}
	return bytes
}

// keep adds a strip.
func (m *measurement) keep(v *vector, n int) {
	m.rows += n
	if v.packed != "" {
		m.text = append(m.text, v.packed...)
		end := len(m.text) - len(v.packed)
		for _, s := range v.texts[:n] {
			end += len(s)
			m.ends = append(m.ends, int32(end))
		}
	} else {
		for i, s := range v.texts[:n] {
			if holds(v.valid, i) {
				m.text = append(m.text, s...)
			}
			m.ends = append(m.ends, int32(len(m.text)))
		}
	}
	var valid [stripWords]uint64
	fill(valid[:], true)
	copy(valid[:], v.valid)
	m.valid = append(m.valid, valid[:]...)
}

// take writes the rows that are kept, and returns how many.
func (o *output) take(m *measurement) (rows int) {
	copy(o.ends[1:], m.ends)
	o.at = int32(copy(o.text.Bytes(), m.text))
	for first := 0; first < m.rows; first += stripRows {
		at := first / 64
		o.storeNulls(&vector{valid: m.valid[at : at+stripWords]}, first, min(stripRows, m.rows-first))
	}
	return m.rows
}
