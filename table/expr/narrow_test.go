package expr

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A sum is that of whole numbers, or an error at the first row where 64 bits do not hold it, whatever the width of the
// column.
func TestSumsWithConstantsAreExact(t *testing.T) {
	for _, typ := range []arrow.DataType{
		arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
		arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32,
	} {
		batch, values := edges(typ)
		for _, by := range []int64{
			0, 1, -1, 77, 1 << 40, 1 << 62, -1 << 62, 1<<62 + 1, -1<<62 - 1, math.MaxInt64, math.MinInt64 + 1,
		} {
			for _, form := range []string{"x + (%d)", "(%d) + x", "x - (%d)", "(x + (%d)) + 0"} {
				sum := func(x *big.Rat) *big.Rat {
					c := new(big.Rat).SetInt64(by)
					if form == "x - (%d)" {
						c.Neg(c)
					}
					return c.Add(x, c)
				}
				over := -1
				for row, x := range values {
					if x != nil && !sum(x).Num().IsInt64() {
						over = row
						break
					}
				}
				text := fmt.Sprintf(form, by)
				if over >= 0 {
					expectOverflow(t, batch, text, over)
					continue
				}
				expectRows(t, batch, text, func(row int) any {
					if values[row] == nil {
						return "null"
					}
					return sum(values[row]).Num()
				})
			}
		}
	}
}

// Days are added to dates as to whole numbers, in all strips of a batch that is cut out of another; what lies where a
// row is null does not matter.
func TestDaysAreAddedToEveryDate(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "x", Type: arrow.FixedWidthTypes.Date32, Nullable: true}}, nil)
	random := rand.New(rand.NewPCG(1, 2))
	for _, rows := range []int{1, 3, 64, stripRows, 2*stripRows + 5} {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		dates, valid := make([]arrow.Date32, rows+3), make([]bool, rows+3)
		for row := range dates {
			if valid[row] = random.IntN(5) > 0; valid[row] {
				dates[row] = arrow.Date32(random.IntN(40_000) - 20_000)
			} else {
				dates[row] = math.MaxInt32
			}
		}
		last := rows + 2
		dates[last], valid[last] = 10_000, true
		b.Field(0).(*array.Date32Builder).AppendValues(dates, valid)
		batch := b.NewRecordBatch().NewSlice(3, int64(rows+3))
		dates, valid = dates[3:], valid[3:]
		for _, by := range []int64{0, 1, -1, 30, -400_000, math.MaxInt32 - 20_000} {
			a := mustEval(t, fmt.Sprintf("x + (%d)", by), batch)
			for row := range rows {
				if a.IsNull(row) == valid[row] || valid[row] && int64(a.(*array.Date32).Value(row)) != int64(dates[row])+by {
					t.Fatalf("%d rows: row %d is %s, of %d days and %d more", rows, row, a.ValueStr(row), dates[row], by)
				}
			}
			a.Release()
			expectRows(t, batch, fmt.Sprintf("(x + (%d)) - date '1970-01-01'", by), func(row int) any {
				if !valid[row] {
					return "null"
				}
				return int64(dates[row]) + by
			})
		}
		for _, by := range []int64{math.MaxInt32 - 9_999, math.MinInt32 - 40_000, 1 << 40, math.MaxInt64, math.MinInt64 + 1} {
			first := 0
			for !valid[first] || int64(dates[first])+max(min(by, 1<<40), -1<<40) == int64(int32(int64(dates[first])+by)) {
				first++
			}
			expectOverflow(t, batch, fmt.Sprintf("x + (%d)", by), first)
			expectOverflow(t, batch, fmt.Sprintf("(x + (%d)) - date '1970-01-01'", by), first)
		}
		batch.Release()
		b.Release()
	}
}

// A date that goes over is found wherever it stands.
func TestNoDateThatOverflowsIsOverlooked(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "x", Type: arrow.FixedWidthTypes.Date32}}, nil)
	for row := range 9 {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		dates := make([]arrow.Date32, 9)
		dates[row] = 10
		b.Field(0).(*array.Date32Builder).AppendValues(dates, nil)
		batch := b.NewRecordBatch()
		expectOverflow(t, batch, fmt.Sprintf("x + %d", math.MaxInt32-9), row)
		expectOverflow(t, batch, fmt.Sprintf("x - %d - 20", math.MaxInt32), 0)
		batch.Release()
		b.Release()
	}
}

func expectOverflow(t *testing.T, batch arrow.RecordBatch, text string, row int) {
	t.Helper()
	p, err := Compile(text, batch.Schema())
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.NewEvaluator().Eval(batch, memory.DefaultAllocator)
	var wrong *RowError
	if !errors.As(err, &wrong) || !errors.Is(err, ErrOverflow) || wrong.Row != row {
		t.Fatalf("%v: %s: %v, %v, want an overflow in row %d", batch.Schema().Field(0).Type, text, a, err, row)
	}
}
