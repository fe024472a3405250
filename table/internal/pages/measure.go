package pages

import (
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go/format"
)

// measure bounds the text of every page, where the chunk has text, or other strings of
// bytes. Sizes in headers do
// for most encodings. Two need a look inside, because few bytes can stand for many:
// text that repeats prefixes of the text before, and a dictionary whose entries are
// to be written out once for each row. Those pages are unpacked here, one at a time
// and on the Go heap, and only their lengths decoded.
func (c *chunk) measure() (err error) {
	if !c.stored.packed() {
		return nil
	}
	r := newPageReader(memory.DefaultAllocator)
	defer r.release()
	lengths := newLocator(memory.DefaultAllocator)
	defer lengths.release()
	spelledOut := false
	for _, e := range c.pages {
		if e.absent {
			continue
		}
		spelledOut = spelledOut || isDictionary(e.encoding) && isText(c.typ)
		if err := c.measurePage(e, r, &lengths); err != nil {
			return e.fail(err)
		}
	}
	if c.dict == nil {
		return nil
	}
	if err := c.measurePage(c.dict, r, &lengths); err != nil {
		return c.dict.fail(err)
	}
	if spelledOut {
		return c.measureEntries(r, &lengths)
	}
	return nil
}

func (c *chunk) measurePage(e *entry, r *pageReader, l *locator) (err error) {
	defer recoverInto(&err)
	e.text = int64(e.unpacked - e.repetition - e.definition)
	switch e.encoding {
	case format.Plain:
		if !c.optional || e.dictionary { // else there may be fewer values than rows
			e.text = max(0, e.text-4*int64(e.rows))
		}
	case format.DeltaByteArray:
		r.reset(c, e.body+int64(e.packed))
		p, err := r.read(e)
		if err != nil || len(p.data) == 0 {
			return err
		}
		prefixes, suffixes, rest, err := l.affixes(p.data, wanted{all: e.rows})
		if err != nil {
			return err
		}
		e.text, err = prefixedSize(prefixes, suffixes, len(rest))
		return err
	}
	return nil
}

func (c *chunk) measureEntries(r *pageReader, l *locator) (err error) {
	defer recoverInto(&err)
	r.reset(c, c.dict.body+int64(c.dict.packed))
	p, err := r.read(c.dict)
	if err != nil {
		return c.dict.fail(err)
	}
	_, spans, err := l.locate(p, wanted{n: p.rows, all: p.rows})
	if err != nil {
		return c.dict.fail(err)
	}
	for _, s := range spans {
		c.dict.longest = max(c.dict.longest, int64(s.to-s.from))
	}
	return nil
}
