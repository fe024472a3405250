package table

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

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

// parquetWriter keeps chunks until they make a row group, and hands that to workers, who encode it
// column by column, a few thousand rows at a time. What is encoded goes straight to the file, but for
// what must wait for the columns before it; the price is that the rows of a group wait as they came.
//
// While a group is encoded the next one is collected, if both together are small enough. How many
// workers there are changes nothing in the file.
type parquetWriter struct {
	file     *parquetFile
	order    fileOrder
	encoders *encoders

	from     budget
	reserved []*mem.Reservation // for encoding, as long as the writer lives; the first is for the first worker
	workers  int                // wanted
	worker   int64              // what one more takes beside room
	room     int64              // for pages that wait, with one more worker

	mostRows, mostBytes int64 // of a row group
	ahead               int64 // bytes of two groups that may be there at once

	encoding []*groupRows // at most two, in order
	next     groupRows    // not complete yet
	rows     int64        // of it
	stray    *Chunk       // not all of it is in a group, because of an error
}

// pageBytes is the size of pages, within a limit of host memory.
func pageBytes(limit int64) int64 { return min(max(limit/512, 4<<10), 1<<20) }

func newParquetWriter(ctx context.Context, w Write, to io.Writer, in *arrow.Schema, encoders *encoders) (*parquetWriter, error) {
	from := budgetOf(ctx)
	p := &parquetWriter{from: from, encoders: encoders, mostRows: int64(w.RowGroupRows), mostBytes: w.RowGroupBytes}
	if p.mostRows == 0 {
		p.mostRows = defaultGroupRows
	}
	if p.mostBytes == 0 {
		p.mostBytes = defaultGroupBytes
	}
	p.mostBytes = min(p.mostBytes, from.limit/8)
	p.ahead = min(2*p.mostBytes, from.limit/8)
	page := pageBytes(from.limit)

	options := []parquet.WriterProperty{
		parquet.WithVersion(parquet.V2_LATEST), parquet.WithDataPageSize(page),
		parquet.WithDictionaryPageSizeLimit(page), parquet.WithMaxRowGroupLength(math.MaxInt64),
		parquet.WithCompression(parquetCodecs[w.Codec]), parquet.WithPageIndexEnabled(true),
		// Statistics of all pages are kept until the end, for the index: they have to be small beside a page.
		parquet.WithMaxStatsSize(page / 256),
		parquet.WithCreatedBy("sluice"),
	}
	if w.Codec == CodecZstd {
		options = append(options, parquet.WithCompressionLevel(1)) // others take several times codecBytes
	}
	properties := parquet.NewWriterProperties(options...)
	arrowProperties := pqarrow.DefaultWriterProps()
	columns := make([]arrow.Field, in.NumFields())
	for i, f := range in.Fields() {
		// The schema of a chunk promises nothing about the next one's nulls.
		columns[i] = arrow.Field{Name: f.Name, Type: plain(f.Type), Nullable: true}
	}
	stored, err := pqarrow.ToParquet(arrow.NewSchema(columns, nil), properties, arrowProperties)
	if err != nil {
		return nil, err
	}
	p.worker, p.room = encodingBytes(page, w.Codec), p.mostBytes/8
	first, err := from.reserve(ctx, p.ahead+p.worker)
	if err != nil {
		return nil, err
	}
	p.reserved = append(p.reserved, first)
	// The others take no more than an eighth of the limit.
	p.workers = int(min(int64(cap(encoders.admit)), 1+from.limit/8/(p.worker+p.room)))
	if p.file, err = openParquet(to, stored, properties); err != nil {
		p.release()
		return nil, err
	}
	encoders.columns, encoders.properties = columns, properties
	// Slices of a page, or less: what is converted for them lies beside the page in the making.
	encoders.slice = func() encodingSlice { return newEncodingSlice(int(page/16), page) }
	encoders.tasks = make(chan columnTask, 2*len(columns)) // so that two groups never wait for a worker to take them
	encoders.admit <- struct{}{}
	return p, nil
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

// admit lets more workers work, if there is memory for them. Until there is, the others do.
func (p *parquetWriter) admit(ctx context.Context) {
	for len(p.reserved) < p.workers {
		res, there := p.from.from.TryReserve(ctx, mem.Of(mem.Host, p.worker+p.room))
		if !there {
			return
		}
		p.reserved = append(p.reserved, res)
		p.order.room.Add(p.room)
		p.encoders.admit <- struct{}{}
	}
}

func (p *parquetWriter) write(ctx context.Context, chunk *Chunk) error {
	rows, bytes := int64(chunk.Rows()), batchBytes(chunk.Batch())
	if rows == 0 {
		chunk.Release()
		return nil
	}
	p.stray = chunk
	countNulls(chunk.Batch())
	if p.rows > 0 && p.next.bytes+bytes > p.mostBytes {
		if err := p.flush(ctx); err != nil {
			return err
		}
	}
	for from := int64(0); from < rows; {
		if err := p.await(ctx, p.next.bytes+bytes); err != nil {
			return err
		}
		p.next.bytes, bytes = p.next.bytes+bytes, 0
		to := min(rows, from+p.mostRows-p.rows)
		p.next.parts = append(p.next.parts, groupPart{chunk, from, to, to == rows})
		if to == rows {
			p.stray = nil
		}
		p.rows += to - from
		if p.rows == p.mostRows {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

// countNulls has arrays know how many nulls they have. They count them when they are first asked, and write
// that down; but columns that are encoded at the same time can be one array.
func countNulls(batch arrow.RecordBatch) {
	for _, column := range batch.Columns() {
		column.NullN()
		if coded, ok := column.(*array.Dictionary); ok {
			coded.Dictionary().NullN()
		}
	}
}

// await waits until so many bytes of a next group can be there beside what is being encoded. Nothing of
// that needs anything from who waits, neither rows nor memory.
func (p *parquetWriter) await(ctx context.Context, bytes int64) error {
	for len(p.encoding) > 1 || len(p.encoding) == 1 && p.encoding[0].bytes+bytes > p.ahead {
		if err := await(ctx, p.encoding[0].done); err != nil {
			return err
		}
		p.encoding = p.encoding[1:]
	}
	return nil
}

// flush has the next row group be encoded.
func (p *parquetWriter) flush(ctx context.Context) error {
	if p.rows == 0 {
		return nil
	}
	meta, columns, err := p.file.group(p.rows)
	if err != nil {
		return err
	}
	group := p.next
	group.done = make(chan struct{})
	p.encoding = append(p.encoding, &group)
	p.next, p.rows = groupRows{}, 0
	p.admit(ctx)
	ordinal := p.file.ordinal - 1
	for i, column := range columns {
		then := func() error {
			if column.settle(); i < len(columns)-1 {
				return nil
			}
			err := meta.Finish(0, ordinal) // it does not use the size that it is given
			group.drop()
			close(group.done)
			return err
		}
		p.encoders.tasks <- columnTask{&group, i, column.meta, p.order.add(column.pages, then)}
	}
	return nil
}

func (p *parquetWriter) finish(ctx context.Context) error {
	if err := p.flush(ctx); err != nil {
		return err
	}
	for _, group := range p.encoding {
		if err := await(ctx, group.done); err != nil {
			return err
		}
	}
	return p.file.finish()
}

// release is called when no worker works any more.
func (p *parquetWriter) release() {
	for _, group := range p.encoding {
		group.drop()
	}
	p.next.drop()
	if p.stray != nil {
		p.stray.Release()
	}
	for _, res := range p.reserved {
		res.Release()
	}
	p.encoding, p.stray, p.reserved = nil, nil, nil
}
