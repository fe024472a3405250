package table

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/internal/suggest"
	"github.com/seed14ed4225/sluice/table/internal/pages"
)

// Scan reads files of Parquet or CSV. Of CSV, [CSV] says what is understood.
//
// Of Parquet it reads flat columns of booleans, integers, floating-point numbers,
// decimals, text, dates, times of day and timestamps, compressed with snappy, zstd,
// gzip, brotli, LZ4_RAW or not at all.
//
// Each row group is read in pieces of at most Rows rows, as even as can be. Each piece
// becomes one [Chunk], in the order of the files and of the rows in them, numbered
// from 0. Several are read at once, each only after it has a ticket, and the ticket
// stays out until the message is released: so there are never more chunks in memory
// than tickets, however slow what follows is. A node that keeps its input (a sort,
// say) and releases the messages takes the chunks out of that count.
//
// Memory is therefore about Tickets times Rows times the width of the chosen columns,
// and, for each of the Readers, what it takes to unpack pages. Both are known from the
// headers of the pages, and reserved before a piece is read. Where a page holds the
// rows of several pieces, it is kept unpacked from one to the next, and unpacked ahead for as
// many row groups as there are Readers, unless the memory is needed elsewhere: without a limit up
// to 256 MiB, with one up to a 16th of it, and not at all where there is no disk to spill to.
//
// Of CSV, a chunk is made of a block of text, which is a 128th of the limit of host memory, 1 MiB
// at most, or of Rows lines of it. Beside what the chunk takes, a block has its
// text and where its fields are in memory, reserved together; and of each file, one more block is held,
// which grows as far as a row is long, to a 16th of the limit or 64 MiB. A longer row is an
// error.
type Scan struct {
	// Files are paths, patterns (as in [path/filepath.Match]) and directories; a
	// directory means the files in it whose names end in ".parquet", in small letters;
	// also hidden files, but not those in directories within. They are read in this
	// order, those of a pattern or directory sorted by name. A pattern also matches
	// hidden files, and whatever the extension.
	//
	// A file that several patterns or directories stand for is read once, where it
	// comes first. The same name twice is an error, and so are a pattern that matches
	// nothing, a directory without such files, and one of either that has a file of one name
	// packed and not, such as a.csv and a.csv.gz: name both to read both. All files must have the same
	// columns of the same types, in any order.
	//
	// [StandardStream] is standard input, of which only CSV can be read: Parquet is read from its
	// end, which standard input does not have yet.
	Files []string

	// Format is FormatParquet or FormatCSV. "" goes by the name of the first file: CSV if
	// that ends in .csv or .tsv, with or without .gz or .zst behind it for a file that is
	// packed, or is [StandardStream]; else Parquet. Of a directory, the files ending in
	// .parquet are read, or, if Format is FormatCSV, those in .csv and .tsv, packed or not.
	Format Format

	// CSV says how CSV is to be understood. It has to be empty for Parquet.
	CSV CSV

	// Columns are the columns wanted, in this order. None means all.
	Columns []string

	// Prune is a condition, as in [Filter], that whatever comes behind the scan puts on its rows. Row groups
	// of Parquet in which, by the statistics in the footer, no row meets it are not read, nor are the
	// rows of pages of which the file's index of pages says so, where it has one; of pages that have no other
	// rows nothing is read. A row left out for which it has no value is no error. All other rows come,
	// also those that do not meet it: a Filter with the same condition is still needed. Statistics are
	// believed only where a wrong answer cannot come of them. For CSV it is an error.
	Prune string

	// Count, if not nil, counts row groups read and left out.
	Count *ScanCount

	// Rows is the most rows of a chunk. 0 means 65,536.
	Rows int

	// Tickets is the most chunks in memory at a time. 0 means twice the readers, so
	// that as many wait or are worked on as are being read.
	Tickets int

	// Readers is the most chunks read at a time. 0 means one per processor
	// (GOMAXPROCS). There are never more readers than tickets.
	Readers int

	// Stdin is what [StandardStream] stands for. nil means os.Stdin, through one buffer for
	// all scans of the process. Schema waits until its buffer is full, or the input ends,
	// looks at it, and takes nothing out; 256 KiB are always enough. A run that is cancelled while it waits for input ends; the
	// goroutine that waits for it stays until the input goes on, or the process ends.
	Stdin *bufio.Reader

	// Logger takes the warning about rows of CSV that were left out; nil means
	// [slog.Default].
	Logger *slog.Logger
}

// Schema opens the footer of every file, or the beginning if it is CSV, and returns the
// columns that the scan gives. In Parquet, text is a dictionary with 32-bit codes if some file has a dictionary of
// it, else plain. A column is nullable if it is in some file. Timestamps have the
// time zone "UTC" if Parquet says they are adjusted to it, or else none. Decimals are
// decimal128, in whichever of its four ways Parquet stores them. INT96, which files
// had before there were timestamps, is a timestamp in nanoseconds without a time zone;
// a time that 64 bits of those cannot hold, before 1677 or after 2262, ends the scan.
// Parquet has no durations.
//
// Errors name the file and the column, or the setting. A column that no file has is a
// [*ColumnError].
func (s Scan) Schema() (*arrow.Schema, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	schema, _, err := s.open()
	if err == nil {
		_, err = s.pruning(schema)
	}
	if err != nil {
		return nil, err
	}
	return schema, nil
}

// Node returns a node that sends the chunks to out.
func (s Scan) Node(name string, out *sluice.Channel) (string, func(context.Context) error, sluice.Port) {
	return name, func(ctx context.Context) error { return s.run(ctx, out) }, sluice.Writes(out)
}

func (s Scan) run(ctx context.Context, out *sluice.Channel) error {
	if err := s.check(); err != nil {
		return err
	}
	if slices.Contains(s.Files, StandardStream) {
		if err := awaitInput(ctx, s.stdin()); err != nil {
			return err
		}
	}
	schema, paths, err := s.open()
	if err != nil {
		return err
	}
	prune, err := s.pruning(schema)
	if err != nil {
		return err
	}
	readers, tickets := s.concurrency()
	throttle, err := sluice.NewThrottle(out, tickets)
	if err != nil {
		return err
	}
	var sent int
	if s.IsCSV() {
		sent, err = s.runCSV(ctx, schema, paths, throttle, readers)
	} else {
		r := newReading(ctx, schema, throttle, s.rows(), readers)
		r.prune = prune
		sent, err = r.run(paths)
	}
	if err != nil || sent > 0 {
		return err
	}
	m := sluice.NewMessage(0, NewChunk(emptyBatch(ctx, schema))) // tells the schema
	defer m.Release()
	return out.Send(ctx, &m)
}

func (s Scan) check() error {
	for _, setting := range []struct {
		name  string
		value int
	}{{"Rows", s.Rows}, {"Tickets", s.Tickets}, {"Readers", s.Readers}} {
		if setting.value < 0 {
			return fmt.Errorf("scan: %s is %d; it cannot be negative (0 means the default)", setting.name, setting.value)
		}
	}
	switch s.format() {
	case FormatCSV:
		return s.CSV.check()
	case FormatParquet:
		if field := s.CSV.given(); field != "" {
			return wrongField(field, errors.New("this is about CSV, and the files are Parquet; if they are not, say so with format: csv"))
		}
		if slices.Contains(s.Files, StandardStream) {
			return errors.New("standard input can be read as CSV only: Parquet is read from its end; put it into a file first")
		}
		return nil
	default:
		return wrongField("Format", fmt.Errorf("unknown format %q%s", string(s.Format), suggest.Phrase(string(s.Format), fileFormats)))
	}
}

// IsCSV reports whether the files are read as CSV.
func (s Scan) IsCSV() bool { return s.format() == FormatCSV }

// format is that of all files.
func (s Scan) format() Format {
	if s.Format != "" || len(s.Files) == 0 {
		return cmp.Or(s.Format, FormatParquet)
	}
	if s.Files[0] == StandardStream {
		return FormatCSV
	}
	format, _, _ := formatOf(s.Files[0])
	return cmp.Or(format, FormatParquet)
}

func (s Scan) stdin() *bufio.Reader {
	if s.Stdin == nil {
		return standardInput()
	}
	return s.Stdin
}

// defaultRows makes chunks of a few megabytes from tables that are not very wide.
const defaultRows = 1 << 16

func (s Scan) rows() int {
	if s.Rows == 0 {
		return defaultRows
	}
	return s.Rows
}

func (s Scan) concurrency() (readers, tickets int) {
	readers = s.Readers
	if readers == 0 {
		readers = runtime.GOMAXPROCS(0)
	}
	tickets = s.Tickets
	if tickets == 0 {
		tickets = 2 * readers
	}
	return min(readers, tickets), tickets
}

// open finds the files and the columns that they agree on.
func (s Scan) open() (*arrow.Schema, []string, error) {
	paths, err := expand(s.Files, s.format())
	if err != nil {
		return nil, nil, err
	}
	if s.IsCSV() {
		schema, err := s.openCSVFiles(paths)
		return schema, paths, err
	}
	var agreed agreement
	for _, path := range paths {
		file, err := pages.Open(path)
		if err != nil {
			return nil, nil, s.orCSV(err)
		}
		err = agreed.with(file, s.Columns)
		if closing := file.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return agreed.schema(), paths, nil
}

// orCSV says of a file that is taken for Parquet, though its name does not say so, what else it may be.
func (s Scan) orCSV(err error) error {
	if errors.Is(err, pages.ErrNotParquet) && s.Format == "" {
		if format, _, _ := formatOf(s.Files[0]); format == "" {
			return fmt.Errorf("%w; if it is CSV, say so with format: csv", err)
		}
	}
	return err
}

// agreement is what the files seen so far have in common.
type agreement struct {
	first   string // the file that set the columns
	columns []pages.Field
}

func (a *agreement) with(file *pages.File, wanted []string) error {
	all := len(wanted) == 0
	if all {
		wanted = fieldNames(file.Fields())
		if a.first != "" {
			if err := a.sameNames(file, wanted); err != nil {
				return err
			}
			wanted = fieldNames(a.columns) // in the order of the first
		}
	}
	fields, err := findFields(file, wanted)
	if err != nil {
		return err
	}
	for i, at := range fields {
		field := file.Fields()[at]
		switch {
		case field.Err != nil:
			hint := ""
			if all {
				hint = "; choose columns without it"
			}
			return fmt.Errorf("%s: column %q %w%s", file.Path(), field.Name, field.Err, hint)
		case a.first == "":
			a.columns = append(a.columns, field)
			continue
		}
		column := &a.columns[i]
		if !arrow.TypeEqual(column.Type, field.Type) {
			here, there := typeNames(field.Type, column.Type)
			return fmt.Errorf("%s: column %q is %s, but %s in %s", file.Path(), field.Name, here, there, a.first)
		}
		column.Nullable = column.Nullable || field.Nullable
		column.Dictionary = column.Dictionary || field.Dictionary
	}
	if a.first == "" {
		a.first = file.Path()
	}
	return nil
}

func (a *agreement) sameNames(file *pages.File, have []string) error {
	want := fieldNames(a.columns)
	if missing := without(want, have); len(missing) > 0 {
		return fmt.Errorf("%s has no column %q, but %s has; choose columns that all files have",
			file.Path(), missing[0], a.first)
	}
	if extra := without(have, want); len(extra) > 0 {
		return fmt.Errorf("%s has a column %q, but %s has not; choose columns that all files have",
			file.Path(), extra[0], a.first)
	}
	return nil
}

func (a *agreement) schema() *arrow.Schema {
	fields := make([]arrow.Field, len(a.columns))
	for i, column := range a.columns {
		typ := column.Type
		if column.Dictionary {
			typ = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: typ}
		}
		fields[i] = arrow.Field{Name: column.Name, Type: typ, Nullable: column.Nullable}
	}
	return arrow.NewSchema(fields, nil)
}

// findFields returns the places of the named columns among those of the file.
func findFields(file *pages.File, names []string) ([]int, error) {
	places := make([]int, len(names))
	for i, name := range names {
		found := -1
		for at, field := range file.Fields() {
			if field.Name != name {
				continue
			}
			if found >= 0 {
				return nil, fmt.Errorf("%s: several columns are called %q", file.Path(), name)
			}
			found = at
		}
		if found < 0 {
			return nil, fmt.Errorf("%s: %w", file.Path(), &ColumnError{Column: name, Have: fieldNames(file.Fields())})
		}
		for _, before := range places[:i] {
			if before == found {
				return nil, fmt.Errorf("column %q is asked for twice", name)
			}
		}
		places[i] = found
	}
	return places, nil
}

func fieldNames(fields []pages.Field) []string {
	names := make([]string, len(fields))
	for i, field := range fields {
		names[i] = field.Name
	}
	return names
}

// without returns the names that are not in others.
func without(names, others []string) []string {
	in := make(map[string]bool, len(others))
	for _, name := range others {
		in[name] = true
	}
	var left []string
	for _, name := range names {
		if !in[name] {
			left = append(left, name)
		}
	}
	return left
}
