package ops

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/internal/wait"
)

// BacklogMessages lets each output of a [Broadcast] fall behind by n messages, and
// the one that is on its way into the output. With n < 1 the node fails.
//
// With a backlog, of this or another kind, outputs end at different times: each is
// closed as soon as it has taken everything, so that a reader can finish one and then
// begin with another. Nobody else may write to them; who does gets
// [sluice.ErrClosed].
func BacklogMessages(n int) BroadcastOption {
	return func(b *broadcast) {
		b.backlog.messages = n
		b.backlog.byMessages = true
	}
}

// BacklogBytes lets each output of a [Broadcast] fall behind by n bytes, as the
// Content of the payloads gives them, and the message that is on its way into the
// output. One message of any size always fits. Plain Go values weigh nothing: bound
// them with [BacklogMessages], alone or in addition. With n < 1 the node fails.
func BacklogBytes(n int64) BroadcastOption {
	return func(b *broadcast) {
		b.backlog.bytes = n
		b.backlog.byBytes = true
	}
}

// BacklogUnbounded lets each output of a [Broadcast] fall behind by any number of
// messages, so that no output ever waits for another. A reader that takes the
// outputs one after another makes the backlog hold the whole stream.
func BacklogUnbounded() BroadcastOption {
	return func(b *broadcast) { b.backlog.unbounded = true }
}

// backlog is how far an output may fall behind. The zero value is not at all.
type backlog struct {
	messages   int
	bytes      int64
	byMessages bool
	byBytes    bool
	unbounded  bool
}

func (l backlog) none() bool { return !l.byMessages && !l.byBytes && !l.unbounded }

func (l backlog) check() error {
	switch {
	case l.unbounded && (l.byMessages || l.byBytes):
		return errors.New("the backlog is both bounded and unbounded: leave one of the options out")
	case l.byMessages && l.messages < 1:
		return fmt.Errorf("a backlog of %d messages: it must be at least 1; leave the option out for none", l.messages)
	case l.byBytes && l.bytes < 1:
		return fmt.Errorf("a backlog of %d bytes: it must be at least 1; leave the option out for none", l.bytes)
	}
	return nil
}

// channel returns the queue that holds the backlog of an output.
func (l backlog) channel(out *sluice.Channel) *sluice.Channel {
	slots := sluice.Slots(math.MaxInt)
	if l.byMessages {
		slots = sluice.Slots(l.messages)
	}
	name := out.Name() + " (backlog)"
	if l.byBytes {
		return sluice.NewChannel(name, slots, sluice.Bytes(l.bytes))
	}
	return sluice.NewChannel(name, slots)
}

// spreadBehind is spread with a queue before each output, which a goroutine empties
// into it. A queue has one writer and one reader here, who end it as a network would:
// the reader stops it, whatever made it end, and the writer closes it, but only at
// the end of the input, so that no failure is taken for the end of the stream. What
// waits in a queue can be spilled.
func (b *broadcast) spreadBehind(ctx context.Context, g *group) {
	queues := make([]*sluice.Channel, len(b.outs))
	var live atomic.Int64
	live.Store(int64(len(b.outs)))
	for i, out := range b.outs {
		queue := b.backlog.channel(out)
		queues[i] = queue
		leave := queue.KeepIn(ctx)
		g.start(func(ctx context.Context) error {
			defer leave()
			defer queue.Stop()
			err := b.catchUp(ctx, queue, out)
			if errors.Is(err, sluice.ErrStopped) && live.Add(-1) > 0 {
				return nil // the others go on
			}
			return err
		})
	}
	g.do(func(ctx context.Context) error {
		err := b.spread(ctx, unrecorded(ctx), queues)
		if err != nil && !errors.Is(err, sluice.ErrStopped) { // who stopped the queues says why
			return err
		}
		for _, queue := range queues {
			queue.Close()
		}
		return nil
	})
}

// catchUp sends a whole queue to its output and closes that. The network would close
// it when the node returns, but that waits for all outputs, and a reader that wants
// the end of this one before it looks at the others would wait for ever.
func (b *broadcast) catchUp(ctx context.Context, queue, out *sluice.Channel) error {
	err := each(unrecorded(ctx), queue, func(m *sluice.Message) error { return out.Send(ctx, m) })
	if err != nil {
		return err
	}
	select {
	case <-b.sideDone: // closing the output closes its side channel
		out.Close()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unrecorded is for waits inside the node, which are no waits of the node: as much as
// its goroutines wait for each other at their queues, the network shall see how long
// they wait for the input and the outputs.
func unrecorded(ctx context.Context) context.Context { return wait.NewContext(ctx, nil) }
