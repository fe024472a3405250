package table

import (
	"cmp"
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
	"github.com/seed14ed4225/sluice/mem"
)

// aggregated runs batches through aggregates with one worker and with several, without a limit, in
// much memory and in little, and returns the rows of the first in some order. The others must be
// the same but for the last digits of floating-point numbers.
func aggregated(t failer, a Aggregate, batches ...arrow.RecordBatch) (rows [][]any, schema *arrow.Schema, err error) {
	t.Helper()
	first := true
	for _, r := range []*mem.Resource{nil, little(), ample()} {
		if r != nil && slices.ContainsFunc(batches, func(b arrow.RecordBatch) bool { return batchCopyBytes(b) > r.Limit(mem.Host)/8 }) {
			continue
		}
		for _, workers := range []int{1, 3} {
			a.Workers = workers
			got, of, failed := throughIn(t, r, aggregateNode(a), batches...)
			got = byText(got)
			if first {
				rows, schema, err, first = got, of, failed, false
				continue
			}
			if (failed == nil) != (err == nil) {
				t.Fatalf("with %d workers in %v: %v, alone without a limit: %v", workers, limitOf(r), failed, err)
			}
			if err == nil {
				assertSameRows(t, got, rows)
			}
			if r != nil {
				if host := r.Stats().Kinds[mem.Host]; host.Overbooked != 0 {
					t.Fatalf("%d bytes were taken of %d", host.Peak, host.Limit)
				}
			}
		}
	}
	return rows, schema, err
}

func limitOf(r *mem.Resource) string {
	if r == nil {
		return "any memory"
	}
	return fmt.Sprintf("%d bytes", r.Limit(mem.Host))
}

// assertSameRows compares rows, those of got in any order.
func assertSameRows(t failer, got, want [][]any) {
	t.Helper()
	got, want = byText(got), byText(want)
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d:\n%v\n%v", len(got), len(want), asText(got), asText(want))
	}
	for i := range want {
		if g, w := roundedText(got[i]), roundedText(want[i]); g != w {
			t.Fatalf("row %d is\n%s\nwant\n%s", i, g, w)
		}
	}
}

// byText returns rows in the order of what they look like.
func byText(rows [][]any) [][]any {
	texts := make([]string, len(rows))
	order := make([]int, len(rows))
	for i, row := range rows {
		texts[i], order[i] = roundedText(row), i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(texts[a], texts[b]) })
	var sorted [][]any
	for _, i := range order {
		sorted = append(sorted, rows[i])
	}
	return sorted
}

// roundedText is asText without the last digits of floating-point numbers.
func roundedText(row []any) string {
	row = slices.Clone(row)
	for i, v := range row {
		if f, ok := v.(float64); ok {
			// As so many parts of pi: sums of halves and quarters can lie just between two
			// roundings, and then the last digit of the float64 decides.
			row[i] = fmt.Sprintf("%.9g", f/math.Pi+0)
		}
	}
	return asText([][]any{row})[0]
}

func aggregateNode(a Aggregate) transform {
	return func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
		return a.Node("aggregate", in, out)
	}
}

func TestAggregateComputesWhatANaiveOneDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, batches := drawAggregate(t, everyType())
		got, _, err := aggregated(t, a, batches...)
		assertAsNaive(t, everyType(), a, batches, got, err)
	})
}

// drawAggregate draws some of all measures that there are.
func drawAggregate(t *rapid.T, schema *arrow.Schema) (Aggregate, []arrow.RecordBatch) {
	batches := drawBatches(t, schema)
	a := Aggregate{Measures: []Measure{{Func: Count}}}
	a.By = rapid.Permutation(columnNames(schema)).Draw(t, "by")[:rapid.IntRange(0, 4).Draw(t, "keys")]
	var possible []Measure
	for _, f := range schema.Fields() {
		for _, fn := range Funcs() {
			if _, ok := functionOf(fn, f.Type); ok && fn != Any {
				possible = append(possible, Measure{As: string(fn) + " of " + f.Name, Func: fn, Column: f.Name})
			}
		}
	}
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(possible)-1), 0, 10, rapid.ID[int]).Draw(t, "measures") {
		a.Measures = append(a.Measures, possible[i])
	}
	return a, batches
}

// assertAsNaive compares what an aggregate gave with what row-by-row evaluation gives.
func assertAsNaive(t failer, schema *arrow.Schema, a Aggregate, batches []arrow.RecordBatch, got [][]any, err error) {
	t.Helper()
	of := map[string]int{}
	var want [][]any
	var groups [][][]any
	for _, row := range allRows(batches) {
		var key []any
		for _, name := range a.By {
			key = append(key, row[schema.FieldIndices(name)[0]])
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
	if len(a.By) == 0 && len(want) == 0 {
		want, groups = [][]any{nil}, [][][]any{nil}
	}
	overflows := ""
	for g := range want {
		for _, measure := range a.Measures {
			column := -1
			if measure.Column != "" {
				column = schema.FieldIndices(measure.Column)[0]
			}
			value, fits := naive(measure.Func, schema, column, groups[g])
			if !fits {
				overflows = measure.Column
			}
			want[g] = append(want[g], value)
		}
	}
	if overflows != "" {
		if err == nil || !strings.Contains(err.Error(), "does not fit ") {
			t.Fatalf("the sum of %s does not fit, but: %v", overflows, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	assertSameRows(t, got, want)
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
	switch f {
	case Count:
		return int64(len(values)), true
	case CountDistinct:
		seen := map[string]bool{}
		for _, v := range values {
			seen[asText([][]any{{v}})[0]] = true
		}
		return int64(len(seen)), true
	}
	if len(values) == 0 {
		return nil, true
	}
	switch f {
	case First:
		return values[0], true
	case Variance, StdDev, VariancePop, StdDevPop:
		return naiveSpread(f, schema.Field(column).Type, values), true
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

// naiveSpread computes from float64s, but in fractions: the mean of large ones that are all the same
// would differ from them.
func naiveSpread(f Func, typ arrow.DataType, values []any) any {
	var numbers []*big.Rat
	finite, mean := true, new(big.Rat)
	for _, v := range values {
		f := 0.0
		switch v := v.(type) {
		case int64:
			f = float64(v)
		case uint64:
			f = float64(v)
		case float64:
			f = v
		case decimal128.Num:
			f = v.ToFloat64(typ.(arrow.DecimalType).GetScale())
		}
		x := new(big.Rat)
		if x.SetFloat64(f) == nil {
			finite, x = false, new(big.Rat)
		}
		numbers = append(numbers, x)
		mean.Add(mean, x)
	}
	n := int64(len(numbers))
	mean.Quo(mean, big.NewRat(n, 1))
	sum := new(big.Rat)
	for _, x := range numbers {
		x.Sub(x, mean)
		sum.Add(sum, x.Mul(x, x))
	}
	if f == Variance || f == StdDev {
		n--
	}
	switch {
	case n == 0:
		return nil
	case !finite:
		return math.NaN()
	}
	spread, _ := sum.Quo(sum, big.NewRat(n, 1)).Float64()
	if f == StdDev || f == StdDevPop {
		return math.Sqrt(spread)
	}
	return spread
}

func TestAggregateWithoutKeysGivesOneRowAlsoForNoInput(t *testing.T) {
	a := Aggregate{Measures: []Measure{
		{Func: Count}, {Func: Count, Column: "n"}, {Func: Sum, Column: "n"}, {Func: Mean, Column: "n"}, {Func: Max, Column: "n"},
	}}
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	want := "int64 0|int64 0|<nil> <nil>|<nil> <nil>|<nil> <nil>|"
	for name, batches := range map[string][]arrow.RecordBatch{"no chunk": nil, "no rows": {batchOf(schema)}} {
		rows, _, err := aggregated(t, a, batches...)
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
	rows, got, err := aggregated(t, a, batchOf(schema))
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
	rows, _, err := aggregated(t, a, batchOf(schema, []any{math.MaxInt64}, []any{1}, []any{-1}))
	if got := asText(rows); err != nil || got[0] != "int64 9223372036854775807|" {
		t.Errorf("%v, %v", got, err)
	}
	_, _, err = aggregated(t, a, batchOf(schema, []any{math.MaxInt64}, []any{1}))
	if err == nil || !strings.Contains(err.Error(), `sum of column "n": does not fit 64 bits`) {
		t.Errorf("%v", err)
	}
}

func TestTheMeanOfNegativeIntegersIsNotLostInTwosComplement(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	a := Aggregate{Measures: []Measure{{Func: Mean, Column: "n"}}}
	rows, _, err := aggregated(t, a, batchOf(schema, []any{-3}, []any{-4}))
	if err != nil || rows[0][0] != -3.5 {
		t.Errorf("%v, %v", rows, err)
	}
}

func TestManyGroupsComeInChunksOfBoundedRows(t *testing.T) {
	if raceDetector {
		t.Skip("takes a quarter of a minute under the race detector, where others have several workers")
	}
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
	rows, _, err := aggregated(t, a, batches...)
	if err != nil || len(rows) != groups {
		t.Fatalf("%d groups, %v", len(rows), err)
	}
	slices.SortFunc(rows, func(a, b []any) int { return cmp.Compare(a[0].(int64), b[0].(int64)) })
	want := make([][]any, groups)
	for i := range want {
		want[i] = []any{int64(i) * 1_000_003 % 1_000_000_007, fmt.Sprint("text ", i), int64(2)}
	}
	slices.SortFunc(want, func(a, b []any) int { return cmp.Compare(a[0].(int64), b[0].(int64)) })
	if !slices.Equal(asText(rows), asText(want)) {
		t.Fatal("other groups")
	}
}

func TestDictionaryEntriesThatNoRowHasAreNoGroups(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("origin", codedType)}, nil)
	whole := batchOf(schema, []any{"ORD"}, []any{"DFW"}, []any{"ATL"}, []any{"DFW"})
	part := whole.NewSlice(1, 2)
	a := Aggregate{By: []string{"origin"}, Measures: []Measure{{Func: Count}}}
	rows, _, err := aggregated(t, a, part, part, batchOf(schema, []any{"LAX"}, []any{"DFW"}))
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
	rows, _, err := aggregated(t, a, batch)
	if got := fmt.Sprint(rows); err != nil || got != "[[<nil> 2 0] [a 1 1]]" {
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
		{Aggregate{Measures: []Measure{{Func: "avg", Column: "delay"}}}, `unknown function "avg"; have count, "count distinct", sum,`},
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
		run, err := a.job("aggregate").start(t.Context(), schema, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer run.close()
		return testing.AllocsPerRun(10, func() {
			if err := run.take(t.Context(), 0, batch, 0); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := perChunk(rows[:100]), perChunk(rows); many > few {
		t.Errorf("%v allocations for 100 rows, %v for 1000", few, many)
	}
}
