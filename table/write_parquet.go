package table

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/seed14ed4225/sluice/mem"
)

const (
	defaultGroupRows  = 1 << 20
	defaultGroupBytes = 64 << 20
)

// storable says which columns Parquet has no type for.
func storable(schema *arrow.Schema) error {
	for _, f := range schema.Fields() {
		switch typ := plain(f.Type).(type) {
		case *arrow.DurationType:
			return fmt.Errorf("column %q is a duration, which Parquet does not have; write CSV, or a number instead", f.Name)
		case *arrow.NullType:
			return fmt.Errorf("column %q has no type, which Parquet cannot store", f.Name)
		case *arrow.Decimal128Type:
			if typ.Scale < 0 {
				return fmt.Errorf("column %q is %v, and Parquet has no negative scales", f.Name, typ)
			}
		}
	}
	return nil
}

// parquetWriter keeps chunks until they make a row group, and then encodes that column by
// column, a few thousand rows at a time. So there is only ever one column's page in the
// making, and what is encoded goes straight to the file; the price is that the rows of a group
// wait as they came.
type parquetWriter struct {
	file     *file.Writer
	encoding context.Context // as pqarrow wants it
	columns  []arrow.Field
	reserved *mem.Reservation // for encoding, as long as the writer lives

	mostRows, mostBytes int64 // of a row group
	slice               encodingSlice

	parts []groupPart // of the next row group
	rows  int64
	bytes int64
}

// groupPart is some rows of a chunk.
type groupPart struct {
	chunk    *Chunk
	from, to int64
	last     bool // no other part has the chunk after this one, which therefore releases it
}

func newParquetWriter(ctx context.Context, w Write, to io.Writer, in *arrow.Schema) (*parquetWriter, error) {
	from := budgetOf(ctx)
	p := &parquetWriter{mostRows: int64(w.RowGroupRows), mostBytes: w.RowGroupBytes}
	if p.mostRows == 0 {
		p.mostRows = defaultGroupRows
	}
	if p.mostBytes == 0 {
		p.mostBytes = defaultGroupBytes
	}
	p.mostBytes = min(p.mostBytes, from.limit/8)
	page := min(max(from.limit/512, 4<<10), 1<<20)
	// Slices of a page, or less: what is converted for them lies beside the page in the making.
	p.slice = newEncodingSlice(int(page/16), page)

	options := []parquet.WriterProperty{
		parquet.WithVersion(parquet.V2_LATEST), parquet.WithDataPageSize(page),
		parquet.WithDictionaryPageSizeLimit(page), parquet.WithMaxRowGroupLength(math.MaxInt64),
		parquet.WithCompression(parquetCodecs[w.Codec]), parquet.WithPageIndexEnabled(true),
		parquet.WithCreatedBy("sluice"),
	}
	if w.Codec == CodecZstd {
		options = append(options, parquet.WithCompressionLevel(1)) // others take several times codecBytes
	}
	properties := parquet.NewWriterProperties(options...)
	arrowProperties := pqarrow.DefaultWriterProps()
	p.columns = make([]arrow.Field, in.NumFields())
	for i, f := range in.Fields() {
		// The schema of a chunk promises nothing about the next one's nulls.
		p.columns[i] = arrow.Field{Name: f.Name, Type: plain(f.Type), Nullable: true}
	}
	stored, err := pqarrow.ToParquet(arrow.NewSchema(p.columns, nil), properties, arrowProperties)
	if err != nil {
		return nil, err
	}
	if p.reserved, err = from.reserve(ctx, p.mostBytes+encodingBytes(page, w.Codec)); err != nil {
		return nil, err
	}
	p.encoding = pqarrow.NewArrowWriteContext(ctx, &arrowProperties)
	if p.file, err = openParquet(to, stored, properties); err != nil {
		p.release()
		return nil, err
	}
	return p, nil
}

func openParquet(to io.Writer, stored *schema.Schema, properties *parquet.WriterProperties) (*file.Writer, error) {
	return file.NewParquetWriterWithError(to, stored.Root(), file.WithWriterProps(properties))
}

var parquetCodecs = map[Codec]compress.Compression{
	CodecNone: compress.Codecs.Uncompressed, CodecSnappy: compress.Codecs.Snappy,
	CodecGzip: compress.Codecs.Gzip, CodecZstd: compress.Codecs.Zstd,
}

// encodingBytes is what encoding a column takes at most beside the pages that wait for their
// dictionary to be complete, which take no more than the column's rows do: the page as
// values, as levels, put together and compressed, each in a buffer that may have grown to twice
// its size; the dictionary and the table to look it up, of some 8 words per entry; and a slice.
func encodingBytes(page int64, codec Codec) int64 {
	return 24*page + codecBytes(codec)
}

// codecBytes is about what a compressor needs for itself.
func codecBytes(codec Codec) int64 {
	switch codec {
	case CodecGzip:
		return 1 << 20
	case CodecZstd:
		return 4 << 20
	default:
		return 0
	}
}

func (p *parquetWriter) write(ctx context.Context, chunk *Chunk) error {
	rows, bytes := int64(chunk.Rows()), batchBytes(chunk.Batch())
	if len(p.parts) > 0 && p.bytes+bytes > p.mostBytes {
		if err := p.flush(ctx); err != nil {
			chunk.Release()
			return err
		}
	}
	p.bytes += bytes
	for from := int64(0); from < rows; {
		to := min(rows, from+p.mostRows-p.rows)
		p.parts = append(p.parts, groupPart{chunk, from, to, to == rows})
		p.rows += to - from
		if p.rows == p.mostRows {
			if err := p.flush(ctx); err != nil {
				if to < rows {
					chunk.Release()
				}
				return err
			}
		}
		from = to
	}
	if rows == 0 {
		chunk.Release()
	}
	return nil
}

// flush writes a row group.
func (p *parquetWriter) flush(ctx context.Context) error {
	defer p.drop()
	if p.rows == 0 {
		return nil
	}
	group, err := p.file.AppendRowGroupChecked()
	if err != nil {
		return err
	}
	for i, f := range p.columns {
		if err := p.column(ctx, group, i); err != nil {
			return fmt.Errorf("column %q: %w", f.Name, err)
		}
	}
	return group.Close()
}

func (p *parquetWriter) column(ctx context.Context, group file.SerialRowGroupWriter, i int) error {
	column, err := group.NextColumn()
	if err != nil {
		return err
	}
	for _, part := range p.parts {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := p.slice.write(p.encoding, column, part.chunk.Batch().Column(i), int(part.from), int(part.to))
		if err != nil {
			return err
		}
	}
	return column.Close()
}

// drop lets go of the rows that wait.
func (p *parquetWriter) drop() {
	for _, part := range p.parts {
		if part.last {
			part.chunk.Release()
		}
	}
	clear(p.parts)
	p.parts, p.rows, p.bytes = p.parts[:0], 0, 0
}

func (p *parquetWriter) finish(ctx context.Context) error {
	if err := p.flush(ctx); err != nil {
		return err
	}
	return p.file.Close()
}

func (p *parquetWriter) release() {
	p.drop()
	p.reserved.Release()
}
