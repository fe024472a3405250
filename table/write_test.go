package table

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// written writes batches and returns the error.
func written(t failer, r *mem.Resource, w Write, stdout io.Writer, batches ...arrow.RecordBatch) error {
	t.Helper()
	checked := memory.NewCheckedAllocator(memory.DefaultAllocator)
	net := sluice.NewNetwork("test", sluice.WithMemory(r))
	in := net.Channel("in")
	net.Node("source", source(in, batches...), sluice.Writes(in))
	net.Node(w.Node("write", in, stdout))
	err := net.Run(withAllocator(context.Background(), checked))
	assertNoLeak(t, checked)
	return err
}

// assertOnly fails if a directory holds anything but the files named.
func assertOnly(t failer, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, e := range entries {
		have = append(have, e.Name())
	}
	if !slices.Equal(have, names) {
		t.Errorf("the directory holds %q, want %q", have, names)
	}
}

// TestWhatIsWrittenIsReadBackEqual writes tables of every type, with nulls, in every format, and
// reads them with the scan and, of Parquet, with arrow-go.
func TestWhatIsWrittenIsReadBackEqual(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		schema := everyType()
		name := rapid.SampledFrom([]string{"a.parquet", "a.csv", "a.tsv", "a.csv.gz", "a.csv.zst"}).Draw(t, "name")
		w := Write{Path: filepath.Join(dir, name), Overwrite: true}
		s := Scan{Files: []string{w.Path}}
		if name == "a.parquet" {
			schema = everyStoredType()
			w.Codec = rapid.SampledFrom([]Codec{"", CodecNone, CodecSnappy, CodecGzip, CodecZstd}).Draw(t, "codec")
			w.RowGroupRows = rapid.IntRange(0, 15).Draw(t, "group")
		} else {
			w.CSV.Null = rapid.SampledFrom([]string{"", "NA", "a"}).Draw(t, "null")
			w.CSV.QuoteAll, w.CSV.NoHeader = rapid.Bool().Draw(t, "quote"), rapid.Bool().Draw(t, "header")
			w.CSV.Delimiter = rapid.SampledFrom([]string{"", ";", ":", "-", "a"}).Draw(t, "delimiter")
			if w.CSV.Delimiter == "a" {
				w.CSV.Null = ""
			}
			s.CSV = CSV{Delimiter: w.CSV.Delimiter, NoHeader: w.CSV.NoHeader, Types: make(map[string]arrow.DataType)}
			if w.CSV.Null != "" {
				s.CSV.Null = []string{w.CSV.Null}
			}
			if w.CSV.NoHeader {
				s.CSV.Names = columnNames(schema)
			}
			for _, f := range schema.Fields() {
				s.CSV.Types[f.Name] = plain(f.Type)
			}
		}
		batches := drawBatches(t, schema)
		defer func() {
			for _, b := range batches {
				b.Release()
			}
		}()
		if len(batches) == 0 {
			batches = append(batches, emptyBatch(context.Background(), schema))
		}
		want := allRows(batches)
		if strings.Contains(name, "sv") {
			want = withoutBadText(schema, want, &batches)
		}
		for _, r := range []*mem.Resource{nil, ample()} {
			if err := written(t, r, w, nil, batches...); err != nil {
				t.Fatal(err)
			}
			got, _, err := scan(t, s)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(asText(want), asText(got)); diff != "" {
				t.Fatal(diff)
			}
		}
		scanned, err := s.Schema()
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range schema.Fields() {
			if got := scanned.Field(i); got.Name != f.Name || !arrow.TypeEqual(plain(got.Type), plain(f.Type)) {
				t.Errorf("column %s of %v is read back as %s of %v", f.Name, f.Type, got.Name, got.Type)
			}
		}
		if name == "a.parquet" {
			if diff := cmp.Diff(asText(want), asText(readParquet(t, w.Path))); diff != "" {
				t.Fatal(diff)
			}
		}
	})
	assertNoTemps(t, dir)
}

func assertNoTemps(t failer, dir string) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(dir, ".sluice-*")); len(left) > 0 {
		t.Errorf("it leaves %q", left)
	}
}

// withoutBadText leaves out the batches with text that is not UTF-8, which CSV does not have.
func withoutBadText(schema *arrow.Schema, _ [][]any, batches *[]arrow.RecordBatch) [][]any {
	*batches = slices.DeleteFunc(*batches, func(b arrow.RecordBatch) bool {
		for _, row := range rowsOf(b) {
			for i, v := range row {
				if text, ok := v.(string); ok && text == "\xff" && plain(schema.Field(i).Type).ID() == arrow.STRING {
					return true
				}
			}
		}
		return false
	})
	if len(*batches) == 0 {
		*batches = append(*batches, emptyBatch(context.Background(), schema))
	}
	return allRows(*batches)
}

func numbered(n int) arrow.RecordBatch {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type), field("text", stringType)}, nil)
	rows := make([][]any, n)
	for i := range rows {
		rows[i] = []any{i, fmt.Sprint("text ", i%1000)}
	}
	return batchOf(schema, rows...)
}

func TestRowGroupsHaveTheSizeAskedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.parquet")
	batch := numbered(1000)
	defer batch.Release()
	for _, tt := range []struct {
		w    Write
		r    *mem.Resource
		want []int64
	}{
		{Write{RowGroupRows: 1500}, nil, []int64{1500, 1500}},
		{Write{RowGroupRows: 400}, nil, []int64{400, 400, 400, 400, 400, 400, 400, 200}},
		{Write{}, nil, []int64{3000}},
		{Write{RowGroupBytes: 1}, nil, []int64{1000, 1000, 1000}},
		{Write{Codec: CodecZstd}, ample(), []int64{3000}},
		{Write{}, little(), []int64{3000}},                      // an eighth of 512 KiB
		{Write{}, newResource(t, 320<<10), []int64{2000, 1000}}, // an eighth of it holds two batches
	} {
		tt.w.Path, tt.w.Overwrite = path, true
		if err := written(t, tt.r, tt.w, nil, batch, batch, batch); err != nil {
			t.Fatal(err)
		}
		f, err := file.OpenParquetFile(path, false)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for i := range f.NumRowGroups() {
			got = append(got, f.RowGroup(i).NumRows())
		}
		_ = f.Close()
		if !slices.Equal(got, tt.want) {
			t.Errorf("%+v: row groups of %v rows, want %v", tt.w, got, tt.want)
		}
	}
}

func TestAFileThatIsThereIsNotTouched(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.csv")
	if err := os.WriteFile(path, []byte("mine"), 0o640); err != nil {
		t.Fatal(err)
	}
	batch := numbered(2)
	defer batch.Release()
	err := written(t, nil, Write{Path: path}, nil, batch)
	if want := `node "write": ` + path + ": is there already; remove it, or set overwrite: true"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if text, _ := os.ReadFile(path); string(text) != "mine" {
		t.Errorf("it has %q", text)
	}
	if err := written(t, nil, Write{Path: path, Overwrite: true}, nil, batch); err != nil {
		t.Error(err)
	}
	if text, _ := os.ReadFile(path); string(text) != "n,text\n0,text 0\n1,text 1\n" {
		t.Errorf("it has %q", text)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("its permissions are %v", info.Mode())
	}
	link := filepath.Join(dir, "link.csv")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	if err := written(t, nil, Write{Path: link, Overwrite: true, CSV: WriteCSV{NoHeader: true}}, nil, batch); err != nil {
		t.Error(err)
	}
	if text, _ := os.ReadFile(path); string(text) != "0,text 0\n1,text 1\n" {
		t.Errorf("behind a link it has %q", text)
	}
	assertOnly(t, dir, "a.csv", "link.csv")
}

// TestAFileThatAppearsMeanwhileIsNotTouched: the name is taken only at the end, and not from another.
func TestAFileThatAppearsMeanwhileIsNotTouched(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.parquet")
	net := sluice.NewNetwork("test")
	in := net.Channel("in")
	net.Node("source", func(ctx context.Context) error {
		for i := range 3 { // when there is room for the third, the second was taken, and the first is done with
			if err := send(ctx, in, sluice.SeqNum(i), NewChunk(numbered(2))); err != nil {
				return err
			}
		}
		return os.WriteFile(path, []byte("mine"), 0o600)
	}, sluice.Writes(in))
	net.Node(Write{Path: path}.Node("write", in, nil))
	if err := net.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("got %v", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "mine" {
		t.Errorf("it has %q", text)
	}
	assertOnly(t, dir, "a.parquet")
}

func TestAFailedRunLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	batch := numbered(5000)
	defer batch.Release()
	for _, name := range []string{"a.parquet", "a.csv", "a.csv.zst"} {
		net := sluice.NewNetwork("test")
		in := net.Channel("in")
		net.Node("source", func(ctx context.Context) error {
			if err := source(in, batch, batch)(ctx); err != nil {
				return err
			}
			return errBoom
		}, sluice.Writes(in))
		net.Node(Write{Path: filepath.Join(dir, name), RowGroupRows: map[bool]int{true: 100}[name == "a.parquet"]}.Node("write", in, nil))
		if err := net.Run(t.Context()); !errors.Is(err, errBoom) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	assertOnly(t, dir)
}

func TestWhatCannotBeWrittenIsRefusedBeforeAnythingIsRead(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken.csv")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	in := arrow.NewSchema([]arrow.Field{field("n", int64Type), field("d", arrow.FixedWidthTypes.Duration_s)}, nil)
	for _, tt := range []struct {
		w    Write
		in   *arrow.Schema
		want string
	}{
		{Write{}, in, "the name of a file is empty"},
		{Write{Path: dir + "/a"}, in, dir + "/a: the name does not say whether to write Parquet or CSV; end it in .parquet or .csv, or say the format"},
		{Write{Path: dir + "/a", Format: "orc"}, in, `unknown format "orc"; have parquet, csv`},
		{Write{Path: dir + "/a.parquet"}, in, `column "d" is a duration, which Parquet does not have; write CSV, or a number instead`},
		{Write{Path: dir + "/a.parquet", CSV: WriteCSV{Null: "x"}}, in, "this is about CSV, and the file is Parquet"},
		{Write{Path: dir + "/a.csv", RowGroupRows: 1}, in, "CSV has no row groups; those are for Parquet"},
		{Write{Path: dir + "/a.csv", Workers: 2}, in, "CSV is written by one worker; more are for Parquet"},
		{Write{Path: dir + "/a.parquet", Workers: -1}, in, "-1 workers: there must be at least 1, or 0 for as many as there are processors"},
		{Write{Path: dir + "/a.csv", Codec: CodecSnappy}, in, `unknown compression "snappy" of csv; have none, gzip, zstd`},
		{Write{Path: dir + "/a.CSV.gz", Codec: CodecZstd}, in, `compression "zstd", and by its name ` + dir + `/a.CSV.gz is gzip`},
		{Write{Path: dir + "/a.parquet.gz"}, in, dir + `/a.parquet.gz: Parquet is compressed inside, not as a whole; end the name in .parquet`},
		{Write{Path: dir + "/a.csv", CSV: WriteCSV{Null: "a,b"}}, in, `null "a,b": it is written without quotes, and so cannot have a delimiter, a quote or a new line in it`},
		{Write{Path: dir + "/a.csv"}, arrow.NewSchema(nil, nil), "no columns to write"},
		{Write{Path: dir + "/lost/a.csv"}, in, dir + `/lost/a.csv: there is no folder "` + dir + `/lost"; make it first`},
		{Write{Path: taken + "/a.csv"}, in, taken + `/a.csv: not a directory`},
		{Write{Path: taken}, in, taken + ": is there already; remove it, or set overwrite: true"},
		{Write{Path: dir, Format: FormatCSV}, in, dir + ": is a directory; name a file in it"},
		{Write{Path: "/dev/null", Format: FormatCSV, Overwrite: true}, in, "/dev/null: is not a regular file, and cannot be replaced as a whole; write to standard output as - instead"},
	} {
		if _, err := tt.w.Schema(tt.in); err == nil || err.Error() != tt.want {
			t.Errorf("got %v\nwant %s", err, tt.want)
		}
	}
	assertOnly(t, dir, "taken.csv")
}

// Callers can tell which field to change, and that it is only a file that is in the way.
func TestErrorsOfSettingsSayWhichItIs(t *testing.T) {
	in := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	for want, schema := range map[string]func() (*arrow.Schema, error){
		"Codec":         func() (*arrow.Schema, error) { return Write{Path: "a.csv", Codec: CodecSnappy}.Schema(in) },
		"RowGroupBytes": func() (*arrow.Schema, error) { return Write{Path: "a.csv", RowGroupBytes: 1}.Schema(in) },
		"CSV.QuoteAll": func() (*arrow.Schema, error) {
			return Write{Path: "a.parquet", CSV: WriteCSV{QuoteAll: true}}.Schema(in)
		},
		"CSV.Names": Scan{Files: []string{"a.csv"}, CSV: CSV{Names: []string{"n"}}}.Schema,
		"CSV.Null":  Scan{Files: []string{"a.parquet"}, CSV: CSV{Null: []string{"n"}}}.Schema,
	} {
		_, err := schema()
		var wrong *SettingError
		if !errors.As(err, &wrong) || wrong.Field != want {
			t.Errorf("%s: got %#v", want, err)
		}
	}
	taken := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (Write{Path: taken}).Schema(in); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
}

// fullDisk takes so many bytes.
type fullDisk struct{ left int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if n := min(len(p), d.left); n < len(p) {
		d.left = 0
		return n, syscall.ENOSPC
	}
	d.left -= len(p)
	return len(p), nil
}

func TestAFullDiskIsNamedWithWhatWasWritten(t *testing.T) {
	batch := numbered(20_000)
	defer batch.Release()
	for _, w := range []Write{{Format: FormatParquet, RowGroupRows: 1000}, {Format: FormatCSV}, {Format: FormatCSV, Codec: CodecGzip}} {
		w.Path = StandardStream
		// What is left of a chunk goes back: the resource is closed at the end.
		err := written(t, ample(), w, &fullDisk{left: 20_000}, batch, batch)
		want := `node "write": standard output: writing failed after 20kB (what was written stays): no space left on device`
		if !errors.Is(err, syscall.ENOSPC) || err.Error() != want {
			t.Errorf("%s %s: got %v\nwant %s", w.Format, w.Codec, err, want)
		}
	}
}

func TestStandardOutputIsWrittenAsItComes(t *testing.T) {
	batch := numbered(2)
	defer batch.Release()
	var out bytes.Buffer
	if err := written(t, nil, Write{Path: "-", CSV: WriteCSV{QuoteAll: true, Delimiter: "\t"}}, &out, batch); err != nil {
		t.Fatal(err)
	}
	if want := "\"n\"\t\"text\"\n\"0\"\t\"text 0\"\n\"1\"\t\"text 1\"\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	if err := written(t, nil, Write{Path: "-"}, w, batch); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("nobody reads: %v", err)
	}
	_ = w.Close()
}

// TestAWriteOfTheFlightsRunsInLittleMemory: row groups are as small as the limit asks for.
func TestAWriteOfTheFlightsRunsInLittleMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.parquet")
	r := newResource(t, 4<<20)
	net := sluice.NewNetwork("test", sluice.WithMemory(r))
	rows := net.Channel("rows")
	net.Node(Scan{Files: []string{sample}, Rows: 8192, Readers: 1}.Node("scan", rows))
	net.Node(Write{Path: path}.Node("write", rows, nil))
	if err := net.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if host := r.Stats().Kinds[mem.Host]; host.Overbooked != 0 || host.Peak > 4<<20 {
		t.Errorf("%+v", host)
	}
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if f.NumRows() != 200_000 || f.NumRowGroups() < 10 {
		t.Errorf("%d rows in %d row groups", f.NumRows(), f.NumRowGroups())
	}
}
