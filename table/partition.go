package table

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"

	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/shuffle"
)

// A KeyPartitioner splits chunks by the values of some columns, for a [shuffle.Shuffle] or a
// [shuffle.Node]. Make it with [ByKey]; one is for chunks of the same columns, the first that
// it measures says which.
type KeyPartitioner struct {
	columns []string
	forms   []keyForm // how the keys are compared; nil where, or if all, as they are
	mu      struct {
		sync.Mutex
		schema *arrow.Schema // without dictionaries; nil before the first chunk
		keys   []int         // where the columns are in it
	}
}

// ByKey returns a partitioner of chunks by columns. Without columns, all rows are of one key.
//
// Values that count as equal go to the same partition, and that also where partitioners of two
// inputs of a join split them: nulls are equal, as all NaN are, and 0 and -0; integers of
// any width, and both widths of floats, as long as the numbers are equal; text whether it
// comes in a dictionary or not. Integers, floats and decimals are not compared with each other.
//
// What comes out has the text of dictionaries in plain columns: parts of chunks with
// different dictionaries are put together.
func ByKey(columns ...string) *KeyPartitioner {
	return &KeyPartitioner{columns: slices.Clone(columns)}
}

// At says that chunks are split in host memory.
func (p *KeyPartitioner) At() mem.Kind { return mem.Host }

// Measure returns what it takes to split a [*Chunk]. Its errors say what payload it is
// instead, which column is missing (a [*ColumnError]) or cannot be carried, or how its columns
// differ from those of the chunks before.
func (p *KeyPartitioner) Measure(payload any) (shuffle.Size, error) {
	chunk, ok := payload.(*Chunk)
	if !ok {
		return shuffle.Size{}, fmt.Errorf("payload is a %T, not a *table.Chunk", payload)
	}
	if _, _, err := p.columnsOf(chunk.Schema()); err != nil {
		return shuffle.Size{}, err
	}
	size := shuffle.Size{Rows: int64(chunk.Rows()), Bytes: p.scratch() * int64(chunk.Rows())}
	batch, err := chunk.resident()
	for i, f := range chunk.Schema().Fields() {
		size.PerPart += partitionPadding
		switch {
		case err == nil:
			size.Bytes += splitBytes(batch.Column(i))
		case coded(f.Type):
			return shuffle.Size{}, err // its text cannot be measured where it is
		}
	}
	if err != nil {
		size.Bytes += chunk.Content().Bytes.Total() + validBytes(size.Rows)*int64(chunk.Schema().NumFields())
	}
	return size, nil
}

func coded(typ arrow.DataType) bool { return typ.ID() == arrow.DICTIONARY }

// What splitting takes besides the values. For each row: its partition, its place, and
// for keys with a dictionary the hash or code of its entry. For each column of a
// partition: four buffers, with what they are rounded up by.
const (
	partitionScratch = 2 + 8 + 8
	partitionPadding = 4 * 64
)

// scratch returns what splitting takes for each row besides the values.
func (p *KeyPartitioner) scratch() int64 {
	bytes := int64(partitionScratch)
	for _, form := range p.forms {
		if form != nil {
			bytes += formBytes
		}
	}
	return bytes
}

// splitBytes returns what the rows of a column take at most when they are in plain columns,
// without what buffers are rounded up by.
func splitBytes(a arrow.Array) int64 {
	rows := int64(a.Len())
	bytes := valuesBytes(plain(a.DataType()), rows)
	if bytes == 0 {
		return 0
	}
	bytes += bitutil.BytesForBits(rows)
	if layout, _ := layoutOf(a.DataType()); layout != layoutText {
		return bytes
	}
	v := newView(a)
	if v.text.codes == nil {
		return bytes + int64(v.text.offsets[rows]-v.text.offsets[0])
	}
	bytes += 4 * rows // what codes of another width are widened to
	for i := range int(rows) {
		if !v.null(i) {
			bytes += int64(len(v.text.at(i)))
		}
	}
	return bytes
}

// columnsOf returns the columns that all chunks have, without dictionaries, and which of
// them are keys.
func (p *KeyPartitioner) columnsOf(schema *arrow.Schema) (*arrow.Schema, []int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.schema == schema {
		return schema, p.mu.keys, nil
	}
	without := plainSchema(schema)
	if p.mu.schema != nil {
		return p.mu.schema, p.mu.keys, sameColumns(p.mu.schema, without)
	}
	if err := supported(schema); err != nil {
		return nil, nil, err
	}
	keys := make([]int, len(p.columns))
	for i, name := range p.columns {
		var err error
		if keys[i], err = columnIndex(schema, name); err != nil {
			return nil, nil, err
		}
	}
	p.mu.schema, p.mu.keys = without, keys
	return without, keys, nil
}

// Split returns a chunk of each partition, as [shuffle.Partitioner] says. The errors are a
// [*ResidencyError], and that a chunk would have more than 2 GiB of text in a column.
func (p *KeyPartitioner) Split(
	ctx context.Context, payloads []any, parts shuffle.Parts, res *mem.Reservation,
) ([]any, error) {
	if parts.N > math.MaxUint16+1 {
		return nil, fmt.Errorf("%d partitions: there can be %d", parts.N, math.MaxUint16+1)
	}
	s, err := p.open(payloads)
	if err != nil {
		return nil, err
	}
	scratch, err := res.Charge(mem.Host, p.scratch()*int64(s.rows))
	if err != nil {
		return nil, err
	}
	defer scratch.Release()
	return s.split(ctx, parts, res)
}

// Pack moves chunks that Split has returned to disk as one, as [shuffle.Packer] says.
func (p *KeyPartitioner) Pack(ctx context.Context, label string, payloads []any, res *mem.Reservation) (any, int, error) {
	chunks := make([]*Chunk, len(payloads))
	for i, payload := range payloads {
		chunks[i] = payload.(*Chunk)
	}
	packed, n, err := packChunks(ctx, label, chunks, res)
	if err != nil {
		return nil, 0, err
	}
	return packed, n, nil
}

// splitting is batches that are being split.
type splitting struct {
	schema  *arrow.Schema // of what comes out
	keys    []int
	forms   []keyForm
	columns [][]view // columns[c][b] is column c of batch b
	batches []arrow.RecordBatch
	rows    int
}

func (p *KeyPartitioner) open(payloads []any) (*splitting, error) {
	s := &splitting{forms: p.forms}
	for _, payload := range payloads {
		chunk := payload.(*Chunk)
		batch, err := chunk.resident()
		if err != nil {
			return nil, err
		}
		if s.schema, s.keys, err = p.columnsOf(chunk.Schema()); err != nil {
			return nil, err
		}
		s.batches = append(s.batches, batch)
		s.rows += chunk.Rows()
	}
	for i := range s.schema.NumFields() {
		column := make([]view, len(s.batches))
		for b, batch := range s.batches {
			column[b] = newView(batch.Column(i))
		}
		s.columns = append(s.columns, column)
	}
	return s, nil
}

// split makes the chunks of the partitions.
func (s *splitting) split(ctx context.Context, parts shuffle.Parts, res *mem.Reservation) ([]any, error) {
	of := s.partitions(parts)
	rows := make([]int, parts.N)
	for _, part := range of {
		rows[part]++
	}
	into := newParted(ctx, res, rows, len(s.columns))
	defer into.release() // also when Arrow panics
	var found [][]place
	for c, from := range s.columns {
		typ := s.schema.Field(c).Type
		if into.scatter(c, typ, from, of) {
			continue
		}
		if found == nil {
			found = s.places(of, rows)
		}
		for part, places := range found {
			if len(places) == 0 {
				continue
			}
			a, err := gather(into.mem[part], typ, from, places, textAt(typ, from, places))
			if err != nil {
				return nil, err
			}
			into.columns[part][c] = a
		}
	}
	made := make([]any, parts.N)
	for part, n := range rows {
		if n > 0 {
			made[part] = into.mem[part].Chunk(array.NewRecordBatch(s.schema, into.columns[part], int64(n)))
		}
	}
	return made, nil
}

// partitions returns the partition of each row.
func (s *splitting) partitions(parts shuffle.Parts) []uint16 {
	of := make([]uint16, s.rows)
	keys := make([]view, len(s.keys))
	hash := newKeyHash(len(s.keys))
	for b, at := 0, 0; b < len(s.batches); b++ {
		for i, column := range s.keys {
			keys[i] = s.columns[column][b]
			if s.forms != nil && s.forms[i] != nil {
				keys[i] = s.forms[i](keys[i])
			}
		}
		rows := int(s.batches[b].NumRows())
		hash.partitions(keys, parts, of[at:at+rows])
		at += rows
	}
	return of
}

// places returns where the rows of each partition are, in order. rows is how many each has.
func (s *splitting) places(of []uint16, rows []int) [][]place {
	all := make([]place, s.rows)
	found := make([][]place, len(rows))
	next := make([]int, len(rows)) // of each partition
	end := 0
	for part, n := range rows {
		found[part], next[part] = all[end:][:n:n], end
		end += n
	}
	at := 0
	for b, batch := range s.batches {
		for row := range int(batch.NumRows()) {
			part := of[at]
			all[next[part]] = place{uint32(b), uint32(row)}
			next[part]++
			at++
		}
	}
	return found
}

var _ shuffle.Packer = (*KeyPartitioner)(nil)
