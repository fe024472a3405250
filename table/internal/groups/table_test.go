package groups

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// agreeing returns pairs of numbers for which the lower 32 bits of the hash are the same: what a slot
// has of it. Of so many numbers there are about ten.
func agreeing(hash func(n uint64) uint64) (pairs [][2]uint64) {
	seen := make(map[uint32]uint64)
	for i := range uint64(300_000) {
		n := i * 0x9e3779b97f4a7c15
		tag := uint32(hash(n))
		if other, ok := seen[tag]; ok {
			pairs = append(pairs, [2]uint64{other, n})
		}
		seen[tag] = n
	}
	return pairs
}

// The words before the last, or after the first, are the same.
func TestKeysWhoseHashesAgreeHaveDifferentNumbers(t *testing.T) {
	for width := 1; width <= 4; width++ {
		for _, at := range []int{0, width - 1} {
			t.Run(fmt.Sprintf("word %d of %d", at, width), func(t *testing.T) {
				table := NewTable(width)
				table.Resize(2, width)
				key := make([]uint64, width)
				hash := func(n uint64) uint64 { key[at] = n; return table.hash(key) }
				for _, pair := range agreeing(hash) {
					words := make([]uint64, 2*width)
					words[at], words[width+at] = pair[0], pair[1]
					var into [2]uint32
					if n := table.Numbers(words, into[:]); n != 2 || into != [2]uint32{0, 1} {
						t.Fatalf("%d keys have numbers %v", n, into)
					}
					table.Clear()
				}
			})
		}
	}
}

// A table is asked for what a map of keys says, resized, made wider and cleared.
func TestATableNumbersKeysAsAMapDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(1, 4).Draw(t, "width")
		table, room := NewTable(width), 0
		known := map[string]uint32{}
		var keys [][]uint64
		resize := func(numbers int) {
			table.Resize(numbers, width)
			room = numbers
		}
		resize(rapid.IntRange(1, 20).Draw(t, "room"))
		t.Repeat(map[string]func(*rapid.T){
			"number": func(t *rapid.T) {
				asked := rapid.SliceOfN(rapid.SliceOfN(rapid.Uint64Max(3), width, width), 0, 30).Draw(t, "keys")
				into := make([]uint32, len(asked))
				n := table.Numbers(slices.Concat(asked...), into)
				for i, key := range asked {
					number, ok := known[fmt.Sprint(key)]
					if !ok && len(keys) == room {
						if n != i {
							t.Fatalf("%d keys have numbers, there is room for %d", n, i)
						}
						return
					}
					if !ok {
						number = uint32(len(keys))
						known[fmt.Sprint(key)] = number
						keys = append(keys, key)
					}
					if i >= n || into[i] != number {
						t.Fatalf("of %d keys, %d has number %d, want %d", n, i, into[i], number)
					}
				}
			},
			"resize": func(t *rapid.T) { resize(len(keys) + rapid.IntRange(0, 40).Draw(t, "more")) },
			"widen": func(t *rapid.T) {
				if width == 4 {
					t.Skip("wide enough")
				}
				width++
				clear(known)
				for i := range keys {
					keys[i] = append(slices.Clip(keys[i]), 0)
					known[fmt.Sprint(keys[i])] = uint32(i)
				}
				resize(room)
			},
			"clear": func(*rapid.T) {
				table.Clear()
				clear(known)
				keys = nil
			},
			"": func(t *rapid.T) {
				if table.Len() != len(keys) || table.Width() != width {
					t.Fatalf("%d keys of %d words, want %d of %d", table.Len(), table.Width(), len(keys), width)
				}
				for i, key := range keys {
					if !slices.Equal(table.Key(i), key) {
						t.Fatalf("key %d is %v, want %v", i, table.Key(i), key)
					}
				}
			},
		})
	})
}

func TestTableBytesIsWhatATableTakes(t *testing.T) {
	for _, numbers := range []int{1, 2, 16, 17, 1000} {
		table := NewTable(3)
		table.Resize(numbers, 3)
		if got, want := int64(8*(cap(table.keys)+cap(table.slots))), TableBytes(numbers, 3); got != want {
			t.Errorf("%d bytes for %d keys, want %d", got, numbers, want)
		}
		if len(table.slots) < 2*numbers {
			t.Errorf("%d slots for %d keys", len(table.slots), numbers)
		}
	}
}
