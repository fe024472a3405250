package table

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
)

// printed returns what a Print writes of batches.
func printed(p Print, w io.Writer, batches ...arrow.RecordBatch) error {
	net := sluice.NewNetwork("test")
	in := net.Channel("in")
	net.Node("source", source(in, batches...), sluice.Writes(in))
	net.Node(p.Node("print", in, w))
	return net.Run(context.Background())
}

func flightsToPrint() []arrow.RecordBatch {
	schema := arrow.NewSchema([]arrow.Field{
		field("origin", codedType), field("flights", int64Type), field("delay", float64Type),
		field("on time", arrow.FixedWidthTypes.Boolean), field("day", arrow.FixedWidthTypes.Date32),
		field("at", &arrow.TimestampType{Unit: arrow.Millisecond}),
		field("utc", &arrow.TimestampType{Unit: arrow.Second, TimeZone: "UTC"}),
		field("raw", arrow.BinaryTypes.Binary),
	}, nil)
	return []arrow.RecordBatch{
		batchOf(schema, []any{"ORD", 166341, 9.273655123, true, 11412, 986058300000, 986058300, "\x00\xff"}),
		batchOf(schema),
		batchOf(schema, []any{"a \"b\",\nc", -5, 1e-9, false, -1, -1, -1, ""}, []any{nil, nil, nil, nil, nil, nil, nil, nil}),
	}
}

func TestPrintAsTable(t *testing.T) {
	var out strings.Builder
	if err := printed(Print{}, &out, flightsToPrint()...); err != nil {
		t.Fatal(err)
	}
	want := `origin     flights     delay  on time  day         at                       utc                   raw
ORD         166341  9.273655  true     2001-03-31  2001-03-31 17:05:00      2001-03-31 17:05:00Z  00ff
a "b",\nc       -5     1e-09  false    1969-12-31  1969-12-31 23:59:59.999  1969-12-31 23:59:59Z
NULL          NULL      NULL  NULL     NULL        NULL                     NULL                  NULL
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestPrintAsCSV(t *testing.T) {
	var out strings.Builder
	if err := printed(Print{Format: FormatCSV}, &out, flightsToPrint()...); err != nil {
		t.Fatal(err)
	}
	want := `origin,flights,delay,on time,day,at,utc,raw
ORD,166341,9.273655123,true,2001-03-31,2001-03-31T17:05:00,2001-03-31T17:05:00Z,00ff
"a ""b"",
c",-5,1e-09,false,1969-12-31,1969-12-31T23:59:59.999,1969-12-31T23:59:59Z,""
,,,,,,,
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestPrintAsJSON(t *testing.T) {
	var out strings.Builder
	if err := printed(Print{Format: FormatJSON}, &out, flightsToPrint()...); err != nil {
		t.Fatal(err)
	}
	want := `{"origin":"ORD","flights":166341,"delay":9.273655123,"on time":true,"day":"2001-03-31","at":"2001-03-31T17:05:00","utc":"2001-03-31T17:05:00Z","raw":"00ff"}
{"origin":"a \"b\",\nc","flights":-5,"delay":1e-09,"on time":false,"day":"1969-12-31","at":"1969-12-31T23:59:59.999","utc":"1969-12-31T23:59:59Z","raw":""}
{"origin":null,"flights":null,"delay":null,"on time":null,"day":null,"at":null,"utc":null,"raw":null}
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestDecimalsTimesAndDurationsArePrintedToTheLastDigit(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		field("price", &arrow.Decimal128Type{Precision: 38, Scale: 4}), field("whole", &arrow.Decimal128Type{Precision: 38}),
		field("hundreds", &arrow.Decimal128Type{Precision: 5, Scale: -2}),
		field("s", arrow.FixedWidthTypes.Time32s), field("ns", arrow.FixedWidthTypes.Time64ns),
		field("took", arrow.FixedWidthTypes.Duration_s), field("exactly", arrow.FixedWidthTypes.Duration_ns),
		field("at", &arrow.TimestampType{Unit: arrow.Nanosecond}),
		field("there", &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "+02:30"}),
	}, nil)
	batch := batchOf(schema,
		[]any{number(nines), number("-" + nines), number("7"), 61500, 1, 95400, 1_500_000, 986058300123456789, 986058300120},
		[]any{number("-1"), number("0"), number("0"), 0, 86_399_999_999_999, 0, -3_600_000_000_001, -1, -1},
		[]any{number("102500"), number("10000000000000000000"), number("-1"), 1, 0, math.MinInt64, 0, 0, 0},
		[]any{nil, nil, nil, nil, nil, nil, nil, nil, nil})
	for format, want := range map[Format]string{
		FormatTable: `                                  price                                    whole  hundreds  s         ns                  took                     exactly            at                             there
9999999999999999999999999999999999.9999  -99999999999999999999999999999999999999       700  17:05:00  00:00:00.000000001  26h30m0s                 0.0015s            2001-03-31 17:05:00.123456789  2001-03-31 19:35:00.12+02:30
                                -0.0001                                        0         0  00:00:00  23:59:59.999999999  0s                       -1h0m0.000000001s  1969-12-31 23:59:59.999999999  1970-01-01 02:29:59.999+02:30
                                10.2500                     10000000000000000000      -100  00:00:01  00:00:00            -2562047788015215h30m8s  0s                 1970-01-01 00:00:00            1970-01-01 02:30:00+02:30
                                   NULL                                     NULL      NULL  NULL      NULL                NULL                     NULL               NULL                           NULL
`,
		FormatCSV: `price,whole,hundreds,s,ns,took,exactly,at,there
9999999999999999999999999999999999.9999,-99999999999999999999999999999999999999,700,17:05:00,00:00:00.000000001,26h30m0s,0.0015s,2001-03-31T17:05:00.123456789,2001-03-31T19:35:00.12+02:30
-0.0001,0,0,00:00:00,23:59:59.999999999,0s,-1h0m0.000000001s,1969-12-31T23:59:59.999999999,1970-01-01T02:29:59.999+02:30
10.2500,10000000000000000000,-100,00:00:01,00:00:00,-2562047788015215h30m8s,0s,1970-01-01T00:00:00,1970-01-01T02:30:00+02:30
,,,,,,,,
`,
		FormatJSON: `{"price":9999999999999999999999999999999999.9999,"whole":-99999999999999999999999999999999999999,"hundreds":700,"s":"17:05:00","ns":"00:00:00.000000001","took":"26h30m0s","exactly":"0.0015s","at":"2001-03-31T17:05:00.123456789","there":"2001-03-31T19:35:00.12+02:30"}
{"price":-0.0001,"whole":0,"hundreds":0,"s":"00:00:00","ns":"23:59:59.999999999","took":"0s","exactly":"-1h0m0.000000001s","at":"1969-12-31T23:59:59.999999999","there":"1970-01-01T02:29:59.999+02:30"}
{"price":10.2500,"whole":10000000000000000000,"hundreds":-100,"s":"00:00:01","ns":"00:00:00","took":"-2562047788015215h30m8s","exactly":"0s","at":"1970-01-01T00:00:00","there":"1970-01-01T02:30:00+02:30"}
{"price":null,"whole":null,"hundreds":null,"s":null,"ns":null,"took":null,"exactly":null,"at":null,"there":null}
`,
	} {
		var out strings.Builder
		if err := printed(Print{Format: format}, &out, batch); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%s: got\n%s\nwant\n%s", format, out.String(), want)
		}
	}
}

func TestPrintedCSVAndJSONReadBack(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		field("text", stringType), field("f", float64Type), field("u", arrow.PrimitiveTypes.Uint64),
		field("f32", arrow.PrimitiveTypes.Float32),
	}, nil)
	rapid.Check(t, func(t *rapid.T) {
		var rows [][]any
		for range rapid.IntRange(1, 5).Draw(t, "rows") {
			rows = append(rows, []any{rapid.String().Draw(t, "text"), rapid.Float64().Draw(t, "f"), rapid.Uint64().Draw(t, "u"),
				float64(rapid.Float32().Draw(t, "f32"))})
		}
		batch := batchOf(schema, rows...)
		var asCSV, asJSON bytes.Buffer
		if err := errors.Join(printed(Print{Format: FormatCSV}, &asCSV, batch), printed(Print{Format: FormatJSON}, &asJSON, batch)); err != nil {
			t.Fatal(err)
		}
		records, err := csv.NewReader(&asCSV).ReadAll()
		if err != nil || len(records) != len(rows)+1 {
			t.Fatalf("%q, %v", records, err)
		}
		lines := json.NewDecoder(&asJSON)
		lines.UseNumber()
		for i, row := range rows {
			var object map[string]any
			if err := lines.Decode(&object); err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(row[0].(string), "\r\n", "\n") // which encoding/csv does, too
			if records[i+1][0] != text || object["text"] != row[0] {
				t.Fatalf("%q is %q in CSV, %q in JSON", row[0], records[i+1][0], object["text"])
			}
			for column, name := range []string{1: "f", 2: "u", 3: "f32"} {
				if name == "" {
					continue
				}
				want := fmt.Sprint(row[column])
				for _, got := range []string{records[i+1][column], fmt.Sprint(object[name])} {
					if !sameNumber(got, want, column) {
						t.Fatalf("%s %s reads back as %s", name, want, got)
					}
				}
			}
		}
	})
}

func sameNumber(got, want string, column int) bool {
	if column == 2 {
		return got == want
	}
	var a, b float64
	if _, err := fmt.Sscan(got, &a); err != nil {
		return false
	}
	if _, err := fmt.Sscan(want, &b); err != nil {
		return false
	}
	if column == 3 {
		return float32(a) == float32(b)
	}
	return a == b
}

func TestFloatsThatJSONLacksAreStrings(t *testing.T) {
	var out strings.Builder
	batch := batchOf(arrow.NewSchema([]arrow.Field{field("f", float64Type)}, nil),
		[]any{math.NaN()}, []any{math.Inf(1)}, []any{math.Inf(-1)}, []any{1e300}, []any{0.1})
	if err := printed(Print{Format: FormatJSON}, &out, batch); err != nil {
		t.Fatal(err)
	}
	want := "{\"f\":\"NaN\"}\n{\"f\":\"Infinity\"}\n{\"f\":\"-Infinity\"}\n{\"f\":1e+300}\n{\"f\":0.1}\n"
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
}

func TestATableSettlesItsWidthsAndGoesOn(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type), field("s", stringType)}, nil)
	var rows [][]any
	for i := range measured {
		rows = append(rows, []any{i, "x"})
	}
	rows = append(rows, []any{1234567, "long"})
	var out strings.Builder
	if err := printed(Print{}, &out, batchOf(schema, rows...)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if len(lines) != measured+3 || lines[0] != "  n  s" || lines[1] != "  0  x" || lines[measured+1] != "1234567  long" {
		t.Errorf("%d lines: %q, %q ... %q", len(lines), lines[0], lines[1], lines[len(lines)-2])
	}
}

func TestControlCharactersDoNotReachTheTerminal(t *testing.T) {
	var out strings.Builder
	batch := batchOf(arrow.NewSchema([]arrow.Field{field("a\tb", stringType)}, nil), []any{"\x1b[2J"}, []any{"\xff"}, []any{"é"})
	if err := printed(Print{}, &out, batch); err != nil {
		t.Fatal(err)
	}
	if want := "a\\tb\n\\x1b[2J\n\\xff\né\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestAHeaderIsPrintedAlsoWithoutRows(t *testing.T) {
	for format, want := range map[Format]string{"": "n\n", FormatCSV: "n\n", FormatJSON: ""} {
		var out strings.Builder
		err := printed(Print{Format: format}, &out, batchOf(arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)))
		if err != nil || out.String() != want {
			t.Errorf("%q: %q, %v", format, out.String(), err)
		}
	}
}

// broken is a pipe whose reader has gone.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestABrokenPipeEndsPrintWithItsError(t *testing.T) {
	for _, format := range formats {
		var batches []arrow.RecordBatch
		for range 10 {
			batches = append(batches, flightsToPrint()...)
		}
		if err := printed(Print{Format: Format(format)}, broken{}, batches...); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("%s: %v", format, err)
		}
	}
}

func TestPrintSaysWhatIsWrongBeforeItReads(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	_, err := Print{Format: "jsno"}.Schema(schema)
	if err == nil || err.Error() != `unknown format "jsno"; did you mean "json"?` {
		t.Errorf("%v", err)
	}
}
