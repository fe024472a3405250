package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go/format"
)

// readAhead is how many bytes of a column are read at a time, if its pages are not
// larger.
const readAhead = 512 << 10

// A page is what a column needs of a page: values still encoded, but no longer
// compressed. The slices are only valid until the next page.
type page struct {
	rows     int // or entries of a dictionary
	encoding format.Encoding
	levels   []byte // nil for a required column
	data     []byte

	// The rows wanted of it, and the most bytes of text that the pages after it
	// may have.
	skip, take int
	moreText   int64

	marks []mark // into dictionary codes, if they were made
}

// wanted says which of the values of a page are wanted: n after the first skip, out of
// no more than all.
type wanted struct{ skip, n, all int }

// check refuses a number of values that does not fit.
func (v wanted) check(found uint64, what string) error {
	if found < uint64(v.skip+v.n) || found > uint64(v.all) {
		return fmt.Errorf("%d %s instead of %d", found, what, v.all)
	}
	return nil
}

// pageReader brings pages of one column into memory.
type pageReader struct {
	chunk *chunk
	until int64 // where in the file the last page wanted ends

	window scratch[byte] // part of the file
	at     int64         // where it begins
	held   int           // and how long it is
	plain  scratch[byte]
}

func newPageReader(mem memory.Allocator) *pageReader {
	return &pageReader{window: scratch[byte]{mem: mem}, plain: scratch[byte]{mem: mem}}
}

func (r *pageReader) reset(c *chunk, until int64) { r.chunk, r.until, r.held = c, until, 0 }

func (r *pageReader) release() {
	r.window.release()
	r.plain.release()
}

// read returns a page in memory of the reader's own.
func (r *pageReader) read(e *entry) (page, error) {
	raw, err := r.body(e)
	if err != nil {
		return page{}, err
	}
	if r.chunk.codec == format.Uncompressed {
		return r.chunk.open(e, raw)
	}
	plain := r.plain.of(e.unpacked)
	if err := r.chunk.unpack(e, plain, raw); err != nil {
		return page{}, err
	}
	return r.chunk.open(e, plain)
}

// body returns the bytes after the header, as they are in the file.
func (r *pageReader) body(e *entry) ([]byte, error) {
	if e.body < r.at || e.body+int64(e.packed) > r.at+int64(r.held) {
		size := windowSize(e, r.until)
		r.held = 0
		window := r.window.of(size)
		if _, err := r.chunk.in.ReadAt(window, e.body); err != nil {
			return nil, unexpected(err)
		}
		r.at, r.held = e.body, size
	}
	from := int(e.body - r.at)
	raw := r.window.of(r.held)[from : from+e.packed]
	// A checksum of zero is taken for none: the header does not say which it is.
	if e.checksum != 0 && e.checksum != crc32.ChecksumIEEE(raw) {
		return nil, errors.New("checksum mismatch")
	}
	return raw, nil
}

// windowSize is how many bytes are read when a page is wanted, and then others up to
// a place in the file.
func windowSize(e *entry, until int64) int {
	return max(e.packed, int(min(readAhead, until-e.body)))
}

// unpack decompresses a page. Into is as long as the page is
// then: levels and values one after the other, whichever of them were compressed.
func (c *chunk) unpack(e *entry, into, raw []byte) error {
	if e.stored || c.codec == format.Uncompressed {
		copy(into, raw)
		return nil
	}
	levels := e.repetition + e.definition
	copy(into, raw[:levels])
	if into, raw = into[levels:], raw[levels:]; len(into) == 0 {
		return nil // some writers compress nothing to nothing
	}
	return decompress(c.codec, into, raw)
}

// open takes a page apart that is no longer compressed.
func (c *chunk) open(e *entry, plain []byte) (page, error) {
	p := page{rows: e.rows, encoding: e.encoding, data: plain, take: e.rows}
	switch {
	case e.second:
		p.data = plain[e.repetition+e.definition:]
		if c.optional {
			p.levels = plain[e.repetition : e.repetition+e.definition]
		}
	case c.optional && !e.dictionary:
		if e.levels != format.RLE {
			return p, fmt.Errorf("definition levels in encoding %v, which is not supported", e.levels)
		}
		if len(plain) < 4 {
			return p, errPageEnds
		}
		n := int64(binary.LittleEndian.Uint32(plain))
		plain = plain[4:]
		if n > int64(len(plain)) {
			return p, errPageEnds
		}
		p.levels, p.data = plain[:n], plain[n:]
	}
	return p, nil
}
