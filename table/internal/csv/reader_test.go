package csv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"
)

// A text is what tests read, and how.
type text struct {
	text    string
	dialect Dialect
	names   []string
	types   map[string]arrow.DataType // instead of those inferred
	buffer  int                       // bytes of the cutter's buffer at first; 0 has room for all
	most    int                       // rows of a block; 0 is all
	trouble Trouble                   // nil fails
}

// strict has everything end the reading.
type strict struct{}

func (strict) Row(e *Error) error           { return e }
func (strict) Value(e *Error) (bool, error) { return false, e }

// lenient leaves out rows that are not well formed, and either rows or values that do not parse.
type lenient struct{ rows bool }

func (lenient) Row(*Error) error             { return nil }
func (l lenient) Value(*Error) (bool, error) { return l.rows, nil }

// failer is a testing.T, or one of rapid.
type failer interface {
	Helper()
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

// head is what the beginning says, with the schema of all columns.
func (x text) head() (Head, *arrow.Schema, error) {
	if x.dialect.Delimiter == 0 {
		x.dialect.Delimiter = ','
	}
	head, err := ReadHead([]byte(x.text), true, x.dialect, x.names)
	if err != nil {
		return head, nil, err
	}
	trouble := x.trouble
	if trouble == nil {
		trouble = strict{}
	}
	types, err := head.Types(x.dialect, trouble.Row)
	if err != nil {
		return head, nil, err
	}
	fields := make([]arrow.Field, len(types))
	for i, typ := range types {
		if said, ok := x.types[head.Names[i]]; ok {
			typ = said
		}
		fields[i] = arrow.Field{Name: head.Names[i], Type: typ, Nullable: true}
	}
	return head, arrow.NewSchema(fields, nil), nil
}

// read reads a text block by block, and sees to it that each takes no more memory than Bytes says, and
// gives all of it back. A null is the string NULL.
func (x text) read(t failer) (schema *arrow.Schema, rows [][]string, err error) {
	t.Helper()
	head, schema, err := x.head()
	if err != nil {
		return nil, nil, err
	}
	if x.dialect.Delimiter == 0 {
		x.dialect.Delimiter = ','
	}
	if x.trouble == nil {
		x.trouble = strict{}
	}
	places := make([]int, len(head.Names))
	for i := range places {
		places[i] = i
	}
	reader, err := NewReader(x.dialect, schema, len(places), places, x.trouble)
	if err != nil {
		t.Fatalf("%v", err)
	}
	buf := make([]byte, max(x.buffer, 1))
	if x.buffer == 0 {
		buf = make([]byte, len(x.text)+1)
	}
	cutter := NewCutter(strings.NewReader(x.text), buf, func() ([]byte, error) {
		buf = append(buf, make([]byte, len(buf))...)
		return buf, nil
	})
	if !x.dialect.NoHeader {
		if err := cutter.SkipHeader(); err != nil {
			return nil, nil, err
		}
	}
	if x.most == 0 {
		x.most = len(x.text) + 1
	}
	for {
		block, line, most, err := cutter.Next(x.most)
		if err == io.EOF {
			return schema, rows, nil
		}
		if err != nil {
			return nil, nil, err
		}
		counted := &counting{Allocator: memory.NewGoAllocator()}
		own := []byte(string(block)) // what it reads is not to be used afterwards
		batch, err := reader.Read(context.Background(), own, line, most, counted, counted)
		clear(own)
		if said := reader.Bytes(int64(len(block)), int64(most)); counted.peak > said {
			t.Errorf("%d bytes were taken for %q, said was %d", counted.peak, block, said)
		}
		if err == nil {
			rows = append(rows, valuesOf(batch)...)
			batch.Release()
		}
		if counted.now != 0 {
			t.Errorf("%d bytes were not given back", counted.now)
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// counting counts what it has lent, in Arrow's sizes.
type counting struct {
	memory.Allocator
	now, peak int64
}

func (c *counting) Allocate(n int) []byte {
	c.now += allocated(int64(n))
	c.peak = max(c.peak, c.now)
	return c.Allocator.Allocate(n)
}

func (c *counting) Reallocate(n int, old []byte) []byte {
	made := c.Allocate(n)
	copy(made, old)
	c.Free(old)
	return made
}

func (c *counting) Free(old []byte) {
	c.now -= allocated(int64(cap(old)))
	clear(old[:cap(old)]) // whoever still looks at it sees that
	c.Allocator.Free(old)
}

func valuesOf(batch arrow.RecordBatch) [][]string {
	rows := make([][]string, batch.NumRows())
	for i := range rows {
		for _, column := range batch.Columns() {
			value := "NULL"
			if column.IsValid(i) {
				value = strings.Clone(column.ValueStr(i))
			}
			rows[i] = append(rows[i], value)
		}
	}
	return rows
}

// flat is a text that was read as "name type,...;value|value;...", or what is wrong with it.
func (x text) flat(t failer) string {
	t.Helper()
	schema, rows, err := x.read(t)
	var at *Error
	if errors.As(err, &at) {
		return fmt.Sprintf("%d: %v", at.Line, err)
	}
	if err != nil {
		return err.Error()
	}
	lines := make([]string, 1, len(rows)+1)
	for i, f := range schema.Fields() {
		lines[0] += fmt.Sprintf("%s%s %v", strings.Repeat(",", min(i, 1)), f.Name, f.Type)
	}
	for _, row := range rows {
		lines = append(lines, strings.Join(row, "|"))
	}
	return strings.Join(lines, ";")
}

func TestTextIsReadAsRFC4180HasIt(t *testing.T) {
	noHeader := Dialect{NoHeader: true}
	for about, tt := range map[string]struct {
		text
		want string
	}{
		"plain":                        {text{text: "a,b\n1,x\n2,y\n"}, "a int64,b utf8;1|x;2|y"},
		"no newline at the end":        {text{text: "a,b\n1,x"}, "a int64,b utf8;1|x"},
		"CRLF":                         {text{text: "a,b\r\n1,x\r\n"}, "a int64,b utf8;1|x"},
		"CRLF behind quotes":           {text{text: "a,b\r\n1,\"x\"\r\n"}, "a int64,b utf8;1|x"},
		"byte order mark":              {text{text: "\xef\xbb\xbfa,b\n1,x\n"}, "a int64,b utf8;1|x"},
		"all that needs quotes":        {text{text: "a,b\n1,\"x,\"\"y\"\"\nz\"\n2,\"\"\n"}, "a int64,b utf8;1|x,\"y\"\nz;2|"},
		"blank lines":                  {text{text: "\na,b\n\n1,x\n\r\n2,y\n\n"}, "a int64,b utf8;1|x;2|y"},
		"a blank line of one column":   {text{text: "a\n1\n\n2\n"}, "a int64;1;NULL;2"},
		"nulls":                        {text{text: "a,b,c\n,,1\n1,,2\n,\"\",3\n"}, "a int64,b utf8,c int64;NULL|NULL|1;1|NULL|2;NULL||3"},
		"another null":                 {text{text: "a,b\nNA,NA\n1,\"NA\"\n,\n", dialect: Dialect{Nulls: []string{"NA"}}}, "a int64,b utf8;NULL|NULL;1|NA;NULL|"},
		"several nulls":                {text{text: "a,b\n-1,-\n1,x\n", dialect: Dialect{Nulls: []string{"-1", "-"}}}, "a int64,b utf8;NULL|NULL;1|x"},
		"semicolons":                   {text{text: "a;b\n1;x,y\n", dialect: Dialect{Delimiter: ';'}}, "a int64,b utf8;1|x,y"},
		"no header":                    {text{text: "1,x\n", dialect: noHeader}, "column_1 int64,column_2 utf8;1|x"},
		"names":                        {text{text: "1,x\n", dialect: noHeader, names: []string{"a", "b"}}, "a int64,b utf8;1|x"},
		"blank lines without a header": {text{text: "\n\r\n1,x\n", dialect: noHeader}, "column_1 int64,column_2 utf8;1|x"},
		"nothing but a blank line":     {text{text: "\n", dialect: noHeader}, "column_1 utf8;NULL"},
		"names, and nothing else":      {text{text: "", dialect: noHeader, names: []string{"a", "b"}}, "a utf8,b utf8"},
		"a column without a name":      {text{text: ",b\n1,x\n"}, "column_1 int64,b utf8;1|x"},
		"a name in quotes":             {text{text: "\"a,\"\"\",b\n1,x\n"}, "a,\" int64,b utf8;1|x"},
		"names that come again":        {text{text: "a,a,a_1,b,a,b,\n"}, "a utf8,a_2 utf8,a_1 utf8,b utf8,a_3 utf8,b_1 utf8,column_7 utf8"},
		"a name like one of ours":      {text{text: ",column_1,column_1_1,column_1\n"}, "column_1 utf8,column_1_2 utf8,column_1_1 utf8,column_1_3 utf8"},
		"a header and nothing else":    {text{text: "a,b\n"}, "a utf8,b utf8"},
		"numbers in quotes and spaces": {text{text: "a\n\"1\"\n\" 2 \"\n", types: map[string]arrow.DataType{"a": arrow.PrimitiveTypes.Int64}}, "a int64;1;2"},
	} {
		t.Run(about, func(t *testing.T) {
			if got := tt.flat(t); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestWhatIsWrongIsNamedByLineAndColumn(t *testing.T) {
	small := map[string]arrow.DataType{"a": arrow.PrimitiveTypes.Int8}
	for _, tt := range []struct {
		text
		want string
	}{
		{text{text: "a,b\n1,x\n300,y\n", types: small}, `3: column "a": "300" is not a whole number that fits int8`},
		{text{text: "a,b\n1,\"x\ny\"\nz,y\n", types: small}, `4: column "a": "z" is not a whole number that fits int8`},
		{text{text: "a,b\n1,x\n1\n"}, `3: 1 field, and there are 2 columns`},
		{text{text: "a,b\n1,x\n1,2,3\n"}, `3: 3 fields, and there are 2 columns`},
		{text{text: "a,b\n1,x\"y\n"}, `2: a quote (") in a field that does not begin with one; put the field in quotes, and double the quote`},
		{text{text: "a,b\n1,\"x\"y\n"}, `2: text after the closing quote (") of a field; double a quote that is a part of it`},
		{text{text: "a,b\n1,x\n2,\"y\n"}, `3: a quote (") is opened and never closed`},
		{text{text: "a,b\n1,\xff\n"}, `2: column "b": "\xff" is not UTF-8, which the file has to be in`},
		{text{text: "a,b\n1,\xc3\n1,\xa9\n"}, `2: column "b": "\xc3" is not UTF-8, which the file has to be in`},
		{text{text: ""}, `is empty, without the names of columns`},
		{text{text: "\x1f\x8b\b\x00"}, `is packed with gzip: unpack it`},
		{text{text: "\xff\xfea\x00"}, `is UTF-16: convert it to UTF-8`},
		{text{text: "\xff\n"}, `the name of column 1 is not UTF-8`},
		{text{text: "1,2\n", dialect: Dialect{NoHeader: true}, names: []string{"x"}}, `has 2 columns, and 1 name`},
	} {
		if got := tt.flat(t); got != tt.want {
			t.Errorf("%q: got %s\nwant %s", tt.text.text, got, tt.want)
		}
	}
}

// What does not parse is left out as a row, or is a null, as whoever reads decides; a row that cannot be
// taken apart is always left out.
func TestWhatDoesNotParseIsLeftOut(t *testing.T) {
	const lines = "a,b\n1,x\noops,y\n3\n4,\"z\"z\nnope,\xff\n6,w\n"
	types := map[string]arrow.DataType{"a": arrow.PrimitiveTypes.Int64, "b": arrow.BinaryTypes.String}
	for rows, want := range map[bool]string{
		true:  "a int64,b utf8;1|x;6|w",
		false: "a int64,b utf8;1|x;NULL|y;NULL|NULL;6|w",
	} {
		if got := (text{text: lines, types: types, trouble: lenient{rows}}).flat(t); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestTypesAreInferred(t *testing.T) {
	for values, want := range map[string]string{
		"true,FALSE,":                           "bool",
		"1,-2,+3":                               "int64",
		"1,2.5,-1e3":                            "float64",
		"NaN,1":                                 "float64",
		"2001-03-31,1969-12-31":                 "date32",
		"2001-03-31,2001-03-31 17:05":           "timestamp[us]",
		"2001-03-31T17:05:00.25":                "timestamp[us]",
		"2001-03-31T17:05:00Z":                  "timestamp[us, tz=UTC]",
		"2001-03-31T17:05:00+01:00":             "timestamp[us, tz=UTC]",
		"2001-03-31T17:05:00Z,2001-03-31T17:05": "utf8",
		"007,12":                                "utf8",
		"0,0.5":                                 "float64",
		"9223372036854775807":                   "int64",
		"9223372036854775808":                   "utf8",
		"0x10":                                  "utf8",
		"1_000":                                 "utf8",
		"2001-02-29":                            "utf8",
		"1,x":                                   "utf8",
		",":                                     "utf8",
	} {
		x := text{text: "n,a\n1," + strings.ReplaceAll(values, ",", "\n1,") + "\n"}
		_, schema, err := x.head()
		if err != nil {
			t.Fatal(err)
		}
		if got := schema.Field(1).Type.String(); got != want {
			t.Errorf("%s: %s, want %s", values, got, want)
		}
	}
}

// A block takes no more memory than was said, for every type and for text that is all there is. It is read
// that sees to it.
func TestABlockTakesNoMoreThanWasSaid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		types := map[string]arrow.DataType{"text": arrow.BinaryTypes.String}
		names := []string{"text"}
		for i := range rapid.IntRange(0, 3).Draw(t, "columns") {
			names = append(names, fmt.Sprint("c", i))
			types[names[i+1]] = rapid.OneOf(rapid.Just[arrow.DataType](arrow.BinaryTypes.String), rapid.SampledFrom(everyType)).Draw(t, "type") // often text
		}
		value := rapid.SampledFrom([]string{"", "x", strings.Repeat("long", 50), "1"}).Draw(t, "value")
		line := strings.Repeat(value+",", len(names)-1) + value + "\n"
		if len(names) == 1 && value == "" {
			line = "\"\"\n"
		}
		n := rapid.IntRange(1, 300).Draw(t, "rows")
		lines := strings.Repeat(line, n)
		if rapid.Bool().Draw(t, "nulls") && len(names) > 1 { // so that bitmaps are kept
			lines += strings.Repeat(",", len(names)-1) + "\n"
			n++
		}
		x := text{text: lines, names: names, dialect: Dialect{NoHeader: true}, types: types, trouble: lenient{}}
		if _, rows, err := x.read(t); err != nil || len(rows) != n {
			t.Errorf("%d rows, want %d; %v", len(rows), n, err)
		}
	})
}

var everyType = []arrow.DataType{
	arrow.FixedWidthTypes.Boolean,
	arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
	arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
	arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64, &arrow.Decimal128Type{Precision: 20, Scale: 4},
	arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Timestamp_ms, &arrow.TimestampType{Unit: arrow.Nanosecond},
	arrow.FixedWidthTypes.Time32s, arrow.FixedWidthTypes.Time64us, arrow.FixedWidthTypes.Duration_ns,
	arrow.BinaryTypes.String, arrow.BinaryTypes.Binary,
}

// What cannot be read as a type is refused before there is a text.
func TestTypesThatNobodyWritesAreRefused(t *testing.T) {
	for _, typ := range everyType {
		if err := Readable(typ); err != nil {
			t.Errorf("%v: %v", typ, err)
		}
	}
	for _, typ := range []arrow.DataType{
		arrow.Null, arrow.ListOf(arrow.PrimitiveTypes.Int8), &arrow.TimestampType{TimeZone: "Nowhere/At All"},
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String},
	} {
		if err := Readable(typ); err == nil {
			t.Errorf("%v is not refused", typ)
		}
	}
}

// FuzzRead reads any text in one block and in small ones: it ends, takes no more memory than it
// says, and the rows are the same.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"a,b\n1,x\n", "a;b\r\n\"1\n\";\"\"\"\"\r\n", "\xef\xbb\xbfa\n\n1\n", "a,b\n2001-03-31,2001-03-31T17:05:00.123456789+01:30\n",
		"a,b\n1,2,3\n\"", "a\n1e308\n1e309\nNaN\n", "a\n-9223372036854775808\n9223372036854775808\n", "a,a\n", "\"\"\n\"\"\n", "a\n\x00\xff\n",
	} {
		f.Add(seed, uint8(5), uint8(0))
		f.Add(seed, uint8(1), uint8(3))
	}
	f.Fuzz(func(t *testing.T, lines string, buffer, how uint8) {
		if len(lines) > 1<<14 {
			return
		}
		x := text{text: lines, dialect: Dialect{NoHeader: how&1 != 0, Delimiter: ','}, trouble: lenient{rows: how&2 != 0}}
		if how&4 != 0 {
			x.dialect.Delimiter = ';'
		}
		if how&8 != 0 {
			x.trouble = strict{}
		}
		_, want, wantErr := x.read(t)
		x.buffer, x.most = int(buffer)+4, int(how>>4)+1
		_, got, err := x.read(t)
		// Of several things that are wrong with a block, the first is said of its first column.
		if !slices.EqualFunc(got, want, slices.Equal) || (err == nil) != (wantErr == nil) {
			t.Errorf("in small blocks %q is\n%q, %v\nand in one\n%q, %v", lines, got, err, want, wantErr)
		}
	})
}
