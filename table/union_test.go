package table

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/ops"
)

// unite runs batches through a union, one list for each input.
func unite(t failer, r *mem.Resource, inputs ...[]arrow.RecordBatch) (rows [][]any, chunks int, err error) {
	net := sluice.NewNetwork("test", sluice.WithMemory(r))
	out := net.Channel("out")
	var in []*sluice.Channel
	for i, batches := range inputs {
		c := net.Channel(string(rune('a' + i)))
		in = append(in, c)
		net.Node("source "+c.Name(), source(c, batches...), sluice.Writes(c))
	}
	net.Node(Union{}.Node("union", in, out))
	net.Node("sink", func(ctx context.Context) error {
		return eachChunk(ctx, out, func(_ *sluice.Message, chunk *Chunk) error {
			chunks++
			rows = append(rows, rowsOf(chunk.Batch())...)
			return nil
		})
	}, reads(out))
	return rows, chunks, net.Run(context.Background())
}

func TestUnionPassesAllRowsOfAllInputs(t *testing.T) {
	schema := everyType()
	rapid.Check(t, func(t *rapid.T) {
		inputs := [][]arrow.RecordBatch{drawBatches(t, schema), drawBatches(t, schema), drawBatches(t, schema)}
		var want []string
		batches := 0
		for _, in := range inputs {
			want = append(want, asText(allRows(in))...)
			batches += len(in)
		}
		rows, chunks, err := unite(t, nil, inputs...)
		if err != nil {
			t.Fatal(err)
		}
		got := asText(rows)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("passes\n%v\nnot\n%v", got, want)
		}
		if batches > 0 && chunks == 0 {
			t.Fatal("the schema was not told")
		}
	})
}

// Branches of one fan-out of which neither has room for what the other has not taken.
func TestUnionOfTheBranchesOfAFanOutEnds(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	net := sluice.NewNetwork("test")
	in, a, b, late, out := net.Channel("in"), net.Channel("a"), net.Channel("b"), net.Channel("late"), net.Channel("out")
	var batches []arrow.RecordBatch
	for i := range 50 {
		batches = append(batches, batchOf(schema, []any{i}))
	}
	net.Node("source", source(in, batches...), sluice.Writes(in))
	net.Node(ops.Broadcast("both", in, []*sluice.Channel{a, b}))
	net.Node(Filter{Where: "n >= 40"}.Node("late", a, late))
	net.Node(Union{}.Node("union", []*sluice.Channel{late, b}, out))
	rows := 0
	net.Node("sink", func(ctx context.Context) error {
		return eachChunk(ctx, out, func(_ *sluice.Message, chunk *Chunk) error {
			rows += chunk.Rows()
			return nil
		})
	}, reads(out))
	if err := net.Run(t.Context()); err != nil || rows != 60 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

func TestUnionWantsTheSameColumns(t *testing.T) {
	a := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	b := arrow.NewSchema([]arrow.Field{field("n", float64Type)}, nil)
	_, err := Union{}.Schema(a, b)
	if err == nil || !strings.Contains(err.Error(), `input 2: column 0 is "n" of type float64`) {
		t.Errorf("%v", err)
	}
	_, _, err = unite(t, nil, []arrow.RecordBatch{batchOf(a, []any{1})}, []arrow.RecordBatch{batchOf(b, []any{1.0})})
	if err == nil || !strings.Contains(err.Error(), `column 0 is "n" of type`) || !strings.Contains(err.Error(), "channel ") {
		t.Errorf("%v", err)
	}
	nullable := arrow.NewSchema([]arrow.Field{{Name: "n", Type: int64Type, Nullable: true}}, nil)
	strict := arrow.NewSchema([]arrow.Field{{Name: "n", Type: int64Type}}, nil)
	if got, err := (Union{}).Schema(strict, nullable); err != nil || !got.Field(0).Nullable {
		t.Errorf("%v, %v", got, err)
	}
}

// As where one file has a dictionary and another has not, or one branch was sorted.
func TestUnionTakesTextOutOfDictionariesThatNotAllInputsHave(t *testing.T) {
	coded := arrow.NewSchema([]arrow.Field{field("s", codedType), field("n", int64Type)}, nil)
	plain := arrow.NewSchema([]arrow.Field{field("s", stringType), field("n", int64Type)}, nil)
	for _, schemas := range [][]*arrow.Schema{{coded, plain}, {plain, coded}, {coded, coded}} {
		if got, err := (Union{}).Schema(schemas...); err != nil || !got.Equal(plain) {
			t.Errorf("%v, %v", got, err)
		}
		rows, _, err := unite(t, nil, []arrow.RecordBatch{batchOf(schemas[0], []any{"a", 1}, []any{nil, 2})},
			[]arrow.RecordBatch{batchOf(schemas[1], []any{"a", 3})})
		got := asText(rows)
		slices.Sort(got)
		want := asText([][]any{{"a", int64(1)}, {"a", int64(3)}, {nil, int64(2)}})
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v, %v", got, err)
		}
	}
}
