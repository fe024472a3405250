package shuffle_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/shuffle"
)

// sends is a node that sends payloads of rows.
func sends(out *sluice.Channel, payloads [][]record) (func(context.Context) error, sluice.Port) {
	return func(ctx context.Context) error {
		for i, rows := range payloads {
			r, err := reserved(ctx, rows)
			if err != nil {
				return err
			}
			m := sluice.NewMessage(sluice.SeqNum(i), r)
			if err := out.Send(ctx, &m); err != nil {
				m.Release()
				return err
			}
		}
		return nil
	}, sluice.Writes(out)
}

// receives is a node that receives payloads, at most so many if that is not 0.
func receives(in *sluice.Channel, got *[]record, most int) (func(context.Context) error, sluice.Port) {
	return func(ctx context.Context) error {
		n := 0
		for m, err := range in.All(ctx) {
			if err != nil {
				return err
			}
			r, err := sluice.Peek[*records](&m)
			if err == nil {
				var rows []record
				rows, err = r.rows()
				*got = append(*got, rows...)
			}
			m.Release()
			if err != nil {
				return err
			}
			if n++; n == most {
				return nil
			}
		}
		return nil
	}, sluice.Reads(in).At(mem.Host)
}

func TestANodeSendsEachKeyOneWay(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		inputs, outputs := rapid.IntRange(1, 3).Draw(t, "inputs"), rapid.IntRange(1, 4).Draw(t, "outputs")
		payloads, all := drawInput(t, inputs)
		var r *mem.Resource
		if limit := rapid.SampledFrom([]int64{0, 8 << 10, 1 << 20}).Draw(t, "limit"); limit > 0 {
			var check func()
			r, check = newMemory(t, dir, limit)
			defer check()
		}
		failAt := rapid.SampledFrom([]int64{0, 0, 0, 1, 3}).Draw(t, "split that fails")
		by := &byKey{onSplit: func(n int64) error {
			if n == failAt {
				return errBoom
			}
			return nil
		}}
		net := sluice.NewNetwork("test", sluice.WithMemory(r))
		var ins, outs []*sluice.Channel
		for i := range inputs {
			in := net.Channel(fmt.Sprint("in", i))
			run, port := sends(in, payloads[i])
			net.Node(fmt.Sprint("source", i), run, port)
			ins = append(ins, in)
		}
		got := collected{rows: make([][]record, outputs)}
		for i := range outputs {
			out := net.Channel(fmt.Sprint("out", i))
			run, port := receives(out, &got.rows[i], 0)
			net.Node(fmt.Sprint("sink", i), run, port)
			outs = append(outs, out)
		}
		net.Node(shuffle.Node("shuffle", ins, outs, by))
		switch err := net.Run(context.Background()); {
		case err == nil:
			got.check(t, [][]record{all})
		case errors.Is(err, errBoom) && failAt > 0:
		default:
			t.Fatalf("%v", err)
		}
	})
}

func TestANodeGoesOnWithoutAnOutputThatWasStopped(t *testing.T) {
	r, check := newMemory(t, t.TempDir(), 32<<10)
	defer check()
	net := sluice.NewNetwork("test", sluice.WithMemory(r))
	in, outs := net.Channel("in"), []*sluice.Channel{net.Channel("even"), net.Channel("odd")}
	var payloads [][]record
	for i := range 64 {
		payloads = append(payloads, rowsOf(0, i*32, 32))
	}
	run, port := sends(in, payloads)
	net.Node("source", run, port)
	got := make([][]record, 2)
	for i, most := range []int{1, 0} {
		run, port := receives(outs[i], &got[i], most)
		net.Node(outs[i].Name(), run, port)
	}
	net.Node(shuffle.Node("shuffle", []*sluice.Channel{in}, outs, new(byKey)))
	if err := net.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(got[0]) == 0 || len(got[0]) >= 1024 || len(got[1]) != 1024 {
		t.Errorf("%d and %d rows were received, want some and 1024", len(got[0]), len(got[1]))
	}
	var odd []record
	for _, row := range slices.Concat(payloads...) {
		if row.key%2 == 1 {
			odd = append(odd, row)
		}
	}
	if !slices.Equal(got[1], odd) {
		t.Errorf("the odd rows are not in order")
	}
}

func TestANodeWhoseOutputsWereAllStoppedEndsWell(t *testing.T) {
	net := sluice.NewNetwork("test")
	in, out := net.Channel("in"), net.Channel("out")
	sent := 0
	net.Node("source", func(ctx context.Context) error {
		for ; ; sent++ { // for ever
			r, err := reserved(ctx, rowsOf(0, sent*4096, 4096))
			if err != nil {
				return err
			}
			m := sluice.NewMessage(sluice.SeqNum(sent), r)
			if err := in.Send(ctx, &m); err != nil {
				m.Release()
				return err
			}
		}
	}, sluice.Writes(in))
	var got []record
	run, port := receives(out, &got, 1)
	net.Node("sink", run, port)
	net.Node(shuffle.Node("shuffle", []*sluice.Channel{in}, []*sluice.Channel{out}, new(byKey)))
	if err := net.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestANodeSaysWhatItCannotWorkWith(t *testing.T) {
	for want, nodes := range map[string]func(net *sluice.Network, in *sluice.Channel){
		"nothing to shuffle to: it needs at least one output": func(net *sluice.Network, in *sluice.Channel) {
			net.Node(shuffle.Node("shuffle", []*sluice.Channel{in}, nil, new(byKey)))
		},
		`message 0 of channel "in": string is no records`: func(net *sluice.Network, in *sluice.Channel) {
			out := net.Channel("out")
			net.Node(shuffle.Node("shuffle", []*sluice.Channel{in}, []*sluice.Channel{out}, new(byKey)))
			run, port := receives(out, new([]record), 0)
			net.Node("sink", run, port)
		},
	} {
		net := sluice.NewNetwork("test")
		in := net.Channel("in")
		net.Node("source", func(ctx context.Context) error {
			m := sluice.NewMessage(0, "text")
			defer m.Release()
			return in.Send(ctx, &m)
		}, sluice.Writes(in))
		nodes(net, in)
		var failed *sluice.NodeError
		if err := net.Run(t.Context()); !errors.As(err, &failed) || failed.Node != "shuffle" || failed.Err.Error() != want {
			t.Errorf("Run returned %v, want %s", err, want)
		}
	}
}
