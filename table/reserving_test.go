package table

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice/mem"
)

// What a node reserves is what it takes: less would be taken beyond the limit, if there were no
// room for it, and more would be waited for in vain.
func TestWhatIsGatheredTakesWhatWasReservedForIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := budgetOf(mem.NewContext(t.Context(), ample()))
		schema := everyType()
		for _, batch := range drawBatches(t, schema) {
			rows := int(batch.NumRows())
			var places []place
			if rows > 0 {
				for _, row := range rapid.SliceOf(rapid.IntRange(0, rows-1)).Draw(t, "rows") {
					places = append(places, place{row: uint32(row)})
				}
			}
			kept := newKept(from, plainSchema(schema), []SortKey{{Column: "bool"}}, []int{0})
			if err := kept.add(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			var need int64
			for i, f := range kept.schema.Fields() {
				need += gatherBytes(f.Type, kept.columns[i], places, textAt(f.Type, kept.columns[i], places))
			}
			decoded, err := kept.gather(t.Context(), places)
			if err != nil {
				t.Fatal(err)
			}
			if got := decoded.Content().Total(); got != need {
				t.Fatalf("reserves %d bytes and takes %d", need, got)
			}
			decoded.Release()
			kept.release()

			coded, err := pick(t.Context(), from, batch, places)
			if err != nil {
				t.Fatal(err)
			}
			if content := coded.Content(); !content.Spillable && content.Total() > 0 {
				t.Fatalf("picked rows share memory: %+v", content)
			}
			coded.Release()
			batch.Release()
		}
		assertNothingTaken(t, ample())
	})
}

func TestAnAggregationReservesEnoughForGroupsItHasNotSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schema := everyType()
		a := Aggregate{
			By: rapid.Permutation(columnNames(schema)).Draw(t, "by")[:rapid.IntRange(1, 3).Draw(t, "keys")],
			Measures: []Measure{
				{Func: Count}, {Func: Max, Column: "string"}, {Func: Min, Column: "coded"}, {Func: Mean, Column: "int8"},
				{Func: Sum, Column: "float32"}, {Func: Max, Column: "date"},
			},
		}
		groups, err := a.start(budget{limit: 1 << 30}, schema)
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 10).Draw(t, "times") {
			for _, batch := range drawBatches(t, schema) {
				if batch.NumRows() == 0 {
					continue
				}
				worst := groups.demand(batch).worst
				if err := groups.addPiece(batch); err != nil {
					t.Fatal(err)
				}
				if now := groups.demand(batch).now; now > worst {
					t.Fatalf("reserved for %d bytes, and takes %d", worst, now)
				}
				batch.Release()
			}
		}
	})
}

func TestTheStateOfManyGroupsIsEstimatedTightly(t *testing.T) {
	groups, err := Aggregate{By: []string{"n"}, Measures: []Measure{{Func: Count}}}.start(budget{limit: 1 << 30}, numbers(1).Schema())
	if err != nil {
		t.Fatal(err)
	}
	batch := numbers(1 << 20)
	defer batch.Release()
	worst := []int64{}
	for from := int64(0); from < batch.NumRows(); from += 4096 {
		piece := batch.NewSlice(from, from+4096)
		d := groups.demand(piece)
		worst = append(worst, d.worst)
		if err := groups.addPiece(piece); err != nil {
			t.Fatal(err)
		}
		if now := groups.demand(piece).now; now > d.worst {
			t.Fatalf("reserved for %d bytes, and takes %d", d.worst, now)
		}
		piece.Release()
	}
	if now := groups.demand(batch).now; slices.Max(worst) > 3*now {
		t.Errorf("would have reserved %d bytes for what takes %d", slices.Max(worst), now)
	}
}
