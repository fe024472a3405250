package table

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/table/internal/pages"
)

// reading is one run of a scan. The node's own goroutine goes through the pieces of the
// row groups in order, gets for each a ticket, then a reader, then memory, and starts
// it. Pieces are read at the same time, also those of one row group, and sent in turn.
//
// Because all three are taken in the order of the pieces, the first piece not yet sent
// has them all before any other has: it can be read and sent whatever the others
// wait for, and nothing can deadlock. Readers who took tickets or memory for
// themselves could give all there is to pieces behind one that has none. Memory comes
// last, so that none is promised to a piece that still waits for something else.
type reading struct {
	ctx      context.Context
	stop     context.CancelCauseFunc
	schema   *arrow.Schema
	prune    *pruning // nil if all row groups are read
	throttle *sluice.Throttle
	rows     int           // of a chunk, at most
	readers  chan struct{} // holds one for each piece being read
	all      sync.WaitGroup
	pages    pageCache

	failed sync.Once
	err    error // what went wrong first; the rest only follows from it

	seq  sluice.SeqNum // of the next piece
	turn chan struct{} // closed when that one may be sent
}

// A dealt piece is one to be read and sent, by one reader.
type dealtPiece struct {
	readable
	seq      sluice.SeqNum
	ticket   *sluice.Ticket
	reserved *mem.Reservation
	turn     <-chan struct{} // closed when all before it were sent
	sent     chan struct{}   // the turn of the one after it
}

// A readable is what becomes a chunk: a piece of a row group, or a block of CSV. Release gives back
// what was only needed for that.
type readable interface {
	Read(context.Context, memory.Allocator) (arrow.RecordBatch, error)
	Release()
}

// A filePiece has a piece keep its file open.
type filePiece struct {
	*pages.Piece
	file *sharedFile
}

// Read reads the piece. Of a file that is being written to, that is the error, whatever else came of it.
func (p filePiece) Read(ctx context.Context, mem memory.Allocator) (arrow.RecordBatch, error) {
	batch, err := p.Piece.Read(ctx, mem)
	if changed := p.file.Unchanged(); changed != nil {
		if err == nil {
			batch.Release()
		}
		return nil, changed
	}
	return batch, err
}

func (p filePiece) Release() {
	p.Piece.Release()
	p.file.release()
}

func newReading(
	ctx context.Context, schema *arrow.Schema, throttle *sluice.Throttle, rows, readers int,
) *reading {
	r := &reading{
		schema: schema, throttle: throttle, rows: rows,
		readers: make(chan struct{}, readers), turn: make(chan struct{}),
	}
	r.ctx, r.stop = context.WithCancelCause(ctx)
	close(r.turn)
	return r
}

// run reads the files and returns how many chunks were sent.
func (r *reading) run(paths []string) (sent int, err error) {
	defer r.stop(nil)
	r.pages.register(r.ctx, cap(r.readers))
	defer r.pages.remove()
	groups := &rowGroups{r: r, paths: paths}
	r.fail(r.dealRowGroups(groups))
	r.all.Wait()
	groups.close()
	return int(r.seq), r.err
}

func (r *reading) fail(err error) {
	if err != nil {
		r.failed.Do(func() { r.err = err })
		r.stop(err)
	}
}

// dealRowGroups starts the readers of all pieces.
func (r *reading) dealRowGroups(groups *rowGroups) error {
	for {
		more, err := groups.find()
		if err != nil || !more {
			return err
		}
		ticket, err := r.admit() // before the row group is opened, which reads from the file
		if err != nil {
			return err
		}
		group, err := groups.take()
		if err != nil {
			r.dismiss(ticket)
			return err
		}
		if err := r.dealRowGroup(groups, group, ticket); err != nil {
			return err
		}
	}
}

// dealRowGroup starts the readers of a row group's pieces. The ticket is for the first.
func (r *reading) dealRowGroup(groups *rowGroups, group *rowGroup, ticket *sluice.Ticket) (err error) {
	defer groups.leave(group)
	for i, rows := range group.pieces {
		if i > 0 {
			if ticket, err = r.admit(); err != nil {
				return err
			}
		}
		if err := r.start(group, rows.From, rows.To-rows.From, ticket); err != nil {
			r.dismiss(ticket)
			return err
		}
		groups.lookAhead()
	}
	return nil
}

// admit waits for a ticket and a reader.
func (r *reading) admit() (*sluice.Ticket, error) {
	ticket, err := r.throttle.Acquire(r.ctx)
	if err != nil {
		return nil, err
	}
	select {
	case r.readers <- struct{}{}:
		return ticket, nil
	case <-r.ctx.Done():
		ticket.Release()
		return nil, r.ctx.Err()
	}
}

// dismiss takes back what admit gave.
func (r *reading) dismiss(ticket *sluice.Ticket) {
	ticket.Release()
	<-r.readers
}

// start gets the memory for n rows and starts to read them.
func (r *reading) start(group *rowGroup, from, n int, ticket *sluice.Ticket) error {
	piece, reserved, err := r.reserve(group.RowGroup, from, n)
	if err != nil {
		return fmt.Errorf("%s: reading %d rows at a time: %w", group.file.Path(), n, err)
	}
	r.deal(filePiece{piece, group.file.retain()}, reserved, ticket)
	return nil
}

// deal has a piece read, and sent behind those dealt before.
func (r *reading) deal(piece readable, reserved *mem.Reservation, ticket *sluice.Ticket) {
	next := dealtPiece{
		readable: piece, seq: r.seq, ticket: ticket, reserved: reserved,
		turn: r.turn, sent: make(chan struct{}),
	}
	r.seq, r.turn = r.seq+1, next.sent
	r.all.Go(func() {
		defer ticket.Release()
		chunk, err := r.read(next)
		<-r.readers // another may read while this one waits for its turn
		if err == nil {
			err = r.handOn(next, chunk)
		} else {
			_ = r.await(next) // else it would be by chance which of two broken pieces is named
		}
		r.fail(err)
	})
}

// open opens a file again, and looks again whether it fits the schema: it was
// closed since that was made.
func (r *reading) open(path string) (*sharedFile, []int, error) {
	opened, err := pages.Open(path)
	if err != nil {
		return nil, nil, err
	}
	file := &sharedFile{File: opened}
	file.users.Store(1)
	fields, err := findFields(opened, columnNames(r.schema))
	if err == nil {
		err = r.unchanged(opened, fields)
	}
	if err != nil {
		file.release()
		return nil, nil, err
	}
	return file, fields, nil
}

func (r *reading) unchanged(file *pages.File, fields []int) error {
	for i, at := range fields {
		field, want := file.Fields()[at], r.schema.Field(i)
		if field.Type == nil || !arrow.TypeEqual(field.Type, plain(want.Type)) || field.Nullable && !want.Nullable {
			return fmt.Errorf("%s: column %q has changed since the scan began", file.Path(), field.Name)
		}
	}
	return nil
}

// await waits until all pieces before this one were sent.
func (r *reading) await(next dealtPiece) error {
	select {
	case <-next.turn:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

// handOn sends a piece when its turn has come.
func (r *reading) handOn(next dealtPiece, chunk *Chunk) error {
	m := sluice.NewMessage(next.seq, chunk)
	defer m.Release()
	if err := r.awaitWith(next, chunk); err != nil {
		return err
	}
	if err := next.ticket.SendHeld(r.ctx, &m); err != nil {
		return err
	}
	close(next.sent)
	return nil
}

// read reads a piece and gives back what was only needed for that.
func (r *reading) read(next dealtPiece) (*Chunk, error) {
	defer next.reserved.Release()
	defer r.pages.offer()
	defer next.Release()
	from := newAllocator(r.ctx, next.reserved)
	batch, err := next.Read(r.ctx, from)
	if err != nil {
		return nil, err
	}
	return from.Chunk(batch), nil
}

// sharedFile is a file that closes itself after its last user.
type sharedFile struct {
	*pages.File
	users atomic.Int32
}

func (f *sharedFile) retain() *sharedFile {
	f.users.Add(1)
	return f
}

func (f *sharedFile) release() {
	if f.users.Add(-1) == 0 {
		_ = f.Close() // it was only read: there is nothing left to go wrong
	}
}
