package table

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"
)

// What the words of two rows say of their order is what their keys say, and what they leave open is only what they are
// said to.
func TestWordsAreInTheOrderOfTheKeys(t *testing.T) {
	schema := everyType()
	rapid.Check(t, func(t *rapid.T) {
		batches := drawBatches(t, schema)
		var by []SortKey
		var columns []int
		for _, column := range rapid.Permutation(columnNames(schema)).Draw(t, "by")[:rapid.IntRange(1, 4).Draw(t, "keys")] {
			columns = append(columns, schema.FieldIndices(column)[0])
			by = append(by, SortKey{
				Column: column, Descending: rapid.Bool().Draw(t, "descending"),
				Nulls: rapid.SampledFrom([]Nulls{NullsFirst, NullsLast}).Draw(t, "nulls"),
			})
		}
		k := newKept(budget{}, schema, by, columns)
		defer k.release()
		var rows []place
		for at, batch := range batches {
			k.place(at, keptBatch{RecordBatch: batch, turn: at})
			k.look(k, at, nil)
			for row := range int(batch.NumRows()) {
				rows = append(rows, place{uint32(at), uint32(row)})
			}
		}
		p := packingOf(k.keys, k.spreads)
		var words [][]uint64
		for at := range batches {
			made, _ := k.words(&p, at, nil)
			words = append(words, made)
		}
		for _, a := range rows {
			for _, b := range rows {
				first, order := 0, 0
				for first < len(k.keys) && order == 0 {
					order = k.keys[first].compare(a, b)
					first++
				}
				said := cmp.Compare(words[a.batch][a.row], words[b.batch][b.row])
				if said != 0 && said != order || said == 0 && order != 0 && first <= p.exact {
					t.Fatalf("%v and %v compare as %d in key %d, their words %x and %x as %d; %d keys of %+v are all in them",
						a, b, order, first, words[a.batch][a.row], words[b.batch][b.row], said, p.exact, by)
				}
			}
		}
	})
}

func TestShortTextIsAllInItsWord(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("text", stringType)}, nil)
	want := []any{"", "\x00", "\x00\x00", "\x00\x01", "a", "a\x00", "a\x00b", "ab", "abcdefg", "b"}
	var rows [][]any
	for i := range want {
		rows = append(rows, []any{want[len(want)-1-i]})
	}
	batch := batchOf(schema, rows...)
	k := newKept(budget{}, schema, []SortKey{{Column: "text"}}, []int{0})
	defer k.release()
	k.place(0, keptBatch{RecordBatch: batch})
	if p := k.look(k, 0, nil); p.exact != 1 {
		t.Error("it has to be compared")
	}
	if _, err := k.order(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	for i, p := range k.space.places {
		if got := rows[p.row][0]; got != want[i] {
			t.Errorf("row %d is %q, not %q", i, got, want[i])
		}
	}
}

// If it were less, sorting would do much by comparing.
func TestAWordHasAsMuchOfTheKeysAsFits(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		field("delay", int64Type), field("day", arrow.FixedWidthTypes.Date32), field("origin", codedType),
		field("price", &arrow.Decimal128Type{Precision: 10, Scale: 2}), field("name", stringType), field("n", int64Type),
	}, nil)
	var rows [][]any
	for i := range 1000 {
		rows = append(rows, []any{i%100 - 20, 12_000 + i, fmt.Sprint("SF", i%10), number(fmt.Sprint(i % 50)), "a name of some length", i})
	}
	batch := batchOf(schema, rows...)
	for _, tt := range []struct {
		keys  []int
		exact int
	}{{[]int{0, 1, 2, 3}, 4}, {[]int{4, 5}, 0}, {[]int{2, 4, 5}, 1}, {[]int{0, 1, 2, 3, 5}, 5}} {
		var by []SortKey
		for _, c := range tt.keys {
			by = append(by, SortKey{Column: schema.Field(c).Name})
		}
		k := newKept(budget{}, schema, by, tt.keys)
		batch.Retain()
		k.place(0, keptBatch{RecordBatch: batch})
		if p := k.look(k, 0, nil); p.exact != tt.exact {
			t.Errorf("%v: all there is to %d keys is in a word, not to %d", by, p.exact, tt.exact)
		}
		k.release()
	}
	batch.Release()
}

func TestSortingByWordsIsStable(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, few, few + 1, 500, 1000, 20_000} {
		for about, word := range map[string]func(i int) uint64{
			"any":          func(int) uint64 { return random.Uint64() },
			"few":          func(int) uint64 { return random.Uint64N(7) << 40 },
			"of two parts": func(int) uint64 { return random.Uint64N(9)<<60 | random.Uint64N(5) },
			"close":        func(int) uint64 { return random.Uint64N(3)<<50 | random.Uint64N(1<<24) },
			"equal":        func(int) uint64 { return 42 },
			"rising":       func(i int) uint64 { return uint64(i / 3) },
			"falling":      func(i int) uint64 { return uint64((1 << 20) - i/3) },
		} {
			var s sortSpace
			s.begin(3, n)
			for i := range s.words {
				s.words[i] = word(i)
			}
			words := slices.Clone(s.words)
			s.byWord()
			for i, p := range s.places {
				if p.batch != 3 || s.words[i] != words[p.row] {
					t.Fatalf("%d words, %s: that of %v has become another", n, about, p)
				}
				if i > 0 && cmp.Or(cmp.Compare(s.words[i-1], s.words[i]), cmp.Compare(s.places[i-1].row, p.row)) >= 0 {
					t.Fatalf("%d words, %s: %v comes after %v", n, about, p, s.places[i-1])
				}
			}
		}
	}
}

// Rows of many chunks, whose keys are mostly equal, or so long that they have to be compared, or in order already.
func TestManyRowsAreSortedAsANaiveStableSortDoes(t *testing.T) {
	const chunks, rows = 12, 300
	schema := arrow.NewSchema([]arrow.Field{
		field("long", codedType), field("short", stringType), field("few", int64Type), field("many", float64Type), field("came", int64Type),
	}, nil)
	random := rand.New(rand.NewPCG(3, 4))
	var batches []arrow.RecordBatch
	for c := range chunks {
		var values [][]any
		for i := range rows {
			row := []any{
				fmt.Sprint("a long beginning ", random.IntN(20)), fmt.Sprint(random.IntN(1000)), random.IntN(5),
				random.NormFloat64(), c*rows + i,
			}
			if i%11 == 0 {
				row[random.IntN(4)] = nil
			}
			values = append(values, row)
		}
		batches = append(batches, batchOf(schema, values...))
	}
	all := allRows(batches)
	for _, by := range [][]SortKey{
		{{Column: "long"}, {Column: "many", Descending: true}},
		{{Column: "few", Nulls: NullsFirst}},
		{{Column: "few", Descending: true}, {Column: "short"}},
		{{Column: "many"}},
		{{Column: "came"}},
	} {
		want := slices.Clone(all)
		slices.SortStableFunc(want, func(a, b []any) int {
			for _, key := range by {
				column := schema.FieldIndices(key.Column)[0]
				if order := naiveKey(key, a[column], b[column]); order != 0 {
					return order
				}
			}
			return 0
		})
		for _, limit := range []int{0, 10, 2500} {
			got, _, err := through(t, sortNode(Sort{By: by, Limit: limit}), batches...)
			if err != nil {
				t.Fatal(err)
			}
			first := want
			if limit > 0 {
				first = want[:limit]
			}
			if !slices.Equal(asText(got), asText(first)) {
				t.Errorf("%+v, limit %d: not in order, or not in the order in which rows came", by, limit)
			}
		}
	}
	for _, batch := range batches {
		batch.Release()
	}
}
