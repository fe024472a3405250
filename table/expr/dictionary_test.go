package expr

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// coded is a batch with a column of codes of any width, in which entries may be null, and the same
// column without a dictionary.
func coded(t *testing.T, index arrow.DataType, rows int) arrow.RecordBatch {
	t.Helper()
	entries, _, err := array.FromJSON(memory.DefaultAllocator, arrow.BinaryTypes.String, strings.NewReader(`["ORD", null, "sfo", "", "x"]`))
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	plain := array.NewStringBuilder(memory.DefaultAllocator)
	for i := range rows {
		if i%7 == 0 {
			codes = append(codes, "null")
			plain.AppendNull()
			continue
		}
		codes = append(codes, fmt.Sprint(i%5))
		if i%5 == 1 {
			plain.AppendNull()
		} else {
			plain.Append(entries.(*array.String).Value(i % 5))
		}
	}
	indices, _, err := array.FromJSON(memory.DefaultAllocator, index, strings.NewReader("["+strings.Join(codes, ",")+"]"))
	if err != nil {
		t.Fatal(err)
	}
	typ := &arrow.DictionaryType{IndexType: index, ValueType: arrow.BinaryTypes.String}
	column := array.NewDictionaryArray(typ, indices, entries)
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "code", Type: typ, Nullable: true}, {Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
	return array.NewRecordBatch(schema, []arrow.Array{column, plain.NewArray()}, int64(rows))
}

// Rows are null whose code or entry is, and what is calculated by entry is what it is by row, whether
// there are more rows than entries or not.
func TestADictionaryGivesWhatItsTextsGive(t *testing.T) {
	for _, index := range []arrow.DataType{arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Int64} {
		for _, rows := range []int{0, 4, 100, 3000} {
			whole := coded(t, index, rows)
			for _, batch := range []arrow.RecordBatch{whole, whole.NewSlice(int64(rows/3), int64(rows))} {
				for _, expr := range []string{
					"upper(%s)", "%s || 'a'", "length(%s)", "%s = 'ORD'", "%s is null", "coalesce(%s, '?')", "%s in ('x', null)",
					"%s like '%%o'", "replace(%s, 'R', 'xx')", "concat(%s, '!', %[1]s)", "case when %s < 'a' then 1.5 end", "try_cast(%s as decimal(3, 1))",
					"upper(%s) between 'A' and lower(%[1]s)", "case lower(%s) when 'ord' then %[1]s else 'none' end", "nullif(%s, '')",
				} {
					byEntry := valuesOf(t, fmt.Sprintf(expr, "code"), batch)
					byRow := valuesOf(t, fmt.Sprintf(expr, "text"), batch)
					if !slices.Equal(byEntry, byRow) {
						t.Errorf("%s of %v, %d rows: got %v\nwant %v", expr, index, batch.NumRows(), byEntry, byRow)
					}
				}
			}
		}
	}
}

// An entry that no row has must not be an error, as it would be if it were looked at.
func TestAnEntryThatNoRowHasIsNoError(t *testing.T) {
	batch := coded(t, arrow.PrimitiveTypes.Int32, 100)
	if got := valuesOf(t, "cast(if(code = 'never', code, null) as int64)", batch); len(got) != 100 {
		t.Error(got)
	}
	if got := valuesOf(t, "cast(code as int64)", batch); len(got) != 1 || !strings.Contains(got[0], "row 3: \"sfo\" does not fit int64") {
		t.Error(got)
	}
}

// The entry "never" is in no row.
func TestAnEntryIsNotCalculatedWithWhereItMayFail(t *testing.T) {
	typ := sampleSchema.Field(12).Type.(*arrow.DictionaryType)
	entries, _, _ := array.FromJSON(memory.DefaultAllocator, typ.ValueType, strings.NewReader(`["ORD", "never"]`))
	codes, _, _ := array.FromJSON(memory.DefaultAllocator, typ.IndexType, strings.NewReader("[0, 0, 0, 0]"))
	column := array.NewDictionaryArray(typ, codes, entries)
	batch := array.NewRecordBatch(arrow.NewSchema([]arrow.Field{{Name: "code", Type: typ}}, nil), []arrow.Array{column}, 4)
	if got := valuesOf(t, "1 // (length(code) - 5)", batch); !slices.Equal(got, []string{"0", "0", "0", "0"}) {
		t.Error(got)
	}
}

func TestAColumnByItselfIsPassedOnWithItsDictionary(t *testing.T) {
	batch := coded(t, arrow.PrimitiveTypes.Int32, 10)
	p, err := Compile("code", batch.Schema())
	if err != nil {
		t.Fatal(err)
	}
	e := p.NewEvaluator()
	a, err := e.Eval(batch, memory.DefaultAllocator)
	if err != nil || a != batch.Column(0) || p.Type().ID() != arrow.DICTIONARY {
		t.Errorf("got %v of %v, %v", a, p.Type(), err)
	}
	if n, err := e.Bytes(batch); n != 0 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	a.Release()
}

func TestEvaluatorsShareAProgram(t *testing.T) {
	batch := sampleBatch(t)
	p, err := Compile("if(code like 'O%', upper(s) || cast(tz as text), concat(i, s))", sampleSchema)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			e := p.NewEvaluator()
			for range 50 {
				a, err := e.Eval(batch, memory.DefaultAllocator)
				if err != nil || a.ValueStr(0) != "GRÜEZI2001-03-31 17:05:09+02:00" {
					t.Error(a, err)
					return
				}
				a.Release()
			}
		})
	}
	wg.Wait()
}
