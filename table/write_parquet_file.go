package table

import (
	"cmp"
	"encoding/binary"
	"io"
	"sort"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// parquetMagic is what a file of Parquet begins and ends with.
const parquetMagic = "PAR1"

// A parquetFile is what is around the columns of a file: its beginning, what is known of
// each row group, and the footer. arrow-go's own writer has the columns of a group come one after the
// other, or all of them wait in memory; its parts can be put together so that neither is so.
type parquetFile struct {
	to         *offsetWriter
	schema     *schema.Schema
	properties *parquet.WriterProperties
	groups     *metadata.FileMetaDataBuilder
	indexes    *metadata.PageIndexBuilder
	ordinal    int16 // of the next row group
}

// offsetWriter knows how much was written.
type offsetWriter struct {
	io.Writer
	at int64
}

func (w *offsetWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.at += int64(n)
	return n, err
}

// Tell returns how much was written.
func (w *offsetWriter) Tell() int64 { return w.at }

// openParquet begins a file.
func openParquet(to io.Writer, stored *schema.Schema, properties *parquet.WriterProperties) (*parquetFile, error) {
	f := &parquetFile{
		to: &offsetWriter{Writer: to}, schema: stored, properties: properties,
		groups:  metadata.NewFileMetadataBuilder(stored, properties, nil),
		indexes: &metadata.PageIndexBuilder{Schema: stored},
	}
	_, err := io.WriteString(f.to, parquetMagic)
	return f, err
}

// A parquetColumn is where the pages of one column of a row group go.
type parquetColumn struct {
	meta  *metadata.ColumnChunkMetaDataBuilder
	pages file.PageWriter // straight to the file: only to be used when all columns before are written
}

// group adds a row group. When all of its columns are written, its metadata are to be finished.
func (f *parquetFile) group(rows int64) (meta *metadata.RowGroupMetaDataBuilder, columns []parquetColumn, err error) {
	if err := f.indexes.AppendRowGroup(); err != nil {
		return nil, nil, err
	}
	meta = f.groups.AppendRowGroup()
	meta.SetNumRows(int(rows))
	columns = make([]parquetColumn, f.schema.NumColumns())
	for i := range columns {
		if columns[i], err = f.column(meta, i); err != nil {
			return nil, nil, err
		}
	}
	f.ordinal++
	return meta, columns, nil
}

func (f *parquetFile) column(group *metadata.RowGroupMetaDataBuilder, i int) (c parquetColumn, err error) {
	c.meta = group.NextColumnChunk()
	path := c.meta.Descr().Path()
	c.pages, err = file.NewPageWriter(f.to, f.properties.CompressionFor(path), f.properties.CompressionLevelFor(path),
		c.meta, f.ordinal, int16(i), memory.DefaultAllocator, false, nil, nil)
	if err != nil {
		return c, err
	}
	columnIndex, err := f.indexes.GetColumnIndexBuilder(i)
	if err != nil {
		return c, err
	}
	offsetIndex, err := f.indexes.GetOffsetIndexBuilder(i)
	c.pages.SetIndexBuilders(columnIndex, offsetIndex)
	return c, err
}

// settle puts the counts of the column's pages by encoding, which arrow-go has in the order of a map,
// into one that is always the same. It is called when the column is written.
func (c parquetColumn) settle() {
	counts := c.meta.Contents().GetMetaData().EncodingStats
	sort.Slice(counts, func(i, j int) bool {
		return cmp.Or(cmp.Compare(counts[i].PageType, counts[j].PageType), cmp.Compare(counts[i].Encoding, counts[j].Encoding)) < 0
	})
}

// finish writes what comes after the row groups.
func (f *parquetFile) finish() error {
	f.indexes.Finish()
	var at metadata.PageIndexLocation
	if err := f.indexes.WriteTo(f.to, &at); err != nil {
		return err
	}
	if err := f.groups.SetPageIndexLocation(at); err != nil {
		return err
	}
	footer, err := f.groups.Finish()
	if err != nil {
		return err
	}
	n, err := footer.WriteTo(f.to, nil)
	if err != nil {
		return err
	}
	_, err = f.to.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(n)), parquetMagic...))
	return err
}
