package table

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
)

func aggregateNode(a Aggregate) transform {
	return func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
		return a.Node("aggregate", in, out)
	}
}

func TestAggregateComputesWhatANaiveOneDoes(t *testing.T) {
	schema := everyType()
	rapid.Check(t, func(t *rapid.T) {
		batches := drawBatches(t, schema)
		var a Aggregate
		var keys []int
		for _, column := range rapid.Permutation(columnNames(schema)).Draw(t, "by")[:rapid.IntRange(0, 3).Draw(t, "keys")] {
			a.By = append(a.By, column)
			keys = append(keys, schema.FieldIndices(column)[0])
		}
		a.Measures = []Measure{{Func: Count}}
		columns := []int{-1}
		for i, f := range schema.Fields() {
			for _, fn := range funcs {
				if typ, _ := accumulatorFor(Func(fn), f.Type); typ != nil {
					a.Measures = append(a.Measures, Measure{As: fmt.Sprint(fn, i), Func: Func(fn), Column: f.Name})
					columns = append(columns, i)
				}
			}
		}
		rows, of := allRows(batches), map[string]int{}
		var want [][]any
		var groups [][][]any
		for _, row := range rows {
			var key []any
			for _, k := range keys {
				key = append(key, row[k])
			}
			text := asText([][]any{key})[0]
			g, ok := of[text]
			if !ok {
				g = len(want)
				of[text] = g
				want, groups = append(want, key), append(groups, nil)
			}
			groups[g] = append(groups[g], row)
		}
		if len(keys) == 0 && len(want) == 0 && len(batches) > 0 {
			want, groups = [][]any{nil}, [][][]any{nil}
		}
		overflows := ""
		for g := range want {
			for m, measure := range a.Measures {
				value, fits := naive(measure.Func, schema, columns[m], groups[g])
				if !fits {
					overflows = measure.Column
				}
				want[g] = append(want[g], value)
			}
		}
		got, _, err := through(t, aggregateNode(a), batches...)
		if overflows != "" {
			if err == nil || !strings.Contains(err.Error(), "does not fit ") {
				t.Fatalf("the sum of %s does not fit, but: %v", overflows, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(batches) == 0 {
			return // without a schema: has a test of its own
		}
		if !slices.Equal(asText(got), asText(want)) {
			t.Fatalf("%+v gives\n%v\nnot\n%v", a, asText(got), asText(want))
		}
	})
}

// naive computes a measure from the rows of its group.
func naive(f Func, schema *arrow.Schema, column int, rows [][]any) (value any, fits bool) {
	if column < 0 {
		return int64(len(rows)), true
	}
	var values []any
	for _, row := range rows {
		if row[column] != nil {
			values = append(values, row[column])
		}
	}
	if f == Count {
		return int64(len(values)), true
	}
	if len(values) == 0 {
		return nil, true
	}
	if f == Min || f == Max {
		best := values[0]
		for _, v := range values {
			if order := naiveOrder(v, best); order < 0 && f == Min || order > 0 && f == Max {
				best = v
			}
		}
		return best, true
	}
	if _, ok := values[0].(float64); ok {
		sum := 0.0
		for _, v := range values {
			sum += v.(float64)
		}
		if f == Mean {
			sum /= float64(len(values))
		}
		return sum, true
	}
	sum := new(big.Int)
	for _, v := range values {
		switch v := v.(type) {
		case int64:
			sum.Add(sum, big.NewInt(v))
		case uint64:
			sum.Add(sum, new(big.Int).SetUint64(v))
		case decimal128.Num:
			sum.Add(sum, v.BigInt())
		}
	}
	mean := new(big.Rat).SetFrac(sum, big.NewInt(int64(len(values))))
	switch typ := schema.Field(column).Type.(type) {
	case *arrow.Decimal128Type:
		if f == Mean {
			exact, _ := mean.Quo(mean, new(big.Rat).SetInt(powerOfTen(typ.Scale))).Float64()
			return exact, true
		}
		if len(new(big.Int).Abs(sum).String()) > maxDigits {
			return nil, false
		}
		return decimal128.FromBigInt(sum), true
	case *arrow.DurationType:
		if f == Mean {
			nearest, _ := new(big.Int).SetString(mean.FloatString(0), 10) // halves away from zero
			return nearest.Int64(), true
		}
	}
	if f == Mean {
		exact, _ := new(big.Float).SetInt(sum).Float64()
		return exact / float64(len(values)), true
	}
	if _, ok := values[0].(int64); ok {
		return sum.Int64(), sum.IsInt64()
	}
	return sum.Uint64(), sum.IsUint64()
}

func TestAggregateWithoutKeysGivesOneRowAlsoForNoInput(t *testing.T) {
	a := Aggregate{Measures: []Measure{
		{Func: Count}, {Func: Count, Column: "n"}, {Func: Sum, Column: "n"}, {Func: Mean, Column: "n"}, {Func: Max, Column: "n"},
	}}
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	want := "int64 0|int64 0|<nil> <nil>|<nil> <nil>|<nil> <nil>|"
	for name, batches := range map[string][]arrow.RecordBatch{"no chunk": nil, "no rows": {batchOf(schema)}} {
		rows, _, err := through(t, aggregateNode(a), batches...)
		if got := asText(rows); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestAggregateWithKeysOfNoRowsTellsTheSchema(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("origin", codedType), field("delay", int64Type)}, nil)
	a := Aggregate{By: []string{"origin"}, Measures: []Measure{{Func: Mean, Column: "delay"}}}
	want, err := a.Schema(schema)
	if err != nil {
		t.Fatal(err)
	}
	rows, got, err := through(t, aggregateNode(a), batchOf(schema))
	if err != nil || len(rows) != 0 || got == nil || !got.Equal(want) {
		t.Errorf("%v, %v, %v", rows, got, err)
	}
	if want.Field(0).Type != arrow.DataType(stringType) || want.Field(1).Name != "mean_delay" {
		t.Errorf("schema %v", want)
	}
}

func TestASumThatGoesOverAndComesBackIsRight(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	a := Aggregate{Measures: []Measure{{Func: Sum, Column: "n"}}}
	rows, _, err := through(t, aggregateNode(a), batchOf(schema, []any{math.MaxInt64}, []any{1}, []any{-1}))
	if got := asText(rows); err != nil || got[0] != "int64 9223372036854775807|" {
		t.Errorf("%v, %v", got, err)
	}
	_, _, err = through(t, aggregateNode(a), batchOf(schema, []any{math.MaxInt64}, []any{1}))
	if err == nil || !strings.Contains(err.Error(), `sum of column "n": does not fit 64 bits`) {
		t.Errorf("%v", err)
	}
}

func TestTheMeanOfNegativeIntegersIsNotLostInTwosComplement(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	a := Aggregate{Measures: []Measure{{Func: Mean, Column: "n"}}}
	rows, _, err := through(t, aggregateNode(a), batchOf(schema, []any{-3}, []any{-4}))
	if err != nil || rows[0][0] != -3.5 {
		t.Errorf("%v, %v", rows, err)
	}
}

func TestManyGroupsComeInTheOrderSeenInChunksOfBoundedRows(t *testing.T) {
	const groups = chunkRows + 100
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type), field("text", stringType)}, nil)
	var batches []arrow.RecordBatch
	for range 2 { // each group twice
		builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for i := range groups {
			builder.Field(0).(*array.Int64Builder).Append(int64(i) * 1_000_003 % 1_000_000_007)
			builder.Field(1).(*array.StringBuilder).Append(fmt.Sprint("text ", i))
		}
		batches = append(batches, builder.NewRecordBatch())
		builder.Release()
	}
	a := Aggregate{By: []string{"n", "text"}, Measures: []Measure{{Func: Count}}}
	rows, _, err := through(t, aggregateNode(a), batches...)
	if err != nil || len(rows) != groups {
		t.Fatalf("%d groups, %v", len(rows), err)
	}
	for i, row := range rows {
		if row[0] != int64(i)*1_000_003%1_000_000_007 || row[1] != fmt.Sprint("text ", i) || row[2] != int64(2) {
			t.Fatalf("group %d is %v", i, row)
		}
	}
}

func TestDictionaryEntriesThatNoRowHasAreNoGroups(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("origin", codedType)}, nil)
	whole := batchOf(schema, []any{"ORD"}, []any{"DFW"}, []any{"ATL"}, []any{"DFW"})
	part := whole.NewSlice(1, 2)
	a := Aggregate{By: []string{"origin"}, Measures: []Measure{{Func: Count}}}
	rows, _, err := through(t, aggregateNode(a), part, part, batchOf(schema, []any{"LAX"}, []any{"DFW"}))
	if got := fmt.Sprint(rows); err != nil || got != "[[DFW 3] [LAX 1]]" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestANullInADictionaryIsANull(t *testing.T) {
	words := batchOf(arrow.NewSchema([]arrow.Field{field("", stringType)}, nil), []any{"a"}, []any{nil}).Column(0)
	codes := batchOf(arrow.NewSchema([]arrow.Field{field("", arrow.PrimitiveTypes.Int32)}, nil),
		[]any{0}, []any{1}, []any{nil}).Column(0)
	coded := array.NewDictionaryArray(codedType, codes, words)
	batch := array.NewRecordBatch(arrow.NewSchema([]arrow.Field{field("word", codedType)}, nil), []arrow.Array{coded}, 3)
	a := Aggregate{By: []string{"word"}, Measures: []Measure{{Func: Count}, {Func: Count, Column: "word"}}}
	rows, _, err := through(t, aggregateNode(a), batch)
	if got := fmt.Sprint(rows); err != nil || got != "[[a 1 1] [<nil> 2 0]]" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAggregateSaysWhatIsWrongBeforeItReads(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("origin", codedType), field("delay", int64Type)}, nil)
	for _, tt := range []struct {
		aggregate Aggregate
		want      string
	}{
		{Aggregate{By: []string{"orign"}}, `unknown column "orign"; did you mean "origin"?`},
		{Aggregate{Measures: []Measure{{Func: Mean, Column: "dely"}}}, `measure "mean_dely": unknown column "dely"; did you mean "delay"?`},
		{Aggregate{Measures: []Measure{{Func: "avg", Column: "delay"}}}, `unknown function "avg"; have count, sum, mean, min, max`},
		{Aggregate{Measures: []Measure{{Func: Sum, Column: "origin"}}}, `no sum of column "origin"`},
		{Aggregate{Measures: []Measure{{Func: Sum}}}, "sum of which column?"},
		{Aggregate{}, "nothing to compute"},
		{Aggregate{By: []string{"delay"}, Measures: []Measure{{As: "delay", Func: Count}}}, `two columns of the result are called "delay"`},
	} {
		_, err := tt.aggregate.Schema(schema)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.aggregate, err, tt.want)
		}
	}
	var unknown *ColumnError
	if _, err := (Aggregate{By: []string{"x"}}).Schema(schema); !errors.As(err, &unknown) {
		t.Errorf("%v is no ColumnError", err)
	}
}

func TestRowsOfKnownGroupsAllocateNothing(t *testing.T) {
	schema := everyType()
	var rows [][]any
	for i := range 1000 {
		row := []any{true, 1, 2, i % 7, i % 5, 1, 2, 3, 4, 0.5, 1.5, fmt.Sprint(i % 3), "b", fmt.Sprint(i % 4), "s", 5, 6, 7, 8, 9,
			number(fmt.Sprint(i % 3)), number(fmt.Sprint(i % 7)), 10}
		rows = append(rows, row)
	}
	a := Aggregate{By: []string{"coded", "string", "int64", "price"}, Measures: []Measure{
		{Func: Count}, {Func: Sum, Column: "int32"}, {Func: Sum, Column: "price"}, {Func: Max, Column: "exact"}, {Func: Mean, Column: "float64"}, {Func: Min, Column: "string"},
		{Func: Max, Column: "int64"},
	}}
	perChunk := func(rows [][]any) float64 {
		batch := batchOf(schema, rows...)
		groups, err := a.start(budgetOf(t.Context()), schema)
		if err != nil {
			t.Fatal(err)
		}
		return testing.AllocsPerRun(10, func() {
			if err := groups.add(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := perChunk(rows[:100]), perChunk(rows); many > few {
		t.Errorf("%v allocations for 100 rows, %v for 1000", few, many)
	}
}
