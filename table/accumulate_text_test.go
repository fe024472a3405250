package table

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"
)

// By what is lost it is decided whether text is put together again or gets more room.
func TestTextOfGroupsIsAllThatIsUsedOfTheRoomForIt(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("text", stringType)}, nil)
	const groups, most = 4, 6
	rapid.Check(t, func(t *rapid.T) {
		pick := rapid.SampledFrom([]Func{Min, Max, Any}).Draw(t, "pick")
		e := &textExtremes{pick: pick, typ: stringType}
		e.resize(groups)
		want := map[uint32]string{}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				text := strings.Repeat(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "letter"), rapid.IntRange(0, most).Draw(t, "length"))
				group := rapid.Uint32Max(groups-1).Draw(t, "group")
				v := newView(batchOf(schema, []any{text}).Column(0))
				if capacity, used := e.space(); e.room(&v, 1) == 0 {
					e.resizeText(max(capacity, used+most))
				}
				capacity := cap(e.text)
				e.addAll(&v, []uint32{group})
				if cap(e.text) != capacity {
					t.Fatalf("%d bytes of text, there was room for %d", cap(e.text), capacity)
				}
				best, ok := want[group]
				if !ok || pick == Min && text < best || pick == Max && text > best {
					want[group] = text
				}
			},
			"clear": func(*rapid.T) {
				e.clear(groups)
				clear(want)
			},
			"": func(t *rapid.T) {
				sum := 0
				for g, text := range want {
					if got := string(e.at(int(g))); got != text {
						t.Fatalf("group %d has %q, want %q", g, got, text)
					}
					sum += len(text)
				}
				if capacity, used := e.space(); used != sum || e.textBytes(0, groups) != int64(sum) || used > capacity {
					t.Fatalf("%d bytes are used of %d, the groups have %d", used, capacity, sum)
				}
			},
		})
	})
}
