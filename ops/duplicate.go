package ops

import (
	"context"
	"fmt"
	"time"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// duplicate returns a copy of a message, in memory that it reserves if the node's network
// has a budget. A payload that was spilled to disk is restored for that, to host memory:
// what can be copied where it is stays there.
func duplicate(ctx context.Context, in *sluice.Channel, m *sluice.Message) (sluice.Message, error) {
	r := mem.FromContext(ctx)
	if r == nil || bothOf(m) == (mem.Amount{}) {
		return m.Copy(ctx, nil)
	}
	res, err := roomForTwo(ctx, r, in, m)
	if err != nil {
		return sluice.Message{}, err
	}
	defer res.Release()
	if m.Content().In(mem.Disk) > 0 {
		if err := m.Restore(ctx, res); err != nil {
			return sluice.Message{}, err
		}
	}
	return m.Copy(ctx, res)
}

// roomForTwo reserves what a copy of the message takes, and what it takes to restore the
// message before. It may wait, and whoever waits must not hold memory that nobody can
// use: so the message can be spilled meanwhile, and then more is needed.
func roomForTwo(ctx context.Context, r *mem.Resource, in *sluice.Channel, m *sluice.Message) (*mem.Reservation, error) {
	for {
		need := bothOf(m)
		g := offer(ctx, r, in, m)
		res, err := r.ReserveAll(ctx, need)
		g.Remove()
		if err != nil || bothOf(m) == need {
			return res, err
		}
		res.Release() // it has gone to a slower kind, which cannot go on for ever
	}
}

// bothOf returns what must be reserved to restore a message and to copy it. A payload that
// knows what a copy takes says so; that of any other takes as much, of the same kinds, as it has alone.
func bothOf(m *sluice.Message) mem.Amount {
	need := m.Content().Bytes
	if p, err := sluice.Peek[interface{ CopyNeed() int64 }](m); err == nil {
		return mem.Of(mem.Host, p.CopyNeed()+need[mem.Disk])
	}
	need[mem.Host] += 2 * need[mem.Disk]
	need[mem.Disk] = 0
	return need
}

// offer lets a message be spilled that a node holds while it waits. The node removes the
// registration before it touches the message again.
func offer(ctx context.Context, r *mem.Resource, in *sluice.Channel, m *sluice.Message) *mem.Registration {
	payload, err := sluice.Peek[mem.Spillable](m)
	if err != nil || !payload.Content().Spillable {
		return nil
	}
	return r.RegisterSource(ctx, fmt.Sprintf("message %d of channel %q", m.Seq(), in.Name()), &inHand{payload})
}

// inHand is a message that its node needs as soon as it goes on: the last to be spilled.
type inHand struct{ mem.Spillable }

func (h *inHand) Victims(_ mem.Kind, yield func(mem.Victim) bool) { yield(h) }

func (h *inHand) NeededIn() time.Duration { return 0 }
