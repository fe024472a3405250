package table

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/mem"
)

// A group alone may take more than the bound, but only as long as it is there.
func TestATableGivesBackWhatOneGroupTookBeyondItsBound(t *testing.T) {
	const bound, long = 64 << 10, 256 << 10
	r := newResource(t, 8<<20)
	ctx := mem.NewContext(t.Context(), r)
	schema := arrow.NewSchema([]arrow.Field{field("k", int64Type), field("text", stringType)}, nil)
	plan, err := Aggregate{By: []string{"k"}, Measures: []Measure{{Func: Max, Column: "text"}}}.compile(schema)
	if err != nil {
		t.Fatal(err)
	}
	table := newGroupTable(plan.groupPlan, budgetOf(ctx), bound)
	defer table.release()
	used := func() int64 { return r.Stats().Kinds[mem.Host].Used }
	take := func(text string) {
		t.Helper()
		w := &groupWorker{table: table, away: newSpillway(ctx, "groups", plan.groupPlan, budgetOf(ctx), 0)}
		if err := w.take(ctx, batchOf(schema, []any{1, text}), &plan.raw, 0); err != nil {
			t.Fatal(err)
		}
		if w.away.used() != nil || table.len() != 1 {
			t.Fatalf("%d groups are in the table", table.len())
		}
	}
	take("short")
	if used() != table.bytes(table.size) || used() > bound {
		t.Errorf("%d bytes are used, the table has room for %d", used(), table.bytes(table.size))
	}
	table.clear()
	if used() == 0 {
		t.Error("a table within its bound gives its room back")
	}
	take(strings.Repeat("x", long))
	if used() != table.bytes(table.size) || used() < long {
		t.Errorf("%d bytes are used, the table has room for %d", used(), table.bytes(table.size))
	}
	table.clear()
	if used() > bound {
		t.Errorf("%d bytes are used of %d after the group is gone", used(), bound)
	}
}

func TestATableMadeForSoManyGroupsHasRoomForThemWithinItsBound(t *testing.T) {
	const bound = 1 << 20
	schema := arrow.NewSchema([]arrow.Field{field("k", int64Type), field("name", stringType), field("text", stringType)}, nil)
	plan, err := Aggregate{By: []string{"k", "name"}, Measures: []Measure{{Func: Max, Column: "text"}}}.compile(schema)
	if err != nil {
		t.Fatal(err)
	}
	large := 0
	for groups := int64(1); groups < 100_000; groups += groups/8 + 1 {
		table := newGroupTable(plan.groupPlan, budgetOf(t.Context()), bound)
		if err := table.startWith(t.Context(), groups); err != nil {
			t.Fatal(err)
		}
		if bytes := table.bytes(table.size); bytes > bound {
			t.Errorf("a table for %d groups takes %d bytes", groups, bytes)
		}
		if room := int64(table.size.groups); room >= groups {
			large = max(large, table.size.groups)
		}
	}
	if large < 4000 { // what the bound has room for, by their bytes, is about twice so many
		t.Errorf("no table has room for more than %d groups", large)
	}
}

// Without text and with it: long in the last groups.
func TestChunksOfGroupsTakeNoMoreBytesThanTheyMay(t *testing.T) {
	const groups, most = 3000, 16 << 10
	r := newResource(t, 64<<20)
	ctx := mem.NewContext(t.Context(), r)
	schema := arrow.NewSchema([]arrow.Field{field("k", int64Type), field("text", stringType)}, nil)
	var rows [][]any
	for i := range groups {
		rows = append(rows, []any{i, strings.Repeat("x", i/100)})
	}
	for _, a := range []Aggregate{
		{By: []string{"k"}, Measures: []Measure{{Func: Count}}},
		{By: []string{"k"}, Measures: []Measure{{Func: Max, Column: "text"}}},
		{By: []string{"k", "text"}, Measures: []Measure{{Func: Count}}},
	} {
		plan, err := a.compile(schema)
		if err != nil {
			t.Fatal(err)
		}
		w := &groupWorker{table: newGroupTable(plan.groupPlan, budgetOf(ctx), 16<<20)} // and nowhere else to go
		defer w.table.release()
		if err := w.take(ctx, batchOf(schema, rows...), &plan.raw, 0); err != nil {
			t.Fatal(err)
		}
		for _, schema := range []*arrow.Schema{plan.schema, plan.states} {
			seen, chunks := 0, 0
			err := w.table.each(ctx, schema, most, func(chunk *Chunk) error {
				defer chunk.Release()
				if bytes := chunk.Content().Bytes[mem.Host]; bytes > most {
					t.Errorf("%d groups in a chunk of %d bytes", chunk.Rows(), bytes)
				}
				seen += chunk.Rows()
				chunks++
				return nil
			})
			if err != nil || seen != groups || chunks > 40 {
				t.Errorf("%d groups in %d chunks, %v", seen, chunks, err)
			}
		}
	}
}
