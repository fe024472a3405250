package ops_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/ops"
)

// join is a network of a source for each input, an ordered merge, and a reader.
type join struct {
	net    *sluice.Network
	ledger ledger
	reader *reader
}

func newJoin(inputs [][]int, opts ...ops.OrderedMergeOption) *join {
	j := &join{net: sluice.NewNetwork("join")}
	ins := channels(j.net, "in", len(inputs))
	out := j.net.Channel("out")
	for i, seqs := range inputs {
		source, port := j.ledger.numbers(ins[i], seqs...)
		j.net.Node(fmt.Sprint("source ", i), source, port.Unordered())
	}
	j.net.Node(ops.OrderedMerge("merge", ins, out, opts...))
	j.reader = readers(j.net, []*sluice.Channel{out})[0]
	return j
}

func TestHundredProducersArriveTotallyOrdered(t *testing.T) {
	const producers, messages = 100, 30_000
	for name, opts := range map[string][]ops.OrderedMergeOption{"gaps allowed": nil, "dense": {ops.Dense(0)}} {
		t.Run(name, func(t *testing.T) {
			inputs := make([][]int, producers)
			for i := range inputs {
				inputs[i] = upTo(messages, i, producers)
			}
			j := newJoin(inputs, opts...)
			run(t, j.net)
			if !slices.Equal(j.reader.seqs, upTo(messages, 0, 1)) {
				t.Errorf("%d numbers arrived, in order: %v", len(j.reader.seqs), slices.IsSorted(j.reader.seqs))
			}
			j.ledger.check(t)
		})
	}
}

func TestOrderedMergeOfAPartitionIsTheSequence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dense := rapid.Bool().Draw(t, "dense")
		seqs := upTo(rapid.IntRange(0, 200).Draw(t, "messages"), 0, 1)
		if !dense {
			seqs = slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(rapid.IntRange(0, 1000), 0, 200).Draw(t, "numbers"))))
		}
		inputs := make([][]int, rapid.IntRange(1, 12).Draw(t, "inputs"))
		for _, n := range seqs {
			i := rapid.IntRange(0, len(inputs)-1).Draw(t, "goes to")
			inputs[i] = append(inputs[i], n)
		}
		var opts []ops.OrderedMergeOption
		if dense {
			opts = append(opts, ops.Dense(0))
		}
		j := newJoin(inputs, opts...)
		if err := j.net.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(j.reader.seqs, seqs) {
			t.Errorf("%v became %v", inputs, j.reader.seqs)
		}
		if j.ledger.live() > 0 {
			t.Error("payloads were not released")
		}
	})
}

// What comes is checked, so that a mistake before it is not passed on as order.
func TestOrderedMergeNamesWhatIsOutOfOrder(t *testing.T) {
	dense := []ops.OrderedMergeOption{ops.Dense(1)}
	for _, test := range []struct {
		name   string
		inputs [][]int
		opts   []ops.OrderedMergeOption
		want   error
		text   string
	}{
		{"falls within an input", [][]int{{1, 5, 3}, {2, 9}}, nil, ops.ErrOutOfOrder, `number 3 comes from channel "in0" after 5`},
		{"falls to zero", [][]int{{1, 0}, nil}, nil, ops.ErrOutOfOrder, `number 0 comes from channel "in0" after 1`},
		{"stays within an input", [][]int{{1, 4}, {2, 2}}, nil, ops.ErrOutOfOrder, `number 2 comes from channel "in1" after 2`},
		{"zero twice within an input", [][]int{{0, 0}, nil}, nil, ops.ErrOutOfOrder, `number 0 comes from channel "in0" after 0`},
		{"comes from two inputs", [][]int{{1, 4, 6}, {2, 4}}, nil, ops.ErrOutOfOrder, `number 4 comes from channel`},
		{"zero comes from two inputs", [][]int{{0}, {0}}, nil, ops.ErrOutOfOrder, `number 0 comes from channel`},
		{"dense, comes from two inputs", [][]int{{1, 3}, {2, 3}}, dense, ops.ErrOutOfOrder, `number 3 comes from channel`},
		{"dense, before the first", [][]int{{0, 2}, {3}}, dense, ops.ErrOutOfOrder, `number 0 comes from channel "in0" when the next is 1`},
		{"dense, again and late", [][]int{{1, 3, 4}, {2, 5}, {1}}, dense, ops.ErrOutOfOrder, `number 1 comes from channel`},
		{"dense, the first is missing", [][]int{{2, 3}, {4}}, dense, ops.ErrMissing, `number 1 comes from no input, the next is 2 of channel "in0"`},
		{"dense, one is missing", [][]int{{1, 3}, {2, 5, 6}}, dense, ops.ErrMissing, `number 4 comes from no input, the next is 5 of channel "in1"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJoin(test.inputs, test.opts...)
				err := fails(t, j.net)
				if !errors.Is(err, test.want) || !strings.Contains(err.Error(), `node "merge": `+test.text) {
					t.Errorf("Run returned %v, want %q", err, test.text)
				}
				j.ledger.check(t)
			})
		})
	}
}

func TestOrderedMergeOfNothingIsEmpty(t *testing.T) {
	for _, inputs := range [][][]int{{}, {nil}, {nil, nil, nil}} {
		j := newJoin(inputs)
		run(t, j.net)
		wantNumbers(t, "the output", j.reader.seqs, nil)
	}
}

func TestOrderedMergeHoldsOneMessagePerInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJoin([][]int{upTo(100, 0, 2), upTo(100, 1, 2)})
		j.reader.then = func(_ context.Context, read int) error {
			if read == 1 {
				settle(time.Second)
				// Of each input: one with the merge, one in the channel, one with its
				// source. And one in the output, and the one just read, less the one
				// that the merge would need to go on.
				if live := j.ledger.live(); live > 2*3+2 {
					t.Errorf("%d payloads are alive", live)
				}
			}
			return errNext
		}
		run(t, j.net)
		j.ledger.check(t)
	})
}

// Dense, a message goes out as soon as all before it have: the merge does not wait
// for inputs that it does not need.
func TestOrderedMergeDenseDoesNotWaitForOtherInputs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ledger ledger
		net := sluice.NewNetwork("join")
		ins := channels(net, "in", 2)
		out := net.Channel("out")
		first, port := ledger.numbers(ins[0], 0, 1, 2, 3)
		net.Node("first", first, port)
		r := &reader{in: out}
		net.Node("late", func(ctx context.Context) error {
			settle(time.Second)
			wantNumbers(t, "the output", r.seqs, []int{0, 1, 2, 3})
			return ledger.send(ctx, ins[1], 4)
		}, sluice.Writes(ins[1]))
		net.Node(ops.OrderedMerge("merge", ins, out, ops.Dense(0)))
		net.Node("reader", r.run, sluice.Reads(out))
		run(t, net)
		wantNumbers(t, "the output", r.seqs, upTo(5, 0, 1))
		ledger.check(t)
	})
}

// The C++ system's ordered merge deadlocked when its output closed midway.
func TestOrderedMergeEndsWhenItsOutputStopsMidway(t *testing.T) {
	for _, opts := range [][]ops.OrderedMergeOption{nil, {ops.Dense(0)}} {
		for stop := range 20 {
			synctest.Test(t, func(t *testing.T) {
				j := newJoin([][]int{upTo(60, 0, 3), upTo(60, 1, 3), upTo(60, 2, 3)}, opts...)
				j.reader.then = func(_ context.Context, read int) error {
					if read > stop {
						return nil
					}
					return errNext
				}
				run(t, j.net)
				j.ledger.check(t)
			})
		}
	}
}

// workers joins a Distribute to an OrderedMerge by workers, each of which drops what
// it does not keep.
func workers(t *testing.T, leave int, keep ...func(n int) bool) []int {
	var ledger ledger
	net := sluice.NewNetwork("workers")
	in, out := net.Channel("in"), net.Channel("out")
	work, done := channels(net, "work", len(keep)), channels(net, "done", len(keep))
	source, port := ledger.numbers(in, upTo(200, 0, 1)...)
	net.Node("source", source, port)
	net.Node(ops.Distribute("distribute", in, work))
	for i, keep := range keep {
		seen := 0
		net.Node(fmt.Sprint("worker ", i), func(ctx context.Context) error {
			for m, err := range work[i].All(ctx) {
				if err != nil {
					return err
				}
				if i == 0 {
					time.Sleep(time.Millisecond)
				}
				if keep(int(m.Seq())) {
					err = done[i].Send(ctx, &m)
				}
				m.Release()
				if seen++; err != nil || i == 0 && seen == leave {
					return err
				}
			}
			return nil
		}, sluice.Reads(work[i]), sluice.Writes(done[i]))
	}
	net.Node(ops.OrderedMerge("merge", done, out))
	r := readers(net, []*sluice.Channel{out})[0]
	run(t, net)
	ledger.check(t)
	if !slices.IsSorted(r.seqs) {
		t.Errorf("out of order: %v", r.seqs)
	}
	return r.seqs
}

func TestOrderedMergeEndsWhenAWorkerDropsEverything(t *testing.T) {
	all := func(int) bool { return true }
	none := func(int) bool { return false }
	synctest.Test(t, func(t *testing.T) { workers(t, 0, all, none, all) })
	synctest.Test(t, func(t *testing.T) { workers(t, 0, none, all) }) // the slow one
	synctest.Test(t, func(t *testing.T) {
		if got := workers(t, 0, none, none); len(got) > 0 {
			t.Errorf("%v arrived", got)
		}
	})
}

func TestOrderedMergeOfSlowAndFastWorkersIsComplete(t *testing.T) {
	all := func(int) bool { return true }
	synctest.Test(t, func(t *testing.T) {
		wantNumbers(t, "the output", workers(t, 0, all, all, all), upTo(200, 0, 1))
	})
}

func TestOrderedMergeGoesOnWhenAWorkerLeaves(t *testing.T) {
	all := func(int) bool { return true }
	synctest.Test(t, func(t *testing.T) {
		// What had been shared out to it and not been taken is lost with it: at most
		// what its channel holds.
		if got := len(workers(t, 3, all, all)); got < 200-1 {
			t.Errorf("%d messages arrived of 200", got)
		}
	})
}
