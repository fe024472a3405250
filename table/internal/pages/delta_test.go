package pages

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"
)

// encodeDelta encodes integers with arithmetic of 64 bits, in blocks of so many parts.
func encodeDelta(values []int64, block, parts int) []byte {
	data := binary.AppendUvarint(nil, uint64(block))
	data = binary.AppendUvarint(data, uint64(parts))
	data = binary.AppendUvarint(data, uint64(len(values)))
	data = binary.AppendVarint(data, values[0])
	for from := 1; from < len(values); from += block {
		var differences []int64
		for i := from; i < min(from+block, len(values)); i++ {
			differences = append(differences, values[i]-values[i-1])
		}
		least := slices.Min(differences)
		data = binary.AppendVarint(data, least)
		perPart := block / parts
		var packed []byte
		for part := range parts {
			in := differences[min(part*perPart, len(differences)):min((part+1)*perPart, len(differences))]
			var most uint64
			for _, d := range in {
				most = max(most, uint64(d-least))
			}
			width := bits.Len64(most)
			data = append(data, byte(width))
			if len(in) == 0 {
				continue
			}
			at, out := 0, make([]byte, perPart*width/8)
			for _, d := range in {
				for bit := range width {
					out[at/8] |= byte(uint64(d-least)>>bit&1) << (at % 8)
					at++
				}
			}
			packed = append(packed, out...)
		}
		data = append(data, packed...)
	}
	return data
}

// TestDifferencesMayBeOfMoreBitsThanTheirIntegers: DuckDB calculates those of 32-bit integers with 64.
func TestDifferencesMayBeOfMoreBitsThanTheirIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.Int64Range(math.MinInt32, math.MaxInt32), // signed
			rapid.Int64Range(0, math.MaxUint32),            // unsigned
			rapid.Int64Range(-3, 3),
			rapid.SampledFrom([]int64{math.MinInt32, math.MaxInt32}),
			rapid.SampledFrom([]int64{0, math.MaxUint32}),
		)
		if rapid.Bool().Draw(t, "unsigned only") {
			value = rapid.Int64Range(0, math.MaxUint32)
		}
		values := rapid.SliceOfN(value, 1, 700).Draw(t, "values")
		want := make([]int32, len(values))
		for i, v := range values {
			want[i] = int32(v)
		}
		// A part has a multiple of 32 values.
		data := encodeDelta(values, rapid.SampledFrom([]int{128, 256}).Draw(t, "block"), rapid.SampledFrom([]int{1, 2, 4}).Draw(t, "parts"))
		there, rest, err := checkDelta(wanted{n: len(values), all: len(values)}, append(slices.Clone(data), "rest"...))
		if err != nil || there != len(values) || string(rest) != "rest" {
			t.Fatalf("there are %d, before %q, %v", there, rest, err)
		}
		got, err := decodeInt32(&parquet.DeltaBinaryPacked, make([]int32, len(values)), data)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("got %v, %v\nwant %v", got, err, want)
		}
	})
}
