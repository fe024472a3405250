package expr

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

const benchRows = 64 << 10

func benchBatch() arrow.RecordBatch {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "x", Type: arrow.PrimitiveTypes.Int64}, {Name: "y", Type: arrow.PrimitiveTypes.Int64},
		{Name: "f", Type: arrow.PrimitiveTypes.Float64}, {Name: "g", Type: arrow.PrimitiveTypes.Float64},
		{Name: "s", Type: arrow.BinaryTypes.String},
		{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "small", Type: arrow.PrimitiveTypes.Int16},
		{Name: "price", Type: &arrow.Decimal128Type{Precision: 12, Scale: 2}},
		{Name: "discount", Type: &arrow.Decimal128Type{Precision: 12, Scale: 2}},
		{Name: "day", Type: arrow.FixedWidthTypes.Date32},
		{Name: "digits", Type: arrow.BinaryTypes.String},
		{Name: "t", Type: &arrow.TimestampType{Unit: arrow.Microsecond}},
	}, nil)
	r := rand.New(rand.NewPCG(1, 2))
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	words := []string{"alpha", "beta", "gamma", "delta", "epsilon", "zeta"}
	for range benchRows {
		b.Field(0).(*array.Int64Builder).Append(r.Int64N(1000))
		b.Field(1).(*array.Int64Builder).Append(r.Int64N(1000))
		b.Field(2).(*array.Float64Builder).Append(r.Float64())
		b.Field(3).(*array.Float64Builder).Append(r.Float64())
		b.Field(4).(*array.StringBuilder).Append(words[r.IntN(len(words))] + words[r.IntN(len(words))])
		if r.IntN(10) == 0 {
			b.Field(5).(*array.Int64Builder).AppendNull()
		} else {
			b.Field(5).(*array.Int64Builder).Append(1)
		}
		b.Field(7).(*array.Decimal128Builder).Append(decimal128.FromI64(r.Int64N(1e7)))
		b.Field(8).(*array.Decimal128Builder).Append(decimal128.FromI64(r.Int64N(11)))
		b.Field(9).(*array.Date32Builder).Append(arrow.Date32(r.IntN(20000)))
		b.Field(6).(*array.Int16Builder).Append(int16(r.IntN(1000)))
		b.Field(10).(*array.StringBuilder).Append(strconv.Itoa(r.IntN(1e6)))
		b.Field(11).(*array.TimestampBuilder).Append(arrow.Timestamp(r.Int64N(1e9) * 1e6))
	}
	batch := b.NewRecordBatch()
	return batch
}

// A recycler allocates what it was given back, as memory for chunks does.
type recycler struct{ free map[int][][]byte }

func (r *recycler) Allocate(n int) []byte {
	if free := r.free[n]; len(free) > 0 {
		r.free[n] = free[:len(free)-1]
		return free[len(free)-1]
	}
	return memory.DefaultAllocator.Allocate(n)
}

func (r *recycler) Reallocate(n int, b []byte) []byte {
	if n <= cap(b) {
		return b[:n]
	}
	made := r.Allocate(n)
	copy(made, b)
	return made
}

func (r *recycler) Free(b []byte) { r.free[len(b)] = append(r.free[len(b)], b) }

// BenchmarkEval compares expressions with loops written for them, which check for overflow where
// the expression does.
func BenchmarkEval(b *testing.B) {
	batch := benchBatch()
	x, y := fixed[int64](batch.Column(0)), fixed[int64](batch.Column(1))
	f, g := fixed[float64](batch.Column(2)), fixed[float64](batch.Column(3))
	s := batch.Column(4).(*array.String)
	price, discount := fixed[decimal128.Num](batch.Column(7)), fixed[decimal128.Num](batch.Column(8))
	days, decimals := fixed[int32](batch.Column(9)), make([]decimal128.Num, benchRows)
	ints, floats := make([]int64, benchRows), make([]float64, benchRows)
	for _, c := range []struct {
		expr string
		loop func()
	}{
		{"f * (1 - g)", func() {
			for i := range floats {
				floats[i] = f[i] * (1 - g[i])
			}
		}},
		{"f * (1 - g) * (1 + f) + g", func() {
			for i := range floats {
				floats[i] = f[i]*(1-g[i])*(1+f[i]) + g[i]
			}
		}},
		{"x + y", func() {
			for i := range ints {
				sum := x[i] + y[i]
				if (x[i]^sum)&(y[i]^sum) < 0 {
					panic("overflow")
				}
				ints[i] = sum
			}
		}},
		{"x * y + 7", func() {
			for i := range ints {
				hi, lo := bits.Mul64(uint64(x[i]), uint64(y[i]))
				p := int64(lo)
				if int64(hi)-x[i]>>63&y[i]-y[i]>>63&x[i] != p>>63 || p > p+7 {
					panic("overflow")
				}
				ints[i] = p + 7
			}
		}},
		{"case when x > 500 then x - y else y - x end", func() {
			for i := range ints {
				if x[i] > 500 {
					ints[i] = x[i] - y[i]
				} else {
					ints[i] = y[i] - x[i]
				}
			}
		}},
		{"x // 10 % 7", func() {
			for i := range ints {
				ints[i] = x[i] / 10 % 7
			}
		}},
		{"price * (1 - discount)", func() {
			one := decimal128.FromI64(100)
			for i := range decimals {
				rest := one.Sub(discount[i])
				if !short(price[i]) || !short(rest) {
					panic("overflow")
				}
				decimals[i] = price[i].Mul(rest)
			}
		}},
		{"year(day)", func() {
			for i := range ints {
				ints[i] = int64(time.Unix(int64(days[i])*secondsPerDay, 0).UTC().Year())
			}
		}},
		{"length(s)", func() {
			for i := range ints {
				ints[i] = int64(len([]rune(s.Value(i))))
			}
		}},
	} {
		benchEval(b, batch, c.expr, c.loop)
	}
}

// benchEval compares an expression with a loop.
func benchEval(b *testing.B, batch arrow.RecordBatch, text string, loop func()) {
	b.Run(text, func(b *testing.B) {
		p, err := Compile(text, batch.Schema())
		if err != nil {
			b.Fatal(err)
		}
		e, mem := p.NewEvaluator(), &recycler{map[int][][]byte{}}
		compare(b, loop, func() {
			a, err := e.Eval(batch, mem)
			if err != nil {
				b.Fatal(err)
			}
			a.Release()
		})
	})
}

// compare reports how much longer one thing takes than another, both at their best: whatever else the
// machine does falls upon both, but not upon every turn.
func compare(b *testing.B, loop, eval func()) (best time.Duration) {
	loop()
	eval()
	b.ResetTimer()
	byHand := time.Duration(math.MaxInt64)
	best = byHand
	for b.Loop() {
		start := time.Now()
		loop()
		middle := time.Now()
		eval()
		byHand = min(byHand, middle.Sub(start))
		best = min(best, time.Since(middle))
	}
	b.ReportMetric(float64(best)/float64(byHand), "times-by-hand")
	b.ReportMetric(float64(best.Nanoseconds())/benchRows, "ns/row")
	return best
}

// BenchmarkSelect keeps a tenth of the rows.
func BenchmarkSelect(b *testing.B) {
	batch := benchBatch()
	x, y := fixed[int64](batch.Column(0)), fixed[int64](batch.Column(1))
	f, small := fixed[float64](batch.Column(2)), fixed[int16](batch.Column(6))
	s := batch.Column(4).(*array.String)
	into := make([]uint32, 0, benchRows)
	for _, c := range []struct {
		expr  string
		width int64
		pass  func(i int) bool
	}{
		{"x < 100", 8, func(i int) bool { return x[i] < 100 }},
		{"f >= 0.9", 8, func(i int) bool { return f[i] >= 0.9 }},
		{"small < 100", 2, func(i int) bool { return small[i] < 100 }},
		{"x between 300 and 399", 8, func(i int) bool { return x[i] >= 300 && x[i] <= 399 }},
		{"x < 316 and y < 316", 16, func(i int) bool { return x[i] < 316 && y[i] < 316 }},
		{"x in (1, 2, 3)", 8, func(i int) bool { return x[i] >= 1 && x[i] <= 3 }},
		{"s like 'alpha%'", 10, func(i int) bool { v := s.Value(i); return len(v) >= 5 && v[:5] == "alpha" }},
	} {
		b.Run(c.expr, func(b *testing.B) {
			p, err := Compile(c.expr, batch.Schema())
			if err != nil {
				b.Fatal(err)
			}
			e := p.NewEvaluator()
			best := compare(b, func() {
				into = into[:0]
				for i := range benchRows {
					if c.pass(i) {
						into = append(into, uint32(i))
					}
				}
			}, func() {
				if into, err = e.Select(batch, into[:0]); err != nil {
					b.Fatal(err)
				}
			})
			b.ReportMetric(float64(c.width*benchRows)/float64(best.Nanoseconds()), "GB/s")
		})
	}
}
