package pages

import (
	"fmt"
	"math"
	"sort"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/parquet-go/parquet-go/format"
)

// A Bound is the most bytes that reading a piece takes from its allocator. It comes
// from the headers of the pages, before anything is decoded, and holds for any file:
// what turns out to need more than its headers say is damaged, and ends in an error.
//
// What is not counted, because it is on the Go heap, does not grow with the piece: the
// index of the pages, and what the decompressors keep for themselves (a window of up
// to 16 MiB for brotli, up to 8 MiB for zstd, little for the others).
type Bound struct {
	Kept    int64 // the buffers of the batch
	Scratch int64 // what is given back by the time the piece is read and released
}

// part is the rows of a page that belong to a piece.
type part struct {
	*entry
	skip, take int
	shared     bool  // with another piece: the page is unpacked once for both
	moreText   int64 // the most bytes of text of the parts after it
}

// plan is what reading a piece of one chunk takes.
type plan struct {
	*chunk
	parts []part
	coded bool // some part needs the dictionary
	rows  int
	until int64 // where in the file the last part ends

	entries int   // the most entries of an Arrow dictionary
	text    int64 // the most bytes of text, but for those of a dictionary
	exact   bool  // entries and text are not only bounds
}

// plan cuts rows out of the chunk.
func (c *chunk) plan(from, rows int) plan {
	p := plan{chunk: c, rows: rows, exact: true}
	first := sort.Search(len(c.pages), func(i int) bool { return c.pages[i].end() > from })
	for _, e := range c.pages[first:] {
		if e.first >= from+rows {
			break
		}
		if e.rows == 0 {
			continue
		}
		if e.absent {
			panic(fmt.Sprintf("pages: rows %d to %d are not among those wanted when the row group was opened", from, from+rows))
		}
		skip := max(0, from-e.first)
		take := min(e.end(), from+rows) - e.first - skip
		whole := take == e.rows
		p.parts = append(p.parts, part{entry: e, skip: skip, take: take, shared: !whole && c.codec != format.Uncompressed})
		p.coded = p.coded || isDictionary(e.encoding)
		p.until = e.body + int64(e.packed)
	}
	p.countText()
	return p
}

// countText bounds the text of the parts, from the last to the first: each says how
// much may come after it.
func (p *plan) countText() {
	coded := p.typ.ID() == arrow.DICTIONARY
	if !coded && !isText(p.typ) {
		return
	}
	for i := len(p.parts) - 1; i >= 0; i-- {
		part := &p.parts[i]
		part.moreText = p.text
		switch {
		case !isDictionary(part.encoding):
			p.text += part.text
			p.entries += part.take
			p.exact = false
		case !coded:
			p.text += int64(part.take) * p.longest()
			p.exact = false
		}
		p.text = min(p.text, math.MaxInt32) // beyond, reading ends in an error
	}
	if coded && p.coded && p.dict != nil {
		p.entries += p.dict.held(4)
		p.exact = p.exact && p.dict.encoding == format.Plain
	}
}

func (c *chunk) longest() int64 {
	if c.dict == nil {
		return 0
	}
	return c.dict.longest
}

// held bounds the entries of a dictionary by what there are bytes for.
func (e *entry) held(width int) int {
	if e.encoding == format.Plain {
		return min(e.rows, e.unpacked/width)
	}
	return e.rows
}

// kept returns the bytes of the Arrow buffers, and how many of them may have to be
// there twice: those whose size is not known before they are filled are cut to it,
// and very large ones grow as they are filled.
func (p *plan) kept() (total, twice int64) {
	buffer := func(n, width int64, exact bool) {
		bytes := slabBytes(n, width)
		total += bytes
		if !exact || bytes > trusted {
			twice += bytes
		}
	}
	rows, bitmap := int64(p.rows), bitutil.BytesForBits(int64(p.rows))
	if p.optional {
		buffer(bitmap, 1, true)
	}
	switch typ := p.typ.(type) {
	case *arrow.BooleanType:
		buffer(bitmap, 1, true)
	case *arrow.StringType, *arrow.BinaryType:
		buffer(rows+1, 4, true)
		buffer(p.text, 1, p.exact)
	case *arrow.DictionaryType:
		text := p.text
		if p.coded && p.dict != nil {
			text = min(text+p.dict.text, math.MaxInt32)
		}
		buffer(rows, 4, true)
		buffer(int64(p.entries)+1, 4, p.exact)
		buffer(text, 1, p.exact)
	case arrow.FixedWidthDataType:
		buffer(rows, int64(typ.Bytes()), true)
	}
	return total, twice
}

// scratch returns the bytes that decoding takes besides, but for the pages.
func (p *plan) scratch() int64 {
	var most needs
	for _, part := range p.parts {
		most.raise(p.decoding(part.entry, part.take))
	}
	if p.coded && p.dict != nil {
		most.dictionary = p.decodingDictionary()
	}
	return most.total()
}

// needs are the scratch buffers of a column, in bytes. Each is as large as the page
// that needs most of it.
type needs struct{ codes, values, split, spans, lengths, prefixes, rebuilt, dictionary int64 }

func (n *needs) raise(to needs) {
	n.codes = max(n.codes, to.codes)
	n.values = max(n.values, to.values)
	n.split = max(n.split, to.split)
	n.spans = max(n.spans, to.spans)
	n.lengths = max(n.lengths, to.lengths)
	n.prefixes = max(n.prefixes, to.prefixes)
	n.rebuilt = max(n.rebuilt, to.rebuilt)
}

func (n *needs) total() int64 {
	return n.codes + n.values + n.split + n.spans + n.lengths + n.prefixes + n.rebuilt + n.dictionary
}

// decoding returns what it takes to decode so many rows of a page.
func (p *plan) decoding(e *entry, take int) needs {
	switch typ := p.typ.(type) {
	case *arrow.BooleanType:
		return needs{values: bytesFor(int(bitutil.BytesForBits(int64(take))), 1)}
	case *arrow.StringType, *arrow.BinaryType:
		if isDictionary(e.encoding) {
			return needs{codes: lookingUp(take), spans: bytesFor(take, 8)}
		}
		return locating(e, take)
	case *arrow.DictionaryType:
		if isDictionary(e.encoding) {
			return needs{}
		}
		return locating(e, take)
	case arrow.FixedWidthDataType:
		if p.stored.packed() {
			return decodingPacked(e, take, p.stored.width)
		}
		return decodingFixed(e, take, typ.Bytes(), p.stored.width)
	}
	return needs{}
}

func decodingFixed(e *entry, take, width, stored int) needs {
	cast := width != stored
	var n needs
	switch {
	case isDictionary(e.encoding):
		n.codes = lookingUp(take)
	case e.encoding == format.DeltaBinaryPacked && (cast || take < e.rows):
		n.values = bytesFor(e.rows, stored)
	case cast:
		n.values = bytesFor(take, stored)
	}
	if e.encoding == format.ByteStreamSplit && take < e.rows {
		n.split = bytesFor(take*stored, 1)
	}
	return n
}

func decodingPacked(e *entry, take, width int) needs {
	if isDictionary(e.encoding) {
		return needs{codes: lookingUp(take)}
	}
	n := locating(e, take)
	if e.encoding == format.ByteStreamSplit {
		n.split = bytesFor(take*width, 1)
	}
	return n
}

// lookingUp is what it takes to look so many values up in a dictionary.
func lookingUp(take int) int64 { return bytesFor(min(take, codesAtATime), 4) }

// locating is what it takes to find strings that are not dictionary encoded.
func locating(e *entry, take int) needs {
	n := needs{spans: bytesFor(take, 8)}
	switch e.encoding {
	case format.DeltaByteArray:
		n.prefixes, n.rebuilt = bytesFor(e.rows, 4), bytesFor(int(e.text), 1)
		fallthrough
	case format.DeltaLengthByteArray:
		n.lengths = bytesFor(e.rows, 4)
	}
	return n
}

func (p *plan) decodingDictionary() int64 {
	switch typ := p.typ.(type) {
	case *arrow.StringType, *arrow.BinaryType, *arrow.DictionaryType:
		n := locating(p.dict, p.dict.held(4))
		return n.total()
	case arrow.FixedWidthDataType:
		if p.stored.packed() {
			entries := p.dict.held(max(p.stored.width, 1))
			n := decodingPacked(p.dict, entries, p.stored.width)
			return bytesFor(entries, typ.Bytes()) + n.total()
		}
		entries := p.dict.held(p.stored.width)
		n := decodingFixed(p.dict, entries, typ.Bytes(), p.stored.width)
		return bytesFor(entries, typ.Bytes()) + n.total()
	}
	return 0
}

// bytesFor is scratchBytes for values of a width not known to the compiler.
func bytesFor(n, width int) int64 { return int64(scratchBytes[byte](n * width)) }

// pages returns the bytes of what is read, of what is unpacked for this piece alone, and
// of what is unpacked for others, too. Pages that are there already count for nothing,
// unless they may be gone by then; the lock of the row group is held for the former.
func (p *plan) pages(there bool) (window, private, shared int64) {
	read := func(e *entry, alone bool) {
		switch {
		case alone && p.codec != format.Uncompressed:
			private = max(private, bytesFor(e.unpacked, 1))
		case !alone && there && e.shared.plain != nil:
			return
		case !alone:
			shared += bytesFor(e.unpacked, 1)
		}
		window = max(window, bytesFor(windowSize(e, p.until), 1))
	}
	for _, part := range p.parts {
		read(part.entry, !part.shared)
	}
	if p.coded && p.dict != nil {
		read(p.dict, false)
	}
	return window, private, shared
}

// bound adds up what reading the plans takes, one after the other in any order.
func bound(plans []plan, there bool) (b Bound) {
	var window, private, decoding int64
	for i := range plans {
		p := &plans[i]
		kept, twice := p.kept()
		read, unpacked, shared := p.pages(there)
		b.Kept += kept
		b.Scratch += shared
		window, private = max(window, read), max(private, unpacked)
		decoding = max(decoding, p.scratch()+twice)
	}
	b.Scratch += window + private + decoding
	return b
}
