package pages

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go/format"
	"pgregory.net/rapid"
)

// drawCodes returns some codes of so many entries, and a page with them as some writer might have
// cut them into runs.
func drawCodes(t *rapid.T, entries int) ([]int32, page) {
	width := uint(rapid.IntRange(bitsOf(entries), 20).Draw(t, "width"))
	data := []byte{byte(width)}
	var codes []int32
	for range rapid.IntRange(0, 40).Draw(t, "runs") {
		code := rapid.Int32Range(0, int32(entries-1))
		if rapid.IntRange(0, 3).Draw(t, "packed") > 0 {
			value := code.Draw(t, "value")
			n := rapid.OneOf(rapid.IntRange(0, 20), rapid.IntRange(100, 9000)).Draw(t, "count")
			data = binary.AppendUvarint(data, uint64(n)<<1)
			for i := range int(width+7) / 8 {
				data = append(data, byte(value>>(8*i)))
			}
			codes = append(codes, slices.Repeat([]int32{value}, n)...)
			continue
		}
		group := rapid.SliceOfN(code, 8, 8).Draw(t, "group")
		groups := rapid.OneOf(rapid.IntRange(1, 3), rapid.IntRange(200, 700)).Draw(t, "groups")
		data = binary.AppendUvarint(data, uint64(groups)<<1|1)
		packed := make([]byte, width)
		for i, value := range group {
			for bit := range width {
				if value>>bit&1 == 1 {
					at := uint(i)*width + bit
					packed[at/8] |= 1 << (at % 8)
				}
			}
		}
		data = append(data, slices.Repeat(packed, groups)...)
		codes = append(codes, slices.Repeat(group, groups)...)
	}
	return codes, page{rows: len(codes), encoding: format.RLEDictionary, data: data}
}

func bitsOf(entries int) (bits int) {
	for ; entries > 1<<bits; bits++ {
	}
	return bits
}

func TestAnyPartOfAPageOfCodesIsFound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dict := make([]int64, rapid.IntRange(1, 300).Draw(t, "entries"))
		for i := range dict {
			dict[i] = int64(1000 + i)
		}
		codes, p := drawCodes(t, len(dict))
		if rapid.Bool().Draw(t, "marks") {
			p.marks = markCodes(p.rows, p.data)
		}
		skip := rapid.IntRange(0, len(codes)).Draw(t, "skip")
		if len(p.marks) > 0 && rapid.Bool().Draw(t, "next to a mark") {
			skip = rapid.SampledFrom(p.marks).Draw(t, "mark").value - rapid.IntRange(0, 3).Draw(t, "before")
		}
		want := wanted{skip: skip, n: rapid.IntRange(0, len(codes)-skip).Draw(t, "n"), all: len(codes)}
		codes = codes[want.skip:][:want.n]
		if err := checkCodes(want.skip+want.n, lookFirst+1, p); err != nil {
			t.Fatal(err)
		}
		got := make([]int32, want.n)
		if err := decodeCodes(got, len(dict), want, p); err != nil || !slices.Equal(got, codes) {
			t.Fatalf("codes %v, want %v, %v", got, codes, err)
		}
		values := make([]int64, want.n)
		unpacked := scratch[int32]{mem: memory.DefaultAllocator}
		if err := lookUp(values, dict, &unpacked, want, p); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if v != dict[codes[i]] {
				t.Fatalf("value %d is %d, want that of code %d", i, v, codes[i])
			}
		}
	})
}

func TestACodeBeyondTheDictionaryIsAnError(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.IntRange(2, 300).Draw(t, "entries")
		codes, p := drawCodes(t, entries)
		fewer := entries - 1
		want := wanted{n: len(codes), all: len(codes)}
		unpacked := scratch[int32]{mem: memory.DefaultAllocator}
		looked := lookUp(make([]int64, want.n), make([]int64, fewer), &unpacked, want, p)
		decoded := decodeCodes(make([]int32, want.n), fewer, want, p)
		if beyond := slices.Contains(codes, int32(fewer)); (looked != nil) != beyond || (decoded != nil) != beyond {
			t.Fatalf("looked up %v, decoded %v, where that is true of some code: %v", looked, decoded, beyond)
		}
	})
}

func TestRunsThatEndEarlyAreAnError(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		codes, p := drawCodes(t, 200)
		if rapid.Bool().Draw(t, "marks") {
			p.marks = markCodes(p.rows, p.data)
		}
		want := wanted{n: len(codes) + rapid.IntRange(1, 5000).Draw(t, "missing"), all: 1 << 20}
		unpacked := scratch[int32]{mem: memory.DefaultAllocator}
		if checkCodes(want.n, lookFirst+1, p) == nil ||
			lookUp(make([]int64, want.n), make([]int64, 200), &unpacked, want, p) == nil ||
			decodeCodes(make([]int32, want.n), 200, want, p) == nil {
			t.Fatalf("%d codes found, where there are %d", want.n, len(codes))
		}
	})
}
