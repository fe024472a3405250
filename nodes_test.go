package sluice_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/seed14ed4225/sluice"
)

// The nodes from which the tests build their networks.

var errBroken = errors.New("broken")

// start runs the network in a goroutine and returns where the result will be.
func start(ctx context.Context, n *sluice.Network) <-chan error {
	result := make(chan error, 1)
	go func() { result <- n.Run(ctx) }()
	return result
}

// send sends one message, or releases it.
func send(ctx context.Context, out *sluice.Channel, m sluice.Message) error {
	defer m.Release()
	return out.Send(ctx, &m)
}

// sends is a source of blocks numbered 0 to count-1.
func sends(l *ledger, out *sluice.Channel, count int) func(context.Context) error {
	return func(ctx context.Context) error {
		for i := range count {
			if err := send(ctx, out, l.message(i)); err != nil {
				return err
			}
		}
		return nil
	}
}

// relays passes on every message.
func relays(in, out *sluice.Channel) func(context.Context) error {
	return func(ctx context.Context) error {
		for m, err := range in.All(ctx) {
			if err == nil {
				err = send(ctx, out, m)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// counts releases every message, and counts them if it is told where.
func counts(in *sluice.Channel, got *int) func(context.Context) error {
	return func(ctx context.Context) error {
		for m, err := range in.All(ctx) {
			if err != nil {
				return err
			}
			m.Release()
			if got != nil {
				*got++
			}
		}
		return nil
	}
}

// reads receives and releases that many messages and leaves.
func reads(in *sluice.Channel, count int) func(context.Context) error {
	return func(ctx context.Context) error {
		for range count {
			m, err := in.Recv(ctx)
			if err != nil {
				return err
			}
			m.Release()
		}
		return nil
	}
}

// returns does nothing else.
func returns(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

// idles until the network is interrupted, and passes that on.
func idles(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// ways are all the ways in which a node can fail.
var ways = []struct {
	name string
	fail func() error
}{
	{"error", func() error { return errBroken }},
	{"panic", func() error { panic(errBroken) }},
	{"Goexit", goexit},
}

// state returns how the channel stands.
func state(c *sluice.Channel) string { return string(c.Stats().State) }

func wantState(t *testing.T, c *sluice.Channel, want string) {
	t.Helper()
	if got := state(c); got != want {
		t.Errorf("channel %q is %s, want %s", c.Name(), got, want)
	}
}

// wantAbort checks that err is what an interrupted network gives its nodes.
func wantAbort(t *testing.T, err, cause error) {
	t.Helper()
	if abort := (*sluice.AbortError)(nil); !errors.As(err, &abort) || !errors.Is(err, cause) {
		t.Errorf("got %v, want an *AbortError wrapping %v", err, cause)
	}
}

func wantContains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in:\n%s", part, text)
		}
	}
}

// nodeErrors returns the errors of the nodes that a run's error joins, in order.
func nodeErrors(t *testing.T, err error) []*sluice.NodeError {
	t.Helper()
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	var nodes []*sluice.NodeError
	for _, err := range all {
		node, ok := err.(*sluice.NodeError)
		if !ok {
			t.Fatalf("got %T %v among the errors of a run, want *NodeError", err, err)
		}
		nodes = append(nodes, node)
	}
	return nodes
}

// wantFailed checks which nodes the error of a run names, and in which order.
func wantFailed(t *testing.T, err error, names ...string) []*sluice.NodeError {
	t.Helper()
	if err == nil {
		t.Fatalf("Run returned nil, want errors of %q", names)
	}
	nodes := nodeErrors(t, err)
	same := len(nodes) == len(names)
	for i := 0; same && i < len(nodes); i++ {
		same = nodes[i].Node == names[i]
	}
	if !same {
		t.Fatalf("Run names other nodes than %q:\n%v", names, err)
	}
	return nodes
}

// stubborn is a payload whose Release takes until the test lets it go: it holds up
// whoever ends the channel that it lies in.
type stubborn struct{ entered, letGo chan struct{} }

func newStubborn() stubborn {
	return stubborn{entered: make(chan struct{}), letGo: make(chan struct{})}
}

func (s stubborn) Release() {
	close(s.entered)
	<-s.letGo
}
