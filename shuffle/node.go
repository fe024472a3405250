package shuffle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/seed14ed4225/sluice"
)

// Node is a node that splits what comes from all of the inputs by key, and sends the rows of
// partition i to output i, as they come: readers of different outputs never see the same key.
// Along each output, the rows of one input are in order.
//
// It collects payloads to split them together, up to 256 KiB for each output, or less under a
// limit of memory, where they can be spilled. They may come out spilled, too: have the port
// of the reader say At. An output that is full holds up all of them, so their readers must not
// wait for each other. One that was stopped gets nothing more, and the others go on; when all
// were stopped the node returns [sluice.ErrStopped]. No output at all is an error of the
// node.
func Node(name string, ins, outs []*sluice.Channel, by Partitioner) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	ins, outs = slices.Clone(ins), slices.Clone(outs)
	run := func(ctx context.Context) error {
		if len(outs) == 0 {
			return errors.New("nothing to shuffle to: it needs at least one output")
		}
		if by == nil {
			return errors.New("it needs a partitioner")
		}
		n := &node{outs: outs, seqs: make([]sluice.SeqNum, len(outs)), stopped: make([]bool, len(outs))}
		n.splitter = newSplitter(ctx, name, by, Parts{N: len(outs)}, nil)
		defer n.release()
		return n.run(ctx, ins)
	}
	reads := sluice.Reads(ins...)
	if by != nil {
		reads = reads.At(by.At())
	}
	return name, run, reads, sluice.Writes(outs...)
}

// node is a run of Node.
type node struct {
	*splitter
	outs    []*sluice.Channel
	seqs    []sluice.SeqNum // the next of each output
	stopped []bool

	collected []*item
	bytes     int64
	pieces    []*item // that are to be sent
	received  uint64
}

func (n *node) run(ctx context.Context, ins []*sluice.Channel) error {
	for most := n.batch(wantedPiece); ; {
		i, m, err := sluice.RecvAny(ctx, ins...)
		if errors.Is(err, io.EOF) {
			return n.flush(ctx)
		}
		if err != nil {
			return err
		}
		seq := m.Seq()
		if err := n.collect(&m); err != nil {
			return fmt.Errorf("message %d of channel %q: %w", seq, ins[i].Name(), err)
		}
		if n.bytes >= most {
			if err := n.flush(ctx); err != nil {
				return err
			}
		}
	}
}

// collect takes what is in a message, and releases the message.
func (n *node) collect(m *sluice.Message) error {
	defer m.Release()
	payload, err := sluice.Peek[any](m)
	if err != nil {
		return err
	}
	size, err := n.by.Measure(payload)
	if err != nil {
		return err
	}
	if payload, err = sluice.Take[any](m); err != nil {
		return err
	}
	n.received++
	it := newItem(payload, size)
	it.order = n.received
	n.shelf.put(it)
	n.collected = append(n.collected, it)
	n.bytes += size.Bytes
	return nil
}

// flush splits what was collected and sends the pieces.
func (n *node) flush(ctx context.Context) error {
	items := n.collected
	left, err := n.split(ctx, items, func(done, pieces []*item) {
		n.collected = n.collected[len(done):]
		n.shelf.put(pieces...)
		n.pieces = append(n.pieces, pieces...)
	})
	n.collected = left
	if err != nil {
		return err
	}
	n.bytes = 0
	for len(n.pieces) > 0 {
		if err := n.send(ctx, n.pieces[0]); err != nil {
			return err
		}
	}
	return nil
}

// send sends the first of the pieces, which it takes out of those that are left.
func (n *node) send(ctx context.Context, piece *item) error {
	if err := n.shelf.take(ctx, piece); err != nil {
		return err
	}
	n.pieces = n.pieces[1:]
	i := piece.row - 1
	m := sluice.NewMessage(n.seqs[i], piece.payload)
	defer m.Release()
	if n.stopped[i] {
		return nil
	}
	err := n.outs[i].Send(ctx, &m)
	n.seqs[i]++
	if errors.Is(err, sluice.ErrStopped) {
		n.stopped[i] = true
		if slices.Contains(n.stopped, false) {
			return nil
		}
	}
	return err
}

// release frees what was not sent.
func (n *node) release() {
	n.shelf.close()
	n.shelf.discard(n.collected...)
	n.shelf.discard(n.pieces...)
}
