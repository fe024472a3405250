package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/internal/suggest"
)

// FormatParquet is the columnar file format, for [Scan] and [Write].
const FormatParquet Format = "parquet"

// StandardStream is the name that stands for standard input in [Scan].Files, and for
// standard output in [Write].Path.
const StandardStream = "-"

// A Codec is how what is written is compressed.
type Codec string

// The codecs. Parquet files have each of their pages compressed, CSV files have all of
// their text; snappy is for Parquet only.
const (
	CodecNone   Codec = "none"
	CodecSnappy Codec = "snappy"
	CodecGzip   Codec = "gzip"
	CodecZstd   Codec = "zstd"
)

// Write writes all rows of its input to one file, in their order.
//
// The file appears under its name when the input has ended well and everything is on disk,
// and not before: a run that fails, is cancelled or killed leaves what was there. Until
// then the rows are in a file without a name in the same directory, which goes away with the
// process. On file systems that have no such files, and on systems other than Linux, it
// has a name that begins with ".sluice-" and ends with ".tmp"; then a process that is killed
// leaves it behind. Standard output has no such protection.
//
// # Parquet
//
// Columns keep their order and types, and what is written reads back equal, but for
// these. Text with a dictionary is text; timestamps in seconds are in milliseconds, as are
// times of day; of a time zone it is only kept that there is one, so that the times are in
// UTC. A duration is not to be had in Parquet and an error, as is a decimal with a negative
// scale, or a column without a type. Pages have statistics and an index.
//
// # CSV
//
// CSV is as [Print] writes it: RFC 4180, lines end in a newline alone, a text is quoted if it
// has to be. What is equal to Null but is a value is quoted, too, so that [Scan] tells them apart.
//
// # Memory
//
// CSV takes the chunk that is being written. For Parquet, chunks are kept until they
// make a row group, in an eighth of the limit of host memory at most; as much again, and some
// pages, is reserved for encoding. Row groups are smaller where the limit is. What a
// compressor needs is reserved as well. Workers beyond the first each take some pages and an eighth of a
// row group, and all of them an eighth of the limit at most; one that finds no room for that
// waits until there is, and the others do its work. The next row group is collected while
// one is encoded if both have room in an eighth of the limit.
type Write struct {
	// Path is the file to write. [StandardStream] stands for standard output; the format is
	// then CSV unless Format says Parquet.
	Path string

	// Format is FormatCSV or FormatParquet. "" goes by the end of Path: .parquet, or .csv and
	// .tsv, each with .gz or .zst behind it if it is to be compressed.
	Format Format

	// Overwrite has a file of that name replaced. If it is not set, a file that is there
	// is an error: before anything is read, or, if it appeared meanwhile, at the end.
	Overwrite bool

	// Codec is how rows are compressed. "" is snappy for Parquet, and for CSV what Path
	// ends in.
	Codec Codec

	// RowGroupRows and RowGroupBytes are the most rows of a Parquet row group, and the most
	// bytes that they take in memory, before they are encoded. 0 means 1,048,576 rows and
	// 64 MiB. A row group has a chunk's rows at least, unless those are more than
	// RowGroupRows.
	RowGroupRows  int
	RowGroupBytes int64

	// Workers is how many columns of a Parquet file are encoded at once. 0 means as many as there
	// are processors. There are fewer where the limit of host memory has no room for as many; the
	// file is the same, to the byte. CSV is written by one.
	Workers int

	// CSV is how CSV is written.
	CSV WriteCSV
}

// WriteCSV has what there is to say about how CSV is written.
type WriteCSV struct {
	Delimiter string // between fields, one character of ASCII; "" is a comma, in .tsv files a tab
	NoHeader  bool   // no line with the names of the columns
	Null      string // what stands for a null, never in quotes
	QuoteAll  bool   // all values in quotes, not only those that must be
}

// given is the first field that is set, "" if none is.
func (c WriteCSV) given() string {
	return firstField(
		named{"CSV.Delimiter", c.Delimiter != ""}, named{"CSV.NoHeader", c.NoHeader},
		named{"CSV.Null", c.Null != ""}, named{"CSV.QuoteAll", c.QuoteAll},
	)
}

// Schema returns in, if it can be written, and looks whether the file can be made. It makes
// none. Errors name the column or the file; one about a field is a
// [*SettingError], one about a file that is there is [fs.ErrExist].
func (w Write) Schema(in *arrow.Schema) (*arrow.Schema, error) {
	_, err := w.plan(in)
	if err != nil {
		return nil, err
	}
	if w.Path != StandardStream {
		if err := checkTarget(w.Path, w.Overwrite); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// Node returns a node that writes what comes from in, to stdout if Path is
// [StandardStream]. Errors name the file, and if the disk is full how many bytes had been written.
// What the system said is wrapped, so that [errors.Is] tells a full disk or a broken pipe.
func (w Write) Node(name string, in *sluice.Channel, stdout io.Writer) (string, func(context.Context) error, sluice.Port) {
	return name, func(ctx context.Context) error { return w.run(ctx, in, stdout) }, reads(in)
}

// IsParquet says whether the file is to be Parquet, by Format or by the end of Path. Of what
// can be written only that has any use for several Workers.
func (w Write) IsParquet() bool {
	p, err := w.settled()
	return err == nil && p.Format == FormatParquet
}

// A plannedWrite is a Write with its defaults filled in.
type plannedWrite struct {
	Write
	delimiter byte
}

func (w Write) plan(in *arrow.Schema) (plannedWrite, error) {
	p, err := w.settled()
	if err != nil {
		return p, err
	}
	if in.NumFields() == 0 {
		return p, errors.New("no columns to write")
	}
	if err := supported(in); err != nil {
		return p, err
	}
	for i, f := range in.Fields() {
		if slices.Contains(columnNames(in)[:i], f.Name) {
			return p, fmt.Errorf("two columns are called %q", f.Name)
		}
	}
	if p.Format == FormatParquet {
		return p, storable(in)
	}
	return p, nil
}

// settled fills in what is not said, and refuses what does not go together.
func (w Write) settled() (p plannedWrite, err error) {
	if w.Path == "" {
		return p, errors.New("the name of a file is empty")
	}
	byName, codec, tabs := formatOf(w.Path)
	if w.Format == "" {
		if w.Format = byName; w.Path == StandardStream {
			w.Format = FormatCSV
		}
	}
	switch w.Format {
	case FormatCSV:
		if w.Codec == "" {
			w.Codec = codec
		}
		if codec != CodecNone && w.Codec != codec {
			return p, wrongField("Codec", fmt.Errorf("compression %q, and by its name %s is %s", string(w.Codec), w.Path, codec))
		}
		if w.RowGroupRows != 0 || w.RowGroupBytes != 0 {
			field := firstField(named{"RowGroupRows", w.RowGroupRows != 0}, named{"RowGroupBytes", true})
			return p, wrongField(field, errors.New("CSV has no row groups; those are for Parquet"))
		}
		if w.Workers > 1 {
			return p, wrongField("Workers", errors.New("CSV is written by one worker; more are for Parquet"))
		}
	case FormatParquet:
		if codec != CodecNone && byName == FormatParquet {
			return p, fmt.Errorf("%s: Parquet is compressed inside, not as a whole; end the name in .parquet", w.Path)
		}
		if w.Codec == "" {
			w.Codec = CodecSnappy
		}
		if field := w.CSV.given(); field != "" {
			return p, wrongField(field, errors.New("this is about CSV, and the file is Parquet"))
		}
	case "":
		return p, fmt.Errorf("%s: the name does not say whether to write Parquet or CSV; end it in .parquet or .csv, or say the format", w.Path)
	default:
		return p, wrongField("Format", fmt.Errorf("unknown format %q%s", string(w.Format), suggest.Phrase(string(w.Format), fileFormats)))
	}
	if err := w.checkCodec(); err != nil {
		return p, wrongField("Codec", err)
	}
	if err := checkWorkers(w.Workers); err != nil {
		return p, wrongField("Workers", err)
	}
	if w.RowGroupRows < 0 || w.RowGroupBytes < 0 {
		field := firstField(named{"RowGroupRows", w.RowGroupRows < 0}, named{"RowGroupBytes", true})
		return p, wrongField(field, errors.New("the size of a row group cannot be negative (0 means the default)"))
	}
	p.Write = w
	if p.delimiter, err = delimiterOf(w.CSV.Delimiter, tabs); err != nil {
		return p, wrongField("CSV.Delimiter", err)
	}
	return p, wrongField("CSV.Null", checkNull(w.CSV.Null, p.delimiter))
}

func (w Write) checkCodec() error {
	known := []string{string(CodecNone), string(CodecSnappy), string(CodecGzip), string(CodecZstd)}
	if w.Format == FormatCSV {
		known = slices.Delete(known, 1, 2)
	}
	if !slices.Contains(known, string(w.Codec)) {
		return fmt.Errorf("unknown compression %q of %s%s", string(w.Codec), w.Format, suggest.Phrase(string(w.Codec), known))
	}
	return nil
}

var fileFormats = []string{string(FormatParquet), string(FormatCSV)}

// formatOf says what the name of a file says of it, in small letters or capitals: its format, "" if that is unknown, how
// it is compressed as a whole, and whether tabs are between its fields.
func formatOf(path string) (format Format, codec Codec, tabs bool) {
	path, codec = strings.ToLower(path), CodecNone
	for suffix, c := range map[string]Codec{".gz": CodecGzip, ".zst": CodecZstd} {
		if rest, ok := strings.CutSuffix(path, suffix); ok {
			path, codec = rest, c
			break
		}
	}
	switch {
	case strings.HasSuffix(path, parquetSuffix):
		return FormatParquet, codec, false
	case strings.HasSuffix(path, ".csv"):
		return FormatCSV, codec, false
	case strings.HasSuffix(path, ".tsv"):
		return FormatCSV, codec, true
	default:
		return "", codec, false
	}
}

// A rowWriter writes chunks in some format to a file that it does not close.
type rowWriter interface {
	// write takes the chunk over, also if it fails.
	write(context.Context, *Chunk) error
	// finish writes what is left; after it nothing is written.
	finish(context.Context) error
	// release gives back what is still held; it may be called at any time, several times.
	release()
}

func (w Write) run(ctx context.Context, in *sluice.Channel, stdout io.Writer) (err error) {
	settled, err := w.settled()
	if err != nil {
		return err
	}
	run := writing{Write: w, path: settled.Path, in: in, stdout: stdout}
	defer run.discard()
	workers := 0
	if settled.Format == FormatParquet {
		workers = budgetOf(ctx).workersFor(w.Workers)
	}
	run.encoders = newEncoders(workers)
	err = inParallel(ctx, 1+workers, func(ctx context.Context, worker int) error {
		if worker == 0 {
			defer run.encoders.end()
			return run.collect(ctx)
		}
		err := run.encoders.work(ctx)
		if ctx.Err() != nil {
			return ctx.Err() // what an encoder makes of that may hide it
		}
		return ofFile(err)
	})
	var inside *fileError
	if errors.As(err, &inside) {
		return run.to.wrap(inside.err)
	}
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return run.to.commit()
}

// A fileError is one of making the file. It gets its name only when nobody writes any more.
type fileError struct{ err error }

func (e *fileError) Error() string { return e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

func ofFile(err error) error {
	if err == nil {
		return nil
	}
	return &fileError{err}
}

// writing is one run of a Write.
type writing struct {
	Write
	path     string
	in       *sluice.Channel
	stdout   io.Writer
	encoders *encoders

	to   *target // nil as long as nothing has come
	rows rowWriter
}

// collect gives all chunks of the input to the writer.
func (w *writing) collect(ctx context.Context) error {
	err := eachChunk(ctx, w.in, func(m *sluice.Message, chunk *Chunk) error {
		if w.rows == nil {
			if err := w.open(ctx, chunk.Schema()); err != nil {
				return err
			}
		}
		taken, err := sluice.Take[*Chunk](m)
		if err != nil {
			return err
		}
		return ofFile(w.rows.write(ctx, taken))
	})
	if err != nil {
		return err
	}
	if w.rows == nil {
		return fmt.Errorf("%s: nothing came to be written, not even the names of the columns", w.path)
	}
	return ofFile(w.rows.finish(ctx))
}

func (w *writing) open(ctx context.Context, schema *arrow.Schema) error {
	planned, err := w.plan(schema)
	if err != nil {
		return err
	}
	if w.to, err = openTarget(w.Path, w.Overwrite, w.stdout); err != nil {
		return err
	}
	if planned.Format == FormatParquet {
		rows, err := newParquetWriter(ctx, planned.Write, w.to, schema, w.encoders)
		if err == nil {
			w.rows = rows // and else none: an interface that holds nil is not nil
		}
		return ofFile(err)
	}
	rows, err := newCSVWriter(ctx, planned, w.to, schema)
	if err == nil {
		w.rows = rows
	}
	return ofFile(err)
}

// discard gives back what is held, and removes the file unless it was committed.
func (w *writing) discard() {
	if w.rows != nil {
		w.rows.release()
	}
	w.to.discard()
}
