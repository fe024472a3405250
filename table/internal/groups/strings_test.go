package groups

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/zeebo/xxh3"
	"pgregory.net/rapid"
)

func TestStringsWhoseHashesAgreeHaveDifferentNumbers(t *testing.T) {
	table := NewStrings(0)
	table.Resize(2, 16)
	text := func(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
	for _, pair := range agreeing(func(n uint64) uint64 { return xxh3.HashSeed(text(n), table.seed) }) {
		if a, b := table.Number(text(pair[0])), table.Number(text(pair[1])); a != 0 || b != 1 {
			t.Fatalf("numbers %d and %d", a, b)
		}
		table.Clear()
	}
}

// plainColumn makes a column of strings, of which nil is null. Below nulls there is some text.
func plainColumn(rows []any) *Column {
	c := &Column{Offsets: []int32{0}, Offset: 3, Valid: make([]byte, len(rows)/8+2)}
	for i, row := range rows {
		text, ok := row.(string)
		if !ok {
			text = "below null"
		} else {
			c.Valid[(i+3)/8] |= 1 << ((i + 3) % 8)
		}
		c.Values = append(c.Values, text...)
		c.Offsets = append(c.Offsets, int32(len(c.Values)))
	}
	return c
}

// codedColumn makes it of a dictionary, which has more than the rows.
func codedColumn(rows []any) *Column {
	c := plainColumn(rows)
	entries := []any{"of no row"}
	code := map[any]int32{}
	for _, row := range rows {
		if _, ok := code[row]; !ok {
			code[row] = int32(len(entries))
			entries = append(entries, row)
		}
		c.Codes = append(c.Codes, code[row])
	}
	dict := plainColumn(entries)
	c.Values, c.Offsets, c.Dict = dict.Values, dict.Offsets, dict
	return c
}

// A table is asked for what a map says, resized and cleared.
func TestStringsAreNumberedAsAMapDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := NewStrings(rapid.IntRange(0, 8).Draw(t, "known"))
		known := map[any]uint32{}
		var texts []any
		numbers, capacity, bytes := 0, 0, 0
		resize := func(n, c int) {
			table.Resize(n, c)
			numbers, capacity = n, c
		}
		resize(rapid.IntRange(1, 20).Draw(t, "room"), rapid.IntRange(0, 40).Draw(t, "bytes"))
		var last *Column // the same dictionary may come again
		var lastRows []any
		t.Repeat(map[string]func(*rapid.T){
			"number": func(t *rapid.T) {
				if last == nil || rapid.Bool().Draw(t, "another") {
					lastRows = nil
					for _, i := range rapid.SliceOfN(rapid.IntRange(-1, 12), 0, 30).Draw(t, "rows") {
						if i < 0 {
							lastRows = append(lastRows, nil)
						} else {
							lastRows = append(lastRows, strings.Repeat(fmt.Sprint(i), i%4))
						}
					}
					last = rapid.SampledFrom([]func([]any) *Column{plainColumn, codedColumn}).Draw(t, "column")(lastRows)
					if rapid.Bool().Draw(t, "no nulls") && !containsNil(lastRows) {
						last.Valid = nil
					}
				}
				into := make([]uint32, len(lastRows))
				n := table.Numbers(last, into)
				for i, row := range lastRows {
					number, ok := known[row]
					size := 0
					if text, ok := row.(string); ok {
						size = len(text)
					}
					if !ok && (len(texts) == numbers || bytes+size > capacity) {
						if n != i {
							t.Fatalf("%d rows have numbers, there is room for %d", n, i)
						}
						if full := len(texts) == numbers; full && table.Needs() != 0 || !full && table.Needs() != bytes+size {
							t.Fatalf("%d bytes are needed; there are %d, with %d numbers of %d", table.Needs(), bytes, len(texts), numbers)
						}
						return
					}
					if !ok {
						number = uint32(len(texts))
						known[row] = number
						texts = append(texts, row)
						bytes += size
					}
					if i >= n || into[i] != number {
						t.Fatalf("of %d rows, %d has number %d, want %d", n, i, into[i], number)
					}
				}
			},
			"resize": func(t *rapid.T) {
				resize(len(texts)+rapid.IntRange(0, 40).Draw(t, "more"), bytes+rapid.IntRange(0, 40).Draw(t, "bytes"))
			},
			"clear": func(t *rapid.T) {
				if table.Clear(); table.Needs() != 0 {
					t.Fatalf("%d bytes are needed by nobody", table.Needs())
				}
				clear(known)
				texts, bytes = nil, 0
			},
			"": func(t *rapid.T) {
				if table.Len() != len(texts) {
					t.Fatalf("%d strings, want %d", table.Len(), len(texts))
				}
				for i, text := range texts {
					if got := string(table.At(uint32(i))); table.Null(uint32(i)) != (text == nil) || text != nil && got != text || text == nil && got != "" {
						t.Fatalf("string %d is %q, want %v", i, got, text)
					}
				}
			},
		})
	})
}

func containsNil(rows []any) bool {
	for _, row := range rows {
		if row == nil {
			return true
		}
	}
	return false
}

func TestStringsBytesIsWhatATableTakes(t *testing.T) {
	for _, numbers := range []int{1, 16, 17, 1000} {
		table := NewStrings(0)
		table.Resize(numbers, 77)
		if got, want := int64(cap(table.bytes)+8*cap(table.ends)+8*cap(table.slots)), StringsBytes(numbers, 77); got != want {
			t.Errorf("%d bytes for %d strings, want %d", got, numbers, want)
		}
	}
}
