package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/seed14ed4225/sluice/internal/size"
)

// A csvInput cuts a file into blocks of whole records, of as many bytes as its buffer has and of
// so many lines at most. It looks at nothing but quotes and newlines: a record ends at a newline
// behind an even number of quotes.
type csvInput struct {
	source io.Reader
	path   string
	buf    []byte
	from   int   // what of buf is not yet given out begins here
	to     int   // and ends here
	line   int64 // at from
	begun  bool
	ended  bool
	// more makes a larger buffer with what the old one has in it, or says why there is none.
	more func() ([]byte, error)
}

// errLongRow is why there is no larger buffer.
var errLongRow = errors.New("the limit for a row")

// next returns records that together are a block, the line that they begin at, and how many
// rows they can be at most. They are good until the next call. After the last it is io.EOF.
func (in *csvInput) next(most int) (block []byte, line int64, lines int, err error) {
	if err := in.fill(); err != nil {
		return nil, 0, 0, err
	}
	for {
		text := in.buf[in.from:in.to]
		if len(text) == 0 {
			return nil, 0, 0, io.EOF
		}
		end := lastRecord(text)
		if in.ended {
			end = len(text)
		}
		if end > 0 {
			block, lines = cutLines(text[:end], most)
			break
		}
		if err := in.grow(); err != nil {
			return nil, 0, 0, err
		}
	}
	line = in.line
	in.from += len(block)
	in.line += int64(lines)
	if block[len(block)-1] != '\n' {
		lines++
	}
	return block, line, lines, nil
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

var newline = []byte{'\n'}

// fill reads until the buffer is full or the file has ended.
func (in *csvInput) fill() error {
	if in.from > 0 {
		copy(in.buf, in.buf[in.from:in.to])
		in.from, in.to = 0, in.to-in.from
	}
	for in.to < len(in.buf) && !in.ended {
		n, err := in.source.Read(in.buf[in.to:])
		in.to += n
		if err == io.EOF {
			in.ended = true
		} else if err != nil {
			return err
		}
	}
	if !in.begun {
		in.begun, in.line = true, 1
		in.from = in.to - len(withoutMark(in.buf[:in.to]))
	}
	return nil
}

// grow makes room for a record that is longer than the buffer.
func (in *csvInput) grow() error {
	if in.from > 0 {
		return in.fill()
	}
	larger, err := in.more()
	if err != nil {
		return &RowError{File: in.path, Line: in.line, Err: fmt.Errorf(
			"the row is longer than %s, unless a quote (\") was not closed: %w", size.Readable(int64(len(in.buf))), err)}
	}
	in.buf = larger
	return in.fill()
}
