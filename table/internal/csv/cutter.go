package csv

import (
	"bytes"
	"fmt"
	"io"

	"github.com/seed14ed4225/sluice/internal/size"
)

// A Cutter cuts a text into blocks of whole records, of as many bytes as its buffer has and of
// so many lines at most. It looks at nothing but quotes and newlines: a record ends at a newline
// behind an even number of quotes.
type Cutter struct {
	source io.Reader
	more   func() ([]byte, error)
	buf    []byte
	from   int   // what of buf is not yet given out begins here
	to     int   // and ends here
	line   int64 // at from
	begun  bool
	ended  bool
}

// NewCutter returns a cutter of what source has, which reads into buf, which has to be longer
// than the byte order mark that it skips. Where a record is longer
// than the buffer, more makes a larger one with what the old one has in it, or says why there is
// none.
func NewCutter(source io.Reader, buf []byte, more func() ([]byte, error)) *Cutter {
	return &Cutter{source: source, buf: buf, more: more}
}

// Next returns records that together are a block, the line that they begin at, and how many
// rows they can be at most. They are good until the next call. After the last it is io.EOF. A row
// that is too long is an [*Error]; others are those of the source.
func (c *Cutter) Next(most int) (block []byte, line int64, lines int, err error) {
	if err := c.fill(); err != nil {
		return nil, 0, 0, err
	}
	for {
		text := c.buf[c.from:c.to]
		if len(text) == 0 {
			return nil, 0, 0, io.EOF
		}
		end := lastRecord(text)
		if c.ended {
			end = len(text)
		}
		if end > 0 {
			block, lines = cutLines(text[:end], most)
			break
		}
		if err := c.grow(); err != nil {
			return nil, 0, 0, err
		}
	}
	line = c.line
	c.from += len(block)
	c.line += int64(lines)
	if block[len(block)-1] != '\n' {
		lines++
	}
	return block, line, lines, nil
}

// SkipHeader goes past the line of names, and blank lines before it.
func (c *Cutter) SkipHeader() error {
	for {
		block, _, _, err := c.Next(1)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, is := blank(block, 0); !is {
			return nil
		}
	}
}

// cutLines cuts records behind so many lines, or a little more: where a record ends.
func cutLines(text []byte, most int) (block []byte, lines int) {
	lines = bytes.Count(text, newline)
	if lines < most || lines == most && text[len(text)-1] == '\n' {
		return text, lines
	}
	at := 0
	for range most {
		at += bytes.IndexByte(text[at:], '\n') + 1
	}
	if end := lastRecord(text[:at]); end > 0 {
		at = end
	} else {
		at = afterRecord(text, 0)
	}
	return text[:at], bytes.Count(text[:at], newline)
}

// fill reads until the buffer is full or the text has ended.
func (c *Cutter) fill() error {
	if c.from > 0 {
		copy(c.buf, c.buf[c.from:c.to])
		c.from, c.to = 0, c.to-c.from
	}
	for c.to < len(c.buf) && !c.ended {
		n, err := c.source.Read(c.buf[c.to:])
		c.to += n
		if err == io.EOF {
			c.ended = true
		} else if err != nil {
			return err
		}
	}
	if !c.begun {
		c.begun, c.line = true, 1
		c.from = c.to - len(withoutMark(c.buf[:c.to]))
	}
	return nil
}

// grow makes room for a record that is longer than the buffer.
func (c *Cutter) grow() error {
	if c.from > 0 {
		return c.fill()
	}
	larger, err := c.more()
	if err != nil {
		return &Error{Line: c.line, Err: fmt.Errorf(
			"the row is longer than %s, unless a quote (\") was not closed: %w", size.Readable(int64(len(c.buf))), err)}
	}
	c.buf = larger
	return c.fill()
}
