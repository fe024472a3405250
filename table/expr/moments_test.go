package expr

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// What is done to timestamps without a zone in loops of their own is what the calendar of package time makes
// of each, from the first there is to the last.
func TestTimestampsAreWhatTheCalendarSays(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for unit, second := range map[arrow.TimeUnit]int64{arrow.Second: 1, arrow.Millisecond: 1e3, arrow.Microsecond: 1e6, arrow.Nanosecond: 1e9} {
		typ := &arrow.TimestampType{Unit: unit}
		e := map[string]*Evaluator{}
		schema := arrow.NewSchema([]arrow.Field{{Name: "t", Type: typ}}, nil)
		for _, text := range []string{"date_trunc('hour', t)", "date_trunc('minute', t)", "t + interval '2 days 3 seconds'", "t - interval '5 seconds'", "year(t)", "hour(t)", "second(t)"} {
			p, err := Compile(text, schema)
			if err != nil {
				t.Fatal(err)
			}
			e[text] = p.NewEvaluator()
		}
		eval := func(text string, n int64) (int64, error) {
			b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
			defer b.Release()
			b.Field(0).(*array.TimestampBuilder).Append(arrow.Timestamp(n))
			a, err := e[text].Eval(b.NewRecordBatch(), memory.DefaultAllocator)
			if err != nil {
				return 0, err
			}
			return fixed[int64](a)[0], nil
		}
		for range 500 {
			n := int64(r.Uint64()) >> r.IntN(64)
			if r.IntN(10) == 0 {
				n = []int64{math.MinInt64, math.MaxInt64, math.MinInt64 + 7, math.MaxInt64 - 7, -1, 0}[r.IntN(6)]
			}
			for text, want := range map[string]func() (int64, bool){
				"date_trunc('hour', t)":   func() (int64, bool) { return n - mod(n, 3600*second), n >= math.MinInt64+mod(n, 3600*second) },
				"date_trunc('minute', t)": func() (int64, bool) { return n - mod(n, 60*second), n >= math.MinInt64+mod(n, 60*second) },
				"t + interval '2 days 3 seconds'": func() (int64, bool) {
					by := (2*secondsPerDay + 3) * second
					return n + by, n <= math.MaxInt64-by
				},
				"t - interval '5 seconds'": func() (int64, bool) { return n - 5*second, n >= math.MinInt64+5*second },
			} {
				got, err := eval(text, n)
				if is, ok := want(); ok != (err == nil) || ok && got != is || err != nil && !errors.Is(err, ErrOverflow) {
					t.Fatalf("%v, %s of %d: got %d, %v, want %d, %v", unit, text, n, got, err, is, ok)
				}
			}
			at := time.Unix(n/second, n%second*(1e9/second)).UTC()
			for text, want := range map[string]int{"year(t)": at.Year(), "hour(t)": at.Hour(), "second(t)": at.Second()} {
				if at.Year() < -1e6 || at.Year() > 1e6 {
					continue // beyond what package time counts in
				}
				if got, err := eval(text, n); err != nil || got != int64(want) {
					t.Fatalf("%v, %s of %d: got %d, %v, want %d", unit, text, n, got, err, want)
				}
			}
		}
	}
}

// mod has the sign of y.
func mod(x, y int64) int64 { return (x%y + y) % y }

// Days that no date has are an overflow, also where the number of them would come out as another date.
func TestDatesOverflowAtTheirEnds(t *testing.T) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "d", Type: arrow.FixedWidthTypes.Date32}, {Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil))
	defer b.Release()
	for _, c := range []struct {
		date int32
		by   int64
		ok   bool
	}{
		{math.MaxInt32, 1, false}, {math.MaxInt32, 0, true}, {math.MaxInt32 - 30, 30, true}, {math.MinInt32, -1, false},
		{0, math.MaxInt64, false}, {0, math.MinInt64, false}, {0, 1 << 32, false}, {-1, 1 << 31, true},
	} {
		b.Field(0).(*array.Date32Builder).Append(arrow.Date32(c.date))
		b.Field(1).(*array.Int64Builder).Append(c.by)
		batch := b.NewRecordBatch()
		for _, text := range []string{"d + n", fmt.Sprintf("d + %d", c.by), "d - n"} {
			p, err := Compile(text, batch.Schema())
			if err != nil {
				t.Fatal(err)
			}
			ok := c.ok
			if text == "d - n" {
				ok = c.by > -1<<33 && c.by < 1<<33 && inDates(int64(c.date)-c.by)
			}
			if _, err := p.NewEvaluator().Eval(batch, memory.DefaultAllocator); (err == nil) != ok || err != nil && !errors.Is(err, ErrOverflow) {
				t.Errorf("%s of %d and %d: %v", text, c.date, c.by, err)
			}
		}
	}
}
