package ops_test

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/ops"
)

func TestPushNumbersItsValues(t *testing.T) {
	for _, test := range []struct {
		opts []ops.SourceOption
		want []int
	}{
		{nil, []int{0, 1, 2}},
		{[]ops.SourceOption{ops.Numbered(5, 10)}, []int{5, 15, 25}},
	} {
		var ledger ledger
		chunks := make([]*chunk, 3)
		for i, n := range test.want {
			chunks[i] = ledger.chunk(n, false)
		}
		net := sluice.NewNetwork("push")
		outs := channels(net, "out", 2)
		net.Node(ops.PushSlice("slice", outs[0], chunks, test.opts...))
		net.Node(ops.Push("sequence", outs[1], func(yield func(*chunk) bool) {
			for _, n := range test.want {
				if !yield(ledger.chunk(n, false)) {
					return
				}
			}
		}, test.opts...))
		for _, r := range readers(net, outs) {
			defer func() { wantNumbers(t, r.in.Name(), r.seqs, test.want) }()
		}
		run(t, net)
		ledger.check(t)
	}
}

// A sequence can be without end, and hears about it when nobody wants more of it.
func TestPushTellsTheSequenceThatItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ledger ledger
		told := false
		var forever iter.Seq[*chunk] = func(yield func(*chunk) bool) {
			for n := 0; ; n++ {
				if !yield(ledger.chunk(n, false)) {
					told = true
					return
				}
			}
		}
		net := sluice.NewNetwork("push")
		out := net.Channel("out")
		net.Node(ops.Push("source", out, forever))
		r := readers(net, []*sluice.Channel{out})[0]
		r.then = func(context.Context, int) error { return nil }
		run(t, net)
		if !told {
			t.Error("the sequence was not told")
		}
		ledger.check(t)
	})
}

func TestPushSliceReleasesWhatItCouldNotSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ledger ledger
		chunks := make([]*chunk, 20)
		for n := range chunks {
			chunks[n] = ledger.chunk(n, false)
		}
		net := sluice.NewNetwork("push")
		out := net.Channel("out")
		net.Node(ops.PushSlice("source", out, chunks))
		r := readers(net, []*sluice.Channel{out})[0]
		r.then = func(_ context.Context, read int) error {
			if read == 5 {
				return nil
			}
			return errNext
		}
		run(t, net)
		ledger.check(t)
		if slices.Contains(chunks, nil) {
			t.Error("the caller's slice was changed")
		}
	})
}

// What was pulled is the caller's, also of a network that failed.
func TestPullKeepsWhatItHasWhenTheNetworkFails(t *testing.T) {
	var ledger ledger
	net := sluice.NewNetwork("pull")
	in := net.Channel("in")
	net.Node("source", func(ctx context.Context) error {
		for n := range 5 {
			if err := ledger.send(ctx, in, n); err != nil {
				return err
			}
		}
		return errBoom
	}, sluice.Writes(in))
	var got []*chunk
	net.Node(ops.Pull("sink", in, &got))
	if err := fails(t, net); !errors.Is(err, errBoom) {
		t.Errorf("Run returned %v", err)
	}
	for _, c := range got {
		c.Release()
	}
	ledger.check(t)
}

func TestMapKeepsNumbers(t *testing.T) {
	net := sluice.NewNetwork("map")
	numbers, words := net.Channel("numbers"), net.Channel("words")
	net.Node(ops.PushSlice("source", numbers, []int{3, 1, 2}, ops.Numbered(7, 2)))
	net.Node(ops.Map("spell", numbers, words, func(_ context.Context, n int) (string, error) {
		return strconv.Itoa(n), nil
	}))
	var got []string
	net.Node("sink", func(ctx context.Context) error {
		for m, err := range words.All(ctx) {
			if err != nil {
				return err
			}
			word, err := sluice.Take[string](&m)
			if err != nil {
				return err
			}
			got = append(got, word+" is "+strconv.Itoa(int(m.Seq())))
		}
		return nil
	}, sluice.Reads(words))
	run(t, net)
	if want := []string{"3 is 7", "1 is 9", "2 is 11"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A payload is f's once it is called, so the node does not release it.
func TestMapErrorNamesTheMessage(t *testing.T) {
	for _, how := range []string{"error", "panic"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ledger ledger
				net := sluice.NewNetwork("map")
				in, out := net.Channel("in"), net.Channel("out")
				source, port := ledger.numbers(in, upTo(10, 0, 1)...)
				net.Node("source", source, port)
				net.Node(ops.Map("map", in, out, func(_ context.Context, c *chunk) (*chunk, error) {
					if c.n < 4 {
						return c, nil
					}
					c.Release()
					if how == "panic" {
						panic(errBoom)
					}
					return nil, errBoom
				}))
				readers(net, []*sluice.Channel{out})
				err := fails(t, net)
				if !errors.Is(err, errBoom) {
					t.Errorf("Run returned %v", err)
				}
				if how == "error" && !strings.Contains(err.Error(), `node "map": message 4 of channel "in": boom`) {
					t.Errorf("Run returned %v", err)
				}
				ledger.check(t)
			})
		})
	}
}

func TestMapToNilIsAnError(t *testing.T) {
	net := sluice.NewNetwork("map")
	in, out := net.Channel("in"), net.Channel("out")
	net.Node(ops.PushSlice("source", in, []int{1}))
	net.Node(ops.Map("map", in, out, func(context.Context, int) (any, error) { return nil, nil }))
	readers(net, []*sluice.Channel{out})
	err := fails(t, net)
	if !errors.Is(err, sluice.ErrEmptyMessage) || !strings.Contains(err.Error(), `node "map": message 0 to channel "out"`) {
		t.Errorf("Run returned %v", err)
	}
}

func TestPayloadThatAChannelDoesNotTakeNamesBoth(t *testing.T) {
	for name, add := range map[string]func(net *sluice.Network, out *sluice.Channel) error{
		"map": func(net *sluice.Network, out *sluice.Channel) error {
			in := net.Channel("in")
			net.Node(ops.PushSlice("source", in, []int{1}, ops.Numbered(6, 1)))
			net.Node(ops.Map("subject", in, out, func(_ context.Context, n int) (int, error) { return n, nil }))
			return nil
		},
		"push": func(net *sluice.Network, out *sluice.Channel) error {
			net.Node(ops.PushSlice("subject", out, []int{1}, ops.Numbered(6, 1)))
			return nil
		},
		"push under a throttle": func(net *sluice.Network, out *sluice.Channel) error {
			throttle, err := sluice.NewThrottle(out, 1)
			net.Node(ops.PushSlice("subject", out, []int{1}, ops.Numbered(6, 1), ops.Under(throttle)))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			net := sluice.NewNetwork("types")
			out := net.Channel("out", sluice.Of[string]())
			if err := add(net, out); err != nil {
				t.Fatal(err)
			}
			var got []string
			net.Node(ops.Pull("sink", out, &got))
			err := fails(t, net)
			var wrong *sluice.TypeError
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), `node "subject": message 6 to channel "out"`) {
				t.Errorf("Run returned %v", err)
			}
		})
	}
}

func TestFilterKeepsSomeAndReleasesTheOthers(t *testing.T) {
	var ledger ledger
	net := sluice.NewNetwork("filter")
	in, out := net.Channel("in"), net.Channel("out")
	source, port := ledger.numbers(in, upTo(10, 0, 1)...)
	net.Node("source", source, port)
	net.Node(ops.Filter("filter", in, out, func(c *chunk) bool { return c.n%3 == 0 }))
	r := readers(net, []*sluice.Channel{out})[0]
	run(t, net)
	wantNumbers(t, "the output", r.seqs, []int{0, 3, 6, 9})
	ledger.check(t)
}

func TestPayloadOfTheWrongTypeNamesChannelAndMessage(t *testing.T) {
	var got []string
	for name, add := range map[string]func(net *sluice.Network, in, out *sluice.Channel){
		"map": func(net *sluice.Network, in, out *sluice.Channel) {
			net.Node(ops.Map("subject", in, out, func(_ context.Context, s string) (string, error) { return s, nil }))
			net.Node(ops.Pull("sink", out, &got))
		},
		"filter": func(net *sluice.Network, in, out *sluice.Channel) {
			net.Node(ops.Filter("subject", in, out, func(string) bool { return true }))
			net.Node(ops.Pull("sink", out, &got))
		},
		"pull": func(net *sluice.Network, in, out *sluice.Channel) {
			net.Node(ops.Pull("subject", in, &got))
			net.Node(ops.PushSlice("other source", out, []string{}))
			net.Node(ops.Pull("sink", out, &got))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var ledger ledger
			net := sluice.NewNetwork("types")
			in, out := net.Channel("in"), net.Channel("out")
			source, port := ledger.numbers(in, 3)
			net.Node("source", source, port)
			add(net, in, out)
			err := fails(t, net)
			var wrong *sluice.TypeError
			if !errors.As(err, &wrong) || wrong.Got != reflect.TypeFor[*chunk]() {
				t.Errorf("Run returned %v, want a TypeError", err)
			}
			if !strings.Contains(err.Error(), `node "subject": message 3 of channel "in"`) {
				t.Errorf("Run returned %v", err)
			}
			ledger.check(t)
		})
	}
}
