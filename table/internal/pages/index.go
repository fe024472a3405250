package pages

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

const (
	// maxHeader is the most bytes a page's header may take: a few dozen, plus the
	// smallest and the largest value of the page.
	maxHeader = 64 << 10
	// usualHeader is how many bytes are read in the hope that a header is among them.
	usualHeader = 4 << 10
)

var errPageEnds = errors.New("ends in the middle of a page")

// A chunk is the part of a column that lies in one row group, as its page headers
// describe it.
type chunk struct {
	in       io.ReaderAt
	name     string
	typ      arrow.DataType // what it is read as
	stored   storage
	codec    format.CompressionCodec
	optional bool

	dict  *entry // nil if there is none
	pages []*entry
}

// An entry is a page of the index: what its header says, and, while several pieces
// need it, what it holds. The header is believed only as far as where the page is;
// how many values there are is checked again when they are decoded.
type entry struct {
	number     int   // in the chunk, counting from 0
	body       int64 // where in the file its bytes are
	packed     int   // how many there are
	unpacked   int   // and how many there will be
	first      int   // row, in the row group
	rows       int   // or entries, if it is the dictionary
	dictionary bool
	encoding   format.Encoding
	levels     format.Encoding // of the first kind of page: how nulls are marked
	checksum   uint32          // 0 if there is none
	absent     bool            // only where it is in the row group is known: nobody wants its rows

	second     bool // kind of page: levels stand before the values, never compressed
	repetition int  // bytes of levels
	definition int
	stored     bool // though the chunk is compressed, this page is not

	text    int64 // the most bytes of text that come from it, see measure
	longest int64 // entry of a dictionary, where that matters

	shared sharedPage
}

func (e *entry) end() int { return e.first + e.rows }

func (e *entry) fail(err error) error { return fmt.Errorf("page %d: %w", e.number, err) }

// walker goes from header to header of a chunk, leaving out what is between them.
type walker struct {
	in       io.ReaderAt
	at       int64 // next header
	left     int64 // bytes of the chunk from there on
	unpacked int64 // bytes that the pages from there on may decompress to
	codec    format.CompressionCodec
	window   []byte
}

// index finds the pages of a chunk with so many rows, which lies in the size bytes
// from start on and decompresses to at most unpacked bytes.
func (c *chunk) index(ctx context.Context, rows int, start, size, unpacked int64) error {
	w := walker{in: c.in, at: start, left: size, unpacked: unpacked, codec: c.codec}
	for n, first := 0, 0; first < rows; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if w.left == 0 {
			return fmt.Errorf("ends %d rows early", rows-first)
		}
		e, header, err := w.entry(n, first)
		if err != nil {
			return fmt.Errorf("page %d: %w", n, err)
		}
		switch header.Type {
		case format.DictionaryPage:
			err = c.addDictionary(e, header)
		case format.DataPage, format.DataPageV2:
			if err = e.describe(header, rows-first); err == nil {
				c.pages = append(c.pages, e)
				first += e.rows
			}
		default: // index pages, and what later versions may add
		}
		if err != nil {
			return e.fail(err)
		}
	}
	return nil
}

// entry goes over the next page, and returns it with its header.
func (w *walker) entry(number, first int) (*entry, *format.PageHeader, error) {
	header, err := w.next()
	if err != nil {
		return nil, nil, err
	}
	return &entry{
		number: number, first: first, body: w.at - int64(header.CompressedPageSize),
		packed: int(header.CompressedPageSize), unpacked: int(header.UncompressedPageSize),
		checksum: uint32(header.CRC),
	}, header, nil
}

func (c *chunk) addDictionary(e *entry, h *format.PageHeader) error {
	switch {
	case c.dict != nil:
		return errors.New("a second dictionary")
	case len(c.pages) > 0:
		return errors.New("a dictionary after pages that could need it")
	case !h.DictionaryPageHeader.Valid:
		return errors.New("dictionary without its header")
	}
	head := h.DictionaryPageHeader.V
	if head.NumValues < 0 {
		return fmt.Errorf("dictionary of %d entries", head.NumValues)
	}
	e.dictionary, e.rows, e.encoding = true, int(head.NumValues), head.Encoding
	if e.encoding == oldDictionary {
		e.encoding = format.Plain
	}
	c.dict = e
	return nil
}

// describe fills in what the header of a data page says. left is how many rows of
// the row group there may be in it.
func (e *entry) describe(h *format.PageHeader, left int) error {
	switch {
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		head := &h.DataPageHeader.V
		e.rows, e.encoding, e.levels = int(head.NumValues), head.Encoding, head.DefinitionLevelEncoding
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		if err := e.describeSecond(&h.DataPageHeaderV2.V); err != nil {
			return err
		}
	default:
		return errors.New("data page without its header")
	}
	if e.rows < 0 || e.rows > left {
		return fmt.Errorf("%d rows, where the row group has %d left", e.rows, left)
	}
	return nil
}

func (e *entry) describeSecond(h *format.DataPageHeaderV2) error {
	repetition, definition := int64(h.RepetitionLevelsByteLength), int64(h.DefinitionLevelsByteLength)
	if levels := repetition + definition; repetition < 0 || definition < 0 ||
		levels > int64(e.packed) || levels > int64(e.unpacked) {
		return errPageEnds
	}
	if h.NumRows != h.NumValues {
		return fmt.Errorf("%d rows with %d values in a flat column", h.NumRows, h.NumValues)
	}
	e.second, e.rows, e.encoding = true, int(h.NumValues), h.Encoding
	e.repetition, e.definition = int(repetition), int(definition)
	if h.IsCompressed.Valid && !h.IsCompressed.V {
		e.stored, e.unpacked = true, e.packed
	}
	return nil
}

// next returns the next header and steps over the page after it.
func (w *walker) next() (*format.PageHeader, error) {
	size, head, err := w.look(usualHeader)
	if errors.Is(err, errShort) {
		size, head, err = w.look(maxHeader)
	}
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	header := new(format.PageHeader)
	protocol := new(thrift.CompactProtocol)
	if err := thrift.NewDecoder(protocol.NewReaderFromBytes(head[:size])).Decode(header); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	w.at, w.left = w.at+int64(size), w.left-int64(size)
	if err := w.check(header); err != nil {
		return nil, err
	}
	w.unpacked -= int64(header.UncompressedPageSize)
	w.at += int64(header.CompressedPageSize)
	w.left -= int64(header.CompressedPageSize)
	return header, nil
}

// look reads up to n bytes and returns how many of them are the header.
func (w *walker) look(n int64) (size int, head []byte, err error) {
	n = min(n, w.left)
	if int64(cap(w.window)) < n {
		w.window = make([]byte, n)
	}
	head = w.window[:n]
	if _, err := w.in.ReadAt(head, w.at); err != nil {
		return 0, nil, unexpected(err)
	}
	size, err = thriftSize(head)
	return size, head, err
}

// check refuses sizes that cannot be.
func (w *walker) check(h *format.PageHeader) error {
	packed, unpacked := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
	switch {
	case packed < 0 || unpacked < 0:
		return fmt.Errorf("header: %d bytes compressed, %d uncompressed", packed, unpacked)
	case packed > w.left:
		return fmt.Errorf("header: %d bytes, where the column has %d left", packed, w.left)
	case unpacked > w.unpacked:
		return fmt.Errorf("header: %d bytes uncompressed, where the column has %d left", unpacked, w.unpacked)
	case w.codec == format.Uncompressed && unpacked != packed:
		return fmt.Errorf("header: %d bytes not compressed, and %d", packed, unpacked)
	case unpacked > (packed+64)*maxRatio(w.codec):
		return fmt.Errorf("header: %d bytes from %d, more than %v can save", unpacked, packed, w.codec)
	}
	return nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errPageEnds
	}
	return err
}
