package pages

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// textColumn decodes text into plain Arrow strings, also where the file has a
// dictionary.
type textColumn struct {
	typ   arrow.DataType
	rows  int
	valid validity
	out   texts

	dict    []byte
	entries []span

	inDict, inPage locator
	codes          scratch[int32]
	coded          scratch[span]
}

func newText(mem memory.Allocator, typ arrow.DataType, rows int) *textColumn {
	return &textColumn{
		typ: typ, rows: rows, valid: validity{bits: slab[uint8]{mem: mem}}, out: newTexts(mem, rows),
		inDict: newLocator(mem), inPage: newLocator(mem),
		codes: scratch[int32]{mem: mem}, coded: scratch[span]{mem: mem},
	}
}

func (c *textColumn) dictionary(p page) (err error) {
	c.dict, c.entries, err = c.inDict.locate(p, wanted{n: p.rows, all: p.rows})
	return err
}

func (c *textColumn) append(p page) error {
	start := c.valid.rows
	want, err := c.valid.extend(p, c.rows)
	if err != nil {
		return err
	}
	var src []byte
	var spans []span
	if isDictionary(p.encoding) {
		src = c.dict
		spans, err = c.lookUp(want, p)
	} else {
		src, spans, err = c.inPage.locate(p, want)
	}
	if err != nil {
		return err
	}
	return c.out.append(src, spans, p.take, p.moreText, c.valid.bitmap(p.take-want.n), start)
}

func (c *textColumn) lookUp(want wanted, p page) ([]span, error) {
	if err := checkCodes(want.skip+want.n, 8, p); err != nil {
		return nil, err
	}
	spans := c.coded.of(want.n)
	return spans, lookUp(spans, c.entries, &c.codes, want, p)
}

func (c *textColumn) array() arrow.Array {
	nulls, rows := c.valid.nulls, c.valid.rows
	offsets, values := c.out.take()
	return makeArray(c.typ, rows, nulls, c.valid.take(), offsets, values)
}

func (c *textColumn) release() {
	c.valid.bits.release()
	c.out.release()
	c.inDict.release()
	c.inPage.release()
	c.codes.release()
	c.coded.release()
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

	in locator
}

// newCoded returns a column for rows rows, and at most so many entries.
func newCoded(mem memory.Allocator, typ *arrow.DictionaryType, rows, entries int) *codedColumn {
	return &codedColumn{
		typ: typ, rows: rows,
		valid: validity{bits: slab[uint8]{mem: mem}}, codes: slab[int32]{mem: mem}, entries: newTexts(mem, entries),
		in: newLocator(mem),
	}
}

func (c *codedColumn) dictionary(p page) error {
	src, entries, err := c.in.locate(p, wanted{n: p.rows, all: p.rows})
	if err != nil {
		return err
	}
	return c.entries.append(src, entries, p.rows, p.moreText, nil, 0)
}

func (c *codedColumn) append(p page) error {
	start := c.valid.rows
	want, err := c.valid.extend(p, c.rows)
	if err != nil {
		return err
	}
	var src []byte
	var spans []span
	coded := isDictionary(p.encoding)
	if coded {
		err = checkCodes(want.skip+want.n, 4, p)
	} else {
		src, spans, err = c.in.locate(p, want)
	}
	if err != nil {
		return err
	}
	dst := c.codes.extend(p.take, c.rows)
	if coded {
		err = decodeCodes(dst[:want.n], c.entries.len(), want, p)
	} else {
		err = c.added(dst[:want.n], src, spans, p.moreText)
	}
	if err == nil && want.n < p.take {
		spread(dst, want.n, c.valid.bits.buf.Bytes(), start)
	}
	return err
}

func (c *codedColumn) added(dst []int32, src []byte, spans []span, more int64) error {
	first := c.entries.len()
	if err := c.entries.append(src, spans, len(spans), more, nil, 0); err != nil {
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
	c.in.release()
}
