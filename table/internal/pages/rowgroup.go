package pages

import (
	"context"
	"fmt"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A RowGroup is a row group being read in pieces: an index of its pages, made once,
// and those pages that several pieces need, unpacked once. Writers often put a whole
// row group into one page, and to unpack that again for every piece would cost more
// than all the rest.
//
// Its methods may be used by several goroutines at once.
type RowGroup struct {
	path   string
	group  int
	schema *arrow.Schema
	rows   int
	chunks []*chunk

	mu struct {
		sync.Mutex // also for the shared pages of all chunks
		loaded     map[*entry]struct{}
		planned    int // pieces before this row
		closed     bool
	}
}

// RowGroup opens row group g for reading the columns that schema names; fields[i] is
// the place of its column i in [File.Fields]. A column of text may be asked for as
// text or as a dictionary of text with 32-bit codes, any other as its own type. It
// reads the headers of the pages, so that ctx may end it early. The caller closes the
// row group, before the file.
func (f *File) RowGroup(ctx context.Context, g int, schema *arrow.Schema, fields []int) (*RowGroup, error) {
	return f.RowGroupPart(ctx, g, schema, fields, allRows(f.Rows(g)))
}

// RowGroupPart is RowGroup for who needs only these rows, which rise, and asks for no pieces with
// others. Nothing is read of pages that have none of them, if the file has an index of its pages.
func (f *File) RowGroupPart(ctx context.Context, g int, schema *arrow.Schema, fields []int, rows []Rows) (*RowGroup, error) {
	group := &RowGroup{path: f.path, group: g, schema: schema, rows: int(f.Rows(g))}
	group.mu.loaded = make(map[*entry]struct{})
	for i, field := range fields {
		c, err := f.chunk(ctx, g, field, schema.Field(i).Type, rows)
		if err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			return nil, fmt.Errorf("%s: %w", f.path, f.at(g, field, err))
		}
		group.chunks = append(group.chunks, c)
	}
	return group, nil
}

func (f *File) chunk(ctx context.Context, g, field int, typ arrow.DataType, rows []Rows) (_ *chunk, err error) {
	if f.fields[field].Err != nil {
		return nil, f.fields[field].Err
	}
	column := &f.meta.RowGroups[g].Columns[f.leaves[field]]
	start, size, err := f.section(column)
	if err != nil {
		return nil, err
	}
	c := &chunk{
		in: f.in, name: f.fields[field].Name, typ: typ, stored: f.fields[field].stored,
		codec: column.MetaData.Codec, optional: f.fields[field].Nullable,
	}
	defer recoverInto(&err)
	all, unpacked := int(f.Rows(g)), column.MetaData.TotalUncompressedSize
	if len(rows) != 1 || rows[0] != (Rows{To: all}) {
		if places, none := f.pagePlaces(g, f.leaves[field]); none == nil {
			if err := c.indexPart(all, start, size, unpacked, places, rows); err != nil {
				return nil, err
			}
			return c, c.measure()
		}
	}
	if err := c.index(ctx, all, start, size, unpacked); err != nil {
		return nil, err
	}
	return c, c.measure()
}

// Rows returns how many rows there are.
func (g *RowGroup) Rows() int { return g.rows }

// Idle returns how many bytes Trim would free.
func (g *RowGroup) Idle() (bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.eachLoaded(func(_ *entry, s *sharedPage) { bytes += s.idle() })
	return bytes
}

// Trim gives back the pages that no piece needs at the moment, and returns how many
// bytes of memory that freed. Should another piece need one, it is unpacked again.
func (g *RowGroup) Trim() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.trim(true)
}

// Close says that there will be no more pieces. Those that there are stay good.
func (g *RowGroup) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.closed = true
	g.trim(true)
}

// trim frees pages that are not in use: all of them, or those that no piece to come
// will need, if pieces come in order. Callers hold the lock.
func (g *RowGroup) trim(all bool) (freed int64) {
	all = all || g.mu.closed
	g.eachLoaded(func(e *entry, s *sharedPage) {
		if all || !e.dictionary && e.end() <= g.mu.planned {
			freed += s.idle()
			s.free()
		}
	})
	return freed
}

// eachLoaded calls do with the shared pages that are there. Callers hold the lock.
func (g *RowGroup) eachLoaded(do func(*entry, *sharedPage)) {
	for e := range g.mu.loaded {
		do(e, &e.shared)
		if e.shared.plain == nil {
			delete(g.mu.loaded, e)
		}
	}
}

// A sharedPage is a page that is unpacked once for several pieces. The lock of its row
// group guards it.
type sharedPage struct {
	users   int              // pieces that need it or are going to
	plain   []byte           // nil unless it is there
	marks   []mark           // in its codes
	mem     memory.Allocator // that plain is from
	loading chan struct{}    // closed when the piece that unpacks it is done
}

// idle returns how many bytes free would free.
func (s *sharedPage) idle() int64 {
	if s.users > 0 {
		return 0
	}
	return int64(len(s.plain))
}

func (s *sharedPage) free() {
	if s.users == 0 && s.plain != nil {
		s.mem.Free(s.plain)
		s.plain, s.marks, s.mem = nil, nil, nil
	}
}

// fetch returns a shared page, unpacked by this caller, or by another for whom it
// waits. The caller's piece is one of its users.
func (g *RowGroup) fetch(ctx context.Context, r *pageReader, e *entry) (page, error) {
	s := &e.shared
	for {
		g.mu.Lock()
		plain, marks, loading := s.plain, s.marks, s.loading
		if plain == nil && loading == nil {
			s.loading = make(chan struct{})
			g.mu.Unlock()
			if err := g.load(r, e); err != nil {
				return page{}, err
			}
			continue
		}
		g.mu.Unlock()
		if plain != nil {
			p, err := r.chunk.open(e, plain[:e.unpacked])
			p.marks = marks
			return p, err
		}
		select { // whoever unpacks it waits for nothing
		case <-loading:
		case <-ctx.Done():
			return page{}, ctx.Err()
		}
	}
}

func (g *RowGroup) load(r *pageReader, e *entry) (err error) {
	mem := r.window.mem
	var plain []byte
	var marks []mark
	defer func() {
		done := err == nil && plain != nil // a decoder may have panicked
		g.mu.Lock()
		close(e.shared.loading)
		e.shared.loading = nil
		if done {
			e.shared.plain, e.shared.marks, e.shared.mem = plain, marks, mem
			g.mu.loaded[e] = struct{}{}
		}
		if g.mu.closed { // nobody else is going to
			g.trim(true)
		}
		g.mu.Unlock()
		if !done && plain != nil {
			mem.Free(plain)
		}
	}()
	defer recoverInto(&err)
	raw, err := r.body(e)
	if err != nil {
		return err
	}
	plain = mem.Allocate(scratchBytes[byte](e.unpacked))
	if err := r.chunk.unpack(e, plain[:e.unpacked], raw); err != nil {
		return err
	}
	if isDictionary(e.encoding) {
		p, err := r.chunk.open(e, plain[:e.unpacked])
		if err != nil {
			return err
		}
		marks = markCodes(p.rows, p.data)
	}
	return nil
}

// busy reports whether another piece is unpacking one of the pages of the plan.
func (g *RowGroup) busy(p *plan) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	busy := false
	p.eachShared(func(e *entry) { busy = busy || e.shared.loading != nil })
	return busy
}
