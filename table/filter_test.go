package table

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table/expr"
)

func filterNode(f Filter) transform {
	return func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
		return f.Node("filter", in, out)
	}
}

// twice is everyType with a second column of each type.
func twice() *arrow.Schema {
	fields := everyType().Fields()
	for _, f := range everyType().Fields() {
		fields = append(fields, field(f.Name+"2", f.Type))
	}
	return arrow.NewSchema(fields, nil)
}

func TestFilterPassesWhatANaiveOneDoes(t *testing.T) {
	schema := twice()
	rapid.Check(t, func(t *rapid.T) {
		batches := drawBatches(t, schema)
		half := schema.NumFields() / 2
		column := rapid.IntRange(0, half-1).Draw(t, "column")
		op := rapid.SampledFrom([]string{"=", "<>", "<", "<=", ">", ">=", "is null", "is not null"}).Draw(t, "op")
		f := Filter{
			Where:   "`" + schema.Field(column).Name + "` " + op,
			Workers: rapid.IntRange(1, 3).Draw(t, "workers"),
		}
		if !strings.HasPrefix(op, "is") {
			f.Where += " " + schema.Field(half+column).Name
		}
		want := slices.DeleteFunc(allRows(batches), func(row []any) bool {
			x, y := row[column], row[half+column]
			switch {
			case op == "is null":
				return x != nil
			case op == "is not null":
				return x == nil
			case x == nil || y == nil:
				return true
			}
			order := naiveOrder(x, y)
			return !map[string]bool{
				"=": order == 0, "<>": order != 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0,
			}[op]
		})
		got, _, err := through(t, filterNode(f), batches...)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(asText(got), asText(want)) {
			t.Fatalf("%+v passes\n%v\nnot\n%v", f, asText(got), asText(want))
		}
	})
}

func TestFilterReadsDatesAndTimes(t *testing.T) {
	march := time.Date(2001, 3, 31, 17, 5, 0, 0, time.UTC)
	days := int(march.Unix() / (24 * 60 * 60))
	schema := arrow.NewSchema([]arrow.Field{
		field("day", arrow.FixedWidthTypes.Date32),
		field("clock", &arrow.TimestampType{Unit: arrow.Millisecond}),
		field("instant", &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}),
		field("of day", arrow.FixedWidthTypes.Time32ms), field("exactly", arrow.FixedWidthTypes.Time64ns),
		field("took", arrow.FixedWidthTypes.Duration_ms), field("price", &arrow.Decimal128Type{Precision: 38, Scale: 2}),
	}, nil)
	batch := batchOf(schema, []any{days, int(march.UnixMilli()), int(march.UnixNano()),
		61500_250, 61500_250_000_001, 5400_500, number("1025")})
	for _, where := range []string{
		"day = '2001-03-31'", "clock = '2001-03-31 17:05'", "clock >= '2001-03-31T17:05:00.000'",
		"instant = '2001-03-31T17:05:00Z'", "instant = '2001-03-31 19:05:00+02:00'", "instant = '2001-03-31 17:05:00'",
		"`of day` = '17:05:00.25'", "exactly = '17:05:00.250000001'", "`of day` between '17:05' and '17:06'",
		"cast(`of day` as text) = '17:05:00.25'", "took = '1h30m0.5s'", "price = 10.25", "price > 10.249",
	} {
		rows, _, err := through(t, filterNode(Filter{Where: where}), batch)
		if err != nil || len(rows) != 1 {
			t.Errorf("%s passes %d rows (%v)", where, len(rows), err)
		}
	}
}

func TestFilterSaysWhatIsWrongBeforeItReads(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("origin", codedType), field("delay", int64Type)}, nil)
	for _, tt := range []struct {
		where, want string
		offset      int
	}{
		{"delay > 1 and orign = 'ORD'", `unknown column "orign"; did you mean "origin"?`, 14},
		{"delay", "a condition is true or false, but it is int64", 0},
		{"origin", "a condition is true or false, but it is text", 0},
		{"null", "it is always null", 0},
		{"delay > > 1", "expected a column, a value or a function, got >", 8},
		{"", "expected a column, a value or a function, got the end", 0},
	} {
		_, err := Filter{Where: tt.where}.Schema(schema)
		var wrong *expr.Error
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), tt.want) || wrong.Offset != tt.offset {
			t.Errorf("%s: %v, want %q at %d", tt.where, err, tt.want, tt.offset)
		}
	}
}

func TestTheFirstRowWithoutAValueEndsTheFilter(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	_, _, err := throughIn(t, nil, filterNode(Filter{Where: "12 // n > 1", Workers: 4}),
		batchOf(schema, []any{1}), batchOf(schema, []any{2}), batchOf(schema, []any{3}, []any{0}),
		batchOf(schema, []any{4}), batchOf(schema, []any{0}))
	var failed *expr.RowError
	if !errors.As(err, &failed) || failed.Row != 3 || !strings.Contains(err.Error(), "row 4: ") || !errors.Is(err, expr.ErrDivisionByZero) {
		t.Errorf("%v", err)
	}
}

func TestFilterKeepsDictionariesAndSchema(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("origin", codedType)}, nil)
	batch := batchOf(schema, []any{"ORD"}, []any{"DFW"}, []any{nil}, []any{"ORD"})
	rows, got, err := through(t, filterNode(Filter{Where: "origin <> 'DFW'"}), batch)
	if err != nil || len(rows) != 2 || !got.Equal(schema) {
		t.Errorf("%v, %v, %v", rows, got, err)
	}
}

func TestFilterOfWhichNothingPassesTellsTheSchemaOnce(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	rows, got, err := through(t, filterNode(Filter{Where: "n > 5"}),
		batchOf(schema, []any{1}), batchOf(schema), batchOf(schema, []any{2}))
	if err != nil || len(rows) != 0 || got == nil || !got.Equal(schema) {
		t.Errorf("%v, %v, %v", rows, got, err)
	}
	if _, got, err = through(t, filterNode(Filter{Where: "n > 5"})); got != nil || err != nil {
		t.Errorf("without input: %v, %v", got, err)
	}
}

func TestFilterKeepsNumbersAndReceipts(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	net := sluice.NewNetwork("test")
	in, out := net.Channel("in"), net.Channel("out")
	throttle, err := sluice.NewThrottle(in, 1)
	if err != nil {
		t.Fatal(err)
	}
	// With one ticket, each chunk must have been released before the next is made,
	// also those of which nothing passes.
	net.Node("source", func(ctx context.Context) error {
		for i := range 10 {
			ticket, err := throttle.Acquire(ctx)
			if err != nil {
				return err
			}
			m := sluice.NewMessage(sluice.SeqNum(i), NewChunk(batchOf(schema, []any{i})))
			if err := ticket.SendHeld(ctx, &m); err != nil {
				return err
			}
		}
		return nil
	}, sluice.Writes(in))
	net.Node(Filter{Where: "n >= 7"}.Node("filter", in, out))
	var seqs []string
	net.Node("sink", func(ctx context.Context) error {
		for m, err := range out.All(ctx) {
			if err != nil {
				return err
			}
			seqs = append(seqs, fmt.Sprint(m.Seq()))
			if m.Receipt() == nil {
				t.Error("the receipt is lost")
			}
			m.Release()
		}
		return nil
	}, sluice.Reads(out))
	if err := net.Run(context.Background()); err != nil || strings.Join(seqs, " ") != "7 8 9" {
		t.Errorf("%v, %v", seqs, err)
	}
}
