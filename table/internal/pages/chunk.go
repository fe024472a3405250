package pages

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/parquet-go/bitpack"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// maxHeader is the most bytes a page's header may take: a few dozen, plus the
// smallest and the largest value of the page.
const maxHeader = 64 << 10

var errPageEnds = errors.New("ends in the middle of a page")

// A page is what a column needs of a page: values still encoded, but no longer
// compressed. The slices are only valid until the next page.
type page struct {
	rows     int // or entries of a dictionary
	encoding format.Encoding
	levels   []byte // nil for a required column
	data     []byte
}

// chunkReader reads the pages of one column chunk.
type chunkReader struct {
	in       *bufio.Reader
	left     int64 // bytes of the chunk not read yet
	unpacked int64 // bytes that its pages may yet decompress to
	codec    format.CompressionCodec
	optional bool

	raw, plain scratch
}

// scratch is memory reused from page to page. It has room beyond its end for the
// bit unpackers, which load whole words.
type scratch []byte

func (s *scratch) of(n int) []byte {
	if cap(*s) < n+bitpack.PaddingInt64 {
		*s = make([]byte, n+bitpack.PaddingInt64)
	}
	return (*s)[:n]
}

// read passes the pages of a chunk with rows rows to into.
func (c *chunkReader) read(ctx context.Context, rows int, into column) error {
	dictionary := false
	for n := 0; rows > 0; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if c.left == 0 {
			return fmt.Errorf("ends %d rows early", rows)
		}
		header, err := c.header()
		if err != nil {
			return fmt.Errorf("page %d: %w", n, err)
		}
		var p page
		switch header.Type {
		case format.DictionaryPage:
			if dictionary {
				return fmt.Errorf("page %d: a second dictionary", n)
			}
			dictionary = true
			if p, err = c.dictionary(header); err == nil {
				err = into.dictionary(p)
			}
		case format.DataPage, format.DataPageV2:
			if p, err = c.data(header, rows); err == nil {
				err = into.append(p)
				rows -= p.rows
			}
		default: // index pages, and what later versions may add
			_, err = c.body(header)
		}
		if err != nil {
			return fmt.Errorf("page %d: %w", n, err)
		}
	}
	return nil
}

func (c *chunkReader) header() (*format.PageHeader, error) {
	window, err := c.in.Peek(int(min(maxHeader, c.left)))
	if err != nil && len(window) == 0 {
		return nil, unexpected(err)
	}
	size, err := thriftSize(window)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	header := new(format.PageHeader)
	protocol := new(thrift.CompactProtocol)
	if err := thrift.NewDecoder(protocol.NewReaderFromBytes(window[:size])).Decode(header); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if _, err := c.in.Discard(size); err != nil {
		return nil, unexpected(err)
	}
	c.left -= int64(size)
	return header, c.check(header)
}

// check refuses sizes that cannot be.
func (c *chunkReader) check(h *format.PageHeader) error {
	packed, unpacked := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
	switch {
	case packed < 0 || unpacked < 0:
		return fmt.Errorf("header: %d bytes compressed, %d uncompressed", packed, unpacked)
	case packed > c.left:
		return fmt.Errorf("header: %d bytes, where the column has %d left", packed, c.left)
	case unpacked > c.unpacked:
		return fmt.Errorf("header: %d bytes uncompressed, where the column has %d left", unpacked, c.unpacked)
	case c.codec == format.Uncompressed && unpacked != packed:
		return fmt.Errorf("header: %d bytes not compressed, and %d", packed, unpacked)
	case unpacked > (packed+64)*maxRatio(c.codec):
		return fmt.Errorf("header: %d bytes from %d, more than %v can save", unpacked, packed, c.codec)
	}
	c.unpacked -= unpacked
	return nil
}

// body returns the bytes after the header, as they are in the file.
func (c *chunkReader) body(h *format.PageHeader) ([]byte, error) {
	raw := c.raw.of(int(h.CompressedPageSize))
	if _, err := io.ReadFull(c.in, raw); err != nil {
		return nil, unexpected(err)
	}
	c.left -= int64(len(raw))
	// A checksum of zero is taken for none: the header does not say which it is.
	if h.CRC != 0 && uint32(h.CRC) != crc32.ChecksumIEEE(raw) {
		return nil, errors.New("checksum mismatch")
	}
	return raw, nil
}

func (c *chunkReader) unpack(size int, packed []byte) ([]byte, error) {
	if c.codec == format.Uncompressed {
		return packed, nil
	}
	plain := c.plain.of(size)
	if size == 0 {
		return plain, nil // some writers compress nothing to nothing
	}
	return plain, decompress(c.codec, plain, packed)
}

func (c *chunkReader) dictionary(h *format.PageHeader) (page, error) {
	if !h.DictionaryPageHeader.Valid {
		return page{}, errors.New("dictionary without its header")
	}
	head := h.DictionaryPageHeader.V
	if head.NumValues < 0 {
		return page{}, fmt.Errorf("dictionary of %d entries", head.NumValues)
	}
	raw, err := c.body(h)
	if err != nil {
		return page{}, err
	}
	data, err := c.unpack(int(h.UncompressedPageSize), raw)
	enc := head.Encoding
	if enc == oldDictionary {
		enc = format.Plain
	}
	return page{rows: int(head.NumValues), encoding: enc, data: data}, err
}

func (c *chunkReader) data(h *format.PageHeader, rows int) (page, error) {
	raw, err := c.body(h)
	if err != nil {
		return page{}, err
	}
	var p page
	switch {
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		p, err = c.dataV1(&h.DataPageHeader.V, int(h.UncompressedPageSize), raw)
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		p, err = c.dataV2(&h.DataPageHeaderV2.V, int(h.UncompressedPageSize), raw)
	default:
		err = errors.New("data page without its header")
	}
	if err == nil && (p.rows < 0 || p.rows > rows) {
		err = fmt.Errorf("%d rows, where the row group has %d left", p.rows, rows)
	}
	return p, err
}

// dataV1 takes apart a page of the first kind: levels, after their length, and
// values are compressed together.
func (c *chunkReader) dataV1(h *format.DataPageHeader, size int, raw []byte) (page, error) {
	p := page{rows: int(h.NumValues), encoding: h.Encoding}
	var err error
	if p.data, err = c.unpack(size, raw); err != nil || !c.optional {
		return p, err
	}
	if h.DefinitionLevelEncoding != format.RLE {
		return p, fmt.Errorf("definition levels in encoding %v, which is not supported", h.DefinitionLevelEncoding)
	}
	if len(p.data) < 4 {
		return p, errPageEnds
	}
	n := int64(binary.LittleEndian.Uint32(p.data))
	p.data = p.data[4:]
	if n > int64(len(p.data)) {
		return p, errPageEnds
	}
	p.levels, p.data = p.data[:n], p.data[n:]
	return p, nil
}

// dataV2 takes apart a page of the second kind: levels are not compressed, their
// lengths are in the header.
func (c *chunkReader) dataV2(h *format.DataPageHeaderV2, size int, raw []byte) (page, error) {
	repetition, definition := int64(h.RepetitionLevelsByteLength), int64(h.DefinitionLevelsByteLength)
	levels := repetition + definition
	if repetition < 0 || definition < 0 || levels > int64(len(raw)) || levels > int64(size) {
		return page{}, errPageEnds
	}
	if h.NumRows != h.NumValues {
		return page{}, fmt.Errorf("%d rows with %d values in a flat column", h.NumRows, h.NumValues)
	}
	p := page{rows: int(h.NumValues), encoding: h.Encoding, data: raw[levels:]}
	if c.optional {
		p.levels = raw[repetition:levels]
	}
	if h.IsCompressed.Valid && !h.IsCompressed.V {
		return p, nil
	}
	var err error
	p.data, err = c.unpack(size-int(levels), p.data)
	return p, err
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errPageEnds
	}
	return err
}
