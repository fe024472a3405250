package table

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/zeebo/xxh3"
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

func uint64s2(values [2]uint64) arrow.Array {
	return fixedArray(memory.DefaultAllocator, uint64s, 2, nil, func(i int) uint64 { return values[i] })
}

func TestKeysWhoseHashesAgreeAreDifferentGroups(t *testing.T) {
	for width := 1; width <= 4; width++ {
		t.Run(fmt.Sprintf("%d words", width), func(t *testing.T) {
			table := newKeyTable(slices.Repeat([]layout{layoutUint64}, width), 0)
			key := make([]uint64, width) // the words before the last are the same
			hash := func(n uint64) uint64 { key[width-1] = n; return table.hash(key) }
			for _, pair := range agreeing(hash) {
				columns := make([]view, width)
				for i := range columns {
					columns[i] = newView(uint64s2([2]uint64{}))
				}
				columns[width-1] = newView(uint64s2(pair))
				table.resize(2, false)
				var into [2]uint32
				if n := table.groups(columns, into[:]); n != 2 || into != [2]uint32{0, 1} {
					t.Fatalf("%d rows are in groups %v", n, into)
				}
				table.clear()
			}
		})
	}
	t.Run("text", func(t *testing.T) {
		table := newTextTable(0)
		text := func(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
		for _, pair := range agreeing(func(n uint64) uint64 { return xxh3.HashSeed(text(n), table.seed) }) {
			table.resize(2, 16)
			if a, b := table.number(text(pair[0])), table.number(text(pair[1])); a != 0 || b != 1 {
				t.Fatalf("numbers %d and %d", a, b)
			}
			table.clear()
		}
	})
}

// What a column has where it is null is anything. Each of the columns here has other values below
// its nulls.
func TestAllNullsAreOneGroupWhateverIsBelowThem(t *testing.T) {
	const rows = 6
	own := memory.DefaultAllocator
	text, err := textArray(own, stringType, rows, nil, func(i int) []byte { return []byte{'a' + byte(i/2)} })
	if err != nil {
		t.Fatal(err)
	}
	columns := []arrow.Array{
		fixedArray(own, int64Type, rows, nil, func(i int) int64 { return int64(i / 2) }),
		fixedArray(own, arrow.PrimitiveTypes.Int32, rows, nil, func(i int) int32 { return int32(i / 2) }),
		fixedArray(own, arrow.PrimitiveTypes.Int8, rows, nil, func(i int) int8 { return int8(i / 2) }),
		fixedArray(own, float64Type, rows, nil, func(i int) float64 { return float64(i / 2) }),
		fixedArray(own, &arrow.Decimal128Type{Precision: maxDigits}, rows, nil, func(i int) decimal128.Num {
			return decimal128.New(int64(i/2), uint64(i/2))
		}),
		text,
	}
	for i, a := range columns { // rows 2 to 5, of two values, are null
		columns[i] = array.MakeFromData(array.NewData(a.DataType(), rows,
			append([]*memory.Buffer{memory.NewBufferBytes([]byte{0b000011})}, a.Data().Buffers()[1:]...), nil, rows-2, 0))
	}
	check := func(columns ...arrow.Array) {
		var fields []arrow.Field
		var by []string
		for i, a := range columns {
			by = append(by, fmt.Sprint(i))
			fields = append(fields, arrow.Field{Name: by[i], Type: a.DataType(), Nullable: true})
		}
		batch := array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, rows)
		got, _, err := aggregated(t, Aggregate{By: by, Measures: []Measure{{Func: Count}}}, batch)
		counts := map[any]int{}
		for _, row := range got {
			counts[row[len(row)-1]]++
		}
		if err != nil || len(got) != 2 || counts[int64(2)] != 1 || counts[int64(4)] != 1 {
			t.Errorf("by columns of %v: %v, %v", fields, got, err)
		}
	}
	for _, a := range columns {
		check(a)
		check(a, columns[0])
	}
	check(columns...)
}
