package csv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// A field is where in a block of CSV the text of a value is.
type field struct{ from, to uint32 }

// In to, beside the place: whether the field is in quotes, and whether there are doubled quotes
// in it. Blocks are smaller than this.
const (
	inQuotes      = 1 << 31
	doubledQuotes = 1 << 30
	mostBlock     = 1<<30 - 1
)

func (f field) text(block []byte) []byte { return block[f.from : f.to&mostBlock] }
func (f field) len() int                 { return int(f.to&mostBlock - f.from) }

// A splitter finds the fields of CSV, a record at a time.
type splitter struct {
	delimiter byte
	word      uint64 // the delimiter, eight times
	columns   int    // of each record
}

func newSplitter(delimiter byte, columns int) splitter {
	return splitter{delimiter: delimiter, word: eight * uint64(delimiter), columns: columns}
}

var (
	errOpenQuote = errors.New(`a quote (") is opened and never closed`)
	errBareQuote = errors.New(`a quote (") in a field that does not begin with one; put the field in quotes, and double the quote`)
	errAfter     = errors.New(`text after the closing quote (") of a field; double a quote that is a part of it`)
)

// record finds the fields of the record that begins at from, of which those from the number of
// columns on are counted only, and returns where the next one begins. A record that is not well formed
// ends where it would if it were: at the first newline behind an even number of quotes, as
// those who cut text into blocks take it, too.
func (s *splitter) record(block []byte, from int, fields []field) (found, next int, err error) {
	at := from
	for {
		f := field{from: uint32(at)}
		if at < len(block) && block[at] == '"' {
			end, doubled := closing(block, at+1)
			if end < 0 {
				return found, len(block), errOpenQuote
			}
			f = field{from: uint32(at + 1), to: uint32(end) | inQuotes}
			if doubled {
				f.to |= doubledQuotes
			}
			at = end + 1
			if at+1 < len(block) && block[at] == '\r' && block[at+1] == '\n' {
				at++
			}
			if at < len(block) && block[at] != s.delimiter && block[at] != '\n' {
				return found, afterRecord(block, from), errAfter
			}
		} else {
			at = s.special(block, at)
			end := at
			if at < len(block) {
				switch block[at] {
				case '"':
					return found, afterRecord(block, from), errBareQuote
				case '\n':
					if end > int(f.from) && block[end-1] == '\r' {
						end--
					}
				}
			}
			f.to = uint32(end)
		}
		if found < len(fields) {
			fields[found] = f
		}
		found++
		if at >= len(block) {
			return found, at, s.count(found)
		}
		at++
		if block[at-1] == '\n' {
			return found, at, s.count(found)
		}
	}
}

func (s *splitter) count(found int) error {
	if found == s.columns || s.columns == 0 {
		return nil
	}
	return fmt.Errorf("%s, and there are %s", plural(found, "field"), plural(s.columns, "column"))
}

// blank reports whether a line has nothing in it, and where the next begins.
func blank(block []byte, at int) (next int, is bool) {
	if block[at] == '\n' {
		return at + 1, true
	}
	if block[at] == '\r' && at+1 < len(block) && block[at+1] == '\n' {
		return at + 2, true
	}
	return at, false
}

// closing finds the quote that ends a field, -1 if there is none.
func closing(block []byte, at int) (end int, doubled bool) {
	for {
		i := bytes.IndexByte(block[at:], '"')
		if i < 0 {
			return -1, doubled
		}
		at += i
		if at+1 == len(block) || block[at+1] != '"' {
			return at, doubled
		}
		doubled = true
		at += 2
	}
}

const (
	eight    = 0x0101010101010101 // times a byte is eight of them
	newlines = eight * '\n'
	quotes   = eight * '"'
)

// zeros has the top bit set of the lowest byte that is zero, and of no byte below it.
func zeros(word uint64) uint64 { return (word - eight) &^ word & (eight * 0x80) }

// special finds the next delimiter, newline or quote, or the end; eight bytes at a time.
func (s *splitter) special(block []byte, at int) int {
	for ; at+8 <= len(block); at += 8 {
		word := binary.LittleEndian.Uint64(block[at:])
		if found := zeros(word^s.word) | zeros(word^newlines) | zeros(word^quotes); found != 0 {
			return at + bits.TrailingZeros64(found)>>3
		}
	}
	for ; at < len(block); at++ {
		if b := block[at]; b == s.delimiter || b == '\n' || b == '"' {
			return at
		}
	}
	return at
}

// afterRecord finds the first newline behind an even number of quotes, and returns what follows.
func afterRecord(block []byte, at int) int {
	odd := false
	for at < len(block) {
		i := bytes.IndexByte(block[at:], '\n')
		if i < 0 {
			return len(block)
		}
		odd = odd != (bytes.Count(block[at:at+i], quote)&1 == 1)
		at += i + 1
		if !odd {
			return at
		}
	}
	return len(block)
}

// lastRecord is the end of the last record of a text that begins with one; 0 if none ends.
func lastRecord(text []byte) int {
	if len(text) == 0 {
		return 0
	}
	odd := bytes.Count(text, quote)&1 == 1 // quotes before end
	for end := len(text); ; {
		i := bytes.LastIndexByte(text[:end], '\n')
		if i < 0 {
			return 0
		}
		odd = odd != (bytes.Count(text[i:end], quote)&1 == 1)
		if !odd {
			return i + 1
		}
		end = i
	}
}

var quote, newline = []byte{'"'}, []byte{'\n'}

// unquote appends a field with its doubled quotes halved.
func unquote(into, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '"')
		if i < 0 {
			return append(into, text...)
		}
		into = append(into, text[:i+1]...)
		text = text[i+2:]
	}
}
