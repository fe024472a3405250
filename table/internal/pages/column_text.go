package pages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

var errTooLong = errors.New("more than 2 GiB of text in one row group, which 32-bit offsets cannot address; " +
	"write the file with smaller row groups")

// A span is where a value lies in the bytes of its page.
type span struct{ from, to uint32 }

// texts are strings one after the other, as Arrow lays them out.
type texts struct {
	offsets slab[int32] // one more than strings
	bytes   slab[uint8]
	hint    int // how many bytes there may be in the end
}

func newTexts(mem memory.Allocator, hint int) texts {
	return texts{offsets: slab[int32]{mem: mem}, bytes: slab[uint8]{mem: mem}, hint: hint}
}

func (t *texts) len() int { return max(t.offsets.n-1, 0) }

// append adds rows strings: the spans of src, in the rows whose bit is set, or in
// all of them if bits is nil, and empty ones elsewhere. total is how many strings
// there will be in the end.
func (t *texts) append(src []byte, spans []span, rows, total int, bits []byte, offset int) error {
	size := 0
	for _, s := range spans {
		size += int(s.to - s.from)
	}
	if size > math.MaxInt32-t.bytes.n {
		return errTooLong
	}
	if t.offsets.n == 0 {
		t.offsets.extend(1, total+1)[0] = 0
	}
	end := int32(t.bytes.n)
	dst := t.bytes.extend(size, t.hint)
	next := 0
	for i, ends := 0, t.offsets.extend(rows, total+1); i < rows; i++ {
		if bits == nil || bitutil.BitIsSet(bits, offset+i) {
			n := copy(dst, src[spans[next].from:spans[next].to])
			dst = dst[n:]
			end += int32(n)
			next++
		}
		ends[i] = end
	}
	return nil
}

func (t *texts) take() (offsets, values *memory.Buffer) {
	if t.offsets.n == 0 {
		t.offsets.extend(1, 1)[0] = 0
	}
	return t.offsets.take(), t.bytes.take()
}

func (t *texts) release() {
	t.offsets.release()
	t.bytes.release()
}

// locate finds the n strings of a page that is not dictionary encoded. The spans
// are in the bytes it returns, which may be data itself.
func locate(enc format.Encoding, n int, data []byte, into []span) ([]byte, []span, error) {
	into = into[:0]
	switch enc {
	case format.Plain:
		spans, err := locatePlain(n, data, into)
		return data, spans, err
	case format.DeltaLengthByteArray, format.DeltaByteArray:
		if n == 0 {
			return nil, into, nil
		}
		rest, err := checkDelta(n, data)
		if err == nil && enc == format.DeltaByteArray { // shared prefixes come before lengths
			_, err = checkDelta(n, rest)
		}
		if err != nil {
			return nil, nil, err
		}
		src, offsets, err := parquet.LookupEncoding(enc).DecodeByteArray(nil, data, nil)
		if err != nil {
			return nil, nil, err
		}
		if len(offsets) != n+1 {
			return nil, nil, fmt.Errorf("%d strings instead of %d", len(offsets)-1, n)
		}
		for i, from := range offsets[:n] {
			to := offsets[i+1]
			if from > to || int64(to) > int64(len(src)) {
				return nil, nil, errRuns
			}
			into = append(into, span{from, to})
		}
		return src, into, nil
	default:
		return nil, nil, errEncoding(enc)
	}
}

func locatePlain(n int, data []byte, into []span) ([]span, error) {
	if len(data)/4 < n { // each string has its length before it
		return nil, errRuns
	}
	at := 0
	for range n {
		if len(data)-at < 4 {
			return nil, errRuns
		}
		length := binary.LittleEndian.Uint32(data[at:])
		at += 4
		if int64(length) > int64(len(data)-at) {
			return nil, errRuns
		}
		into = append(into, span{uint32(at), uint32(at) + length})
		at += int(length)
	}
	return into, nil
}

// textColumn decodes text into plain Arrow strings, also where the file has a
// dictionary.
type textColumn struct {
	typ   arrow.DataType
	rows  int
	valid validity
	out   texts

	dict    []byte
	entries []span
	spans   []span // scratch
	codes   []int32
}

func newText(mem memory.Allocator, typ arrow.DataType, rows, hint int) *textColumn {
	return &textColumn{typ: typ, rows: rows, valid: validity{bits: slab[uint8]{mem: mem}}, out: newTexts(mem, hint)}
}

func (c *textColumn) dictionary(p page) error {
	src, entries, err := locate(p.encoding, p.rows, p.data, nil)
	c.dict, c.entries = bytes.Clone(src), entries
	return err
}

func (c *textColumn) append(p page) error {
	start := c.valid.rows
	present, err := c.valid.extend(p.levels, p.rows, c.rows)
	if err != nil {
		return err
	}
	src := c.dict
	if isDictionary(p.encoding) {
		err = c.lookUp(present, p.data)
	} else {
		src, c.spans, err = locate(p.encoding, present, p.data, c.spans)
	}
	if err != nil {
		return err
	}
	return c.out.append(src, c.spans, p.rows, c.rows, c.valid.bitmap(p.rows-present), start)
}

func (c *textColumn) lookUp(n int, data []byte) error {
	if err := checkCodes(n, data); err != nil {
		return err
	}
	if cap(c.codes) < n {
		c.codes = make([]int32, n)
	}
	codes := c.codes[:n]
	if err := decodeCodes(codes, data); err != nil {
		return err
	}
	c.spans = c.spans[:0]
	for _, code := range codes {
		if uint(code) >= uint(len(c.entries)) {
			return errNoEntry(code, len(c.entries))
		}
		c.spans = append(c.spans, c.entries[code])
	}
	return nil
}

func (c *textColumn) array() arrow.Array {
	nulls, rows := c.valid.nulls, c.valid.rows
	offsets, values := c.out.take()
	return makeArray(c.typ, rows, nulls, c.valid.take(), offsets, values)
}

func (c *textColumn) release() {
	c.valid.bits.release()
	c.out.release()
}

// codedColumn decodes text into an Arrow dictionary array: the codes are the
// file's. Writers give up on a dictionary that grows too large and go on with
// plain pages; each string of those becomes an entry of its own, so that an entry
// may be there twice.
type codedColumn struct {
	typ     *arrow.DictionaryType
	rows    int
	valid   validity
	codes   slab[int32]
	entries texts
	spans   []span // scratch
}

func newCoded(mem memory.Allocator, typ *arrow.DictionaryType, rows int) *codedColumn {
	return &codedColumn{
		typ: typ, rows: rows,
		valid: validity{bits: slab[uint8]{mem: mem}}, codes: slab[int32]{mem: mem}, entries: newTexts(mem, 0),
	}
}

func (c *codedColumn) dictionary(p page) error {
	src, entries, err := locate(p.encoding, p.rows, p.data, nil)
	if err != nil {
		return err
	}
	return c.entries.append(src, entries, p.rows, p.rows, nil, 0)
}

func (c *codedColumn) append(p page) error {
	start := c.valid.rows
	present, err := c.valid.extend(p.levels, p.rows, c.rows)
	if err != nil {
		return err
	}
	coded := isDictionary(p.encoding)
	src := p.data
	if coded {
		err = checkCodes(present, p.data)
	} else {
		src, c.spans, err = locate(p.encoding, present, p.data, c.spans)
	}
	if err != nil {
		return err
	}
	dst := c.codes.extend(p.rows, c.rows)
	if coded {
		err = c.known(dst[:present], p.data)
	} else {
		err = c.added(dst[:present], src)
	}
	if err == nil && present < p.rows {
		spread(dst, present, c.valid.bits.buf.Bytes(), start)
	}
	return err
}

func (c *codedColumn) known(dst []int32, data []byte) error {
	if err := decodeCodes(dst, data); err != nil {
		return err
	}
	entries := uint32(c.entries.len())
	for _, code := range dst {
		if uint32(code) >= entries {
			return errNoEntry(code, int(entries))
		}
	}
	return nil
}

func (c *codedColumn) added(dst []int32, src []byte) error {
	first := c.entries.len()
	if err := c.entries.append(src, c.spans, len(c.spans), 0, nil, 0); err != nil {
		return err
	}
	for i := range dst {
		dst[i] = int32(first + i)
	}
	return nil
}

func (c *codedColumn) array() arrow.Array {
	nulls, rows := c.valid.nulls, c.valid.rows
	n := c.entries.len()
	offsets, values := c.entries.take()
	dict := makeArray(c.typ.ValueType, n, 0, nil, offsets, values)
	defer dict.Release()
	codes := makeArray(c.typ.IndexType, rows, nulls, c.valid.take(), c.codes.take())
	defer codes.Release()
	return array.NewDictionaryArray(c.typ, codes, dict)
}

func (c *codedColumn) release() {
	c.valid.bits.release()
	c.codes.release()
	c.entries.release()
}
