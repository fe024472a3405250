package main

import (
	"hash/maphash"
	"math"
)

// An answer is what a run found, in a form that two engines can be compared by without
// keeping millions of rows: how many there were, and digests of them.
type answer struct {
	rows     int64
	set      uint64 // of the rows, in whatever order they came
	sequence uint64 // of the rows in the order in which they came; zero if that was not asked for
}

// A digest makes an answer of rows that come in blocks, column by column: begin with the
// number of rows, every column once, in the same order on both sides, then end. Both
// engines pay for the same digest, a few nanoseconds for each value, within the time that
// is measured.
type digest struct {
	answer
	ordered bool
	row     []uint64 // hashes of the rows of this block, so far
}

// seed is the same for all digests of a process.
var seed = maphash.MakeSeed()

const (
	factor = 0x9e3779b97f4a7c15 // odd, with bits all over
	null   = 0x6e756c6c         // stands for no value
)

func mix(h, value uint64) uint64 {
	h = (h ^ value) * factor
	return h ^ h>>29
}

func (d *digest) begin(rows int) {
	if cap(d.row) < rows {
		d.row = make([]uint64, rows)
	}
	d.row = d.row[:rows]
	clear(d.row)
}

// ints adds a column, its values times scale.
func (d *digest) ints(values []int64, scale int64, valid validity) {
	for i, v := range values {
		if valid.has(i) {
			d.row[i] = mix(d.row[i], uint64(v*scale))
		} else {
			d.row[i] = mix(d.row[i], null)
		}
	}
}

// floats adds a column. The last bits do not count, because they depend on the order in
// which numbers were added up.
func (d *digest) floats(values []float64, valid validity) {
	const unsure = 12 // bits
	for i, v := range values {
		if valid.has(i) {
			d.row[i] = mix(d.row[i], (math.Float64bits(v)+1<<(unsure-1))>>unsure)
		} else {
			d.row[i] = mix(d.row[i], null)
		}
	}
}

// texts adds a column.
func (d *digest) texts(value func(i int) []byte, valid validity) {
	for i := range d.row {
		if valid.has(i) {
			d.row[i] = mix(d.row[i], maphash.Bytes(seed, value(i)))
		} else {
			d.row[i] = mix(d.row[i], null)
		}
	}
}

func (d *digest) end() {
	d.rows += int64(len(d.row))
	for _, h := range d.row {
		d.set += mix(h, factor)
	}
	if d.ordered {
		for _, h := range d.row {
			d.sequence = mix(d.sequence, h)
		}
	}
}

// A validity says which values of a column are there: a bit for each, least significant
// first, from the bit offset on. Without bits all are.
type validity struct {
	bits   []byte
	offset int
}

func (v validity) has(i int) bool {
	if v.bits == nil {
		return true
	}
	i += v.offset
	return v.bits[i>>3]>>(i&7)&1 == 1
}
