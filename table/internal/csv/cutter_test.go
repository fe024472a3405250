package csv

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Blocks of any size, put behind each other, are the text; each begins behind an even number of quotes
// at the line that it says, and has no more records than it says.
func TestBlocksBreakNowhereInARecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("a,\"\n\r")), 1, 200, -1).Draw(t, "text")
		size, most := rapid.IntRange(1, 64).Draw(t, "size"), rapid.IntRange(1, 5).Draw(t, "most")
		buf := make([]byte, size)
		cutter := NewCutter(strings.NewReader(text), buf, func() ([]byte, error) {
			buf = append(buf, make([]byte, len(buf))...)
			return buf, nil
		})
		var whole []byte
		for {
			block, line, lines, err := cutter.Next(most)
			if err != nil {
				break
			}
			if want := int64(1 + bytes.Count(whole, newline)); line != want {
				t.Fatalf("a block begins at line %d, want %d", line, want)
			}
			if bytes.Count(whole, quote)%2 != 0 || len(whole) > 0 && whole[len(whole)-1] != '\n' {
				t.Fatalf("a block begins behind %q", whole)
			}
			split, rows := newSplitter(',', 0), 0
			for at := 0; at < len(block); rows++ {
				_, next, _ := split.record(block, at, nil)
				if next <= at {
					t.Fatalf("%q: from %d to %d", block, at, next)
				}
				at = next
			}
			if rows > lines {
				t.Fatalf("%q has %d records, said to have %d", block, rows, lines)
			}
			whole = append(whole, block...)
		}
		if string(whole) != text {
			t.Fatalf("got %q, want %q", whole, text)
		}
	})
}

func TestARowThatIsTooLongIsAnErrorAtItsLine(t *testing.T) {
	errFull := errors.New("no more")
	cutter := NewCutter(strings.NewReader("1\n2\n\"345\n6789\n0123\"\n"), make([]byte, 8), func() ([]byte, error) { return nil, errFull })
	if block, _, _, err := cutter.Next(10); err != nil || string(block) != "1\n2\n" {
		t.Fatalf("%q, %v", block, err)
	}
	_, _, _, err := cutter.Next(10)
	var at *Error
	if !errors.As(err, &at) || at.Line != 3 || !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
}
