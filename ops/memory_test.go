package ops_test

import (
	"context"
	"testing"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/ops"
)

// What an ordered merge holds while it waits for the other inputs makes room for the
// one that it waits for.
func TestWhatAnOrderedMergeHoldsIsSpilledForWhoItWaitsFor(t *testing.T) {
	const size = 1 << 20
	r, err := mem.New(mem.Options{
		Limits: [mem.Kinds]mem.Limit{
			mem.Device: mem.Bytes(0), mem.Pinned: mem.Bytes(0), mem.Host: mem.Bytes(size), mem.Disk: mem.Bytes(8 * size),
		},
		SpillDir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	net := sluice.NewNetwork("merge", sluice.WithMemory(r))
	ins := []*sluice.Channel{net.Channel("late"), net.Channel("early")}
	out := net.Channel("out")
	taken := make(chan struct{}) // the merge holds number 1
	for i, in := range ins {
		net.Node(in.Name(), func(ctx context.Context) error {
			if i == 0 {
				<-taken
			}
			res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, size) // all there is
			if err != nil {
				return err
			}
			defer res.Release()
			b, err := res.Alloc(mem.Host, size, nil)
			if err != nil {
				return err
			}
			m := sluice.NewMessage(sluice.SeqNum(i), b)
			defer m.Release()
			if err := in.Send(ctx, &m); err != nil {
				return err
			}
			if i == 1 {
				if err := in.Drain(ctx); err != nil { // the merge has it
					return err
				}
				close(taken)
			}
			return nil
		}, sluice.Writes(in))
	}
	net.Node(ops.OrderedMerge("merge", ins, out))
	var got []sluice.SeqNum
	net.Node("sink", func(ctx context.Context) error {
		for m, err := range out.All(ctx) {
			if err != nil {
				return err
			}
			got = append(got, m.Seq())
			m.Release()
		}
		return nil
	}, sluice.Reads(out).At(mem.Host))
	if err := net.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0] != 0 || got[1] != 1 {
		t.Errorf("received %v", got)
	}
	if s := r.Stats().Kinds[mem.Host]; s.Spilled < size || s.Overbooked != 0 {
		t.Errorf("%+v", s)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
