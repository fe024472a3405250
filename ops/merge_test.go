package ops_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/ops"
)

func TestMergeSendsOnWhateverComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ledger ledger
		net := sluice.NewNetwork("merge")
		ins := channels(net, "in", 3)
		out := net.Channel("out")
		for i, in := range ins {
			net.Node(in.Name(), func(ctx context.Context) error {
				for k := range 4 {
					time.Sleep([]time.Duration{1, 10, 100}[i] * time.Millisecond)
					if err := ledger.send(ctx, in, 10*i+k); err != nil {
						return err
					}
				}
				return nil
			}, sluice.Writes(in))
		}
		net.Node(ops.Merge("merge", ins, out))
		r := readers(net, []*sluice.Channel{out})[0]
		run(t, net)
		wantNumbers(t, "the output", r.seqs, []int{0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23})
		ledger.check(t)
	})
}

// All inputs have a message at all times; none gets much more or less than its share.
func TestMergePassesOverNoInput(t *testing.T) {
	ins := make([]*sluice.Channel, 4)
	for i := range ins {
		ins[i] = sluice.NewChannel("in", sluice.Slots(1000))
		for n := range 1000 {
			m := sluice.NewMessage(sluice.SeqNum(n), i)
			if err := ins[i].Send(t.Context(), &m); err != nil {
				t.Fatal(err)
			}
		}
		ins[i].Close()
	}
	out := sluice.NewChannel("out", sluice.Slots(4000))
	_, merge, _, _ := ops.Merge("merge", ins, out)
	if err := merge(t.Context()); err != nil {
		t.Fatal(err)
	}
	from := make([]int, 4)
	for range 2000 {
		m, err := out.Recv(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i, err := sluice.Take[int](&m)
		if err != nil {
			t.Fatal(err)
		}
		from[i]++
	}
	if slices.Min(from) < 400 {
		t.Errorf("of the first 2000 messages, the inputs have sent %v", from)
	}
}

func TestMergeOfNothingIsEmpty(t *testing.T) {
	net := sluice.NewNetwork("merge")
	out := net.Channel("out")
	net.Node(ops.Merge("merge", nil, out))
	r := readers(net, []*sluice.Channel{out})[0]
	run(t, net)
	wantNumbers(t, "the output", r.seqs, nil)
}
