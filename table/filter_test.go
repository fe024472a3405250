package table

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
)

func filterNode(f Filter) transform {
	return func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
		return f.Node("filter", in, out)
	}
}

func TestFilterPassesWhatANaiveOneDoes(t *testing.T) {
	schema := everyType()
	rapid.Check(t, func(t *rapid.T) {
		batches := drawBatches(t, schema)
		column := rapid.IntRange(0, schema.NumFields()-1).Draw(t, "column")
		f := Filter{
			Column: schema.Field(column).Name,
			Op:     Comparison(rapid.SampledFrom(comparisons).Draw(t, "op")),
		}
		var value any // as it is in the rows
		if f.Op != IsNull && f.Op != NotNull {
			typ := schema.Field(column).Type
			for value == nil {
				value = valueOf(batchOf(arrow.NewSchema([]arrow.Field{field("", typ)}, nil),
					[]any{drawValue(t, typ)}).Column(0), 0)
			}
			f.Value = asSetting(typ, value)
		}
		want := slices.DeleteFunc(allRows(batches), func(row []any) bool {
			switch {
			case f.Op == IsNull:
				return row[column] != nil
			case row[column] == nil:
				return true
			case f.Op == NotNull:
				return false
			default:
				return !holds(f.Op, naiveOrder(row[column], value))
			}
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

// asSetting gives a value of a row as somebody would write it.
func asSetting(typ arrow.DataType, value any) any {
	switch typ.ID() {
	case arrow.DATE32:
		return time.Unix(value.(int64)*24*60*60, 0).UTC()
	case arrow.TIMESTAMP:
		v, unit := value.(int64), int64(typ.(*arrow.TimestampType).Unit.Multiplier())
		perSecond := int64(time.Second) / unit
		return time.Unix(v/perSecond, v%perSecond*unit).UTC()
	case arrow.TIME32, arrow.TIME64:
		unit := typ.(arrow.TemporalWithUnit).TimeUnit()
		return time.Time{}.Add(time.Duration(value.(int64)) * unit.Multiplier()).Format("15:04:05.999999999")
	case arrow.DURATION:
		return string(appendDuration(nil, value.(int64), arrow.Microsecond))
	case arrow.DECIMAL128:
		return value.(decimal128.Num).ToString(typ.(arrow.DecimalType).GetScale())
	default:
		return value
	}
}

func TestFilterComparesWithNumbersBeyondTheType(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		field("i8", arrow.PrimitiveTypes.Int8), field("u64", arrow.PrimitiveTypes.Uint64),
		field("i64", int64Type),
	}, nil)
	batch := batchOf(schema, []any{-128, uint64(math.MaxUint64), math.MaxInt64}, []any{127, 0, math.MinInt64},
		[]any{nil, nil, nil})
	tests := []struct {
		column string
		op     Comparison
		value  any
		want   int
	}{
		{"i8", Less, 300, 2}, {"i8", Greater, 300, 0}, {"i8", NotEqual, 300, 2}, {"i8", Equal, 300, 0},
		{"i8", GreaterOrEqual, -129, 2}, {"i8", LessOrEqual, -129, 0}, {"i8", Less, uint64(math.MaxUint64), 2},
		{"u64", GreaterOrEqual, -1, 2}, {"u64", Less, -1, 0}, {"u64", Equal, uint64(math.MaxUint64), 1},
		{"i64", Less, uint64(math.MaxUint64), 2}, {"i64", Equal, uint64(math.MaxInt64), 1},
		{"i64", Greater, 10.0, 1}, // a whole number, however it is written
	}
	for _, tt := range tests {
		rows, _, err := through(t, filterNode(Filter{Column: tt.column, Op: tt.op, Value: tt.value}), batch)
		if err != nil || len(rows) != tt.want {
			t.Errorf("%s %s %v passes %d rows (%v), want %d", tt.column, tt.op, tt.value, len(rows), err, tt.want)
		}
	}
}

func TestFilterReadsDatesAndTimes(t *testing.T) {
	march := time.Date(2001, 3, 31, 17, 5, 0, 0, time.UTC)
	days := int(march.Unix() / (24 * 60 * 60))
	schema := arrow.NewSchema([]arrow.Field{
		field("day", arrow.FixedWidthTypes.Date32),
		field("clock", &arrow.TimestampType{Unit: arrow.Millisecond}),
		field("instant", &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}),
		field("seconds", &arrow.TimestampType{Unit: arrow.Second}),
		field("of day", arrow.FixedWidthTypes.Time32ms), field("exactly", arrow.FixedWidthTypes.Time64ns),
		field("took", arrow.FixedWidthTypes.Duration_ms),
	}, nil)
	batch := batchOf(schema, []any{days, int(march.UnixMilli()), int(march.UnixNano()), int(march.Unix()),
		61500_250, 61500_250_000_001, 5400_500})
	east := time.FixedZone("", 2*60*60)
	for _, tt := range []struct {
		column string
		value  any
	}{
		{"day", "2001-03-31"}, {"day", time.Date(2001, 3, 31, 0, 0, 0, 0, east)},
		{"clock", "2001-03-31 17:05"}, {"clock", "2001-03-31T17:05:00.000"}, {"clock", march},
		{"clock", time.Date(2001, 3, 31, 17, 5, 0, 0, east)},
		{"instant", "2001-03-31T17:05:00Z"}, {"instant", "2001-03-31 19:05:00+02:00"}, {"instant", march.In(east)},
		{"instant", "2001-03-31 17:05:00"}, {"seconds", "2001-03-31 17:05:00"},
		{"of day", "17:05:00.25"}, {"exactly", "17:05:00.250000001"}, {"took", "1h30m0.5s"}, {"took", "1.5h500ms"},
		{"took", 90*time.Minute + 500*time.Millisecond},
	} {
		rows, _, err := through(t, filterNode(Filter{Column: tt.column, Op: Equal, Value: tt.value}), batch)
		if err != nil || len(rows) != 1 {
			t.Errorf("%s = %v passes %d rows (%v)", tt.column, tt.value, len(rows), err)
		}
	}
	for _, tt := range []struct{ column, value, want string }{
		{"day", "2001-03-31 10:00", "want a date in quotes"},
		{"clock", "2001-03-31T17:05:00Z", "no time zone"},
		{"of day", "5 past 5", "want a time of day in quotes"}, {"of day", "24:00", "want a time of day"},
		{"of day", "17:05:00.0001", "times are in ms"}, {"took", "17:05", "want a duration in quotes"},
		{"took", "1us", "durations are in ms"},
		{"clock", "2001-03-31T17:05:00.0001", "in ms"},
		{"clock", "yesterday", "want a time in quotes"},
	} {
		_, err := Filter{Column: tt.column, Op: Less, Value: tt.value}.Schema(schema)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s < %q: %v, want %q", tt.column, tt.value, err, tt.want)
		}
	}
	// Nanoseconds reach from 1677 to 2262: all there are lie between these.
	for op, value := range map[Comparison]string{Less: "3000-01-01", Greater: "1000-01-01"} {
		rows, _, err := through(t, filterNode(Filter{Column: "instant", Op: op, Value: value}), batch)
		if err != nil || len(rows) != 1 {
			t.Errorf("instant %s %s passes %d rows (%v)", op, value, len(rows), err)
		}
	}
}

func TestFilterSaysWhatIsWrongBeforeItReads(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		field("origin", codedType), field("delay", int64Type), field("late", arrow.FixedWidthTypes.Boolean),
		field("ratio", float64Type),
	}, nil)
	for _, tt := range []struct {
		filter Filter
		want   string
	}{
		{Filter{Column: "orign", Op: Equal, Value: "ORD"}, `unknown column "orign"; did you mean "origin"?`},
		{Filter{Column: "delay", Op: "=>", Value: 1}, `unknown comparison "=>"`},
		{Filter{Column: "delay", Op: Greater, Value: 10.5}, `column "delay" > 10.5: want a whole number, not 10.5`},
		{Filter{Column: "delay", Op: Greater, Value: "ten"}, `column "delay" > "ten": want a whole number, not "ten"`},
		{Filter{Column: "delay", Op: Greater}, "needs a value"},
		{Filter{Column: "delay", Op: IsNull, Value: 1}, "needs no value"},
		{Filter{Column: "origin", Op: Equal, Value: 7}, "column \"origin\" = 7: want text in quotes, such as 'abc', not 7"},
		{Filter{Column: "late", Op: Equal, Value: "yes"}, "want true or false, not \"yes\""},
		{Filter{Column: "ratio", Op: Equal, Value: "1"}, "want a number, not \"1\""},
	} {
		_, err := tt.filter.Schema(schema)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.filter, err, tt.want)
		}
	}
	var unknown *ColumnError
	_, err := Filter{Column: "orign", Op: IsNull}.Schema(schema)
	if !errors.As(err, &unknown) || unknown.Column != "orign" || len(unknown.Have) != 4 {
		t.Errorf("%#v is no ColumnError", err)
	}
	list := arrow.NewSchema([]arrow.Field{field("tags", arrow.ListOf(stringType))}, nil)
	if _, err := (Filter{Column: "tags", Op: IsNull}).Schema(list); err == nil || !strings.Contains(err.Error(), `"tags"`) {
		t.Errorf("a list: %v", err)
	}
}

func TestFilterKeepsDictionariesAndSchema(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("origin", codedType)}, nil)
	batch := batchOf(schema, []any{"ORD"}, []any{"DFW"}, []any{nil}, []any{"ORD"})
	rows, got, err := through(t, filterNode(Filter{Column: "origin", Op: NotEqual, Value: "DFW"}), batch)
	if err != nil || len(rows) != 2 || !got.Equal(schema) {
		t.Errorf("%v, %v, %v", rows, got, err)
	}
}

func TestFilterOfWhichNothingPassesTellsTheSchemaOnce(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	rows, got, err := through(t, filterNode(Filter{Column: "n", Op: Greater, Value: 5}),
		batchOf(schema, []any{1}), batchOf(schema), batchOf(schema, []any{2}))
	if err != nil || len(rows) != 0 || got == nil || !got.Equal(schema) {
		t.Errorf("%v, %v, %v", rows, got, err)
	}
	if _, got, err = through(t, filterNode(Filter{Column: "n", Op: Greater, Value: 5})); got != nil || err != nil {
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
	net.Node(Filter{Column: "n", Op: GreaterOrEqual, Value: 7}.Node("filter", in, out))
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
