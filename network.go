package sluice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/seed14ed4225/sluice/internal/wait"
	"github.com/seed14ed4225/sluice/mem"
)

// A Network is a set of nodes joined by channels, run together and ended together.
//
// Make its channels with [Network.Channel], its nodes with [Network.Node], then
// call [Network.Run] once. Nodes need not end channels: a channel is closed when
// the last node that writes it has returned nil, and stopped when the last node
// that reads it has. When a node fails, panics or calls runtime.Goexit, or the
// context of Run ends, the context of every node is cancelled and every channel is
// aborted, before any other node's return closes anything: io.EOF never means that
// something went wrong.
type Network struct {
	name       string
	memory     *mem.Resource // nil without; its own scope from begin on
	stallAfter time.Duration
	log        *slog.Logger
	clock      wait.Clock

	mu struct {
		sync.Mutex
		phase    phase
		nodes    []*node
		channels []*Channel
		misuse   []error // found while building, reported by Run

		left     int     // nodes that have not returned
		failures []error // of nodes, in the order in which they came
		cause    error   // why the run was interrupted: a *NodeError, or the context's cause
		aborting bool    // and somebody is telling everyone
		started  time.Time
		ended    time.Time
		unsure   uint64 // how often it was looked at and a node waited for somebody unknown
	}

	// Set by Run before the first node starts.
	ctx    context.Context
	parent context.Context
	cancel context.CancelCauseFunc
	run    sync.WaitGroup

	leave func() // the resource

	held func() // called by interrupt, in tests that look at the moment before the aborts
}

type phase uint8

const (
	building phase = iota
	running
	over
)

// A NetworkOption sets up a network.
type NetworkOption func(*Network)

// WithLogger sets where stall reports go. The default is slog.Default().
func WithLogger(log *slog.Logger) NetworkOption {
	return func(n *Network) { n.log = log }
}

// WithStallAfter sets after how long without any movement the network logs a stall
// report. The default is 30 seconds; 0 turns the reports off.
func WithStallAfter(d time.Duration) NetworkOption {
	return func(n *Network) { n.stallAfter = d }
}

// NewNetwork returns an empty network. The name is for reports.
func NewNetwork(name string, opts ...NetworkOption) *Network {
	n := &Network{name: name, stallAfter: 30 * time.Second}
	for _, opt := range opts {
		opt(n)
	}
	if n.log == nil {
		n.log = slog.Default()
	}
	return n
}

// Channel adds a channel. Names are unique within the network; what is wrong with
// name or options is an error of Run. It panics once the network has run.
func (n *Network) Channel(name string, opts ...ChannelOption) *Channel {
	c := newChannel(name, opts)
	c.net, c.keeper = n, n
	n.build(func() { n.mu.channels = append(n.mu.channels, c) })
	return c
}

// Node adds a node: run, called once in a goroutine of its own, with a context that
// ends when the network does. The ports say which channels it reads and writes. A
// node returns nil at the end of its work or when nobody wants its output any more
// ([ErrStopped] may be returned as it is); any other error ends the network. What is
// wrong with name, run or ports is an error of Run. It panics once the network has
// run.
func (n *Network) Node(name string, run func(context.Context) error, ports ...Port) {
	nd := &node{name: name, run: run, ports: ports, net: n}
	nd.waits.Init(nd, &n.clock)
	n.build(func() { n.mu.nodes = append(n.mu.nodes, nd) })
}

func (n *Network) build(add func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.phase != building {
		panic(fmt.Sprintf("sluice: network %q is changed after it was run", n.name))
	}
	add()
}

// A Port joins a node to channels that it reads or writes.
type Port struct {
	channels  []*Channel
	writes    bool
	unordered bool
	home      mem.Kind // where payloads are wanted,
	homeward  bool     // if they are wanted in any place
}

// Reads is the port of a node that receives from these channels.
func Reads(cs ...*Channel) Port { return Port{channels: slices.Clone(cs)} }

// Writes is the port of a node that sends to these channels.
func Writes(cs ...*Channel) Port { return Port{channels: slices.Clone(cs), writes: true} }

// Unordered says that the numbers a node sends through this port need not rise, as
// when it merges channels in order of arrival. The debug build, which checks that
// numbers rise, leaves such a port out.
func (p Port) Unordered() Port {
	p.unordered = true
	return p
}

// Run starts every node, waits for all of them and returns what went wrong: nil
// if nothing did; one error per node that failed ([*NodeError], joined, the first
// one first); or the context's cause if ctx ended and no node failed by itself.
// Errors that only pass on the end of the network are left out. A network that
// cannot work (a channel without writer or reader, a name used twice, ...) is
// reported before anything starts. Run can be called once.
//
// When Run returns, all nodes have, and no payload is left in any channel. With a
// [WithMemory], all that nodes took of it has been released then; or else Run says
// what was not, and which node it came from ([*mem.LeakError]).
func (n *Network) Run(ctx context.Context) error {
	if err := n.begin(ctx); err != nil {
		return err
	}
	// The context may end by itself, at any time: abort then, as for a failure.
	interrupted := make(chan struct{})
	unwatch := context.AfterFunc(n.ctx, func() {
		defer close(interrupted)
		n.interrupt(context.Cause(n.ctx))
	})
	stopClock := n.startClock()

	n.run.Add(len(n.mu.nodes))
	for _, nd := range n.mu.nodes {
		go nd.main(wait.NewContext(n.ctx, &nd.waits))
	}
	n.run.Wait()

	stopClock()
	if !unwatch() {
		<-interrupted
	}
	return n.finish()
}

// begin checks the network and makes it ready to start.
func (n *Network) begin(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.phase != building {
		return fmt.Errorf("sluice: network %q was run already; a network runs once", n.name)
	}
	if err := n.check(); err != nil {
		return err
	}
	n.mu.phase = running
	n.mu.started = time.Now()
	n.parent = ctx
	n.ctx, n.cancel = context.WithCancelCause(ctx)
	n.beginMemory()
	for _, c := range n.mu.channels {
		c.joinRun(n.ctx.Done())
	}
	n.mu.left = len(n.mu.nodes)
	for _, nd := range n.mu.nodes {
		nd.state = started
		for c := range nd.each(true) {
			c.writersLeft++
		}
		for c := range nd.each(false) {
			c.readersLeft++
		}
	}
	return nil
}

// returned settles what a node's end means for its channels and for the network.
func (n *Network) returned(nd *node, err error) {
	n.mu.Lock()
	n.mu.left--
	nd.ended = time.Since(n.mu.started)
	nd.state = done
	cause := n.interruption()
	if err != nil {
		err = nd.verdict(err, cause)
	}
	if err != nil {
		nd.state = failed
		failure := &NodeError{Node: nd.name, Err: err}
		n.mu.failures = append(n.mu.failures, failure)
		if cause == nil {
			cause = failure
		}
	}
	if cause != nil {
		if n.mu.cause == nil {
			n.mu.cause = cause
		}
		n.mu.Unlock()
		n.interrupt(cause)
		return
	}

	// Closing is one step with the check above, so that no channel is closed after
	// a failure. Stopping releases payloads, whose methods are not ours to call
	// under a lock, and no receiver is left to misunderstand it.
	for c := range nd.each(true) {
		if c.writersLeft--; c.writersLeft == 0 {
			c.end(closed, nil)
		}
	}
	var unread []*Channel
	for c := range nd.each(false) {
		if c.readersLeft--; c.readersLeft == 0 {
			unread = append(unread, c)
		}
	}
	n.mu.Unlock()
	var dropped []Message
	for _, c := range unread {
		dropped = append(dropped, c.shut(stopped, nil)...)
	}
	n.discard(dropped)
}

// discard releases messages that nobody will receive, after every channel that is to
// end has ended, so that no waiter waits for a Release method. One that panics or exits
// is a failure of the run; it is nobody's to recover from.
func (n *Network) discard(ms []Message) {
	released := false
	defer func() {
		if released {
			return
		}
		err := errors.New("a payload's Release left by runtime.Goexit")
		if value := recover(); value != nil {
			err = &PanicError{Value: value, Stack: debug.Stack()}
		}
		err = fmt.Errorf("sluice: network %q: releasing what nobody received: %w", n.name, err)
		n.mu.Lock()
		n.mu.failures = append(n.mu.failures, err)
		if n.mu.cause == nil {
			n.mu.cause = err
		}
		n.mu.Unlock()
		n.interrupt(err)
	}()
	releaseAll(ms)
	released = true
}

// interruption returns why the run does not go on, or nil if it does: a failure,
// or the end of its context, which is seen here before anybody was told. Callers
// hold the lock.
func (n *Network) interruption() error {
	switch {
	case n.mu.cause != nil:
		return n.mu.cause
	case n.ctx.Err() != nil:
		return context.Cause(n.ctx)
	case n.parent.Err() != nil:
		return context.Cause(n.parent)
	}
	return nil
}

// interrupted is interruption for those who do not hold the lock, and nil outside
// a run.
func (n *Network) interrupted() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.phase == building {
		return nil
	}
	return n.interruption()
}

// interrupt ends the network early: every node's context, then every channel. It
// may be called several times; the first call does it, with the first cause.
func (n *Network) interrupt(cause error) {
	n.mu.Lock()
	if n.mu.aborting || n.mu.left == 0 && n.mu.cause == nil {
		n.mu.Unlock()
		return // somebody is at it, or the run is complete
	}
	n.mu.aborting = true
	if n.mu.cause == nil {
		n.mu.cause = cause
	}
	cause = n.mu.cause
	channels := n.mu.channels
	n.mu.Unlock()
	n.cancel(cause)
	if n.held != nil {
		n.held()
	}
	var dropped []Message
	for _, c := range channels {
		dropped = append(dropped, c.cutOff(cause)...)
	}
	n.discard(dropped)
}

// finish ends the run, after the last node.
func (n *Network) finish() error {
	n.mu.Lock()
	n.mu.phase = over
	n.mu.ended = time.Now()
	n.mu.Unlock()
	leak := n.endMemory()
	n.mu.Lock()
	failures, cause := n.mu.failures, n.mu.cause
	n.mu.Unlock()
	n.cancel(nil)
	if len(failures) == 0 && cause != nil {
		failures = append(failures, cause)
	}
	if leak != nil {
		failures = append(failures, leak)
	}
	if len(failures) == 1 {
		return failures[0]
	}
	return errors.Join(failures...)
}
