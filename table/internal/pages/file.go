package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/seed14ed4225/sluice/internal/suggest"
)

const (
	magic     = "PAR1"
	encrypted = "PARE"
	// tail is the end of the file: how long the footer before it is, and magic.
	tail = 4 + len(magic)
)

// A Field is a column of a file.
type Field struct {
	Name string
	// Type is what it is read as, nil if it cannot be. Text is plain text here,
	// and Dictionary says whether some row group has a dictionary of it, in which
	// case reading it as a dictionary is cheaper.
	Type       arrow.DataType
	Nullable   bool
	Dictionary bool
	Err        error // why Type is nil

	stored storage
}

// File is an open Parquet file. Its methods may be used by several goroutines at
// once, except Close.
type File struct {
	path     string
	in       *os.File
	size     int64 // when it was opened
	modified time.Time
	meta     format.FileMetaData
	fields   []Field
	leaves   []int // of each field, its column chunk in a row group; -1 if nested
}

// Open reads the footer of a file. Errors name the file. The caller closes it.
func Open(path string) (*File, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, suggest.File(path, err))
	}
	f := &File{path: path, in: in}
	if err := f.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), in.Close())
	}
	return f, nil
}

func (f *File) open() (err error) {
	defer recoverInto(&err)
	info, err := f.in.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errors.New("is a directory")
	}
	f.size, f.modified = info.Size(), info.ModTime()
	footer, err := f.footer()
	if err != nil {
		return err
	}
	size, err := thriftSize(footer)
	if err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	protocol := new(thrift.CompactProtocol)
	if err := thrift.NewDecoder(protocol.NewReaderFromBytes(footer[:size])).Decode(&f.meta); err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	if f.meta.EncryptionAlgorithm.Value != nil {
		return errors.New("is encrypted, which is not supported")
	}
	if err := f.readSchema(); err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	return f.checkRowGroups()
}

// ErrNotParquet is what Open says of a file that does not look like one at all.
var ErrNotParquet = errors.New("not a Parquet file")

func (f *File) footer() ([]byte, error) {
	if f.size < int64(len(magic)+tail) {
		return nil, fmt.Errorf("%w, or cut short: too small", ErrNotParquet)
	}
	var head [len(magic)]byte
	if _, err := f.in.ReadAt(head[:], 0); err != nil {
		return nil, err
	}
	var end [tail]byte
	if _, err := f.in.ReadAt(end[:], f.size-int64(tail)); err != nil {
		return nil, err
	}
	switch closing := string(end[4:]); {
	case string(head[:]) == encrypted || closing == encrypted:
		return nil, errors.New("is encrypted, which is not supported")
	case string(head[:]) != magic:
		return nil, fmt.Errorf("%w: does not begin with %s", ErrNotParquet, magic)
	case closing != magic:
		return nil, fmt.Errorf("cut short: does not end with %s", magic)
	}
	size := int64(binary.LittleEndian.Uint32(end[:]))
	if size > f.size-int64(len(magic)+tail) {
		return nil, fmt.Errorf("footer: %d bytes, in a file of %d", size, f.size)
	}
	footer := make([]byte, size)
	_, err := f.in.ReadAt(footer, f.size-int64(tail)-size)
	return footer, err
}

// readSchema finds the columns. The schema is a tree written depth first, the
// root before its children; only children of the root that are leaves are read.
func (f *File) readSchema() error {
	elements := f.meta.Schema
	if len(elements) == 0 {
		return errors.New("no schema")
	}
	next, leaf := 1, 0
	for range elements[0].NumChildren.V {
		if next >= len(elements) {
			return errors.New("schema with columns missing")
		}
		e := &elements[next]
		field := Field{Name: e.Name, Nullable: e.RepetitionType.V == format.Optional}
		field.Type, field.Err = typeOf(e)
		field.stored = storageOf(e)
		first := leaf
		after, leaves, err := skipElement(elements, next)
		if err != nil {
			return err
		}
		next, leaf = after, leaf+leaves
		if e.NumChildren.V > 0 {
			first = -1
		}
		f.fields = append(f.fields, field)
		f.leaves = append(f.leaves, first)
	}
	if next != len(elements) {
		return errors.New("schema with columns that belong nowhere")
	}
	for g, group := range f.meta.RowGroups {
		if len(group.Columns) != leaf {
			return fmt.Errorf("row group %d: %d columns, where the schema has %d", g, len(group.Columns), leaf)
		}
	}
	return nil
}

// skipElement returns where the element after the one at i and its descendants
// is, and how many leaves those have.
func skipElement(elements []format.SchemaElement, i int) (next, leaves int, err error) {
	for open := int64(1); open > 0; i++ {
		if i >= len(elements) {
			return 0, 0, errors.New("schema with columns missing")
		}
		children := int64(elements[i].NumChildren.V)
		if children < 0 || elements[i].Type.Valid == (children > 0) {
			return 0, 0, fmt.Errorf("schema with a column %q of neither kind", elements[i].Name)
		}
		if elements[i].Type.Valid {
			leaves++
		}
		open += children - 1
	}
	return i, leaves, nil
}

// checkRowGroups compares what the footer says in several places, so that one
// damaged number does not pass for the truth.
func (f *File) checkRowGroups() error {
	var rows int64
	for g := range f.meta.RowGroups {
		group := &f.meta.RowGroups[g]
		if group.NumRows < 0 || group.NumRows > math.MaxInt32 {
			return fmt.Errorf("row group %d: %d rows", g, group.NumRows)
		}
		rows += group.NumRows
		for i, leaf := range f.leaves {
			if leaf < 0 || f.fields[i].Err != nil {
				continue
			}
			meta := &group.Columns[leaf].MetaData
			if meta.NumValues != group.NumRows {
				return f.at(g, i, fmt.Errorf("%d values in %d rows", meta.NumValues, group.NumRows))
			}
			for _, enc := range meta.Encoding {
				f.fields[i].Dictionary = f.fields[i].Dictionary || isDictionary(enc) && isText(f.fields[i].Type)
			}
		}
	}
	if rows != f.meta.NumRows {
		return fmt.Errorf("footer: %d rows, but its row groups have %d", f.meta.NumRows, rows)
	}
	return nil
}

func isText(typ arrow.DataType) bool { return typ.ID() == arrow.STRING || typ.ID() == arrow.BINARY }

func (f *File) at(group, field int, err error) error {
	return fmt.Errorf("row group %d: column %q: %w", group, f.fields[field].Name, err)
}

// Path returns the path the file was opened with.
func (f *File) Path() string { return f.path }

// Fields returns the columns in the order of the file. The slice is the file's.
func (f *File) Fields() []Field { return f.fields }

// RowGroups returns how many row groups there are.
func (f *File) RowGroups() int { return len(f.meta.RowGroups) }

// Rows returns how many rows row group g has.
func (f *File) Rows(g int) int64 { return f.meta.RowGroups[g].NumRows }

// Unchanged returns an error if the file was written to since it was opened: what was read of it
// meanwhile may be neither what it was nor what it is, and not every page has a checksum. A file
// that was deleted, or replaced by another, is still the one that was opened.
func (f *File) Unchanged() error {
	info, err := f.in.Stat()
	if err == nil && (info.Size() != f.size || !info.ModTime().Equal(f.modified)) {
		err = errors.New("the file was changed while it was read")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	return nil
}

// Close closes the file. Batches read from it stay valid.
func (f *File) Close() error { return f.in.Close() }

// section returns where a column chunk lies in the file.
func (f *File) section(chunk *format.ColumnChunk) (start, size int64, err error) {
	meta := &chunk.MetaData
	start, size = meta.DataPageOffset, meta.TotalCompressedSize
	if at := meta.DictionaryPageOffset; at > 0 && at < start {
		start = at
	}
	end := f.size - int64(tail)
	if chunk.FilePath != "" {
		return 0, 0, fmt.Errorf("is in another file, %q, which is not supported", chunk.FilePath)
	}
	if start < 0 || size < 0 || start > end || size > end-start || meta.TotalUncompressedSize < 0 {
		return 0, 0, fmt.Errorf("%d bytes at %d, in a file of %d", size, start, f.size)
	}
	return start, size, nil
}

// recoverInto turns a panic into an error. Decoders are written for files that
// follow the format, and say with an index out of range that one does not.
func recoverInto(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("damaged: %v", r)
	}
}
