package table

import (
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

			coded, err := gatherChunk(t.Context(), from, batch.Schema(), columnsOf(batch), places)
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
