package plan_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"pgregory.net/rapid"
)

// A relation is a table as the naive evaluation has it.
type relation struct {
	columns []columnOf
	rows    [][]any
	ordered bool // the order of the rows is promised
}

type columnOf struct {
	name   string
	typ    arrow.DataType
	approx bool // floats whose last digits depend on the order of rows
	loose  bool // a decimal of which only the digits behind the point are promised
}

var (
	int64s   = arrow.PrimitiveTypes.Int64
	float64s = arrow.PrimitiveTypes.Float64
	texts    = arrow.BinaryTypes.String
	truths   = arrow.FixedWidthTypes.Boolean
)

// bothHave are the types that Parquet and CSV can be read as.
var bothHave = []arrow.DataType{
	truths, arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, int64s, int64s,
	arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
	arrow.PrimitiveTypes.Float32, float64s, texts, texts, arrow.BinaryTypes.Binary, arrow.FixedWidthTypes.Date32,
	&arrow.TimestampType{Unit: arrow.Millisecond}, &arrow.TimestampType{Unit: arrow.Microsecond},
	&arrow.TimestampType{Unit: arrow.Nanosecond}, &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
	&arrow.Decimal128Type{Precision: 9, Scale: 2}, &arrow.Decimal128Type{Precision: 38, Scale: 4},
}

var (
	onlyParquet = []arrow.DataType{arrow.FixedWidthTypes.Time32ms, arrow.FixedWidthTypes.Time64us}
	onlyCSV     = []arrow.DataType{arrow.FixedWidthTypes.Duration_us, arrow.FixedWidthTypes.Duration_s}
)

// pick draws a number from 0 to n-1, all as likely; rapid itself prefers small ones. Those are what
// it shrinks to, though.
func pick(t *rapid.T, n int) int {
	drawn := 0
	for _, bit := range rapid.SliceOfN(rapid.Bool(), 20, 20).Draw(t, "bits") {
		drawn = 2*drawn + btoi(bit)
	}
	return drawn * n >> 20
}

func oneOf[T any](t *rapid.T, of ...T) T { return of[pick(t, len(of))] }

// A stored table is in files.
type stored struct {
	relation
	files []string
	csv   bool
}

var columnNames = []string{"a", "b", "c d", "Größe", "end", "desc", "g`h", "null"}

// drawTable makes up a table and writes it. What is large is made from a seed, so that a failing
// job can be made smaller in few steps.
func drawTable(t *rapid.T, dir, name string, most int) *stored {
	s := &stored{csv: pick(t, 4) == 0}
	s.ordered = true
	types := append(append([]arrow.DataType{}, bothHave...), onlyParquet...)
	if s.csv {
		types = append(append([]arrow.DataType{}, bothHave...), onlyCSV...)
	}
	var pools []func() any
	random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	for _, column := range columnNames[:1+pick(t, len(columnNames))] {
		typ := oneOf(t, types...)
		spread := oneOf(t, 3, 12, 5000)
		nulls := oneOf(t, 0, 10, 60)
		wild := pick(t, 5) == 0
		s.columns = append(s.columns, columnOf{name: column, typ: typ})
		pools = append(pools, func() any {
			switch {
			case random.IntN(100) < nulls:
				return nil
			case wild && random.IntN(8) == 0:
				return extreme(typ, random)
			}
			return usual(typ, random.IntN(spread))
		})
	}
	rows := pick(t, oneOf(t, 1, 40, most/8, most))
	for range rows {
		row := make([]any, len(pools))
		for c, value := range pools {
			row[c] = value()
		}
		s.rows = append(s.rows, row)
	}
	s.store(t, dir, name)
	return s
}

// usual is the value of a number: few numbers, few values.
func usual(typ arrow.DataType, n int) any {
	switch typ := typ.(type) {
	case *arrow.BooleanType:
		return n%2 == 0
	case *arrow.Int8Type:
		return big.NewInt(int64(n%100 - 3))
	case *arrow.Uint8Type:
		return big.NewInt(int64(n % 200))
	case *arrow.Int16Type, *arrow.Int32Type, *arrow.Int64Type:
		return big.NewInt(int64(n - 3))
	case *arrow.Float32Type, *arrow.Float64Type:
		return float64(n)/4 - 1 // sums are exact, in whichever order
	case *arrow.Decimal128Type:
		return big.NewRat(int64(n-3)*25, powerOfTen(2).Int64())
	case *arrow.StringType:
		word := []string{"", "a", "ab", "Ä_b", "b%", "it's", "a, \"b\"\n", "null", " x "}[n%9]
		if n < 9 {
			return word
		}
		return word + strings.Repeat("y", n%50) + fmt.Sprint(n/9)
	case *arrow.BinaryType:
		return strings.Repeat(string([]byte{byte(n), byte(n >> 8)}), n%5)
	case *arrow.Date32Type:
		return big.NewInt(int64(11000 + n*17%3000))
	case *arrow.TimestampType:
		second := big.NewInt(int64(1_000_000_000 + n*5003))
		return second.Mul(second, big.NewInt(ticks(typ.Unit))).Add(second, big.NewInt(int64(n%7)))
	case *arrow.DurationType:
		return big.NewInt(int64(n*1_500 - 3))
	default:
		return big.NewInt(int64(n))
	}
}

func ticks(unit arrow.TimeUnit) int64 { return 1_000_000_000 / int64(unit.Multiplier()) }

// extreme is a value at the end of what there is of a type.
func extreme(typ arrow.DataType, random *rand.Rand) any {
	switch typ := typ.(type) {
	case *arrow.Float32Type, *arrow.Float64Type:
		return []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)}[random.IntN(4)]
	case *arrow.Decimal128Type:
		most := new(big.Int).Sub(powerOfTen(typ.Precision), big.NewInt(1))
		if random.IntN(2) == 0 {
			most.Neg(most)
		}
		return new(big.Rat).SetFrac(most, powerOfTen(typ.Scale))
	case *arrow.StringType:
		return strings.Repeat("long ", random.IntN(60)) + "日本"
	case *arrow.BinaryType:
		return "\x00\xff\xfe"
	}
	least, most, ok := wholeRange(typ)
	if !ok {
		return usual(typ, 1)
	}
	return []*big.Int{least, most}[random.IntN(2)]
}

// wholeRange is what an integer type can hold.
func wholeRange(typ arrow.DataType) (least, most *big.Int, ok bool) {
	if !arrow.IsInteger(typ.ID()) {
		return nil, nil, false
	}
	bits := uint(typ.(arrow.FixedWidthDataType).BitWidth())
	one := big.NewInt(1)
	if arrow.IsUnsignedInteger(typ.ID()) {
		most = new(big.Int).Lsh(one, bits)
		return big.NewInt(0), most.Sub(most, one), true
	}
	most = new(big.Int).Lsh(one, bits-1)
	return new(big.Int).Neg(most), new(big.Int).Sub(most, one), true
}

// store writes the rows to one or two files.
func (s *stored) store(t *rapid.T, dir, name string) {
	half := len(s.rows)
	if rapid.Bool().Draw(t, "two files") {
		half /= 2
		s.files = []string{name + "_0", name + "_1"}
	} else {
		s.files = []string{name}
	}
	group := oneOf[int64](t, 1<<20, 1000, 7)
	coded := rapid.Bool().Draw(t, "dictionary")
	if len(s.rows) > 1000 {
		group = max(group, 1000)
	}
	for i, rows := range [][][]any{s.rows[:half], s.rows[half:]}[:len(s.files)] {
		if s.csv {
			s.files[i] = filepath.Join(dir, s.files[i]+".csv")
			if err := os.WriteFile(s.files[i], []byte(s.text(rows)), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		s.files[i] = filepath.Join(dir, s.files[i]+".parquet")
		if err := s.parquet(s.files[i], rows, group, coded); err != nil {
			t.Fatal(err)
		}
	}
}

// text is the rows as CSV.
func (s *stored) text(rows [][]any) string {
	var b strings.Builder
	field := func(at int, text string, quote bool) {
		if at > 0 {
			b.WriteByte(',')
		}
		if quote {
			text = `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
		}
		b.WriteString(text)
	}
	for i, c := range s.columns {
		field(i, c.name, true)
	}
	b.WriteByte('\n')
	for _, row := range rows {
		for i, v := range row {
			if v == nil {
				field(i, "", false)
				continue
			}
			binary := arrow.IsBinaryLike(s.columns[i].typ.ID())
			field(i, written(v, s.columns[i].typ), binary)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (s *stored) parquet(path string, rows [][]any, group int64, coded bool) error {
	var fields []arrow.Field
	for _, c := range s.columns {
		fields = append(fields, arrow.Field{Name: c.name, Type: c.typ, Nullable: true})
	}
	schema := arrow.NewSchema(fields, nil)
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer builder.Release()
	for _, row := range rows {
		for c, v := range row {
			appendValue(builder.Field(c), v)
		}
	}
	batch := builder.NewRecordBatch()
	defer batch.Release()
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	w, err := pqarrow.NewFileWriter(schema, out, parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Snappy), parquet.WithMaxRowGroupLength(group), parquet.WithDictionaryDefault(coded),
	), pqarrow.DefaultWriterProps())
	if err != nil {
		return err
	}
	if err := w.Write(batch); err != nil {
		return err
	}
	return w.Close()
}

func appendValue(to array.Builder, v any) {
	if v == nil {
		to.AppendNull()
		return
	}
	n, _ := v.(*big.Int)
	switch to := to.(type) {
	case *array.BooleanBuilder:
		to.Append(v.(bool))
	case *array.Int8Builder:
		to.Append(int8(n.Int64()))
	case *array.Int16Builder:
		to.Append(int16(n.Int64()))
	case *array.Int32Builder:
		to.Append(int32(n.Int64()))
	case *array.Int64Builder:
		to.Append(n.Int64())
	case *array.Uint8Builder:
		to.Append(uint8(n.Uint64()))
	case *array.Uint16Builder:
		to.Append(uint16(n.Uint64()))
	case *array.Uint32Builder:
		to.Append(uint32(n.Uint64()))
	case *array.Uint64Builder:
		to.Append(n.Uint64())
	case *array.Float32Builder:
		to.Append(float32(v.(float64)))
	case *array.Float64Builder:
		to.Append(v.(float64))
	case *array.StringBuilder:
		to.Append(v.(string))
	case *array.BinaryBuilder:
		to.Append([]byte(v.(string)))
	case *array.Date32Builder:
		to.Append(arrow.Date32(n.Int64()))
	case *array.Time32Builder:
		to.Append(arrow.Time32(n.Int64()))
	case *array.Time64Builder:
		to.Append(arrow.Time64(n.Int64()))
	case *array.TimestampBuilder:
		to.Append(arrow.Timestamp(n.Int64()))
	case *array.Decimal128Builder:
		r := v.(*big.Rat)
		scale := to.Type().(*arrow.Decimal128Type).Scale
		units := new(big.Rat).Mul(r, new(big.Rat).SetInt(powerOfTen(scale)))
		to.Append(decimal128.FromBigInt(units.Num()))
	default:
		panic(fmt.Sprintf("no builder for %T", to))
	}
}
