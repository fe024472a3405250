package pages

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	arrowparquet "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"
)

// row is written by parquet-go, which puts a checksum on every page.
type row struct {
	Flag  bool     `parquet:"flag"`
	Delta int64    `parquet:"delta,delta"`
	Coded *string  `parquet:"coded,optional,dict,zstd"`
	Text  *string  `parquet:"text,optional,snappy"`
	Long  string   `parquet:"long,delta,gzip"`
	Small int32    `parquet:"small,dict"`
	Ratio *float64 `parquet:"ratio,optional,split"`
}

// checksummed writes a small file with several row groups and pages.
func checksummed(t testing.TB) []byte {
	t.Helper()
	var rows []row
	for i := range 50 {
		r := row{Flag: i%3 == 0, Delta: int64(i * i), Long: fmt.Sprint("prefix of number ", i), Small: int32(i % 4)}
		if i%5 > 0 {
			word, ratio := fmt.Sprint("word ", i%7), float64(i)/3
			r.Coded, r.Text, r.Ratio = &word, &word, &ratio
		}
		rows = append(rows, r)
	}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[row](&out, parquet.MaxRowsPerRowGroup(25), parquet.PageBufferSize(128))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// contents reads a file from bytes: all columns in words and, before them, names
// and types.
func contents(t testing.TB, path string, data []byte) ([]string, error) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	columns, fields, err := readAll(mem, path, true)
	pieces, _, inPieces := readCut(mem, path, true, func(left int) int { return min(left, 10) })
	if n := mem.CurrentAlloc(); n != 0 {
		t.Errorf("%d bytes were not given back after %v", n, err)
	}
	if err == nil && inPieces == nil && !slices.EqualFunc(columns, pieces, slices.Equal) {
		t.Errorf("whole it is %v, in pieces %v", columns, pieces)
	}
	if (err == nil) != (inPieces == nil) {
		t.Errorf("whole: %v, in pieces: %v", err, inPieces)
	}
	if err != nil {
		return nil, err
	}
	var all []string
	for i, c := range columns {
		all = append(all, fmt.Sprint(fields[i].Name, fields[i].Type, fields[i].Nullable, c))
	}
	return all, nil
}

// damage reads a damaged file and complains unless that ends in an error that
// names the file, or with something that may be right, without asking for memory
// out of all proportion.
func damage(t testing.TB, path string, data []byte, what string, right func(got []string) bool) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := contents(t, path, data)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
		t.Errorf("%s: allocates %d bytes to read a file of %d (%v)", what, n, len(data), err)
	}
	switch {
	case err != nil && !strings.Contains(err.Error(), filepath.Base(path)):
		t.Errorf("%s: the error names no file: %v", what, err)
	case err == nil && !right(got):
		t.Errorf("%s: reads %q", what, got)
	}
}

func TestAFileCutShortAnywhereIsAnErrorThatNamesIt(t *testing.T) {
	data, path := checksummed(t), filepath.Join(t.TempDir(), "cut.parquet")
	for n := 0; n < len(data); n += stride(1) {
		damage(t, path, data[:n], fmt.Sprintf("cut to %d of %d bytes", n, len(data)), func([]string) bool { return false })
	}
}

func TestADamagedByteIsAnErrorOrHarmless(t *testing.T) {
	data, path := checksummed(t), filepath.Join(t.TempDir(), "damaged.parquet")
	whole, err := contents(t, path, data)
	if err != nil {
		t.Fatal(err)
	}
	footer := len(data) - tail - int(binary.LittleEndian.Uint32(data[len(data)-tail:]))
	for at := 0; at < len(data); at += stride(2) {
		flip := []byte{0x01, 0x10, 0x80, 0xff}[at/2%4] // by turns, to keep the test short
		data[at] ^= flip
		damage(t, path, data, fmt.Sprintf("byte %d ^ %#x of %d, footer at %d", at, flip, len(data), footer), func(got []string) bool {
			// Nothing protects what the footer says the columns are called and what
			// type they have; where those are as they were, so must the values be.
			return slices.Equal(got, whole) || at >= footer && slices.EqualFunc(got, whole, func(a, b string) bool {
				return a == b || before(a) != before(b)
			})
		})
		data[at] ^= flip
	}
}

// stride is how far to go on from one damaged byte to the next.
func stride(n int) int {
	if racing {
		return 11 // which meets every way to damage a byte
	}
	return n
}

// before returns name and type, which come before the values.
func before(column string) string {
	name, _, _ := strings.Cut(column, "[")
	return name
}

func TestDamageWithoutChecksumsNeitherPanicsNorTakesAllMemory(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "plain.parquet")
	rapid.Check(t, func(rt *rapid.T) {
		batch := drawBatch(rt, everyType(), 30)
		defer batch.Release()
		write(t, path, batch,
			arrowparquet.WithCompression(rapid.SampledFrom([]compress.Compression{
				compress.Codecs.Uncompressed, compress.Codecs.Snappy, compress.Codecs.Zstd,
				compress.Codecs.Gzip, compress.Codecs.Brotli, compress.Codecs.Lz4Raw,
			}).Draw(rt, "codec")),
			arrowparquet.WithDictionaryDefault(rapid.Bool().Draw(rt, "dictionary")),
			arrowparquet.WithDataPageVersion(rapid.SampledFrom([]arrowparquet.DataPageVersion{
				arrowparquet.DataPageV1, arrowparquet.DataPageV2}).Draw(rt, "page version")))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 8 {
			bad := bytes.Clone(data)
			at := rapid.IntRange(0, len(bad)-1).Draw(rt, "at")
			for i := at; i < min(at+rapid.IntRange(1, 4).Draw(rt, "bytes"), len(bad)); i++ {
				bad[i] = rapid.Byte().Draw(rt, "byte")
			}
			damage(t, path, bad, fmt.Sprintf("bytes from %d of %d", at, len(bad)), func([]string) bool { return true })
		}
	})
}

// A list in the footer that says it is long is not believed, whatever its
// elements would be.
func TestALengthThatLiesAllocatesNothing(t *testing.T) {
	data, path := checksummed(t), filepath.Join(t.TempDir(), "lies.parquet")
	footer := len(data) - tail - int(binary.LittleEndian.Uint32(data[len(data)-tail:]))
	for at := footer; at < len(data)-tail-6; at += stride(1) {
		bad := bytes.Clone(data)
		bad[at] = 0xfc // a list of structs, whose length follows
		copy(bad[at+1:], []byte{0xff, 0xff, 0xff, 0xff, 0x07})
		damage(t, path, bad, fmt.Sprint("footer byte ", at-footer), func([]string) bool { return true })
	}
}

func TestErrorsNameFileRowGroupAndColumn(t *testing.T) {
	data, path := checksummed(t), filepath.Join(t.TempDir(), "damaged.parquet")
	f := mustOpen(t, path, data)
	chunk := &f.meta.RowGroups[1].Columns[f.leaves[3]].MetaData
	at := chunk.DataPageOffset + chunk.TotalCompressedSize - 1 // in its last page
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	data[at] ^= 0xff
	_, err := contents(t, path, data)
	for _, want := range []string{path, "row group 1", `column "text"`, "page ", "checksum mismatch"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
}

func mustOpen(t *testing.T, path string, data []byte) *File {
	t.Helper()
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestParquetGoAndArrowGoAgreeOnWhatIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.parquet")
	if _, err := contents(t, path, checksummed(t)); err != nil {
		t.Fatal(err)
	}
	columns, _, err := readAll(memory.DefaultAllocator, path, false)
	if err != nil {
		t.Fatal(err)
	}
	table := oracle(t, path)
	defer table.Release()
	for i := range columns {
		if want := values(table.Column(i).Data().Chunks()); !slices.Equal(columns[i], want) {
			t.Errorf("column %v is %v, arrow-go reads %v", table.Schema().Field(i), columns[i], want)
		}
	}
}

func FuzzOpenAndRead(f *testing.F) {
	f.Add(checksummed(f))
	f.Add([]byte("PAR1PAR1"))
	path := filepath.Join(f.TempDir(), "fuzzed.parquet")
	f.Fuzz(func(t *testing.T, data []byte) {
		damage(t, path, data, "fuzzed", func([]string) bool { return true })
	})
}
