package table

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// A specimen is a Parquet file taken apart into its pages and its footer, so that one thing in it can
// be made wrong and everything else put together again as it should be.
type specimen struct {
	meta   format.FileMetaData
	groups [][][]*loosePage // by row group and column
}

// A loosePage is a page with its header.
type loosePage struct {
	header format.PageHeader
	body   []byte
}

// The columns of a specimen, by their places.
const (
	plainColumn  = iota // int64
	codedColumn         // text with nulls, in a dictionary, not compressed
	packedColumn        // text with nulls, compressed with snappy
)

type specimenRow struct {
	Plain  int64   `parquet:"plain"`
	Coded  *string `parquet:"coded,optional,dict"`
	Packed *string `parquet:"packed,optional,snappy"`
}

// newSpecimen takes a good file of two row groups apart. Every page has a checksum.
func newSpecimen(t testing.TB) *specimen {
	t.Helper()
	var rows []specimenRow
	for i := range 60 {
		row := specimenRow{Plain: int64(1000 + i)}
		if i%4 > 0 {
			word, long := fmt.Sprint("word ", i%7), fmt.Sprintf("a text that is different in every row: %d", i)
			row.Coded, row.Packed = &word, &long
		}
		rows = append(rows, row)
	}
	var file bytes.Buffer
	w := parquet.NewGenericWriter[specimenRow](&file, parquet.MaxRowsPerRowGroup(30), parquet.PageBufferSize(256))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dissect(t, file.Bytes())
}

func dissect(t testing.TB, file []byte) *specimen {
	t.Helper()
	opened, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	s := &specimen{meta: *opened.Metadata()}
	for g := range s.meta.RowGroups {
		var columns [][]*loosePage
		for i := range s.meta.RowGroups[g].Columns {
			meta := &s.meta.RowGroups[g].Columns[i].MetaData
			at := meta.DataPageOffset
			if d := meta.DictionaryPageOffset; d > 0 {
				at = min(at, d)
			}
			columns = append(columns, loosePages(t, file[at:at+meta.TotalCompressedSize]))
		}
		s.groups = append(s.groups, columns)
	}
	return s
}

func loosePages(t testing.TB, chunk []byte) (pages []*loosePage) {
	t.Helper()
	for len(chunk) > 0 {
		page, in := new(loosePage), bytes.NewReader(chunk)
		if err := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(in)).Decode(&page.header); err != nil {
			t.Fatal(err)
		}
		size := int(page.header.CompressedPageSize)
		from := len(chunk) - in.Len()
		page.body = bytes.Clone(chunk[from : from+size])
		pages = append(pages, page)
		chunk = chunk[from+size:]
	}
	return pages
}

// page returns a page of a column in a row group.
func (s *specimen) page(group, column, number int) *loosePage { return s.groups[group][column][number] }

// resize says that a page is as long as its body, compressed or not.
func (p *loosePage) resize() {
	p.header.CompressedPageSize, p.header.UncompressedPageSize = int32(len(p.body)), int32(len(p.body))
}

// seal gives a page the checksum of its body, so that it is not the checksum that gives it away.
func (p *loosePage) seal() { p.header.CRC = int32(crc32.ChecksumIEEE(p.body)) }

// build puts the file together. The footer says where the pages are and how large; change it, if not
// nil, has the last word.
func (s *specimen) build(t testing.TB, change func(*format.FileMetaData)) []byte {
	t.Helper()
	file := []byte("PAR1")
	for g, columns := range s.groups {
		for i, pages := range columns {
			column := &s.meta.RowGroups[g].Columns[i]
			column.ColumnIndexOffset, column.ColumnIndexLength = 0, 0
			column.OffsetIndexOffset, column.OffsetIndexLength = 0, 0
			meta := &column.MetaData
			start := int64(len(file))
			meta.DictionaryPageOffset, meta.DataPageOffset, meta.TotalUncompressedSize = 0, 0, 0
			for _, p := range pages {
				switch {
				case p.header.Type == format.DictionaryPage:
					meta.DictionaryPageOffset = int64(len(file))
				case meta.DataPageOffset == 0:
					meta.DataPageOffset = int64(len(file))
				}
				header := marshal(t, &p.header)
				file = append(append(file, header...), p.body...)
				meta.TotalUncompressedSize += int64(len(header)) + max(0, int64(p.header.UncompressedPageSize))
			}
			meta.TotalCompressedSize = int64(len(file)) - start
		}
	}
	if change != nil {
		change(&s.meta)
	}
	footer := marshal(t, &s.meta)
	size := len(footer)
	file = append(file, footer...)
	return append(file, byte(size), byte(size>>8), byte(size>>16), byte(size>>24), 'P', 'A', 'R', '1')
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := thrift.Marshal(new(thrift.CompactProtocol), v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
