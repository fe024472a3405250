package table

import "github.com/apache/arrow-go/v18/arrow"

// A sizer says how many rows make a chunk that is neither too long nor too large.
type sizer struct {
	columns [][]view
	texts   []int // columns whose rows have sizes of their own
	rows    int   // how many more there may be
	bits    int64 // how much more they may take
	row     int64 // what each takes, in bits, beside its texts
	first   bool
}

// sizer starts on a chunk of so many rows and bytes at most, but of one row at least.
func (k *kept) sizer(rows int, bytes int64) sizer {
	const plenty = 1 << 40
	s := sizer{columns: k.columns, rows: rows, bits: 8 * min(bytes, plenty), first: true}
	for i, f := range k.schema.Fields() {
		s.row++ // whether it is null
		switch layout, _ := layoutOf(f.Type); layout {
		case layoutNull:
		case layoutBool:
			s.row++
		case layoutText:
			s.row += 32
			if bytes < plenty { // else there is no need to look
				s.texts = append(s.texts, i)
			}
		default:
			s.row += 8 * int64(f.Type.(arrow.FixedWidthDataType).Bytes())
		}
	}
	return s
}

// takes reports whether the chunk takes another row, and counts it.
func (s *sizer) takes(p place) bool {
	if s.rows == 0 {
		return false
	}
	need := s.row
	for _, c := range s.texts {
		if v := &s.columns[c][p.batch]; !v.null(int(p.row)) {
			need += 8 * int64(len(v.text.at(int(p.row))))
		}
	}
	if need > s.bits && !s.first {
		return false
	}
	s.first = false
	s.rows--
	s.bits -= need
	return true
}

// take returns how many of these rows the chunk takes, and counts them.
func (s *sizer) take(rows []place) int {
	n := 0
	for n < len(rows) && (s.first || len(s.texts) > 0) && s.takes(rows[n]) {
		n++
	}
	if len(s.texts) == 0 { // all are of one size
		more := max(0, min(len(rows)-n, s.rows, int(s.bits/s.row)))
		s.rows -= more
		s.bits -= int64(more) * s.row
		n += more
	}
	return n
}
