package table

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/table/expr"
)

// A chunkwork is what a node does to each chunk of its input, none of which depends on another.
type chunkwork interface {
	// schema returns the columns of the output. It is called once, with the schema of the first chunk,
	// before anything else.
	schema(in *arrow.Schema) (*arrow.Schema, error)
	// hand returns what one worker works with.
	hand() chunkhand
}

// A chunkhand works on one chunk at a time.
type chunkhand interface {
	// look does all that takes no counted memory, and returns how much make will take. The rows
	// that are left are none, all, in which case the chunk goes on as it is, or made.
	look(*Chunk) (left left, need int64, err error)
	// make makes the result of the chunk it has looked at.
	make(chunk *Chunk, from *Allocator) (*Chunk, error)
}

// left is what is left of a chunk.
type left int

const (
	leftNone left = iota
	leftAll
	leftMade
)

// inTurn is one run of a node that works on several chunks at once and keeps their order. The
// workers are goroutines of the node. Each receives a chunk, looks at it, reserves memory for the result,
// makes that and sends it; receiving, reserving and sending are done in turn, the rest at
// the same time.
//
// So the first chunk that was not yet sent has its memory before any behind it: it can be made and sent
// whatever the others wait for, and nothing can deadlock. Workers that reserved out of turn could
// give all memory there is to chunks that must wait for one that has none. What the workers hold
// while they wait are the chunks they received; there are as few of them as the limit has room for, see
// workersFor, and while one is larger than that allows for, no other is received.
//
// An error, too, waits for its turn: it is that of the first chunk that has one, and all that comes before
// that chunk is sent.
type inTurn struct {
	work   chunkwork
	in     *sluice.Channel
	out    *sluice.Channel
	budget budget
	large  int64 // bytes of a chunk beside which no other is received

	receiving chan struct{} // holds one while somebody receives; guards the four below
	received  int           // rows
	opened    *arrow.Schema
	made      *arrow.Schema // of the output
	next      links

	// Of whoever's turn it is to send.
	sent bool
	last sluice.SeqNum
}

// links are the two turns that a chunk waits for, each closed by the one before it.
type links struct{ reserve, send chan struct{} }

func newLinks() links { return links{make(chan struct{}), make(chan struct{})} }

// A turn is a chunk's place among the others.
type turn struct {
	wait  links // of the chunk
	done  links // of the one after it
	first int   // row of the chunk, among all that were received
}

// checkWorkers returns an error for a number of workers that a node cannot have.
func checkWorkers(workers int) error {
	if workers < 0 {
		return fmt.Errorf("%d workers: there must be at least 1, or 0 for as many as there are processors", workers)
	}
	return nil
}

// runInTurn runs a node until its input ends. If nothing at all was sent, it sends a chunk without
// rows in the end, to tell the schema.
func runInTurn(ctx context.Context, work chunkwork, workers int, in, out *sluice.Channel) error {
	if err := checkWorkers(workers); err != nil {
		return err
	}
	r := &inTurn{work: work, in: in, out: out, budget: budgetOf(ctx), receiving: make(chan struct{}, 1), next: newLinks()}
	workers = r.budget.workersFor(workers)
	r.large = r.budget.chunk() / int64(workers)
	close(r.next.reserve)
	close(r.next.send)
	err := inParallel(ctx, workers, func(ctx context.Context, _ int) error { return r.worker(ctx) })
	if err != nil || r.sent || r.made == nil {
		return err
	}
	return send(ctx, out, r.last, NewChunk(emptyBatch(ctx, r.made)))
}

func (r *inTurn) worker(ctx context.Context) error {
	var hand chunkhand
	for {
		more, err := r.one(ctx, &hand)
		if err != nil || !more {
			return err
		}
	}
}

// one receives a chunk and does all there is to do with it. It returns false at the end of the input.
func (r *inTurn) one(ctx context.Context, hand *chunkhand) (more bool, err error) {
	select {
	case r.receiving <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	receiving := true
	letOthers := func() {
		if receiving {
			<-r.receiving
		}
		receiving = false
	}
	defer letOthers()
	m, err := r.in.Recv(ctx)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return false, err
	}
	defer m.Release()
	t := turn{wait: r.next, done: newLinks(), first: r.received}
	r.next = t.done
	chunk, err := checkedChunk(&m, &r.opened)
	if err == nil {
		r.received += chunk.Rows()
	}
	if err == nil && r.made == nil {
		r.made, err = r.work.schema(chunk.Schema())
	}
	if err != nil {
		return false, r.failInTurn(ctx, t, err)
	}
	if *hand == nil {
		*hand = r.work.hand()
	}
	if chunk.Content().Bytes[mem.Host] <= r.large {
		letOthers()
	}
	return true, r.pass(ctx, t, &m, chunk, *hand)
}

// pass works on a chunk, and sends what is left of it in its turn.
func (r *inTurn) pass(ctx context.Context, t turn, m *sluice.Message, chunk *Chunk, hand chunkhand) error {
	left, need, err := hand.look(chunk)
	if err != nil {
		return r.failInTurn(ctx, t, t.wrong(m.Seq(), err))
	}
	if err := await(ctx, t.wait.reserve); err != nil {
		return err
	}
	if left == leftMade {
		made, err := r.make(ctx, t, chunk, need, hand)
		if err != nil {
			return r.failInTurn(ctx, t, t.wrong(m.Seq(), err))
		}
		m.Replace(made)
	} else {
		close(t.done.reserve)
	}
	if err := await(ctx, t.wait.send); err != nil {
		return err
	}
	r.last = m.Seq()
	if left != leftNone {
		r.sent = true
		if err := r.out.Send(ctx, m); err != nil {
			return err
		}
	}
	close(t.done.send)
	return nil
}

// make makes the result of a chunk, in memory that it reserves first.
func (r *inTurn) make(
	ctx context.Context, t turn, chunk *Chunk, need int64, hand chunkhand,
) (*Chunk, error) {
	res, err := r.budget.reserve(ctx, need)
	if err != nil {
		return nil, err
	}
	defer res.Release()
	close(t.done.reserve)
	return hand.make(chunk, newAllocator(ctx, res))
}

// wrong says in which chunk an error is. One of a row has its number among all that were received instead.
func (t turn) wrong(chunk sluice.SeqNum, err error) error {
	var row *expr.RowError
	if errors.As(err, &row) {
		row.Row += t.first
		return err
	}
	return fmt.Errorf("chunk %d: %w", chunk, err)
}

// failInTurn returns the error when all chunks before this one were sent.
func (r *inTurn) failInTurn(ctx context.Context, t turn, err error) error {
	if waiting := await(ctx, t.wait.send); waiting != nil {
		return waiting
	}
	return err
}

func await(ctx context.Context, turn <-chan struct{}) error {
	select {
	case <-turn:
		return nil
	default:
	}
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
