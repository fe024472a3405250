package table

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/seed14ed4225/sluice/mem"
)

type csvWriter struct {
	w        *bufio.Writer
	codec    io.WriteCloser // between w and the file; nil if nothing is
	reserved *mem.Reservation
	cells    []cell
	quoted   []bool // of each column, whether its values may need quotes
	plannedWrite
	special string // what has to be in quotes
	value   []byte // scratch
}

func newCSVWriter(ctx context.Context, planned plannedWrite, to io.Writer, schema *arrow.Schema) (w *csvWriter, err error) {
	w = &csvWriter{plannedWrite: planned, special: string(planned.delimiter) + "\"\r\n"}
	if w.reserved, err = budgetOf(ctx).reserve(ctx, codecBytes(planned.Codec)); err != nil {
		return nil, err
	}
	switch planned.Codec {
	case CodecGzip:
		w.codec = gzip.NewWriter(to)
	case CodecZstd:
		// A window of 1 MiB is what keeps it within codecBytes.
		if w.codec, err = zstd.NewWriter(to, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true)); err != nil {
			w.release()
			return nil, err
		}
	}
	if w.codec != nil {
		to = w.codec
	}
	w.w = bufio.NewWriterSize(to, 64<<10)
	for _, f := range schema.Fields() {
		w.cells = append(w.cells, cells{typ: f.Type, float: exactFloat, clock: "2006-01-02T15:04:05"}.of())
		layout, _ := layoutOf(f.Type)
		// Others have none of the usual delimiters in them, but a null may be written like one.
		w.quoted = append(w.quoted, layout == layoutText || planned.CSV.QuoteAll || planned.CSV.Null != "" || planned.delimiter != ',')
	}
	if !planned.CSV.NoHeader {
		for i, name := range columnNames(schema) {
			w.field(i, []byte(name), true)
		}
		if err = w.w.WriteByte('\n'); err != nil {
			w.release()
			return nil, err
		}
	}
	return w, nil
}

func (w *csvWriter) write(_ context.Context, chunk *Chunk) error {
	defer chunk.Release()
	batch := chunk.Batch()
	columns := viewsOf(batch)
	for row := range int(batch.NumRows()) {
		for i, cell := range w.cells {
			if columns[i].null(row) {
				w.separate(i)
				_, _ = w.w.WriteString(w.CSV.Null)
				continue
			}
			w.value = cell(&columns[i], row, w.value[:0])
			w.field(i, w.value, w.quoted[i])
		}
		if err := w.w.WriteByte('\n'); err != nil {
			return err
		}
	}
	return w.w.Flush()
}

func (w *csvWriter) separate(column int) {
	if column > 0 {
		_ = w.w.WriteByte(w.delimiter) // the end of the line reports what went wrong: a bufio.Writer remembers
	}
}

// field writes a value. One that could be taken for a null is quoted, as an empty one is.
func (w *csvWriter) field(column int, value []byte, look bool) {
	w.separate(column)
	if !look || !w.CSV.QuoteAll && len(value) > 0 && !bytes.ContainsAny(value, w.special) && string(value) != w.CSV.Null {
		_, _ = w.w.Write(value)
		return
	}
	_ = w.w.WriteByte('"')
	for {
		before, after, found := bytes.Cut(value, []byte{'"'})
		_, _ = w.w.Write(before)
		if !found {
			break
		}
		_, _ = w.w.WriteString(`""`)
		value = after
	}
	_ = w.w.WriteByte('"')
}

func (w *csvWriter) finish(context.Context) error {
	if err := w.w.Flush(); err != nil {
		return err
	}
	if w.codec == nil {
		return nil
	}
	codec := w.codec
	w.codec = nil
	return codec.Close()
}

// release leaves the compressor as it is: closing it would write.
func (w *csvWriter) release() { w.reserved.Release() }

// delimiterOf reads the setting.
func delimiterOf(setting string, tabs bool) (byte, error) {
	switch {
	case setting == "" && tabs:
		return '\t', nil
	case setting == "":
		return ',', nil
	case len(setting) > 1 || setting[0] >= 0x80:
		return 0, fmt.Errorf("delimiter %q: want one character of ASCII, such as ; or a tab", setting)
	case strings.ContainsAny(setting, "\"\r\n\x00"):
		return 0, fmt.Errorf("delimiter %q cannot stand between fields", setting)
	default:
		return setting[0], nil
	}
}

// checkNull refuses what could not be told from something else.
func checkNull(null string, delimiter byte) error {
	if strings.ContainsAny(null, "\"\r\n") || strings.IndexByte(null, delimiter) >= 0 {
		return fmt.Errorf("null %q: it is written without quotes, and so cannot have a delimiter, a quote or a new line in it", null)
	}
	return nil
}
