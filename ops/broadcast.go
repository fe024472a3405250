package ops

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed14ed4225/sluice"
)

// Broadcast sends every message to every output, in order: a fan-out.
//
// Without a backlog the outputs go in step: the next message is read when each of
// them has taken this one. Each takes it as soon as it has room, whatever the others
// do, so that readers may look at the outputs in any order. A reader that wants
// several messages of one output before the first of another needs as many slots in
// the other channel, or a backlog: [BacklogMessages], [BacklogBytes],
// [BacklogUnbounded].
//
// An output that was stopped gets nothing more, and the others go on. When all were
// stopped the node returns [sluice.ErrStopped]. At the end of the input the node
// stays until every output has taken everything or was stopped. Fewer than two
// outputs are an error of the node.
//
// The output that takes a message last, into itself or into its backlog, gets the
// original, and the receipt with it: a ticket that is held does not come back before
// all of them have taken the message. The others get copies that the payload's own
// Copy method makes, one at a time, and none for outputs that have gone. An error of
// Copy ends the node; so does a payload without that method
// ([sluice.ErrNotCopyable]), unless it is [Shared]. In a network with memory the room
// for each copy is reserved, which may wait: as many bytes of host memory as the payload's
// CopyNeed() int64 says, or else as many as its Content has, of the same kinds; what was spilled to disk is restored to
// host memory first.
//
// The input's side channel is passed on with the option [SideChannel] only.
func Broadcast(name string, in *sluice.Channel, outs []*sluice.Channel, opts ...BroadcastOption) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	b := &broadcast{in: in, outs: slices.Clone(outs)}
	for _, opt := range opts {
		opt(b)
	}
	return name, b.run, sluice.Reads(in), sluice.Writes(b.outs...)
}

// A BroadcastOption sets up a [Broadcast].
type BroadcastOption func(*broadcast)

// Shared says that payloads are values that nobody changes and nobody has to
// release: every output gets the same one, and Copy is not called. It is meant for
// plain Go values, such as strings and numbers. A payload with a Release method is
// an error, because each of the outputs would release it.
func Shared() BroadcastOption { return func(b *broadcast) { b.shared = true } }

type broadcast struct {
	in       *sluice.Channel
	outs     []*sluice.Channel
	shared   bool
	side     bool
	sideDone chan struct{} // closed when the side channel was passed on, to its end
	backlog  backlog
}

func (b *broadcast) run(ctx context.Context) error {
	if n := len(b.outs); n < 2 {
		return fmt.Errorf("a broadcast into %d outputs: it needs at least two; use the channel itself for one", n)
	}
	if err := b.backlog.check(); err != nil {
		return err
	}
	if b.backlog.none() && !b.side {
		return b.spread(ctx, ctx, b.outs)
	}

	g := newGroup(ctx)
	defer g.end()
	b.sideDone = make(chan struct{})
	if b.side {
		g.start(b.forwardSide)
	} else {
		close(b.sideDone)
	}
	if b.backlog.none() {
		g.do(func(ctx context.Context) error { return b.spread(ctx, ctx, b.outs) })
	} else {
		b.spreadBehind(ctx, g)
	}
	return g.wait()
}

// spread gives every message to all of the outputs, and reads the next one then.
// Sending is the context of the sends.
func (b *broadcast) spread(ctx, sending context.Context, outs []*sluice.Channel) error {
	live := slices.Clone(outs)
	rest := make([]*sluice.Channel, len(outs))
	return each(ctx, b.in, func(m *sluice.Message) error {
		live = slices.DeleteFunc(live, stopped)
		return b.give(ctx, sending, m, append(rest[:0], live...))
	})
}

// stopped spares those who have gone a copy. It may be too late to see it, and then
// the copy comes back from the send.
func stopped(c *sluice.Channel) bool { return c.Stats().State == "stopped" }

// give moves m into all of the outputs, each as soon as it has room. It fails with
// ErrStopped when none of them wants it. The slice of outputs is used up.
func (b *broadcast) give(ctx, sending context.Context, m *sluice.Message, rest []*sluice.Channel) error {
	taken := false
	for len(rest) > 0 {
		i, err := b.giveOne(ctx, sending, m, rest)
		if errors.Is(err, sluice.ErrStopped) {
			break // all the rest left meanwhile
		}
		if err != nil {
			return err
		}
		taken = true
		last := len(rest) - 1
		rest[i] = rest[last]
		rest = rest[:last]
	}
	if !taken {
		return sluice.ErrStopped
	}
	return nil
}

// giveOne sends to the first output that has room: m itself if there is just one
// output, or else a copy of it.
func (b *broadcast) giveOne(ctx, sending context.Context, m *sluice.Message, outs []*sluice.Channel) (i int, err error) {
	if len(outs) == 1 {
		return 0, outs[0].Send(sending, m)
	}
	c, err := b.copy(ctx, m)
	if err != nil {
		return -1, at(b.in, m, err)
	}
	defer c.Release()
	return sluice.SendAny(sending, &c, outs...)
}

func (b *broadcast) copy(ctx context.Context, m *sluice.Message) (sluice.Message, error) {
	if !b.shared {
		c, err := duplicate(ctx, b.in, m)
		if errors.Is(err, sluice.ErrNotCopyable) {
			err = fmt.Errorf("%w; if it is never changed, the option Shared sends the same one to all", err)
		}
		return c, err
	}
	payload, err := sluice.Peek[any](m)
	if _, owned := payload.(interface{ Release() }); owned {
		err = fmt.Errorf("a payload of type %T has a Release method and cannot be shared; leave out the option Shared and give it a Copy method", payload)
	}
	return sluice.NewMessage(m.Seq(), payload), err
}
