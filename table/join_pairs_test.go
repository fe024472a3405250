package table

import (
	"context"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table/expr"
)

// A condition sees of a pair what the result would have of it.
func TestWhatAConditionReadsOfPairsIsWhatIsGathered(t *testing.T) {
	schema := everyType()
	more := arrow.NewSchema(append(slices.Clone(schema.Fields()), field("more", int64Type)), nil)
	about := &pairCondition{}
	var fields []arrow.Field
	for i, f := range plainSchema(schema).Fields() {
		about.columns = append(about.columns, joinedColumn{i, noColumn})
		fields = append(fields, f)
	}
	for i, f := range plainSchema(more).Fields() {
		about.columns = append(about.columns, joinedColumn{noColumn, i})
		fields = append(fields, arrow.Field{Name: f.Name + "_right", Type: f.Type})
	}
	about.schema = arrow.NewSchema(fields, nil)
	var err error
	if about.program, err = expr.Compile("true", about.schema); err != nil {
		t.Fatal(err)
	}
	j := newJoining(t.Context(), Join{On: []JoinKey{{"int8", "int8"}}}, "join", [2]*sluice.Channel{}, nil)
	if j.plan, err = j.join.compile(schema, more); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		var built []*keptChunk
		rows := 0
		for _, batch := range drawBatches(t, more) {
			built = append(built, &keptChunk{chunk: NewChunk(batch)})
			rows += int(batch.NumRows())
		}
		defer func() {
			for _, c := range built {
				c.release()
			}
		}()
		table, err := newJoinTable(context.Background(), j.plan, rightSide, built, nil)
		if err != nil {
			t.Fatal(err)
		}
		p := newProber(j, table)
		p.asker = newAsker(about)
		for _, batch := range drawBatches(t, schema) {
			defer batch.Release()
			if rows == 0 || batch.NumRows() == 0 {
				continue
			}
			p.columns = columnsOf(batch)
			p.from = rapid.IntRange(0, int(batch.NumRows())-1).Draw(t, "from")
			pair := rapid.Custom(func(t *rapid.T) pair {
				return pair{
					uint32(rapid.IntRange(0, int(batch.NumRows())-1-p.from).Draw(t, "row")),
					uint32(rapid.IntRange(0, rows-1).Draw(t, "built")),
				}
			})
			p.candidates = append(p.candidates[:0], rapid.SliceOfN(pair, 1, 70).Draw(t, "pairs")...)
			for i, c := range about.columns {
				typ := about.schema.Field(i).Type
				got, err := p.column(memory.DefaultAllocator, i, c)
				if err != nil {
					t.Fatal(err)
				}
				from, places := p.places(c)
				want, err := gather(memory.DefaultAllocator, typ, from, places, textAt(typ, from, places))
				if err != nil {
					t.Fatal(err)
				}
				if got.String() != want.String() {
					t.Fatalf("%s: %v, want %v", about.schema.Field(i).Name, got, want)
				}
				got.Release()
				want.Release()
			}
			p.asker.forget()
		}
	})
}

// Two keys may have one hash, as far as it is kept, however seldom that is.
func TestKeysOfOneHashAreToldApart(t *testing.T) {
	built := keyNumbers([]any{1, 10}, []any{2, 20}, []any{1, 11}, []any{3, 30}, []any{2, 21})
	defer built.Release()
	j := newJoining(t.Context(), Join{On: []JoinKey{{"k", "k"}}}, "join", [2]*sluice.Channel{}, nil)
	var err error
	if j.plan, err = j.join.compile(built.Schema(), built.Schema()); err != nil {
		t.Fatal(err)
	}
	for keys, mixed := range map[[2]int]bool{{1, 3}: false, {1, 2}: true} {
		chunk := &keptChunk{chunk: NewChunk(built.NewSlice(0, 5))}
		table, err := newJoinTable(t.Context(), j.plan, rightSide, []*keptChunk{chunk}, nil)
		if err != nil {
			t.Fatal(err)
		}
		clear(table.slots)
		clear(table.next)
		table.chained, table.mixed = 0, false
		for row, at := range slices.Clone(table.places) {
			switch key := int(built.Column(0).(*array.Int64).Value(int(at.row))); key {
			case keys[0], keys[1]:
				hash := uint64(42)
				if !mixed {
					hash = uint64(key) << 60
				}
				table.insert(hash, uint32(row))
			default:
				table.next[row] = uint32(row) + 1
			}
		}
		if table.mixed != mixed {
			t.Fatalf("keys %v: mixed is %v", keys, table.mixed)
		}
		table.regroup()
		p := newProber(j, table)
		probed := keyNumbers([]any{2, 0}, []any{1, 0}, []any{9, 0})
		p.keys.views = j.plan.keyViews(leftSide, probed)
		p.keys.strip(0, 3)
		for i, key := range []uint64{2, 1, 1} { // the last one is 9
			p.keys.hashes[i] = 42
			if !mixed {
				p.keys.hashes[i] = key << 60
			}
		}
		if err := p.match(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		var got [][2]int64
		for i, at := range p.pairs[rightSide] {
			got = append(got, [2]int64{int64(p.pairs[leftSide][i].row), built.Column(1).(*array.Int64).Value(int(at.row))})
		}
		want := [][2]int64{{1, 10}, {1, 11}}
		if mixed {
			want = [][2]int64{{0, 20}, {0, 21}, {1, 10}, {1, 11}}
		}
		if !slices.Equal(got, want) {
			t.Errorf("keys %v: %v, want %v", keys, got, want)
		}
		probed.Release()
		chunk.release()
	}
}
