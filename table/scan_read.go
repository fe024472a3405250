package table

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table/internal/pages"
)

// reading is one run of a scan. The node's own goroutine goes through the row
// groups in order, gets a ticket for each and deals them out to a few readers, who
// read at the same time and send in turn.
//
// Because tickets are taken in the order of the row groups, the first one not yet
// sent always has a ticket, and, dealt out before all others, a reader: it can be
// read and sent whatever the others wait for, and nothing can deadlock. Readers who
// took tickets for themselves could give all of them to row groups behind one that
// has none.
type reading struct {
	ctx      context.Context
	stop     context.CancelCauseFunc
	schema   *arrow.Schema
	throttle *sluice.Throttle
	groups   chan rowGroup

	failed sync.Once
	err    error // what went wrong first; the rest only follows from it

	seq  sluice.SeqNum // of the next row group
	turn chan struct{} // closed when that one may be sent
}

// A rowGroup is a row group to be read and sent, by one reader.
type rowGroup struct {
	file   *sharedFile
	fields []int // the places of the columns in it
	group  int
	seq    sluice.SeqNum
	ticket *sluice.Ticket
	turn   <-chan struct{} // closed when all before it were sent
	sent   chan struct{}   // the turn of the one after it
}

func newReading(ctx context.Context, schema *arrow.Schema, throttle *sluice.Throttle) *reading {
	r := &reading{schema: schema, throttle: throttle, groups: make(chan rowGroup), turn: make(chan struct{})}
	r.ctx, r.stop = context.WithCancelCause(ctx)
	close(r.turn)
	return r
}

// run reads the files with the given number of readers and returns how many chunks
// were sent.
func (r *reading) run(paths []string, readers int) (sent int, err error) {
	defer r.stop(nil)
	var all sync.WaitGroup
	for range readers {
		all.Go(func() {
			for next := range r.groups {
				r.fail(r.handOn(next))
			}
		})
	}
	for _, path := range paths {
		if err := r.deal(path); err != nil {
			r.fail(err)
			break
		}
	}
	close(r.groups)
	all.Wait()
	return int(r.seq), r.err
}

func (r *reading) fail(err error) {
	if err != nil {
		r.failed.Do(func() { r.err = err })
		r.stop(err)
	}
}

// deal gives the row groups of a file to the readers, each with a ticket.
func (r *reading) deal(path string) error {
	file, fields, err := r.open(path)
	if err != nil {
		return err
	}
	defer file.release()
	for g := range file.RowGroups() {
		ticket, err := r.throttle.Acquire(r.ctx)
		if err != nil {
			return err
		}
		next := rowGroup{
			file: file.retain(), fields: fields, group: g, seq: r.seq,
			ticket: ticket, turn: r.turn, sent: make(chan struct{}),
		}
		select {
		case r.groups <- next:
		case <-r.ctx.Done():
			file.release()
			ticket.Release()
			return r.ctx.Err()
		}
		r.seq, r.turn = r.seq+1, next.sent
	}
	return nil
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

// handOn reads a row group and sends it when its turn has come.
func (r *reading) handOn(next rowGroup) error {
	defer next.ticket.Release()
	defer next.file.release()
	batch, err := next.file.ReadRowGroup(r.ctx, allocator(r.ctx), next.group, r.schema, next.fields)
	if err != nil {
		return err
	}
	m := sluice.NewMessage(next.seq, NewChunk(batch))
	defer m.Release()
	select {
	case <-next.turn:
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
	if err := next.ticket.SendHeld(r.ctx, &m); err != nil {
		return err
	}
	close(next.sent)
	return nil
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
