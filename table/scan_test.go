package table

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table/internal/pages"
)

const (
	sample = "../examples/data/flights-200k.parquet"
	full   = "../../shared/data/flights-3m.parquet"
)

// writeParquet writes batches with arrow-go, a row group for each so many rows.
func writeParquet(t failer, path string, rowsInGroup int64, batches ...arrow.RecordBatch) {
	t.Helper()
	writeParquetWith(t, path, batches, parquet.WithMaxRowGroupLength(rowsInGroup))
}

// writeParquetWith writes batches with arrow-go, packed with Snappy.
func writeParquetWith(t failer, path string, batches []arrow.RecordBatch, properties ...parquet.WriterProperty) {
	t.Helper()
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	properties = append(properties, parquet.WithCompression(compress.Codecs.Snappy))
	w, err := pqarrow.NewFileWriter(batches[0].Schema(), out, parquet.NewWriterProperties(properties...), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range batches {
		if err := w.Write(batch); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// readParquet reads a file with arrow-go.
func readParquet(t failer, path string) [][]any {
	t.Helper()
	in, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	r, err := pqarrow.NewFileReader(in, pqarrow.ArrowReadProperties{BatchSize: 1 << 20}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	batches, err := r.GetRecordReader(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer batches.Release()
	var rows [][]any
	for batches.Next() {
		rows = append(rows, rowsOf(batches.RecordBatch())...)
	}
	return rows
}

// scan runs a scan and returns its chunks as rows, and how many rows each has.
func scan(t failer, s Scan) (rows [][]any, chunks []int, err error) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	net := sluice.NewNetwork("test")
	out := net.Channel("rows")
	net.Node(s.Node("scan", out))
	net.Node("sink", func(ctx context.Context) error {
		for m, err := range out.All(ctx) {
			if err != nil {
				return err
			}
			if int(m.Seq()) != len(chunks) {
				t.Errorf("number %d, want %d", m.Seq(), len(chunks))
			}
			chunk, err := sluice.Peek[*Chunk](&m)
			if err != nil {
				return err
			}
			rows = append(rows, rowsOf(chunk.Batch())...)
			chunks = append(chunks, chunk.Rows())
			m.Release()
		}
		return nil
	}, sluice.Reads(out))
	err = net.Run(withAllocator(context.Background(), mem))
	assertNoLeak(t, mem)
	return rows, chunks, err
}

func TestScanReadsAnyFilesInOrderAsArrowDoes(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		drawn := drawBatches(t, everyStoredType())
		if len(drawn) == 0 {
			return
		}
		var paths []string
		var want [][]any
		for i, batch := range drawn {
			path := filepath.Join(dir, fmt.Sprint(i, ".parquet"))
			writeParquet(t, path, rapid.Int64Range(1, 5).Draw(t, "row group"), batch)
			paths = append(paths, path)
			want = append(want, readParquet(t, path)...)
		}
		got, chunks, err := scan(t, Scan{
			Files:   paths,
			Rows:    rapid.IntRange(0, 4).Draw(t, "rows"),
			Tickets: rapid.IntRange(0, 4).Draw(t, "tickets"),
			Readers: rapid.IntRange(0, 4).Draw(t, "readers"),
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(asText(got), asText(want)) {
			t.Fatalf("got\n%v\nnot\n%v", asText(got), asText(want))
		}
		if len(chunks) == 0 {
			t.Fatal("not even a chunk to tell the schema")
		}
	})
}

func TestScanReadsTheSample(t *testing.T) {
	want := readParquet(t, sample)
	got, chunks, err := scan(t, Scan{Files: []string{sample}})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(chunks) != "[25000 25000 25000 25000 25000 25000 25000 25000]" {
		t.Errorf("chunks of %v rows", chunks)
	}
	for i := range want {
		if !slices.Equal(got[i], want[i]) {
			t.Fatalf("row %d is %v, arrow-go reads %v", i, got[i], want[i])
		}
		if i > 0 && got[i][0].(int64) < got[i-1][0].(int64) {
			t.Fatalf("row %d is before the one before it", i)
		}
	}
}

func TestScanGivesTheColumnsAskedForInTheirOrder(t *testing.T) {
	s := Scan{Files: []string{sample}, Columns: []string{"origin", "delay"}}
	schema, err := s.Schema()
	if err != nil {
		t.Fatal(err)
	}
	want := arrow.NewSchema([]arrow.Field{field("origin", codedType), field("delay", int64Type)}, nil)
	if !schema.Equal(want) {
		t.Errorf("schema %v", schema)
	}
	rows, _, err := scan(t, s)
	if err != nil || len(rows) != 200_000 || len(rows[0]) != 2 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// topOrigins runs the job of the example: the most frequent origins with their
// mean delay.
func topOrigins(t *testing.T, path string) []string {
	t.Helper()
	net := sluice.NewNetwork("flights")
	rows, groups, top := net.Channel("rows"), net.Channel("groups"), net.Channel("top")
	net.Node(Scan{Files: []string{path}, Columns: []string{"origin", "delay"}}.Node("scan", rows))
	net.Node(Aggregate{By: []string{"origin"}, Measures: []Measure{
		{As: "flights", Func: Count}, {As: "delay", Func: Mean, Column: "delay"},
	}}.Node("by origin", rows, groups))
	net.Node(Sort{By: []SortKey{{Column: "flights", Descending: true}}, Limit: 5}.Node("top", groups, top))
	var lines []string
	net.Node("sink", func(ctx context.Context) error {
		for m, err := range top.All(ctx) {
			if err != nil {
				return err
			}
			chunk, err := sluice.Peek[*Chunk](&m)
			if err != nil {
				return err
			}
			for _, row := range rowsOf(chunk.Batch()) {
				lines = append(lines, fmt.Sprintf("%v %v %.6f", row...))
			}
			m.Release()
		}
		return nil
	}, sluice.Reads(top))
	if err := net.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestTheSampleGivesTheKnownAnswers(t *testing.T) {
	want := []string{"ORD 11277 8.747983", "DFW 10451 7.724811", "ATL 8339 8.279890", "LAX 7674 7.280949", "PHX 6130 9.612887"}
	if got := topOrigins(t, sample); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestThreeMillionFlightsGiveTheKnownAnswers(t *testing.T) {
	if _, err := os.Stat(full); err != nil {
		t.Skip("needs the full file: ", err)
	}
	want := []string{"ORD 166341 9.273655", "DFW 157162 7.700958", "ATL 124711 8.828139", "LAX 115245 7.422595", "PHX 93036 9.994400"}
	if got := topOrigins(t, full); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// counting is an allocator that knows how much is allocated.
type counting struct {
	memory.Allocator
	now, most atomic.Int64
}

func (c *counting) Allocate(n int) []byte { c.add(int64(n)); return c.Allocator.Allocate(n) }

func (c *counting) Reallocate(n int, b []byte) []byte {
	c.add(int64(n - len(b)))
	return c.Allocator.Reallocate(n, b)
}

func (c *counting) Free(b []byte) { c.add(-int64(len(b))); c.Allocator.Free(b) }

func (c *counting) add(n int64) {
	now := c.now.Add(n)
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
}

// unpacked is how many bytes the pages take that chunks of one row group share, and that
// may be kept while the consumer works: those of a file of equalGroups.
func unpacked(t *testing.T, path string) int64 {
	t.Helper()
	f, err := pages.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: int64Type}}, nil)
	group, err := f.RowGroup(t.Context(), 0, schema, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	piece := group.Piece(0, 1)
	defer piece.Release()
	batch, err := piece.Read(t.Context(), memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	batch.Release()
	piece.Release()
	return group.Idle()
}

// equalGroups writes a file with that many row groups, all alike.
func equalGroups(t *testing.T, groups int) string {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: int64Type}}, nil)
	var rows [][]any
	for i := range 1024 {
		rows = append(rows, []any{i})
	}
	var batches []arrow.RecordBatch
	for range groups {
		batches = append(batches, batchOf(schema, rows...))
	}
	path := filepath.Join(t.TempDir(), "equal.parquet")
	writeParquet(t, path, 1024, batches...)
	return path
}

func TestNeverMoreChunksInMemoryThanTickets(t *testing.T) {
	const tickets, groups, rows, bytes = 3, 20, 256, 256 * 8
	const chunks = groups * 1024 / rows
	path := equalGroups(t, groups)
	shared := unpacked(t, path)
	synctest.Test(t, func(t *testing.T) {
		mem := &counting{Allocator: memory.DefaultAllocator}
		ctx, cancel := context.WithCancel(withAllocator(context.Background(), mem))
		defer cancel()
		net := sluice.NewNetwork("test")
		out := net.Channel("rows", sluice.Slots(chunks)) // room for all: only tickets hold back
		net.Node(Scan{Files: []string{path}, Rows: rows, Tickets: tickets, Readers: tickets}.Node("scan", out))
		seen := 0
		net.Node("sink", func(ctx context.Context) error {
			for m, err := range out.All(ctx) {
				if err != nil {
					return err
				}
				seen++
				synctest.Wait() // the scan has come as far as it can
				// Besides there are pages that chunks to come will need, of this row group and of as many
				// as there are readers.
				if chunks := mem.now.Load() - (1+tickets)*shared; chunks > tickets*bytes {
					t.Errorf("%d bytes in memory, which is more than %d chunks", chunks, tickets)
				}
				if seen == 1 && mem.now.Load() < tickets*bytes+(1+tickets)*shared {
					t.Errorf("%d bytes in memory: too little was unpacked ahead", mem.now.Load())
				}
				if seen <= chunks-tickets && out.Len() != tickets-1 {
					t.Errorf("%d chunks wait: not all tickets are used", out.Len())
				}
				m.Release()
			}
			return nil
		}, sluice.Reads(out))
		if err := net.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if seen != chunks || mem.now.Load() != 0 {
			t.Errorf("%d chunks, %d bytes at the end", seen, mem.now.Load())
		}
	})
}

func TestAConsumerThatKeepsAMessageKeepsItsTicket(t *testing.T) {
	path := equalGroups(t, 10)
	synctest.Test(t, func(t *testing.T) {
		net := sluice.NewNetwork("test")
		rows := net.Channel("rows", sluice.Slots(10))
		net.Node(Scan{Files: []string{path}, Tickets: 2}.Node("scan", rows))
		net.Node("sink", func(ctx context.Context) error {
			var kept []sluice.Message
			for range 2 {
				m, err := rows.Recv(ctx)
				if err != nil {
					return err
				}
				kept = append(kept, m)
			}
			synctest.Wait()
			if rows.Len() != 0 {
				t.Errorf("%d more came without a ticket", rows.Len())
			}
			for i := range kept {
				kept[i].Release()
			}
			synctest.Wait()
			if rows.Len() != 2 {
				t.Errorf("%d came when two tickets were free", rows.Len())
			}
			return nil
		}, sluice.Reads(rows))
		if err := net.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestScanComesHomeWhenItsConsumerStopsOrTheRunIsCancelled(t *testing.T) {
	path := equalGroups(t, 30)
	for name, sink := range map[string]func(context.Context, *sluice.Channel, context.CancelFunc) error{
		"stops": func(ctx context.Context, rows *sluice.Channel, _ context.CancelFunc) error {
			m, err := rows.Recv(ctx)
			m.Release()
			return err
		},
		"cancels": func(ctx context.Context, rows *sluice.Channel, cancel context.CancelFunc) error {
			m, err := rows.Recv(ctx)
			m.Release()
			cancel()
			<-ctx.Done()
			return err
		},
		"fails": func(context.Context, *sluice.Channel, context.CancelFunc) error { return errors.New("sink") },
	} {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		ctx, cancel := context.WithCancel(withAllocator(context.Background(), mem))
		net := sluice.NewNetwork("test")
		rows := net.Channel("rows")
		net.Node(Scan{Files: []string{path}, Readers: 4}.Node("scan", rows))
		net.Node("sink", func(ctx context.Context) error { return sink(ctx, rows, cancel) }, sluice.Reads(rows))
		err := net.Run(ctx)
		cancel()
		var scanFailed *sluice.NodeError
		if name == "stops" && err != nil || name == "cancels" && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		} else if errors.As(err, &scanFailed) && scanFailed.Node == "scan" {
			t.Errorf("%s: blames the scan: %v", name, err)
		}
		assertNoLeak(t, mem)
		if n := openTimes(path); n > 0 {
			t.Errorf("%s: %d descriptors are still open", name, n)
		}
	}
}

// openTimes counts the open descriptors of a file, where the system tells.
func openTimes(path string) (n int) {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	for _, fd := range open {
		if to, err := os.Readlink(filepath.Join("/proc/self/fd", fd.Name())); err == nil && to == path {
			n++
		}
	}
	return n
}

func TestScanOfAFileWithoutRowsTellsTheSchema(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	path := filepath.Join(t.TempDir(), "empty.parquet")
	writeParquet(t, path, 10, batchOf(schema))
	rows, chunks, err := scan(t, Scan{Files: []string{path}})
	if err != nil || len(rows) != 0 || len(chunks) != 1 {
		t.Errorf("%v, %v, %v", rows, chunks, err)
	}
}

func TestFilesAreFoundByPathPatternAndDirectory(t *testing.T) {
	dir := t.TempDir()
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	for i, name := range []string{"b.parquet", "a.parquet", "c[1].parquet", "sub/d.parquet"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		writeParquet(t, path, 10, batchOf(schema, []any{i}))
	}
	for _, other := range []string{"notes.txt", "sub/notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, other), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		files []string
		want  string
	}{
		{[]string{"."}, "[1 0 2]"},
		{[]string{"b.parquet", "a.parquet"}, "[0 1]"},
		{[]string{"*.parquet"}, "[1 0 2]"},
		{[]string{"[ab].parquet", "sub"}, "[1 0 3]"},
		{[]string{"c[1].parquet"}, "[2]"}, // there is a file of that very name
		{[]string{"b.parquet", "*.parquet"}, "[0 1 2]"},
	} {
		var files []string
		for _, f := range tt.files {
			files = append(files, filepath.Join(dir, f))
		}
		rows, _, err := scan(t, Scan{Files: files})
		var got []any
		for _, row := range rows {
			got = append(got, row[0])
		}
		if err != nil || fmt.Sprint(got) != tt.want {
			t.Errorf("%v: %v, %v; want %v", tt.files, got, err, tt.want)
		}
	}
}

func TestScanSaysWhatIsWrongBeforeItReads(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, fields ...arrow.Field) string {
		path := filepath.Join(dir, name)
		writeParquet(t, path, 10, batchOf(arrow.NewSchema(fields, nil)))
		return path
	}
	a := write("a.parquet", field("n", int64Type), field("s", stringType))
	b := write("b.parquet", field("n", float64Type), field("s", stringType))
	c := write("c.parquet", field("n", int64Type))
	d := write("d.parquet", field("s", stringType), field("more", stringType), field("n", int64Type))
	e := write("e.parquet", field("n", int64Type), field("tags", arrow.ListOf(stringType)))
	f := write("f.parquet", field("price", &arrow.Decimal256Type{Precision: 40, Scale: 2}))
	text := filepath.Join(dir, "text.parquet")
	if err := os.WriteFile(text, []byte("date,delay\n2001-01-01,5\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o777); err != nil {
		t.Fatal(err)
	}
	packed := filepath.Join(dir, "packed")
	if err := os.Mkdir(packed, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.csv", "a.csv.gz", "a.tsv", "b.csv.gz", "b.csv.zst"} {
		if err := os.WriteFile(filepath.Join(packed, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		scan Scan
		want []string
	}{
		{Scan{}, []string{"no files to scan"}},
		{Scan{Files: []string{filepath.Join(dir, "none.parquet")}}, []string{"none.parquet", "no such file"}},
		{Scan{Files: []string{filepath.Join(dir, "aa.parquet")}}, []string{`aa.parquet: no such file; did you mean "a.parquet"?`}},
		{Scan{Files: []string{a, ""}}, []string{"the name of a file is empty"}},
		{Scan{Files: []string{a, b, a}}, []string{"a.parquet is named twice"}},
		{Scan{Files: []string{filepath.Join(dir, "x*.parquet")}}, []string{"x*.parquet", "no file matches"}},
		{Scan{Files: []string{filepath.Join(dir, "empty")}}, []string{"empty", "no *.parquet files"}},
		{Scan{Files: []string{packed}, Format: FormatCSV}, []string{"a.csv and a.csv.gz look like one table"}},
		{Scan{Files: []string{filepath.Join(packed, "a.*")}}, []string{"a.csv and a.csv.gz look like one table"}},
		{Scan{Files: []string{filepath.Join(packed, "*.csv.*")}}, []string{"b.csv.gz and b.csv.zst look like one table"}},
		{Scan{Files: []string{text}}, []string{"text.parquet", "not a Parquet file"}},
		{Scan{Files: []string{a}, Columns: []string{"m"}}, []string{"a.parquet", `unknown column "m"`}},
		{Scan{Files: []string{sample}, Columns: []string{"orign"}}, []string{`unknown column "orign"; did you mean "origin"?`}},
		{Scan{Files: []string{a}, Columns: []string{"n", "n"}}, []string{`"n" is asked for twice`}},
		{Scan{Files: []string{a, b}}, []string{"b.parquet", `column "n" is float64, but int64 in`, "a.parquet"}},
		{Scan{Files: []string{a, c}}, []string{"c.parquet", `has no column "s"`, "a.parquet"}},
		{Scan{Files: []string{a, d}}, []string{"d.parquet", `has a column "more"`, "a.parquet"}},
		{Scan{Files: []string{e}}, []string{"e.parquet", `column "tags" is nested`, "choose columns without it"}},
		{Scan{Files: []string{f}, Columns: []string{"price"}}, []string{"f.parquet", `column "price" has type`, "DECIMAL(40,2)", "up to 38 digits"}},
	} {
		_, err := tt.scan.Schema()
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v, want %q", tt.scan, err, want)
			}
		}
		net := sluice.NewNetwork("test")
		out := net.Channel("rows")
		net.Node(tt.scan.Node("scan", out))
		net.Node("sink", func(ctx context.Context) error { _, err := out.Recv(ctx); return err }, sluice.Reads(out))
		if ran := net.Run(context.Background()); ran == nil || !strings.Contains(ran.Error(), err.Error()) {
			t.Errorf("run says %v, not %v", ran, err)
		}
	}
	var unknown *ColumnError
	if _, err := (Scan{Files: []string{a}, Columns: []string{"m"}}).Schema(); !errors.As(err, &unknown) {
		t.Errorf("%v is no ColumnError", err)
	}
	for _, fine := range []Scan{
		{Files: []string{a, d}, Columns: []string{"n", "s"}}, // the same columns, elsewhere
		{Files: []string{e}, Columns: []string{"n"}},         // without the nested one
	} {
		if _, err := fine.Schema(); err != nil {
			t.Errorf("%+v: %v", fine, err)
		}
	}
}
