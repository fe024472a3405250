package ops_test

import (
	"context"
	"testing"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/ops"
)

// padded is a payload of which a copy takes more than it has.
type padded struct{ *mem.Buffer }

func (p *padded) CopyNeed() int64 { return p.Size() + 60 }

func (p *padded) Copy(_ context.Context, res *mem.Reservation) (any, error) {
	b, err := res.Alloc(mem.Host, p.CopyNeed(), nil)
	if err != nil {
		return nil, err
	}
	return &padded{b}, nil
}

func TestABroadcastReservesWhatAPayloadSaysThatACopyTakes(t *testing.T) {
	r, err := mem.New(mem.Options{Limits: [mem.Kinds]mem.Limit{
		mem.Device: mem.Bytes(0), mem.Pinned: mem.Bytes(0), mem.Host: mem.Bytes(1 << 10), mem.Disk: mem.Bytes(0),
	}})
	if err != nil {
		t.Fatal(err)
	}
	net := sluice.NewNetwork("broadcast", sluice.WithMemory(r))
	in := net.Channel("in")
	outs := []*sluice.Channel{net.Channel("a"), net.Channel("b")}
	net.Node("source", func(ctx context.Context) error {
		res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, 4)
		if err != nil {
			return err
		}
		defer res.Release()
		b, err := res.Alloc(mem.Host, 4, nil)
		if err != nil {
			return err
		}
		m := sluice.NewMessage(0, &padded{b})
		defer m.Release()
		return in.Send(ctx, &m)
	}, sluice.Writes(in))
	net.Node(ops.Broadcast("both", in, outs))
	sizes := make([]int64, len(outs))
	for i, out := range outs {
		net.Node(out.Name(), func(ctx context.Context) error {
			for m, err := range out.All(ctx) {
				if err != nil {
					return err
				}
				sizes[i] += m.Content().In(mem.Host)
				m.Release()
			}
			return nil
		}, sluice.Reads(out))
	}
	if err := net.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sizes[0]+sizes[1] != 4+64 {
		t.Errorf("%v bytes", sizes)
	}
	if s := r.Stats().Kinds[mem.Host]; s.Peak != 4+64 || s.Used != 0 || s.Reserved != 0 {
		t.Errorf("%+v", s)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
