package table

import (
	"cmp"
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/table/internal/pages"
)

// ScanNeed is what a scan of Parquet takes of host memory if its chunks have so many rows at most. All sizes are
// bytes.
type ScanNeed struct {
	Rows  int64 // of the largest chunk
	Read  int64 // that are reserved to read a chunk, at most; pages are unpacked whole, however few of their rows are wanted
	Chunk int64 // of the largest chunk, once it is read
	All   int64 // of all chunks together
}

// mostLookedAt is of how many row groups the headers of pages are read to tell what a scan needs.
const mostLookedAt = 16

// Needs returns what the scan takes for each of several numbers of rows of a chunk; 0 is what it has itself. It reads
// the headers of pages, but no pages, and of a table with many row groups only those of the sixteen with the most rows.
// Of CSV, blocks of which are a part of the limit, only All is given, and is a guess: from the size of the files.
func (s Scan) Needs(ctx context.Context, rows ...int) ([]ScanNeed, error) {
	s.Count = nil
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.IsCSV() {
		return s.csvNeeds(len(rows))
	}
	schema, paths, err := s.open()
	if err != nil {
		return nil, err
	}
	prune, err := s.pruning(schema)
	if err != nil {
		return nil, err
	}
	w := &weighing{ctx: ctx, schema: schema, prune: prune, most: slices.Clone(rows), needs: make([]ScanNeed, len(rows))}
	for i, n := range w.most {
		w.most[i] = cmp.Or(n, s.rows())
	}
	return w.needs, w.files(paths)
}

// weighing looks at the row groups of a scan.
type weighing struct {
	ctx    context.Context
	schema *arrow.Schema
	prune  *pruning
	most   []int // rows of a chunk
	needs  []ScanNeed
}

// weighed is a row group that may be looked at.
type weighed struct {
	path  string
	group int
	rows  int64
}

func (w *weighing) files(paths []string) error {
	var groups []weighed
	var all, seen int64
	for _, path := range paths {
		err := w.with(path, func(file *pages.File, fields []int) error {
			for g := range file.RowGroups() {
				found := weighed{path: path, group: g}
				for _, rows := range w.prune.wanted(file, g, fields) {
					found.rows += int64(rows.To - rows.From)
				}
				if found.rows > 0 {
					groups = append(groups, found)
					all += found.rows
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	slices.SortStableFunc(groups, func(a, b weighed) int { return -cmp.Compare(a.rows, b.rows) })
	for _, g := range groups[:min(len(groups), mostLookedAt)] {
		seen += g.rows
		err := w.with(g.path, func(file *pages.File, fields []int) error { return w.group(file, g.group, fields) })
		if err != nil {
			return err
		}
	}
	for i := range w.needs {
		w.needs[i].All = int64(float64(w.needs[i].All) * float64(all) / float64(max(1, seen)))
	}
	return nil
}

// with opens a file.
func (w *weighing) with(path string, do func(*pages.File, []int) error) error {
	file, err := pages.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	fields, err := findFields(file, columnNames(w.schema))
	if err != nil {
		return err
	}
	return do(file, fields)
}

func (w *weighing) group(file *pages.File, g int, fields []int) error {
	wanted := w.prune.wanted(file, g, fields)
	group, err := file.RowGroupPart(w.ctx, g, w.schema, fields, wanted)
	if err != nil {
		return err
	}
	defer group.Close()
	for i, most := range w.most {
		need := &w.needs[i]
		for _, rows := range inPieces(wanted, most) {
			n := rows.To - rows.From
			b := group.Bound(rows.From, n)
			need.Rows = max(need.Rows, int64(n))
			need.Read = max(need.Read, b.Kept+b.Scratch)
			need.Chunk = max(need.Chunk, b.Kept)
			need.All += b.Kept
		}
	}
	return nil
}

// csvNeeds takes what is made of CSV to be as long as the text, and that to be four times as long as it is packed.
func (s Scan) csvNeeds(n int) ([]ScanNeed, error) {
	paths, err := expand(s.Files, FormatCSV)
	if err != nil {
		return nil, err
	}
	var all int64
	for _, path := range paths {
		if path == StandardStream {
			continue
		}
		source, err := openCSV(path, nil)
		if err != nil {
			return nil, err
		}
		if all += source.size; source.codec != CodecNone {
			all += 3 * source.size
		}
		if err := source.close(); err != nil {
			return nil, err
		}
	}
	return slices.Repeat([]ScanNeed{{All: all}}, n), nil
}

// In tells what the scan takes of a [Room] to read a chunk of such columns, and what it makes: as much as it needs, or,
// of CSV, what is made of a block.
func (n ScanNeed) In(room Room, schema *arrow.Schema) (Flow, Need) {
	out := Flow{Schema: schema, Rows: n.Rows, Chunk: n.Chunk, All: n.All}
	if n.Read > 0 {
		return out, Need{Takes: n.Read}
	}
	const made, text = 5, 64 // times a block is made of it; bits of a text
	block := room.budget().csvBlock()
	bits, texts := rowBits(schema)
	out.Chunk = made * block
	out.Rows = out.Chunk * 8 / max(1, bits+text*texts)
	return out, Need{Keeps: 2 * block, Takes: out.Chunk + block}
}
