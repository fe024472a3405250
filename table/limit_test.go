package table

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
)

func limitNode(l Limit) transform {
	return func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
		return l.Node("limit", in, out)
	}
}

func TestLimitPassesTheRowsWanted(t *testing.T) {
	schema := everyType()
	rapid.Check(t, func(t *rapid.T) {
		batches := drawBatches(t, schema)
		l := Limit{Rows: rapid.Int64Range(0, 30).Draw(t, "rows"), Offset: rapid.Int64Range(0, 30).Draw(t, "offset")}
		want := allRows(batches)
		want = want[min(l.Offset, int64(len(want))):]
		if l.Rows > 0 {
			want = want[:min(l.Rows, int64(len(want)))]
		}
		got, made, err := through(t, limitNode(l), batches...)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(asText(got), asText(want)) {
			t.Fatalf("%+v passes\n%v\nnot\n%v", l, asText(got), asText(want))
		}
		if len(batches) > 0 && made == nil {
			t.Fatal("the schema was not told")
		}
	})
}

// A limit that has its rows ends without waiting for more, and its input is stopped although the source
// would go on for ever.
func TestLimitStopsWhatFeedsIt(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	net := sluice.NewNetwork("test")
	in, passed, out := net.Channel("in"), net.Channel("passed"), net.Channel("out")
	net.Node("source", func(ctx context.Context) error {
		for i := 0; ; i++ {
			m := sluice.NewMessage(sluice.SeqNum(i), NewChunk(batchOf(schema, []any{i}, []any{i})))
			if err := in.Send(ctx, &m); err != nil {
				m.Release()
				return err
			}
		}
	}, sluice.Writes(in))
	net.Node(Filter{Where: "n is not null", Workers: 3}.Node("filter", in, passed))
	net.Node(Limit{Rows: 3, Offset: 2}.Node("limit", passed, out))
	var rows []string
	net.Node("sink", func(ctx context.Context) error {
		return eachChunk(ctx, out, func(_ *sluice.Message, chunk *Chunk) error {
			rows = append(rows, asText(rowsOf(chunk.Batch()))...)
			return nil
		})
	}, reads(out))
	if err := net.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := asText([][]any{{int64(1)}, {int64(1)}, {int64(2)}}); !slices.Equal(rows, want) {
		t.Errorf("%v, want %v", rows, want)
	}
}

func TestLimitRefusesNegativeNumbers(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	for _, l := range []Limit{{Rows: -1}, {Offset: -1}} {
		if _, err := l.Schema(schema); err == nil || !strings.Contains(err.Error(), "cannot be negative") {
			t.Errorf("%+v: %v", l, err)
		}
	}
}
