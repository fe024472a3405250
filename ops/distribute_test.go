package ops_test

import (
	"context"
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

// share is a network of a source, a distribution, and a reader for each output.
type share struct {
	net     *sluice.Network
	ledger  ledger
	outs    []*sluice.Channel
	readers []*reader
}

func newShare(workers, messages int) *share {
	s := &share{net: sluice.NewNetwork("share")}
	in := s.net.Channel("in")
	s.outs = channels(s.net, "out", workers)
	source, port := s.ledger.numbers(in, upTo(messages, 0, 1)...)
	s.net.Node("source", source, port)
	s.net.Node(ops.Distribute("distribute", in, s.outs))
	s.readers = readers(s.net, s.outs)
	return s
}

// Round robin would give each a quarter.
func TestDistributeGivesASlowWorkerLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShare(4, 400)
		for i, r := range s.readers {
			r.then = func(context.Context, int) error {
				time.Sleep([]time.Duration{1, 1, 1, 30}[i] * time.Millisecond)
				return errNext
			}
		}
		run(t, s.net)
		fast, slow := len(s.readers[0].seqs), len(s.readers[3].seqs)
		if slow == 0 || slow > 8 || fast < 120 {
			t.Errorf("a worker that takes 1 ms got %d messages, one that takes 30 ms got %d", fast, slow)
		}
		s.ledger.check(t)
	})
}

// A worker that never comes back keeps what it and its channel hold, and no more.
func TestDistributeDoesNotWaitForAWorkerThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShare(2, 50)
		s.readers[0].then = func(_ context.Context, read int) error {
			if read == 1 {
				settle(30 * time.Second)
				if got := len(s.readers[1].seqs); got != 50-2 {
					t.Errorf("the other worker has %d messages, want 48", got)
				}
			}
			return errNext
		}
		s.readers[1].then = func(context.Context, int) error {
			time.Sleep(time.Millisecond)
			return errNext
		}
		run(t, s.net)
		s.ledger.check(t)
	})
}

func TestDistributeGoesOnWhenAWorkerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShare(3, 100)
		for _, r := range s.readers[1:] {
			r.then = func(_ context.Context, read int) error {
				if read == 5 {
					return nil
				}
				return errNext
			}
		}
		s.readers[0].then = func(context.Context, int) error {
			time.Sleep(time.Millisecond)
			return errNext
		}
		run(t, s.net)
		// Each may have had one in its channel when it left.
		if got := len(s.readers[0].seqs); got < 100-2*6 || got > 100-2*5 {
			t.Errorf("the one that stayed has %d messages", got)
		}
		if !slices.IsSorted(s.readers[0].seqs) {
			t.Errorf("numbers do not rise along an output: %v", s.readers[0].seqs)
		}
		s.ledger.check(t)
	})
}

func TestDistributeNeedsAnOutput(t *testing.T) {
	err := fails(t, newShare(0, 1).net)
	if !strings.Contains(err.Error(), `node "distribute": nothing to distribute to`) {
		t.Errorf("Run returned %v", err)
	}
}

func TestDistributeAndMergeArePermutation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		net := sluice.NewNetwork("share")
		in, out := net.Channel("in"), net.Channel("out")
		messages := rapid.IntRange(0, 100).Draw(t, "messages")
		workers := rapid.IntRange(1, 5).Draw(t, "workers")
		slots := rapid.IntRange(1, 4)
		shared := make([]*sluice.Channel, workers)
		for i := range shared {
			shared[i] = net.Channel(fmt.Sprint("shared", i), sluice.Slots(slots.Draw(t, "slots")))
		}
		var got []int
		net.Node(ops.PushSlice("source", in, upTo(messages, 0, 1)))
		net.Node(ops.Distribute("distribute", in, shared))
		net.Node(ops.Merge("merge", shared, out))
		net.Node(ops.Pull("sink", out, &got))
		if err := net.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		if slices.Sort(got); !slices.Equal(got, upTo(messages, 0, 1)) {
			t.Errorf("%d messages became %v", messages, got)
		}
	})
}
