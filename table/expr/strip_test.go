package expr

import (
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"
)

// late is a batch of two columns of integers, of which the first is null in one row far behind.
func late(rows, null int) arrow.RecordBatch {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "x", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "y", Type: arrow.PrimitiveTypes.Int16},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i := range rows {
		if i == null {
			b.Field(0).AppendNull()
		} else {
			b.Field(0).(*array.Int64Builder).Append(int64(i))
		}
		b.Field(1).(*array.Int16Builder).Append(int16(7 * i % 100))
	}
	return b.NewRecordBatch()
}

func TestNullsBeginInAnyStrip(t *testing.T) {
	for _, null := range []int{0, 1, 1023, 1024, 2000, 3000} {
		for _, expr := range []string{"x + 1", "x > 5", "cast(x as text)"} {
			for row, got := range valuesOf(t, expr, late(3001, null)) {
				if (got == "null") != (row == null) {
					t.Errorf("%s, row %d null: row %d is %s", expr, null, row, got)
				}
			}
		}
	}
}

// The arguments that follow are calculated without harm to what the first one gave.
func TestCoalesceKeepsWhatItHas(t *testing.T) {
	for row, got := range texts(mustEval(t, "abs(-coalesce(x, y + 1, y))", late(10, 3))) {
		want := []string{"0", "1", "2", "22", "4", "5", "6", "7", "8", "9"}[row]
		if got != want {
			t.Errorf("row %d: %s, want %s", row, got, want)
		}
	}
}

func TestMemoryForTextIsThatOfAStrip(t *testing.T) {
	batch := late(200*stripRows, -1)
	p, err := Compile("length(cast(x as text) || cast(y as text)) > 3", batch.Schema())
	if err != nil {
		t.Fatal(err)
	}
	e := p.NewEvaluator()
	if _, err := e.Select(batch, nil); err != nil {
		t.Fatal(err)
	}
	if cap(e.arena) > 64<<10 {
		t.Errorf("%d bytes", cap(e.arena))
	}
}

func mustEval(t *testing.T, expr string, batch arrow.RecordBatch) arrow.Array {
	t.Helper()
	p, err := Compile(expr, batch.Schema())
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.NewEvaluator().Eval(batch, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestDividingByAConstantIsDividing(t *testing.T) {
	numbers := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64, math.MinInt64 + 1, 0, -1}))
	rapid.Check(t, func(t *rapid.T) {
		by := rapid.OneOf(rapid.Int64Range(2, math.MaxInt64), rapid.Int64Range(2, 100),
			rapid.SampledFrom([]int64{1 << 32, 1<<32 + 1, 1 << 62, math.MaxInt64})).Draw(t, "by")
		x := rapid.OneOf(numbers, rapid.Just(by), rapid.Just(by-1), rapid.Just(-by)).Draw(t, "x")
		if x < math.MaxInt64/by && x > math.MinInt64/by {
			x = x*by + rapid.Int64Range(-1, 1).Draw(t, "beside")
		}
		var q, r [1]int64
		divideBy(q[:], []int64{x}, newDivisor(uint64(by)))
		remainderBy(r[:], []int64{x}, newDivisor(uint64(by)))
		if q[0] != x/by || r[0] != x%by {
			t.Fatalf("%d by %d: got %d rest %d, want %d rest %d", x, by, q[0], r[0], x/by, x%by)
		}
		down, rest := newDivisor(uint64(by)).floored(x)
		if wantDown, wantRest := floorDiv(x, by); down != wantDown || rest != wantRest {
			t.Fatalf("%d by %d, rounded down: got %d rest %d, want %d rest %d", x, by, down, rest, wantDown, wantRest)
		}
	})
}

// NaN equals NaN and is above all other numbers, also if it is a constant.
func TestNaNIsTheGreatestNumber(t *testing.T) {
	nan := math.NaN()
	ascending := []float64{math.Inf(-1), -1, 0, 1, math.Inf(1), nan}
	for i, a := range ascending {
		for j, b := range ascending {
			for op, of := range spelled {
				want := map[string]bool{"=": i == j, "<>": i != j, "<": i < j, "<=": i <= j, ">": i > j, ">=": i >= j}[op]
				for _, constant := range []bool{false, true} {
					c := comparison{of: formFloat, order: of.order, except: of.except}
					var out [1]uint64
					c.compare(out[:], &vector{floats: []float64{a}}, &vector{floats: []float64{b}, constant: constant}, 1)
					if got := out[0]&1 != 0; got != want {
						t.Errorf("%v %s %v: %v", a, op, b, got)
					}
				}
			}
		}
	}
}
