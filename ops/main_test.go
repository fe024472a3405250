package ops_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBoom = errors.New("boom")

// ledger knows which payloads are alive.
type ledger struct {
	mu    sync.Mutex
	alive map[*chunk]bool
	made  int
	twice int // released more than once

	calls int // of Copy and Content
	// Called in each method of a payload, if not nil. Copy fails with what it returns.
	onCall func(c *chunk, call int, of string) error
}

// chunk is a payload that owns memory.
type chunk struct {
	ledger *ledger
	n      int
	isCopy bool
}

const chunkBytes = 8

func (l *ledger) chunk(n int, isCopy bool) *chunk {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.alive == nil {
		l.alive = map[*chunk]bool{}
	}
	c := &chunk{l, n, isCopy}
	l.alive[c] = true
	l.made++
	return c
}

func (c *chunk) call(of string) error {
	l := c.ledger
	l.mu.Lock()
	if of != "Release" {
		l.calls++
	}
	call, onCall := l.calls, l.onCall
	l.mu.Unlock()
	if onCall == nil {
		return nil
	}
	return onCall(c, call, of)
}

func (c *chunk) Release() {
	_ = c.call("Release")
	c.ledger.mu.Lock()
	defer c.ledger.mu.Unlock()
	if !c.ledger.alive[c] {
		c.ledger.twice++
	}
	delete(c.ledger.alive, c)
}

func (c *chunk) Content() mem.Content {
	_ = c.call("Content")
	var content mem.Content
	content.Bytes[mem.Host] = chunkBytes
	return content
}

func (c *chunk) Copy(context.Context, *mem.Reservation) (any, error) {
	if err := c.call("Copy"); err != nil {
		return nil, err
	}
	return c.ledger.chunk(c.n, true), nil
}

func (l *ledger) live() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.alive)
}

// check is for the end of a test: everything was released, once.
func (l *ledger) check(t testing.TB) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.alive) > 0 {
		t.Errorf("%d of %d payloads were not released", len(l.alive), l.made)
	}
	if l.twice > 0 {
		t.Errorf("payloads were released twice, %d times", l.twice)
	}
}

func channels(net *sluice.Network, name string, n int, opts ...sluice.ChannelOption) []*sluice.Channel {
	cs := make([]*sluice.Channel, n)
	for i := range cs {
		cs[i] = net.Channel(fmt.Sprint(name, i), opts...)
	}
	return cs
}

// numbers is a node that sends chunks with these numbers.
func (l *ledger) numbers(out *sluice.Channel, seqs ...int) (func(context.Context) error, sluice.Port) {
	return func(ctx context.Context) error {
		for _, n := range seqs {
			if err := l.send(ctx, out, n); err != nil {
				return err
			}
		}
		return nil
	}, sluice.Writes(out)
}

func (l *ledger) send(ctx context.Context, out *sluice.Channel, n int) error {
	m := sluice.NewMessage(sluice.SeqNum(n), l.chunk(n, false))
	defer m.Release()
	return out.Send(ctx, &m)
}

// sendSide sends to the side channel.
func (l *ledger) sendSide(out *sluice.Channel, n int) error {
	m := sluice.NewMessage(sluice.SeqNum(n), l.chunk(n, false))
	defer m.Release()
	return out.Meta().Send(&m)
}

// upTo returns first, first+step, and so on below n.
func upTo(n, first, step int) []int {
	var seqs []int
	for i := first; i < n; i += step {
		seqs = append(seqs, i)
	}
	return seqs
}

// reader is a node that remembers the numbers it has read.
type reader struct {
	in   *sluice.Channel
	seqs []int
	// then is called after each message, if not nil. The reader returns what it
	// returns, if not errNext.
	then func(ctx context.Context, read int) error
}

var errNext = errors.New("go on")

func (r *reader) run(ctx context.Context) error {
	for m, err := range r.in.All(ctx) {
		if err != nil {
			return err
		}
		err := r.one(ctx, m)
		if !errors.Is(err, errNext) {
			return err
		}
	}
	return nil
}

func (r *reader) one(ctx context.Context, m sluice.Message) error {
	defer m.Release()
	c, err := sluice.Peek[*chunk](&m)
	if err != nil {
		return err
	}
	if sluice.SeqNum(c.n) != m.Seq() {
		return fmt.Errorf("payload %d came under number %d", c.n, m.Seq())
	}
	r.seqs = append(r.seqs, c.n)
	if r.then == nil {
		return errNext
	}
	return r.then(ctx, len(r.seqs))
}

// readers adds a reader to each channel.
func readers(net *sluice.Network, cs []*sluice.Channel) []*reader {
	rs := make([]*reader, len(cs))
	for i, c := range cs {
		rs[i] = &reader{in: c}
		net.Node("reader of "+c.Name(), rs[i].run, sluice.Reads(c))
	}
	return rs
}

// run runs a network that is to end well.
func run(t testing.TB, net *sluice.Network) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := net.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

// fails runs a network that is to fail, and returns how.
func fails(t testing.TB, net *sluice.Network) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := net.Run(ctx)
	if err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Run returned %v, want a failure", err)
	}
	return err
}

// settle lets d pass and everything happen that happens in it. It is for one
// goroutine of a bubble at a time.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func wantNumbers(t testing.TB, who string, got, want []int) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s has %v, want %v", who, got, want)
	}
}
