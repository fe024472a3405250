package table

import (
	"bufio"
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
	text     *csvText
	w        *bufio.Writer
	codec    io.WriteCloser // between w and the file; nil if nothing is
	reserved *mem.Reservation
}

func newCSVWriter(ctx context.Context, planned plannedWrite, to io.Writer, schema *arrow.Schema) (w *csvWriter, err error) {
	w = new(csvWriter)
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
	w.text = newCSVText(w.w, schema, planned.CSV, planned.delimiter)
	if !planned.CSV.NoHeader {
		if err = w.text.header(schema); err != nil {
			w.release()
			return nil, err
		}
	}
	return w, nil
}

func (w *csvWriter) write(_ context.Context, chunk *Chunk) error {
	defer chunk.Release()
	if err := w.text.rows(chunk.Batch()); err != nil {
		return err
	}
	return w.w.Flush()
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
