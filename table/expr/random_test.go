package expr

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"
)

var oracleSchema = arrow.NewSchema([]arrow.Field{
	{Name: "i", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "small", Type: arrow.PrimitiveTypes.Int16, Nullable: true},
	{Name: "u", Type: arrow.PrimitiveTypes.Uint64, Nullable: true},
	{Name: "f", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "f32", Type: arrow.PrimitiveTypes.Float32, Nullable: true},
	{Name: "price", Type: &arrow.Decimal128Type{Precision: 10, Scale: 2}, Nullable: true},
	{Name: "huge", Type: &arrow.Decimal128Type{Precision: 38, Scale: 4}, Nullable: true},
	{Name: "b", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "code", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}, Nullable: true},
	{Name: "date of", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
	{Name: "t", Type: &arrow.TimestampType{Unit: arrow.Microsecond}, Nullable: true},
}, nil)

// batch makes up a batch, which is a part of a larger one, and shows it to the oracle.
func (w *world) batch() arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, oracleSchema)
	defer b.Release()
	before := w.pick(100)
	w.rows = rapid.SampledFrom([]int{0, 1, 3, 64, 70, 1024, 1100}).Draw(w.T, "rows")
	nulls := w.pick(3) // none, few, many
	r := rapid.Uint64().Draw(w.T, "seed")
	next := func(n int) int { r = r*6364136223846793005 + 1442695040888963407; return int(r >> 33 % uint64(n)) }
	w.values = map[string][]any{}
	add := func(row int, column string, v any, set func()) {
		i := oracleSchema.FieldIndices(column)[0]
		if nulls > 0 && next(12/nulls) == 0 {
			b.Field(i).AppendNull()
			v = nil
		} else {
			set()
		}
		if row >= before {
			w.values[column] = append(w.values[column], v)
		}
	}
	ints := []int64{0, 1, 2, 3, -1, -7, 100, 1 << 31, math.MaxInt64, math.MinInt64}
	floats := []float64{0, math.Copysign(0, -1), 1, -2.5, 3.25, math.NaN(), math.Inf(1), math.Inf(-1), 1e300}
	prices := []int64{0, 1, -1, 1025, 9999999999, -9999999999}
	words := []string{"", "a", "ab", "Ä_b", "ÄÄ x", "b", "zä%b"}
	tame := w.pick(2) * 4 // leaves out the largest numbers, with which most expressions fail
	for row := range before + w.rows {
		n := ints[next(len(ints)-tame)]
		add(row, "i", big.NewInt(n), func() { b.Field(0).(*array.Int64Builder).Append(n) })
		k := int16(next(7) - 3)
		add(row, "small", big.NewInt(int64(k)), func() { b.Field(1).(*array.Int16Builder).Append(k) })
		u := uint64(ints[next(len(ints)-tame)])
		add(row, "u", new(big.Int).SetUint64(u), func() { b.Field(2).(*array.Uint64Builder).Append(u) })
		f, g := floats[next(len(floats))], floats[next(len(floats)-1)]
		add(row, "f", f, func() { b.Field(3).(*array.Float64Builder).Append(f) })
		add(row, "f32", g, func() { b.Field(4).(*array.Float32Builder).Append(float32(g)) })
		p := prices[next(len(prices))]
		add(row, "price", big.NewRat(p, 100), func() { b.Field(5).(*array.Decimal128Builder).Append(decimal128.FromI64(p)) })
		h := new(big.Int).Mul(big.NewInt(prices[next(len(prices)-tame/2)]), powerOfTen(int32(next(28)*(4-tame)/4)))
		add(row, "huge", new(big.Rat).SetFrac(h, big.NewInt(10000)), func() { b.Field(6).(*array.Decimal128Builder).Append(decimal128.FromBigInt(h)) })
		t := next(2) == 0
		add(row, "b", t, func() { b.Field(7).(*array.BooleanBuilder).Append(t) })
		s, c := words[next(len(words))], words[next(len(words))]
		add(row, "s", s, func() { b.Field(8).(*array.StringBuilder).Append(s) })
		add(row, "code", c, func() { _ = b.Field(9).(*array.BinaryDictionaryBuilder).AppendString(c) })
		d := int32(next(80000) - 30000)
		add(row, "date of", time.Unix(int64(d)*secondsPerDay, 0).UTC(), func() { b.Field(10).(*array.Date32Builder).Append(arrow.Date32(d)) })
		m := int64(next(1<<30)-1<<29) * 1_999_999
		add(row, "t", time.UnixMicro(m).UTC(), func() { b.Field(11).(*array.TimestampBuilder).Append(arrow.Timestamp(m)) })
	}
	whole := b.NewRecordBatch()
	defer whole.Release()
	return whole.NewSlice(int64(before), int64(before+w.rows))
}

// valueAt is a row of an array as the oracle has it.
func valueAt(a arrow.Array, row int) any {
	if a.IsNull(row) {
		return nil
	}
	switch a := a.(type) {
	case *array.Int64:
		return big.NewInt(a.Value(row))
	case *array.Int16:
		return big.NewInt(int64(a.Value(row)))
	case *array.Float64:
		return a.Value(row)
	case *array.Decimal128:
		scale := a.DataType().(*arrow.Decimal128Type).Scale
		return new(big.Rat).SetFrac(a.Value(row).BigInt(), powerOfTen(scale))
	case *array.Boolean:
		return a.Value(row)
	case *array.String:
		return a.Value(row)
	case *array.Dictionary:
		return a.Dictionary().(*array.String).Value(a.GetValueIndex(row))
	case *array.Date32:
		return a.Value(row).ToTime()
	case *array.Timestamp:
		t := a.Value(row)
		return t.ToTime(a.DataType().(*arrow.TimestampType).Unit)
	}
	panic(fmt.Sprintf("%T", a))
}

func sameValue(a, b any) bool {
	if a == nil || b == nil {
		return a == b
	}
	switch a := a.(type) {
	case bool:
		return a == b
	case float64:
		b := b.(float64)
		return a == b || math.IsNaN(a) && math.IsNaN(b)
	}
	return compareValues(a, b) == 0
}

func TestRandomExpressionsAreWhatEvaluatingRowByRowGives(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{T: rt}
		batch := w.batch()
		defer batch.Release()
		depth := rapid.IntRange(0, 4).Draw(rt, "depth")
		kinds := []func(int) formula{w.whole, w.float, w.decimal, w.truth, w.words, w.moment}
		f := kinds[w.pick(len(kinds))](depth)
		checkFormula(rt, f, batch)
	})
}

func checkFormula(rt *rapid.T, f formula, batch arrow.RecordBatch) {
	p, err := Compile(f.text, batch.Schema())
	if err != nil {
		rt.Fatalf("%s: %v", f.text, err)
	}
	want := make([]any, batch.NumRows())
	var wrong error
	for row := range want {
		if want[row], err = f.eval(row); err != nil {
			wrong = err
		}
	}
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	e := p.NewEvaluator()
	a, err := e.Eval(batch, mem)
	if (err != nil) != (wrong != nil) {
		rt.Fatalf("%s: error %v, want %v", f.text, err, wrong)
	}
	var at *RowError
	if err != nil {
		if !errors.As(err, &at) || at.Row >= len(want) {
			rt.Fatalf("%s: %v", f.text, err)
		}
		if _, err := f.eval(at.Row); err == nil {
			rt.Fatalf("%s: error %v, but that row has a value", f.text, at)
		}
	} else {
		defer a.Release()
		for row := range want {
			if got := valueAt(a, row); !sameValue(got, want[row]) {
				rt.Fatalf("%s: row %d: got %v, want %v", f.text, row, got, want[row])
			}
		}
	}
	if p.Type().ID() != arrow.BOOL {
		return
	}
	selected, err := e.Select(batch, nil)
	if (err != nil) != (wrong != nil) {
		rt.Fatalf("%s: selecting: %v", f.text, err)
	}
	for row := range want {
		if len(selected) > 0 && selected[0] == uint32(row) {
			selected = selected[1:]
			if want[row] != true {
				rt.Fatalf("%s: row %d: selected, but %v", f.text, row, want[row])
			}
		} else if want[row] == true && err == nil {
			rt.Fatalf("%s: row %d: not selected", f.text, row)
		}
	}
}
