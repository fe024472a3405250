package table

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// A breakage is one way in which a file can be wrong.
type breakage struct {
	name   string
	pages  func(*specimen)
	footer func(*format.FileMetaData)
	file   func([]byte) []byte
	// says is what the error has to say, beside the name of the file. Without it the file has to be read
	// as if it were whole.
	says []string
	// late is set if pieces of the row group that is wrong look right, until the error comes.
	late bool
}

// breakages are the corpus: one thing wrong in each file.
func breakages() []breakage {
	group := func(m *format.FileMetaData, g int) *format.RowGroup { return &m.RowGroups[g] }
	column := func(m *format.FileMetaData, i int) *format.ColumnMetaData { return &m.RowGroups[1].Columns[i].MetaData }
	in := func(name string, more ...string) []string {
		return append([]string{"row group 1", `column "` + name + `"`}, more...)
	}
	return []breakage{
		// Whole files.
		{name: "nothing", file: func([]byte) []byte { return nil }, says: []string{"too small"}},
		{name: "magic alone", file: func(b []byte) []byte { return b[:4] }, says: []string{"too small"}},
		{name: "both magics alone", file: func([]byte) []byte { return []byte("PAR1PAR1") }, says: []string{"too small"}},
		{name: "cut in half", file: func(b []byte) []byte { return b[:len(b)/2] }, says: []string{"cut short"}},
		{name: "last byte missing", file: func(b []byte) []byte { return b[:len(b)-1] }, says: []string{"cut short"}},
		{name: "first half missing", file: func(b []byte) []byte { return b[len(b)/2:] }, says: []string{"not a Parquet file"}},
		{name: "a byte missing in the middle", file: func(b []byte) []byte { return append(b[:100:100], b[101:]...) }, says: []string{"row group 0"}},
		{name: "end overwritten with zeros", file: func(b []byte) []byte { return append(b[:len(b)-20:len(b)-20], make([]byte, 20)...) }, says: []string{"cut short"}},
		{name: "text", file: func([]byte) []byte { return bytes.Repeat([]byte("origin,delay\n"), 50) }, says: []string{"not a Parquet file"}},
		{name: "encrypted", file: func(b []byte) []byte { return append(b[:len(b)-4], "PARE"...) }, says: []string{"encrypted"}},

		// The length of the footer.
		{name: "footer longer than the file", file: footerSize(1 << 20), says: []string{"footer", "1048576 bytes"}},
		{name: "footer of 4 GiB", file: footerSize(math.MaxUint32), says: []string{"footer", "4294967295 bytes"}},
		{name: "footer of no bytes", file: footerSize(0), says: []string{"footer"}},
		{name: "footer of a few bytes", file: footerSize(7), says: []string{"footer"}},
		{name: "list of 2^31 in the footer", file: longList, says: []string{"footer"}},

		// Numbers of rows.
		{name: "more rows than its row groups have", footer: func(m *format.FileMetaData) { m.NumRows = 1 << 60 }, says: []string{"footer", "60"}},
		{name: "fewer than no rows", footer: func(m *format.FileMetaData) { m.NumRows = -60 }, says: []string{"footer", "-60"}},
		{name: "row group of 2^62 rows", footer: func(m *format.FileMetaData) { rowsOfGroup(m, 1<<62) }, says: []string{"row group 1", "4611686018427387904 rows"}},
		{name: "row group of 2^31-1 rows", footer: func(m *format.FileMetaData) { rowsOfGroup(m, math.MaxInt32) }, says: in("plain", "early")},
		{name: "row group of fewer than no rows", footer: func(m *format.FileMetaData) { group(m, 1).NumRows = -1 }, says: []string{"row group 1", "-1 rows"}},
		{name: "one row more than there are", footer: func(m *format.FileMetaData) { rowsOfGroup(m, 31) }, says: in("plain", "1 rows early")},
		{name: "one row fewer than there are", footer: func(m *format.FileMetaData) { rowsOfGroup(m, 29) }, says: in("plain", "29 left")},
		{name: "a column with more values than rows", footer: func(m *format.FileMetaData) { column(m, codedColumn).NumValues = 31 }, says: in("coded", "31 values in 30 rows")},
		{name: "row groups gone", footer: func(m *format.FileMetaData) { m.RowGroups = nil }, says: []string{"footer", "60 rows"}},

		// The schema.
		{name: "no schema", footer: func(m *format.FileMetaData) { m.Schema = nil }, says: []string{"footer", "no schema"}},
		{name: "a column missing in the schema", footer: func(m *format.FileMetaData) { m.Schema = m.Schema[:3] }, says: []string{"footer", "columns missing"}},
		{name: "a column too many in the schema", footer: func(m *format.FileMetaData) { m.Schema[0].NumChildren.V = 2 }, says: []string{"footer", "belong nowhere"}},
		{name: "2^31-1 columns", footer: func(m *format.FileMetaData) { m.Schema[0].NumChildren.V = math.MaxInt32 }, says: []string{"footer", "columns missing"}},
		{name: "a column missing in a row group", footer: func(m *format.FileMetaData) { group(m, 1).Columns = group(m, 1).Columns[:2] }, says: []string{"row group 1", "2 columns"}},
		{name: "a narrower type", footer: func(m *format.FileMetaData) { m.Schema[1+plainColumn].Type.V = format.Int32 }, says: []string{`column "plain"`}},
		{name: "another type", footer: func(m *format.FileMetaData) { retype(&m.Schema[1+plainColumn], format.ByteArray) }, says: []string{`column "plain"`}},
		{name: "text said to be numbers", footer: func(m *format.FileMetaData) { retype(&m.Schema[1+codedColumn], format.Int64) }, says: []string{`column "coded"`}},
		{name: "nulls said not to be", footer: func(m *format.FileMetaData) { m.Schema[1+packedColumn].RepetitionType.V = format.Required }, says: []string{`column "packed"`}, late: true},
		{name: "nulls said to be", footer: func(m *format.FileMetaData) { m.Schema[1+plainColumn].RepetitionType.V = format.Optional }, says: []string{`column "plain"`}},

		// Where the columns are.
		{name: "offset behind the end", footer: func(m *format.FileMetaData) { column(m, plainColumn).DataPageOffset = 1 << 40 }, says: in("plain", "1099511627776")},
		{name: "offset before the beginning", footer: func(m *format.FileMetaData) { column(m, plainColumn).DataPageOffset = -4 }, says: in("plain", "-4")},
		{name: "offset into the middle of a page", footer: func(m *format.FileMetaData) { column(m, plainColumn).DataPageOffset += 9 }, says: in("plain")},
		{name: "offset of another column", footer: func(m *format.FileMetaData) {
			column(m, plainColumn).DataPageOffset = column(m, packedColumn).DataPageOffset
		}, says: in("plain")},
		{name: "dictionary that is not there", footer: func(m *format.FileMetaData) { column(m, codedColumn).DictionaryPageOffset = 0 }, says: in("coded", "dictionary")},
		{name: "size of the file's", footer: func(m *format.FileMetaData) { column(m, packedColumn).TotalCompressedSize = 1 << 40 }, says: in("packed", "1099511627776")},
		{name: "size below zero", footer: func(m *format.FileMetaData) { column(m, packedColumn).TotalCompressedSize = -1 }, says: in("packed", "-1 bytes")},
		{name: "size too small", footer: func(m *format.FileMetaData) { column(m, packedColumn).TotalCompressedSize -= 20 }, says: in("packed", "page 0")},
		{name: "no bytes at all", footer: func(m *format.FileMetaData) { column(m, packedColumn).TotalCompressedSize = 0 }, says: in("packed", "early")},
		{name: "unpacked size below zero", footer: func(m *format.FileMetaData) { column(m, packedColumn).TotalUncompressedSize = -1 }, says: in("packed")},
		{name: "unpacked size too small", footer: func(m *format.FileMetaData) { column(m, packedColumn).TotalUncompressedSize = 100 }, says: in("packed", "100 left")},
		{name: "in another file", footer: func(m *format.FileMetaData) { group(m, 1).Columns[0].FilePath = "other.parquet" }, says: in("plain", `"other.parquet"`)},
		{name: "another codec", footer: func(m *format.FileMetaData) { column(m, packedColumn).Codec = format.Gzip }, says: in("packed", "page 0")},
		{name: "a codec that there is not", footer: func(m *format.FileMetaData) { column(m, packedColumn).Codec = 99 }, says: in("packed", "page 0")},
		{name: "said not to be compressed", footer: func(m *format.FileMetaData) { column(m, packedColumn).Codec = format.Uncompressed }, says: in("packed", "not compressed")},

		// Bits of pages, which the checksums find.
		{name: "a bit of a number", pages: func(s *specimen) { s.page(1, plainColumn, 0).body[17] ^= 4 }, says: in("plain", "page 0", "checksum")},
		{name: "a bit of a dictionary", pages: func(s *specimen) { s.page(1, codedColumn, 0).body[6] ^= 1 }, says: in("coded", "page 0", "checksum")},
		{name: "a bit of the codes", pages: func(s *specimen) { s.page(1, codedColumn, 1).body[20] ^= 1 }, says: in("coded", "page 1", "checksum")},
		{name: "a bit of what is null", pages: func(s *specimen) { s.page(1, codedColumn, 1).body[1] ^= 16 }, says: in("coded", "page 1", "checksum")},
		{name: "a bit of compressed text", pages: func(s *specimen) { s.page(1, packedColumn, 0).body[60] ^= 32 }, says: in("packed", "page 0", "checksum")},
		{name: "a wrong checksum", pages: func(s *specimen) { s.page(1, packedColumn, 0).header.CRC ^= 1 }, says: in("packed", "page 0", "checksum")},
		{name: "two pages exchanged", pages: func(s *specimen) {
			a, b := s.page(0, plainColumn, 0), s.page(1, plainColumn, 0)
			a.body, b.body = b.body, a.body
		}, says: []string{"row group", `column "plain"`, "checksum"}},

		// Headers of pages that lie.
		{name: "page of 2 GiB", pages: func(s *specimen) { s.page(1, plainColumn, 0).header.CompressedPageSize = math.MaxInt32 }, says: in("plain", "page 0", "2147483647")},
		{name: "page that unpacks to 2 GiB", pages: func(s *specimen) { s.page(1, packedColumn, 0).header.UncompressedPageSize = math.MaxInt32 }, says: in("packed", "page 0", "2147483647")},
		{name: "page below zero", pages: func(s *specimen) { s.page(1, plainColumn, 0).header.CompressedPageSize = -1 }, says: in("plain", "page 0", "-1 bytes")},
		{name: "page that unpacks to a byte less", pages: func(s *specimen) { s.page(1, packedColumn, 0).header.UncompressedPageSize-- }, says: in("packed", "page 0")},
		{name: "page that unpacks to a byte more", pages: func(s *specimen) { s.page(1, packedColumn, 0).header.UncompressedPageSize++ }, says: in("packed", "page 0")},
		{name: "page of 2^31-1 rows", pages: func(s *specimen) { rowsOfPage(s.page(1, plainColumn, 0), math.MaxInt32) }, says: in("plain", "page 0", "2147483647 rows")},
		{name: "page of fewer than no rows", pages: func(s *specimen) { rowsOfPage(s.page(1, plainColumn, 0), -1) }, says: in("plain", "page 0", "-1 rows")},
		{name: "pages without rows", pages: func(s *specimen) { rowsOfPage(s.page(1, plainColumn, 0), 0) }, says: in("plain", "early")},
		{name: "rows that are not in the page", pages: func(s *specimen) {
			p := s.page(1, plainColumn, 0)
			p.body = p.body[:200]
			p.resize()
			p.seal()
		}, says: in("plain", "page 0")},
		{name: "bytes of a value that are cut off", pages: func(s *specimen) {
			p := s.page(1, plainColumn, 0)
			p.body = p.body[:237]
			p.resize()
			p.seal()
		}, says: in("plain", "page 0")},
		{name: "levels longer than the page", pages: func(s *specimen) {
			s.page(1, packedColumn, 0).header.DataPageHeaderV2.V.DefinitionLevelsByteLength = 1 << 20
		}, says: in("packed", "page 0")},
		{name: "levels below zero", pages: func(s *specimen) {
			s.page(1, packedColumn, 0).header.DataPageHeaderV2.V.DefinitionLevelsByteLength = -1
		}, says: in("packed", "page 0")},
		{name: "more values marked than there are", pages: func(s *specimen) { // 60 times 1: no nulls
			p := s.page(1, codedColumn, 1)
			p.body[0], p.body[1] = 60<<1, 1
			p.seal()
		}, says: in("coded", "page 1"), late: true},
		{name: "an encoding that there is not", pages: func(s *specimen) { s.page(1, plainColumn, 0).header.DataPageHeaderV2.V.Encoding = 77 }, says: in("plain", "page 0")},
		{name: "a page without its header", pages: func(s *specimen) { s.page(1, plainColumn, 0).header.DataPageHeaderV2.Valid = false }, says: in("plain", "page 0", "without its header")},
		{name: "a page of no kind", pages: func(s *specimen) { s.page(1, plainColumn, 0).header.Type = 42 }, says: in("plain", "early")},

		// Dictionaries.
		{name: "codes beyond the dictionary", pages: func(s *specimen) { shorten(s.page(1, codedColumn, 0), 2) }, says: in("coded", "page 1", "dictionary")},
		{name: "a dictionary without entries", pages: func(s *specimen) { shorten(s.page(1, codedColumn, 0), 0) }, says: in("coded", "page 1", "dictionary")},
		{name: "a dictionary that says it has more", pages: func(s *specimen) { s.page(1, codedColumn, 0).header.DictionaryPageHeader.V.NumValues = 1 << 30 }, says: in("coded", "page 0")},
		{name: "a dictionary of fewer than no entries", pages: func(s *specimen) { s.page(1, codedColumn, 0).header.DictionaryPageHeader.V.NumValues = -1 }, says: in("coded", "page 0", "-1 entries")},
		{name: "an entry that is longer than the dictionary", pages: func(s *specimen) {
			p := s.page(1, codedColumn, 0)
			binary.LittleEndian.PutUint32(p.body, math.MaxInt32)
			p.seal()
		}, says: in("coded", "page 0")},
		{name: "two dictionaries", pages: func(s *specimen) {
			pages := s.groups[1][codedColumn]
			s.groups[1][codedColumn] = append([]*loosePage{pages[0]}, pages...)
		}, footer: func(m *format.FileMetaData) {
			c := column(m, codedColumn)
			c.DictionaryPageOffset -= c.DataPageOffset - c.DictionaryPageOffset
		}, says: in("coded", "dictionary")},
		{name: "a dictionary behind its codes", pages: func(s *specimen) {
			pages := s.groups[1][codedColumn]
			pages[0], pages[1] = pages[1], pages[0]
		}, says: in("coded", "page 0")},
		{name: "codes of 255 bits", pages: func(s *specimen) {
			p := s.page(1, codedColumn, 1)
			p.body[p.header.DataPageHeaderV2.V.DefinitionLevelsByteLength] = 255
			p.seal()
		}, says: in("coded", "page 1")},

		// Text that is not what it says.
		{name: "text longer than its page", pages: func(s *specimen) {
			unpackedText(s.page(1, packedColumn, 0), math.MaxInt32)
		}, footer: func(m *format.FileMetaData) { column(m, packedColumn).Codec = format.Uncompressed }, says: in("packed", "page 0")},

		// Statistics that cannot be, which nobody believes.
		{name: "a least value above the greatest", footer: func(m *format.FileMetaData) {
			s := statisticsOf(m)
			s.MinValue, s.MaxValue = s.MaxValue, s.MinValue
		}},
		{name: "statistics of another width", footer: func(m *format.FileMetaData) {
			statisticsOf(m).MaxValue = []byte{1, 2}
			statisticsOf(m).MinValue = make([]byte, 1000)
		}},
		{name: "more nulls than rows", footer: func(m *format.FileMetaData) { statisticsOf(m).NullCount = 1 << 40 }},
		{name: "fewer nulls than none", footer: func(m *format.FileMetaData) { statisticsOf(m).NullCount = -30 }},
		{name: "nothing but null, in a column without", footer: func(m *format.FileMetaData) { statisticsOf(m).NullCount = 30 }},
		{name: "statistics of old writers", footer: func(m *format.FileMetaData) {
			s := statisticsOf(m)
			s.Min, s.Max = make([]byte, 8), make([]byte, 8)
			s.MinValue, s.MaxValue = nil, nil
		}},
		{name: "no order of columns", footer: func(m *format.FileMetaData) { m.ColumnOrders = m.ColumnOrders[:1:1][:0] }},
		{name: "a writer that is not named", footer: func(m *format.FileMetaData) { m.CreatedBy = "" }},
		{name: "page index elsewhere", footer: func(m *format.FileMetaData) {
			c := &group(m, 1).Columns[0]
			c.OffsetIndexOffset, c.OffsetIndexLength = 1<<40, -5
			c.ColumnIndexOffset, c.ColumnIndexLength = -1, math.MaxInt32
		}},
	}
}

// footerSize has the end of a file say how long the footer is.
func footerSize(n uint32) func([]byte) []byte {
	return func(b []byte) []byte {
		binary.LittleEndian.PutUint32(b[len(b)-8:], n)
		return b
	}
}

// longList has the footer begin with a list of 2^31-1 elements.
func longList(b []byte) []byte {
	footer := len(b) - 8 - int(binary.LittleEndian.Uint32(b[len(b)-8:]))
	copy(b[footer:], []byte{0x29, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07})
	return b
}

// rowsOfGroup has everything in the footer agree that the second row group has so many rows.
func rowsOfGroup(m *format.FileMetaData, rows int64) {
	m.NumRows += rows - m.RowGroups[1].NumRows
	m.RowGroups[1].NumRows = rows
	for i := range m.RowGroups[1].Columns {
		m.RowGroups[1].Columns[i].MetaData.NumValues = rows
	}
}

func rowsOfPage(p *loosePage, rows int32) {
	p.header.DataPageHeaderV2.V.NumRows, p.header.DataPageHeaderV2.V.NumValues = rows, rows
}

// shorten leaves the first few entries in a dictionary.
func shorten(p *loosePage, entries int) {
	at := 0
	for range entries {
		at += 4 + int(binary.LittleEndian.Uint32(p.body[at:]))
	}
	p.body = p.body[:at]
	p.header.DictionaryPageHeader.V.NumValues = int32(entries)
	p.resize()
	p.seal()
}

// unpackedText makes a page one of text that is not compressed, whose first value says how long it is.
func unpackedText(p *loosePage, length uint32) {
	levels := p.header.DataPageHeaderV2.V.DefinitionLevelsByteLength
	p.body = append(p.body[:levels:levels], make([]byte, 400)...)
	binary.LittleEndian.PutUint32(p.body[levels:], length)
	p.header.DataPageHeaderV2.V.IsCompressed = thrift.New(false)
	p.resize()
	p.seal()
}

// retype has the schema say that a column is stored as something else.
func retype(e *format.SchemaElement, typ format.Type) {
	e.Type.V, e.LogicalType, e.ConvertedType = typ, format.LogicalType{}, thrift.Null[deprecated.ConvertedType]{}
}

func statisticsOf(m *format.FileMetaData) *format.Statistics {
	return &m.RowGroups[1].Columns[plainColumn].MetaData.Statistics
}
