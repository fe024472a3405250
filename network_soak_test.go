package sluice_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/seed14ed4225/sluice"
)

// TestWhateverHappensNothingIsLostAndNobodyIsMisled runs random networks in which
// nodes leave, fail, panic or are cancelled at random moments, and behave well or badly
// when that happens to the others. Whatever happens,
//
//   - every payload was taken or released by the time Run returns, once;
//   - a node that sees io.EOF is downstream of nodes that all came to a good end;
//   - Run returns the errors of the nodes that failed by themselves, and no other;
//   - no channel is left open or with messages in it.
func TestWhateverHappensNothingIsLostAndNobodyIsMisled(t *testing.T) {
	runs := 1500
	if testing.Short() {
		runs = 50
	}
	first := rand.Uint64()
	var interrupted, well int
	for i := range runs {
		seed := first + uint64(i)
		if err := soak(t, seed); err != nil {
			interrupted++
		} else {
			well++
		}
		if t.Failed() {
			t.Fatalf("with seed %d, run %d", seed, i)
		}
	}
	if interrupted < runs/10 || well < runs/20 {
		t.Errorf("of %d runs %d ended early and %d well: the test has lost its variety", runs, interrupted, well)
	}
}

// soaker is a node of the soak.
type soaker struct {
	t        *testing.T
	ledger   *ledger
	name     string
	in, out  []*sluice.Channel
	upstream []*soaker
	throttle *sluice.Throttle // of its only output, for a source, or nil
	count    int              // of messages that it makes, if it is a source
	quits    int              // before which message it ends by itself; -1 for never
	quit     func() error     // how
	manners  manners
	progress func() // called for every message

	complete atomic.Bool // it ended well, as far as it can tell
	broke    atomic.Bool // it failed by itself
}

// manners are what a node does when it is interrupted.
type manners int

const (
	passesOn manners = iota
	wraps
	keepsQuiet
	closesByHand
	stopsByHand
	failsToo
	allManners
)

func (w *soaker) own() error { return ownError(w.name) }

// ownError is what the node of that name fails with by itself.
type ownError string

func (e ownError) Error() string { return string(e) + " failed by itself" }

func (w *soaker) run(ctx context.Context) error {
	err := w.work(ctx)
	switch {
	case err == nil || errors.Is(err, w.own()):
		return err
	case err == sluice.ErrStopped:
		return err // nobody is left to be misled
	}
	switch w.manners {
	case wraps:
		return fmt.Errorf("in the middle of it: %w", errors.Join(err, ctx.Err()))
	case keepsQuiet:
		return nil
	case closesByHand:
		for _, c := range w.out {
			c.Close()
		}
		return nil
	case stopsByHand:
		for _, c := range w.in {
			c.Stop()
		}
		return nil
	case failsToo:
		w.broke.Store(true)
		return errors.Join(err, w.own())
	}
	return err
}

func (w *soaker) work(ctx context.Context) error {
	wanted := append([]*sluice.Channel(nil), w.out...)
	for k := 0; ; k++ {
		if k == w.quits {
			return w.quit()
		}
		m, ticket, err := w.next(ctx, k)
		if err == io.EOF {
			for _, up := range w.upstream {
				if !up.complete.Load() {
					w.t.Errorf("%q saw io.EOF though %q had not ended well", w.name, up.name)
				}
			}
			w.complete.Store(true)
			return nil
		}
		if err != nil {
			return err
		}
		w.progress()
		if wanted, err = w.pass(ctx, &m, ticket, wanted, k); err != nil {
			m.Release()
			return err
		}
	}
}

// next receives the message, or makes it; with a ticket, if there is a throttle.
func (w *soaker) next(ctx context.Context, k int) (m sluice.Message, ticket *sluice.Ticket, err error) {
	switch {
	case len(w.in) == 1:
		m, err = w.in[0].Recv(ctx)
	case len(w.in) > 1:
		_, m, err = sluice.RecvAny(ctx, w.in...)
	case k == w.count:
		err = io.EOF
	default:
		if w.throttle != nil {
			if ticket, err = w.throttle.Acquire(ctx); err != nil {
				return m, nil, err
			}
		}
		m = w.ledger.heavy(k, int64(k%5))
	}
	return m, ticket, err
}

// pass sends the message to one of the outputs that are still wanted.
func (w *soaker) pass(ctx context.Context, m *sluice.Message, ticket *sluice.Ticket, wanted []*sluice.Channel, k int) ([]*sluice.Channel, error) {
	switch {
	case len(w.out) == 0:
		m.Release()
		return wanted, nil
	case ticket != nil && k%2 == 0:
		err := ticket.SendHeld(ctx, m)
		ticket.Release()
		return wanted, err
	case ticket != nil:
		receipt, err := ticket.Send(ctx, m)
		receipt.Release()
		ticket.Release()
		return wanted, err
	case k%3 == 0:
		_, err := sluice.SendAny(ctx, m, w.out...)
		return wanted, err
	}
	if k%7 == 0 {
		note := w.ledger.message(k)
		if err := w.out[0].Meta().Send(&note); err != nil {
			note.Release()
		}
	}
	for len(wanted) > 0 {
		i := k % len(wanted)
		err := wanted[i].Send(ctx, m)
		if err != sluice.ErrStopped {
			return wanted, err
		}
		wanted = append(wanted[:i:i], wanted[i+1:]...)
	}
	return wanted, sluice.ErrStopped
}

// soak runs one random network and returns what Run returned.
func soak(t *testing.T, seed uint64) error {
	random := rand.New(rand.NewPCG(seed, 0))
	l := newLedger(t)
	n := sluice.NewNetwork(fmt.Sprint("soak ", seed))
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	cause := errors.New("cancelled by the test")

	var moved atomic.Int64
	cancelAt := int64(-1)
	if random.IntN(3) == 0 {
		cancelAt = int64(random.IntN(300))
	}
	progress := func() {
		if moved.Add(1) == cancelAt {
			cancel(cause)
		}
	}

	layers := randomLayers(t, random, n, l, progress)
	var all []*soaker
	for _, layer := range layers {
		for _, w := range layer {
			all = append(all, w)
			n.Node(w.name, w.run, sluice.Reads(w.in...), sluice.Writes(w.out...).Unordered())
		}
	}
	err := n.Run(ctx)

	if l.live() > 0 {
		t.Errorf("%d payloads are alive after Run", l.live())
	}
	wantOwnErrors(t, err, cause, all)
	s := n.Snapshot()
	for _, c := range s.Channels {
		if c.State == sluice.ChannelOpen || c.Len > 0 {
			t.Errorf("channel %q is left behind: %+v", c.Name, c)
		}
	}
	for _, nd := range s.Nodes {
		if nd.State != sluice.NodeDone && nd.State != sluice.NodeFailed || len(nd.Waits) > 0 {
			t.Errorf("node %q is left behind: %+v", nd.Name, nd)
		}
	}
	return err
}

// randomLayers makes nodes in layers, and channels from each layer to the next, each
// with one or more writers and readers. Who got no input is a source.
func randomLayers(t *testing.T, random *rand.Rand, n *sluice.Network, l *ledger, progress func()) [][]*soaker {
	layers := make([][]*soaker, 2+random.IntN(3))
	for i := range layers {
		for k := range 1 + random.IntN(3) {
			w := &soaker{t: t, ledger: l, name: fmt.Sprintf("node %d.%d", i, k), progress: progress, quits: -1}
			w.count = random.IntN(60)
			w.manners = manners(random.IntN(int(allManners)))
			if random.IntN(6) == 0 {
				w.quits = random.IntN(40)
				w.quit = w.randomQuit(random)
			}
			layers[i] = append(layers[i], w)
		}
	}
	for i := range len(layers) - 1 {
		for k := range 1 + random.IntN(3) {
			c := n.Channel(fmt.Sprintf("channel %d.%d", i, k), sluice.Slots(1+random.IntN(4)))
			writers := some(random, layers[i])
			for _, w := range writers {
				w.out = append(w.out, c)
			}
			for _, r := range some(random, layers[i+1]) {
				r.in = append(r.in, c)
				r.upstream = append(r.upstream, writers...)
			}
		}
	}
	for _, layer := range layers {
		for _, w := range layer {
			if len(w.in) == 0 && len(w.out) == 1 && random.IntN(2) == 0 {
				w.throttle, _ = sluice.NewThrottle(w.out[0], 1+random.IntN(3))
			}
		}
	}
	return layers
}

// randomQuit is how a node ends by itself: well, one time in three.
func (w *soaker) randomQuit(random *rand.Rand) func() error {
	way := ways[random.IntN(len(ways))]
	if random.IntN(3) == 0 {
		return func() error { w.complete.Store(true); return nil }
	}
	return func() error {
		w.broke.Store(true)
		if way.name == "error" {
			return w.own()
		}
		return way.fail()
	}
}

// some returns at least one of the nodes.
func some(random *rand.Rand, nodes []*soaker) []*soaker {
	var chosen []*soaker
	for _, i := range random.Perm(len(nodes))[:1+random.IntN(len(nodes))] {
		chosen = append(chosen, nodes[i])
	}
	return chosen
}

// wantOwnErrors checks that the run names exactly the nodes that failed by themselves.
func wantOwnErrors(t *testing.T, err, cause error, all []*soaker) {
	t.Helper()
	broke := map[string]bool{}
	for _, w := range all {
		if w.broke.Load() {
			broke[w.name] = true
		}
	}
	if len(broke) == 0 {
		if err != nil && err != cause {
			t.Errorf("no node failed by itself, but Run = %v", err)
		}
		return
	}
	if err == nil {
		t.Errorf("Run = nil, want the errors of %v", broke)
		return
	}
	for _, nd := range nodeErrors(t, err) {
		if !broke[nd.Node] {
			t.Errorf("Run blames %q, which did not fail by itself: %v", nd.Node, nd.Err)
		}
		delete(broke, nd.Node)
	}
	if len(broke) > 0 {
		t.Errorf("Run does not mention %v: %v", broke, err)
	}
}
