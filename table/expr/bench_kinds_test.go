package expr

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// textByHand is texts as a loop writes them.
type textByHand struct {
	ends  []int32
	bytes []byte
}

func (t *textByHand) begin() { t.ends, t.bytes = append(t.ends[:0], 0), t.bytes[:0] }

func (t *textByHand) end() { t.ends = append(t.ends, int32(len(t.bytes))) }

func (t *textByHand) add(s string) {
	t.bytes = append(t.bytes, s...)
	t.end()
}

// BenchmarkEvalTexts is BenchmarkEval of texts, and of what becomes one and was one.
func BenchmarkEvalTexts(b *testing.B) {
	batch := benchBatch()
	s, digits := batch.Column(4).(*array.String), batch.Column(10).(*array.String)
	x, f := fixed[int64](batch.Column(0)), fixed[float64](batch.Column(2))
	price, days := fixed[decimal128.Num](batch.Column(7)), fixed[int32](batch.Column(9))
	floats, decimals := make([]float64, benchRows), make([]decimal128.Num, benchRows)
	ints, bitmap, out := make([]int64, benchRows), make([]byte, benchRows/8), &textByHand{}
	each := func(do func(s string)) func() {
		return func() {
			out.begin()
			for i := range benchRows {
				do(s.Value(i))
			}
		}
	}
	test := func(is func(s string) bool) func() {
		return func() {
			for i := range benchRows {
				bitutil.SetBitTo(bitmap, i, is(s.Value(i)))
			}
		}
	}
	for _, c := range []struct {
		expr string
		loop func()
	}{
		{"lower(s)", each(func(s string) { out.add(strings.ToLower(s)) })},
		{"upper(s)", each(func(s string) { out.add(strings.ToUpper(s)) })},
		{"trim(s)", each(func(s string) { out.add(strings.Trim(s, " ")) })},
		{"substring(s, 2, 3)", each(func(s string) {
			from, until, n := len(s), len(s), 1
			for i := range s {
				if n == 2 {
					from = i
				}
				if n == 5 {
					until = i
					break
				}
				n++
			}
			out.add(s[from:until])
		})},
		{"s || '-' || digits", func() {
			out.begin()
			for i := range benchRows {
				out.bytes = append(append(append(out.bytes, s.Value(i)...), '-'), digits.Value(i)...)
				out.end()
			}
		}},
		{"concat(s, x)", func() {
			out.begin()
			for i := range benchRows {
				out.bytes = strconv.AppendInt(append(out.bytes, s.Value(i)...), x[i], 10)
				out.end()
			}
		}},
		{"case when x > 500 then 'late' else s end", func() {
			out.begin()
			for i := range benchRows {
				if x[i] > 500 {
					out.add("late")
				} else {
					out.add(s.Value(i))
				}
			}
		}},
		{"cast(x as text)", func() {
			out.begin()
			for i := range benchRows {
				out.bytes = strconv.AppendInt(out.bytes, x[i], 10)
				out.end()
			}
		}},
		{"cast(digits as int64)", func() {
			for i := range benchRows {
				n, err := strconv.ParseInt(digits.Value(i), 10, 64)
				if err != nil {
					panic(err)
				}
				ints[i] = n
			}
		}},
		{"cast(digits as decimal(12, 2))", func() {
			for i := range benchRows {
				d, err := decimal128.FromString(digits.Value(i), 12, 2)
				if err != nil {
					panic(err)
				}
				decimals[i] = d
			}
		}},
		{"cast(digits as float64)", func() {
			for i := range benchRows {
				f, err := strconv.ParseFloat(digits.Value(i), 64)
				if err != nil {
					panic(err)
				}
				floats[i] = f
			}
		}},
		{"cast(price as text)", func() {
			out.begin()
			for i := range benchRows {
				out.add(price[i].ToString(2))
			}
		}},
		{"cast(f as text)", func() {
			out.begin()
			for i := range benchRows {
				out.bytes = strconv.AppendFloat(out.bytes, f[i], 'f', -1, 64)
				out.end()
			}
		}},
		{"cast(day as text)", func() {
			out.begin()
			for i := range benchRows {
				out.bytes = time.Unix(int64(days[i])*secondsPerDay, 0).UTC().AppendFormat(out.bytes, "2006-01-02")
				out.end()
			}
		}},
		{"cast(cast(day as text) as date)", func() {
			for i := range benchRows {
				t, err := time.Parse("2006-01-02", string(time.Unix(int64(days[i])*secondsPerDay, 0).UTC().AppendFormat(nil, "2006-01-02")))
				if err != nil {
					panic(err)
				}
				ints[i] = t.Unix() / secondsPerDay
			}
		}},
		{"length(digits)", func() {
			for i := range benchRows {
				ints[i] = int64(utf8.RuneCountInString(digits.Value(i)))
			}
		}},
		{"s = 'alphabeta'", test(func(s string) bool { return s == "alphabeta" })},
		{"s < 'delta'", test(func(s string) bool { return s < "delta" })},
		{"s like 'alpha%'", test(func(s string) bool { return strings.HasPrefix(s, "alpha") })},
		{"s like '%amm%'", test(func(s string) bool { return strings.Contains(s, "amm") })},
		{"s like '%et%ta'", test(func(s string) bool {
			i := strings.Index(s, "et")
			return i >= 0 && strings.HasSuffix(s[i+2:], "ta")
		})},
		{"starts_with(s, 'beta')", test(func(s string) bool { return strings.HasPrefix(s, "beta") })},
		{"s in ('alphabeta', 'betaalpha', 'zetazeta')", test(func(s string) bool {
			return s == "alphabeta" || s == "betaalpha" || s == "zetazeta"
		})},
	} {
		benchEval(b, batch, c.expr, c.loop)
	}
}

// BenchmarkEvalKinds is BenchmarkEval of what has nulls, of truth, of times and of casts.
func BenchmarkEvalKinds(b *testing.B) {
	batch := benchBatch()
	x, y := fixed[int64](batch.Column(0)), fixed[int64](batch.Column(1))
	f, g := fixed[float64](batch.Column(2)), fixed[float64](batch.Column(3))
	n, small := batch.Column(5).(*array.Int64), fixed[int16](batch.Column(6))
	price, discount := fixed[decimal128.Num](batch.Column(7)), fixed[decimal128.Num](batch.Column(8))
	days, moments := fixed[int32](batch.Column(9)), fixed[int64](batch.Column(11))
	ints, floats, decimals := make([]int64, benchRows), make([]float64, benchRows), make([]decimal128.Num, benchRows)
	days32 := make([]int32, benchRows)
	bitmap, valid := make([]byte, benchRows/8), make([]byte, benchRows/8)
	few := map[int64]bool{1: true, 3: true, 5: true, 7: true, 11: true, 13: true, 17: true, 19: true, 23: true, 29: true}
	test := func(is func(i int) bool) func() {
		return func() {
			for i := range benchRows {
				bitutil.SetBitTo(bitmap, i, is(i))
			}
		}
	}
	for _, c := range []struct {
		expr string
		loop func()
	}{
		{"x < y", test(func(i int) bool { return x[i] < y[i] })},
		{"f < g", test(func(i int) bool { return f[i] < g[i] })},
		{"price < discount", test(func(i int) bool { return price[i].Cmp(discount[i]) < 0 })},
		{"n = 1", func() {
			for i := range benchRows {
				bitutil.SetBitTo(valid, i, n.IsValid(i))
				bitutil.SetBitTo(bitmap, i, n.Value(i) == 1)
			}
		}},
		{"n = 1 and x < 500 or y < 10", func() {
			for i := range benchRows {
				right := y[i] < 10
				left, known := x[i] < 500 && n.Value(i) == 1, x[i] >= 500 || n.IsValid(i)
				bitutil.SetBitTo(valid, i, right || known)
				bitutil.SetBitTo(bitmap, i, right || left)
			}
		}},
		{"n + x", func() {
			for i := range benchRows {
				bitutil.SetBitTo(valid, i, n.IsValid(i))
				sum := n.Value(i) + x[i]
				if (n.Value(i)^sum)&(x[i]^sum) < 0 && n.IsValid(i) {
					panic("overflow")
				}
				ints[i] = sum
			}
		}},
		{"coalesce(n, 0)", func() {
			for i := range benchRows {
				ints[i] = 0
				if n.IsValid(i) {
					ints[i] = n.Value(i)
				}
			}
		}},
		{"small + 1", func() {
			for i := range benchRows {
				ints[i] = int64(small[i]) + 1
			}
		}},
		{"x between 300 and 399", test(func(i int) bool { return x[i] >= 300 && x[i] <= 399 })},
		{"x in (1, 3, 5)", test(func(i int) bool { return x[i] == 1 || x[i] == 3 || x[i] == 5 })},
		{"x in (1, 3, 5, 7, 11, 13, 17, 19, 23, 29)", test(func(i int) bool { return few[x[i]] })},
		{"x / 60", func() {
			for i := range benchRows {
				floats[i] = float64(x[i]) / 60
			}
		}},
		{"f / g", func() {
			for i := range benchRows {
				if g[i] == 0 {
					panic("division by zero")
				}
				floats[i] = f[i] / g[i]
			}
		}},
		{"case when x < 250 then 1 when x < 500 then 2 when x < 750 then 3 else 4 end", func() {
			for i := range benchRows {
				switch {
				case x[i] < 250:
					ints[i] = 1
				case x[i] < 500:
					ints[i] = 2
				case x[i] < 750:
					ints[i] = 3
				default:
					ints[i] = 4
				}
			}
		}},
		{"price * discount", func() {
			for i := range benchRows {
				if !short(price[i]) || !short(discount[i]) {
					panic("overflow")
				}
				decimals[i] = price[i].Mul(discount[i])
			}
		}},
		{"price + discount", func() {
			for i := range benchRows {
				if decimals[i] = price[i].Add(discount[i]); !isDecimal(decimals[i]) {
					panic("overflow")
				}
			}
		}},
		{"cast(x as decimal(12, 2))", func() {
			hundred := decimal128.FromI64(100)
			for i := range benchRows {
				if decimals[i] = decimal128.FromI64(x[i]).Mul(hundred); !decimals[i].FitsInPrecision(12) {
					panic("overflow")
				}
			}
		}},
		{"cast(price as float64)", func() {
			for i := range benchRows {
				floats[i] = price[i].ToFloat64(2)
			}
		}},
		{"cast(price as int64)", func() {
			for i := range benchRows {
				v := int64(price[i].LowBits())
				if !short(price[i]) {
					panic("overflow")
				}
				ints[i] = (v + 50) / 100
			}
		}},
		{"cast(price as decimal(12, 1))", func() {
			for i := range benchRows {
				r, err := price[i].Rescale(2, 2)
				if err != nil {
					panic(err)
				}
				decimals[i] = decimal128.FromI64((int64(r.LowBits()) + 5) / 10)
			}
		}},
		{"cast(x as int16)", func() {
			for i := range benchRows {
				if x[i] != int64(int16(x[i])) {
					panic("overflow")
				}
				days32[i] = int32(x[i])
			}
		}},
		{"cast(f as decimal(12, 4))", func() {
			for i := range benchRows {
				d, err := decimal128.FromFloat64(f[i], 12, 4)
				if err != nil {
					panic(err)
				}
				decimals[i] = d
			}
		}},
		{"cast(f * 1000 as int64)", func() {
			for i := range benchRows {
				rounded := math.Round(f[i] * 1000)
				if !(rounded >= -1<<63 && rounded < 1<<63) {
					panic("overflow")
				}
				ints[i] = int64(rounded)
			}
		}},
		{"round(f, 2)", func() {
			for i := range benchRows {
				floats[i] = math.Round(f[i]*100) / 100
			}
		}},
		{"date_trunc('month', day)", func() {
			for i := range benchRows {
				y, m, _ := time.Unix(int64(days[i])*secondsPerDay, 0).UTC().Date()
				days32[i] = int32(time.Date(y, m, 1, 0, 0, 0, 0, time.UTC).Unix() / secondsPerDay)
			}
		}},
		{"year(t)", func() {
			for i := range benchRows {
				ints[i] = int64(time.UnixMicro(moments[i]).UTC().Year())
			}
		}},
		{"hour(t)", func() {
			for i := range benchRows {
				ints[i] = int64(time.UnixMicro(moments[i]).UTC().Hour())
			}
		}},
		{"date_trunc('hour', t)", func() {
			for i := range benchRows {
				ints[i] = moments[i] - moments[i]%3600e6
			}
		}},
		{"day + 30", func() {
			for i := range benchRows {
				if days32[i] = days[i] + 30; days32[i] < days[i] {
					panic("overflow")
				}
			}
		}},
		{"t + interval '1 day'", func() {
			for i := range benchRows {
				if ints[i] = moments[i] + 86400e6; ints[i] < moments[i] {
					panic("overflow")
				}
			}
		}},
		{"day >= date '1994-01-01' and day < date '1995-01-01'", test(func(i int) bool { return days[i] >= 8766 && days[i] < 9131 })},
	} {
		benchEval(b, batch, c.expr, c.loop)
	}
}
