package table

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// csvFileOf writes a file and returns a scan of it.
func csvFileOf(t testing.TB, name, text string) Scan {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Scan{Files: []string{path}}
}

// How CSV is read, internal/csv tests. These are the settings, and how they get there.
func TestSettingsOfCSVSayHowItIsRead(t *testing.T) {
	for about, tt := range map[string]struct {
		name, text string
		csv        CSV
		want       string // columns, then a line for each row, values joined by |
	}{
		"none":          {"a.csv", "a,b\n1,\"x\ny\"\n2,\n", CSV{}, "a int64,b utf8;1|x\ny;2|NULL"},
		"none, of tabs": {"a.tsv", "a\tb\n1\tx,y\n", CSV{}, "a int64,b utf8;1|x,y"},
		"delimiter":     {"a.tsv", "a;b\n1;x\ty\n", CSV{Delimiter: ";"}, "a int64,b utf8;1|x\ty"},
		"null":          {"a.csv", "a,b\n-1,-\n1,\n", CSV{Null: []string{"-1", "-"}}, "a int64,b utf8;NULL|NULL;1|"},
		"no header":     {"a.csv", "1,x\n", CSV{NoHeader: true}, "column_1 int64,column_2 utf8;1|x"},
		"names":         {"a.csv", "1,x\n", CSV{NoHeader: true, Names: []string{"a", "b"}}, "a int64,b utf8;1|x"},
		"types":         {"a.csv", "a,b\n1,x\n", CSV{Types: map[string]arrow.DataType{"a": stringType}}, "a utf8,b utf8;1|x"},
	} {
		t.Run(about, func(t *testing.T) {
			s := csvFileOf(t, tt.name, tt.text)
			s.CSV = tt.csv
			if got := flat(t, s); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// flat is a scan as "name type,...;value|value;...".
func flat(t failer, s Scan) string {
	t.Helper()
	schema, err := s.Schema()
	if err != nil {
		return err.Error()
	}
	rows, _, err := scan(t, s)
	if err != nil {
		return err.Error()
	}
	var names, lines []string
	for _, f := range schema.Fields() {
		names = append(names, fmt.Sprintf("%s %v", f.Name, f.Type))
	}
	lines = append(lines, strings.Join(names, ","))
	for _, row := range rows {
		var values []string
		for _, v := range row {
			if v == nil {
				v = "NULL"
			}
			values = append(values, fmt.Sprint(v))
		}
		lines = append(lines, strings.Join(values, "|"))
	}
	return strings.Join(lines, ";")
}

func TestWhatIsWrongWithCSVIsNamedByFileLineAndColumn(t *testing.T) {
	ints := map[string]arrow.DataType{"a": arrow.PrimitiveTypes.Int8}
	tests := []struct {
		text string
		csv  CSV
		want string
	}{
		{"a,b\n1,x\n300,y\n", CSV{Types: ints}, `:3: column "a": "300" is not a whole number that fits int8`},
		{"a,b\n1,\"x\ny\"\nz,y\n", CSV{Types: ints}, `:4: column "a": "z" is not a whole number that fits int8`},
		{"a,b\n1,x\n1\n", CSV{}, `:3: 1 field, and there are 2 columns`},
		{"a,b\n1,\xff\n", CSV{}, `:2: column "b": "\xff" is not UTF-8, which the file has to be in`},
		{"a\n" + strings.Repeat("1\n", 10_000) + "N/A\n", CSV{}, `:10002: column "a": "N/A" is not a whole number that fits int64, as in the first rows; null_text says what is a null, types what else the column is`},
		{"", CSV{}, `: is empty, without the names of columns`},
		{"1,2\n", CSV{NoHeader: true, Names: []string{"x"}}, `: has 2 columns, and 1 name`},
		{"ab,c\n1,2\n", CSV{Types: ints}, `: unknown column "a"; did you mean "ab"?`},
	}
	for _, tt := range tests {
		s := csvFileOf(t, "a.csv", tt.text)
		s.CSV = tt.csv
		if got := strings.TrimPrefix(flat(t, s), `node "scan": `); got != s.Files[0]+tt.want {
			t.Errorf("%q: got %s\nwant %s", tt.text, got, s.Files[0]+tt.want)
		}
	}
}

func TestSettingsOfCSVThatMakeNoSenseAreRefused(t *testing.T) {
	for _, tt := range []struct {
		scan Scan
		want string
	}{
		{Scan{Files: []string{"a.parquet"}, CSV: CSV{Delimiter: ";"}}, "this is about CSV, and the files are Parquet; if they are not, say so with format: csv"},
		{Scan{Files: []string{"-"}, Format: FormatParquet}, "standard input can be read as CSV only: Parquet is read from its end; put it into a file first"},
		{Scan{Files: []string{"a.csv"}, Format: "cvs"}, `unknown format "cvs"; did you mean "csv"?`},
		{Scan{Files: []string{"a.csv"}, CSV: CSV{Delimiter: ",,"}}, `delimiter ",,": want one character of ASCII, such as ; or a tab`},
		{Scan{Files: []string{"a.csv"}, CSV: CSV{Delimiter: `"`}}, `delimiter "\"" cannot stand between fields`},
		{Scan{Files: []string{"a.csv"}, CSV: CSV{Null: []string{"a,b"}}}, `null "a,b": it is written without quotes, and so cannot have a delimiter, a quote or a new line in it`},
		{Scan{Files: []string{"a.csv"}, CSV: CSV{OnError: "skipp"}}, `unknown on_error "skipp"; did you mean "skip"?`},
		{Scan{Files: []string{"a.csv"}, CSV: CSV{Names: []string{"a"}}}, `names of columns are for files without a header`},
		{Scan{Files: []string{"a.csv"}, CSV: CSV{Types: map[string]arrow.DataType{"x": codedType}}}, `column "x": dictionary<values=utf8, indices=int32, ordered=false> is not a type that CSV can be read as`},
	} {
		if _, err := tt.scan.Schema(); err == nil || err.Error() != tt.want {
			t.Errorf("got %v\nwant %s", err, tt.want)
		}
	}
}

func TestRowsThatDoNotParseAreSkippedOrNullAndCounted(t *testing.T) {
	const text = "a,b\n1,x\noops,y\n3\n4,\"z\"z\nnope,\xff\n6,w\n"
	types := map[string]arrow.DataType{"a": int64Type, "b": stringType}
	for onError, want := range map[OnError]struct{ rows, log string }{
		OnErrorSkip: {"a int64,b utf8;1|x;6|w", `msg="skipped 4 rows of CSV, such as FILE:3: column \"a\": \"oops\" is not a whole number that fits int64"`},
		OnErrorNull: {"a int64,b utf8;1|x;NULL|y;NULL|NULL;6|w", `msg="skipped 2 rows of CSV, such as FILE:4: 1 field, and there are 2 columns"
msg="read 3 values of CSV as null, such as FILE:3: column \"a\": \"oops\" is not a whole number that fits int64"`},
	} {
		var log bytes.Buffer
		s := csvFileOf(t, "a.csv", text)
		s.CSV = CSV{OnError: onError, Types: types}
		s.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
				return slog.Attr{}
			}
			return a
		}}))
		if got := flat(t, s); got != want.rows {
			t.Errorf("%s: %s, want %s", onError, got, want.rows)
		}
		if got := strings.TrimSpace(strings.ReplaceAll(log.String(), s.Files[0], "FILE")); got != want.log {
			t.Errorf("%s: it warns\n%s\nwant\n%s", onError, got, want.log)
		}
	}
}

// Rows are taken apart before their values are looked at, values column by column, and blocks side by side.
func TestTheFirstRowThatDoesNotParseIsNamed(t *testing.T) {
	types := map[string]arrow.DataType{"a": int64Type, "b": int64Type}
	good := strings.Repeat("1,1\n", 2_000_000/4) // more than the sample that types are inferred from, and a block
	for about, tt := range map[string]struct{ text, want string }{
		"a value before a row":            {"1,1\nx,1\n3\n", `FILE:3: column "a": "x" is not a whole number that fits int64`},
		"a row before a value":            {"1\nx,1\n", `FILE:2: 1 field, and there are 2 columns`},
		"columns":                         {"1,1\n1,y\nx,1\n", `FILE:3: column "b": "y" is not a whole number that fits int64`},
		"columns of a row":                {"1,1\nx,y\n", `FILE:3: column "a": "x" is not a whole number that fits int64`},
		"behind the sample":               {good + "1,y\nx,1\n1\n", `FILE:500002: column "b": "y" is not a whole number that fits int64`},
		"before a quote without an end":   {good + "1,y\n1,\"1\n" + good, `FILE:500002: column "b": "y" is not a whole number that fits int64`},
		"blocks, the later ending sooner": {good + "1,y\n1" + good[1:] + "1\n", `FILE:500002: column "b": "y" is not a whole number that fits int64`},
	} {
		t.Run(about, func(t *testing.T) {
			for _, onError := range []OnError{OnErrorFail, OnErrorSkip} {
				s := csvFileOf(t, "a.csv", "a,b\n"+tt.text)
				if onError == OnErrorSkip && strings.Contains(tt.text, `"`) {
					continue // a row too long to be read ends the scan, however it is meant
				}
				var log bytes.Buffer
				s.CSV, s.Logger = CSV{OnError: onError, Types: types}, slog.New(slog.NewJSONHandler(&log, nil))
				got := strings.TrimPrefix(flat(t, s), `node "scan": `) // as what is behind the sample has
				if onError == OnErrorSkip {
					var entry struct{ Msg string }
					if err := json.Unmarshal(log.Bytes(), &entry); err != nil {
						t.Fatal(err)
					}
					_, got, _ = strings.Cut(entry.Msg, ", such as ")
				}
				if got = strings.ReplaceAll(got, s.Files[0], "FILE"); got != tt.want {
					t.Errorf("%s: it says %.200s\nwant %s", onError, got, tt.want)
				}
			}
		})
	}
}

func TestTheFirstFileWithARowThatDoesNotParseIsNamed(t *testing.T) {
	first, second := csvFileOf(t, "a.csv", "a\n1\n1\n1\nx\n"), csvFileOf(t, "b.csv", "a\ny\n")
	var log bytes.Buffer
	s := Scan{Files: []string{first.Files[0], second.Files[0]}, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	s.CSV = CSV{OnError: OnErrorSkip, Types: map[string]arrow.DataType{"a": int64Type}}
	flat(t, s)
	if want := "such as " + first.Files[0] + ":5: "; !strings.Contains(log.String(), want) {
		t.Errorf("it warns %s, want %s", &log, want)
	}
}

func TestPackedFilesDirectoriesAndTabsAreRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var gzipped, packed bytes.Buffer
	z := gzip.NewWriter(&gzipped)
	fmt.Fprint(z, "b,a\ny,2\n")
	_ = z.Close()
	write("2.csv.gz", gzipped.Bytes())
	zst, _ := zstd.NewWriter(&packed)
	fmt.Fprint(zst, "a,b\n3,z\n")
	_ = zst.Close()
	write("3.csv.zst", packed.Bytes())
	write("1.csv", []byte("a,b\n1,x\n"))
	write("4.tsv", []byte("a\tb\n4\tw\n"))
	write("5.txt", []byte("not this"))
	if got, want := flat(t, Scan{Files: []string{dir}, Format: FormatCSV}), "a int64,b utf8;1|x;2|y;3|z;4|w"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := flat(t, Scan{Files: []string{dir}, Format: FormatCSV, Columns: []string{"b"}}), "b utf8;x;y;z;w"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := (Scan{Files: []string{dir}}).Schema(); err == nil || !strings.Contains(err.Error(), "no *.parquet files") {
		t.Errorf("without a format: %v", err)
	}
	write("6.csv", []byte("a,c\n4,w\n"))
	if got, want := flat(t, Scan{Files: []string{dir}, Format: FormatCSV}), filepath.Join(dir, "6.csv")+` has no column "b", but `+filepath.Join(dir, "1.csv")+" has"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if runtime.GOOS == "linux" {
		const null = "/dev/null"
		if got, want := flat(t, Scan{Files: []string{null}, Format: FormatCSV}), null+": is not a regular file, and files are opened more than once; read it as standard input, -"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	write("7.csv.gz", gzipped.Bytes()[:gzipped.Len()-8])
	if got, want := flat(t, Scan{Files: []string{filepath.Join(dir, "7.csv.gz")}}), filepath.Join(dir, "7.csv.gz")+": unexpected EOF"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	write("packed.csv", gzipped.Bytes())
	if got, want := flat(t, Scan{Files: []string{filepath.Join(dir, "packed.csv")}}), "b utf8,a int64;y|2"; got != want {
		t.Errorf("packed, and its name does not say so: got %s, want %s", got, want)
	}
	write("2.csv.gz", []byte("not packed"))
	if got, want := flat(t, Scan{Files: []string{filepath.Join(dir, "2.csv.gz")}}), filepath.Join(dir, "2.csv.gz")+": is not packed with gzip, as its name says"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestStandardInputIsReadAsCSVAndLookedAtFirst(t *testing.T) {
	var text strings.Builder
	text.WriteString("a,b\n")
	for i := range 40_000 {
		fmt.Fprintf(&text, "%d,text %d\n", i, i)
	}
	stdin := bufio.NewReaderSize(strings.NewReader(text.String()), csvSample)
	s := Scan{Files: []string{"-"}, Stdin: stdin}
	for range 2 {
		schema, err := s.Schema()
		if err != nil || schema.Field(0).Type.ID() != arrow.INT64 {
			t.Fatalf("%v, %v", schema, err)
		}
	}
	rows, _, err := scan(t, s)
	if err != nil || len(rows) != 40_000 || rows[39_999][0] != int64(39_999) {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// TestPackedStandardInputIsUnpacked takes input that is longer, and shorter, than what is looked at first.
func TestPackedStandardInputIsUnpacked(t *testing.T) {
	for _, rows := range []int{0, 10, 200_000} {
		text := new(strings.Builder)
		text.WriteString("a,b\n")
		random := rand.New(rand.NewPCG(1, 2))
		for i := range rows {
			fmt.Fprintf(text, "%d,%x\n", i, random.Uint64())
		}
		gzipped, zstded := new(bytes.Buffer), new(bytes.Buffer)
		z := gzip.NewWriter(gzipped)
		zst, _ := zstd.NewWriter(zstded)
		for _, w := range []io.WriteCloser{z, zst} {
			if _, err := io.WriteString(w, text.String()); err != nil || w.Close() != nil {
				t.Fatal(err)
			}
		}
		for name, packed := range map[string][]byte{"gzip": gzipped.Bytes(), "zstd": zstded.Bytes()} {
			stdin := func(packed []byte) Scan {
				return Scan{Files: []string{StandardStream}, Stdin: bufio.NewReaderSize(bytes.NewReader(packed), csvSample)}
			}
			got, _, err := scan(t, stdin(packed))
			if err != nil || len(got) != rows {
				t.Fatalf("%s of %d rows: %d, %v", name, rows, len(got), err)
			}
			for i, row := range got {
				if row[0] != int64(i) {
					t.Fatalf("%s: row %d is %v", name, i, row)
				}
			}
			if len(packed) > csvSample == (rows < 1000) {
				t.Fatalf("%d bytes are not what this is about", len(packed))
			}
			if _, _, err := scan(t, stdin(packed[:len(packed)-5])); err == nil || !strings.HasSuffix(err.Error(), "standard input: unexpected EOF") {
				t.Errorf("%s of %d rows, cut off: %v", name, rows, err)
			}
		}
	}
	small := Scan{Files: []string{StandardStream}, Stdin: bufio.NewReaderSize(strings.NewReader("\x28\xb5\x2f\xfd"+strings.Repeat("\x00", 90)), 16)}
	if _, err := small.Schema(); err == nil || err.Error() != "standard input: 16B of it are too little to unpack anything" {
		t.Errorf("a buffer of 16 bytes: %v", err)
	}
}

func TestAScanOfStandardInputThatNeverEndsCanBeCancelled(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	net := sluice.NewNetwork("test")
	rows := net.Channel("rows")
	net.Node(Scan{Files: []string{"-"}, Stdin: bufio.NewReaderSize(in, 4096)}.Node("scan", rows))
	net.Node("sink", func(ctx context.Context) error {
		_, err := rows.Recv(ctx)
		return err
	}, sluice.Reads(rows))
	done := make(chan error)
	go func() { done <- net.Run(ctx) }()
	fmt.Fprint(out, "a,b\n1,2\n")
	cancel(errBoom)
	if err := <-done; !errors.Is(err, errBoom) {
		t.Errorf("got %v", err)
	}
	_ = out.Close() // which ends the goroutine that reads, too
	_ = in.Close()
}

var errBoom = errors.New("boom")

// TestCSVInLittleMemory: blocks are as small as the limit asks for, rows that are longer still fit,
// and nothing is taken that was not reserved.
func TestCSVInLittleMemory(t *testing.T) {
	var text strings.Builder
	text.WriteString("a,b,c\n")
	for i := range 20_000 {
		fmt.Fprintf(&text, "%d,%s,%d\n", i, strings.Repeat("x", i%97), i%10)
		if i == 9_000 {
			fmt.Fprintf(&text, "1,%s,2\n", strings.Repeat("long \"\"and\"\"\n", 0)+strings.Repeat("y", 20_000))
		}
	}
	s := csvFileOf(t, "a.csv", text.String())
	want, _, err := scan(t, s)
	if err != nil {
		t.Fatal(err)
	}
	r := newResource(t, 512<<10)
	got, err := scanIn(t, r, s)
	if err != nil || !cmp.Equal(asText(got), asText(want)) {
		t.Errorf("%d rows, want %d; %v", len(got), len(want), err)
	}
	if host := r.Stats().Kinds[mem.Host]; host.Overbooked != 0 || host.Peak == 0 {
		t.Errorf("%+v", host)
	}
	r = newResource(t, 128<<10)
	if _, err := scanIn(t, r, s); err == nil || !strings.Contains(err.Error(), `a.csv:9003: the row is longer than 8KiB, unless a quote (") was not closed`) {
		t.Errorf("in too little memory: %v", err)
	}
}

// scanIn returns the rows of a scan in some memory.
func scanIn(t failer, r *mem.Resource, s Scan) (rows [][]any, err error) {
	t.Helper()
	net := sluice.NewNetwork("test", sluice.WithMemory(r))
	out := net.Channel("rows")
	net.Node(s.Node("scan", out))
	net.Node("sink", func(ctx context.Context) error {
		return eachChunk(ctx, out, func(_ *sluice.Message, chunk *Chunk) error {
			rows = append(rows, rowsOf(chunk.Batch())...)
			return nil
		})
	}, reads(out))
	return rows, net.Run(context.Background())
}

// FuzzCSV: whatever a file holds, the scan ends, gives rows that have all columns or says what is
// wrong, and never takes more memory than it was promised. What it reads it reads again from
// what it writes.
func FuzzCSV(f *testing.F) {
	for _, text := range []string{
		"a,b\n1,x\n", "a;b\r\n\"1\n\";\"\"\"\"\r\n", "\xef\xbb\xbfa\n\n1\n", "a,b\n2001-03-31,2001-03-31T17:05:00.123456789+01:30\n",
		"a,b\n1,2,3\n\"", "a\n1e308\n1e309\nNaN\n", "a\n-9223372036854775808\n9223372036854775808\n", "a,a\n", "\"\"\n\"\"\n", "a\n\x00\xff\n",
	} {
		f.Add(text, byte(0))
		f.Add(text, byte(7))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string, how byte) {
		if len(text) > 1<<16 {
			return
		}
		path, again := filepath.Join(dir, "in.csv"), filepath.Join(dir, "out.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := Scan{Files: []string{path}, Rows: int(how>>4) + 1, Logger: slog.New(slog.DiscardHandler)}
		s.CSV = CSV{OnError: OnError(onErrors[how&3%3]), NoHeader: how&4 != 0, Delimiter: map[bool]string{true: ";"}[how&8 != 0]}
		schema, err := s.Schema()
		if err != nil {
			return
		}
		rows, _, err := scan(t, s)
		if err != nil {
			return
		}
		net := sluice.NewNetwork("copy")
		through := net.Channel("rows")
		net.Node(s.Node("scan", through))
		net.Node(Write{Path: again, Overwrite: true}.Node("write", through, nil))
		if err := net.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		back := Scan{Files: []string{again}, CSV: CSV{Types: make(map[string]arrow.DataType)}}
		for _, field := range schema.Fields() {
			back.CSV.Types[field.Name] = field.Type
		}
		copied, _, err := scan(t, back)
		if err != nil || !cmp.Equal(asText(rows), asText(copied)) {
			t.Fatalf("%q is read as\n%v\nwritten, and read as\n%v, %v", text, asText(rows), asText(copied), err)
		}
	})
}

// TestAFileThatIsChangedWhileItIsReadIsAnError: of one that grows, who knows what was read.
func TestAFileThatIsChangedWhileItIsReadIsAnError(t *testing.T) {
	for how, change := range map[string]func(string) error{
		"longer": func(path string) error {
			return os.WriteFile(path, []byte("a,b\n"+strings.Repeat("2,yy\n", 200)), 0o600)
		},
		"later": func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1, 0)) },
	} {
		t.Run(how, func(t *testing.T) { readWhileItChanges(t, change) })
	}
}

func readWhileItChanges(t *testing.T, change func(path string) error) {
	s := csvFileOf(t, "a.csv", "a,b\n"+strings.Repeat("1,x\n", 100))
	s.Rows, s.Tickets = 1, 1
	net := sluice.NewNetwork("test")
	out := net.Channel("rows")
	net.Node(s.Node("scan", out))
	net.Node("sink", func(ctx context.Context) error {
		changed := false
		return eachChunk(ctx, out, func(*sluice.Message, *Chunk) error {
			if changed {
				return nil
			}
			changed = true
			return change(s.Files[0])
		})
	}, reads(out))
	if err := net.Run(t.Context()); err == nil || !strings.Contains(err.Error(), s.Files[0]+": the file was changed while it was read") {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(s.Files[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Schema(); err == nil || err.Error() != s.Files[0]+": no such file" {
		t.Errorf("of one that vanished: %v", err)
	}
}
