package sluice

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync/atomic"

	"sync"
	"time"

	"github.com/seed14ed4225/sluice/mem"
)

// A Channel is a bounded first-in-first-out queue between any number of producers
// and consumers. A full channel suspends the sender, an empty one the receiver;
// suspended goroutines are served in the order in which they came, hold no thread
// and use no processor. All methods may be called by any goroutine. Make one with
// [NewChannel] or [Network.Channel], and end it when it is done with: a context that
// lives longer may keep it alive until then.
//
// # Who ends it
//
// Producers call [Channel.Close] or [Channel.Drain], consumers [Channel.Stop],
// either side [Channel.Abort] on failure. In a [Network] nodes need none of them:
// the network ends channels as nodes return.
//
//	            later sends    waiting senders     buffered messages   receive
//	Close       ErrClosed      ErrClosed           still delivered     then io.EOF
//	Drain       as Close, and returns once the buffered messages were received
//	Stop        ErrStopped     ErrStopped          released            io.EOF
//	Abort(err)  *AbortError    *AbortError         released            *AbortError
//
// All are idempotent and wake every waiter at once. The first one wins, but Stop
// and Abort override a Close that still has messages waiting.
//
// # Who owns a message
//
// A successful send empties the caller's message: it belongs to the channel, and
// then to whoever receives it. On any error it is still the caller's. A context is
// looked at only when a call has to wait; if it ends meanwhile, the call returns
// ctx.Err() and the message is where it was, or the call succeeded.
type Channel struct {
	name     string
	slots    int
	maxBytes int64        // of the messages waiting; 0 is no limit
	only     *payloadType // nil accepts every payload
	net      *Network     // nil for a channel of its own
	keeper   *Network     // whose memory it is spilled to, if any: net, or that of the node that keeps it
	invalid  []error      // what was wrong with its options

	// The fields of the fast path come first and fill two cache lines of 64 bytes,
	// because with producer and consumer on two processors, moving those lines
	// between them is most of the price of a message.
	mu struct {
		sync.Mutex
		ending ending
		sized  bool // some payload owns memory: cargos is in use

		// The queue: messages in a ring that grows up to slots, and behind them
		// those of suspended senders. Receivers wait only while both are empty.
		count    int
		head     int
		ring     []Message
		received uint64 // what was sent is this, what was dropped, and count

		senders            waiterList
		receivers          waiterList
		sendPool, recvPool waiterPool
		runDone            <-chan struct{} // of the network's run, whose end aborts this channel

		cargos        []cargo // beside the ring
		bytes         int64   // in the ring
		bytesReceived int64
		bytesDropped  int64
		dropped       uint64

		drainers  waiterList
		throttles []*Throttle
		meta      *Meta
		abort     *AbortError // once aborted
		anyPool   *anyWait
		watches   [2]watch
	}

	crowded atomic.Bool // two have waited at the same side; see lock

	// Nodes of the run that have not returned, guarded by the lock of the network.
	writersLeft, readersLeft int

	// Set before a run with memory: see spill.go and restore.go.
	spills   *mem.Registration // makes what waits here known to the spiller
	home     mem.Kind          // where receivers want payloads,
	homeward bool              // if they want them in any place
	fetching int               // received by somebody who restores it yet; guarded by mu
	fetches  uint64            // how many were; guarded by mu

	// Time that nodes have waited here, not counting waits in progress.
	sendWait, recvWait durationCounter
}

type payloadType struct {
	want reflect.Type
	is   func(payload any) bool
}

// A ChannelOption sets up a channel.
type ChannelOption func(*Channel)

// Slots sets how many messages the channel holds. The default is 1, which couples
// producer and consumer tightly; a pipeline of large messages rarely gains from
// more. With n < 1, NewChannel panics and a network's Run returns an error.
func Slots(n int) ChannelOption {
	return func(c *Channel) {
		if n < 1 {
			c.reject("%d slots: a channel needs at least 1", n)
		}
		c.slots = n
	}
}

// Bytes also bounds the bytes that wait in the channel, as their payloads' Content
// gives them. A message larger than the bound still fits an empty channel. With
// n < 1, NewChannel panics and a network's Run returns an error.
func Bytes(n int64) ChannelOption {
	return func(c *Channel) {
		if n < 1 {
			c.reject("a bound of %d bytes: it must be at least 1", n)
		}
		c.maxBytes = n
	}
}

// reject notes an option that makes no sense.
func (c *Channel) reject(format string, n any) {
	c.invalid = append(c.invalid, fmt.Errorf(format, n))
}

// Of makes the channel accept only payloads of type T, which may be an interface
// type. Sending any other is a [*TypeError] at the sender.
func Of[T any]() ChannelOption {
	return func(c *Channel) {
		c.only = &payloadType{
			want: reflect.TypeFor[T](),
			is:   func(payload any) bool { _, ok := payload.(T); return ok },
		}
	}
}

// NewChannel returns an open channel that belongs to no network. The name is for
// errors and reports. It panics if an option makes no sense.
func NewChannel(name string, opts ...ChannelOption) *Channel {
	c := newChannel(name, opts)
	if c.invalid != nil {
		panic(fmt.Sprintf("sluice: channel %q: %v", name, errors.Join(c.invalid...)))
	}
	return c
}

func newChannel(name string, opts []ChannelOption) *Channel {
	c := &Channel{name: name, slots: 1}
	for _, opt := range opts {
		opt(c)
	}
	return c
}

// unbounded is the number of slots of a channel that never suspends a sender.
const unbounded = math.MaxInt

// Name returns the name the channel was made with.
func (c *Channel) Name() string { return c.name }

// Len returns the number of messages in the buffer, not counting those that
// suspended senders hold.
func (c *Channel) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.count
}

// ChannelStats is what went through a channel and how it stands. Wait times are
// measured in a network's run only, with a clock that ticks every few milliseconds,
// and include waits in progress when they come from [Network.Snapshot].
type ChannelStats struct {
	State     ChannelState
	Slots     int
	Len       int        // messages in the buffer
	Bytes     int64      // of these
	Memory    mem.Amount // of these, by the kind of memory in which they are now
	Sent      uint64     // messages
	Received  uint64
	Dropped   uint64 // sent, but released by Stop or Abort
	BytesSent int64
	Senders   int // suspended now
	Receivers int
	SendWait  time.Duration // summed over senders
	RecvWait  time.Duration // summed over receivers
}

// ChannelState is whether and how a channel was ended.
type ChannelState string

// How a channel stands.
const (
	ChannelOpen    ChannelState = "open"
	ChannelClosed  ChannelState = "closed" // messages may still wait in it
	ChannelStopped ChannelState = "stopped"
	ChannelAborted ChannelState = "aborted"
)

// Stats returns counts that are consistent with each other.
func (c *Channel) Stats() ChannelStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ChannelStats{
		State:     c.mu.ending.public(),
		Slots:     c.slots,
		Len:       c.mu.count,
		Bytes:     c.mu.bytes,
		Memory:    c.memory(),
		Sent:      c.mu.received + c.mu.dropped + uint64(c.mu.count),
		Received:  c.mu.received,
		Dropped:   c.mu.dropped,
		BytesSent: c.mu.bytesReceived + c.mu.bytesDropped + c.mu.bytes,
		Senders:   c.mu.senders.len(),
		Receivers: c.mu.receivers.len(),
		SendWait:  c.sendWait.value(),
		RecvWait:  c.recvWait.value(),
	}
}

// refuse returns why the channel would never take such a message, or nil.
func (c *Channel) refuse(m *Message) error {
	if m.payload == nil {
		return ErrEmptyMessage
	}
	if c.only != nil && !c.only.is(m.payload) {
		return &TypeError{Want: c.only.want, Got: reflect.TypeOf(m.payload)}
	}
	return nil
}

// durationCounter is a sum of durations that any goroutine may add to.
type durationCounter struct{ ns atomic.Int64 }

func (d *durationCounter) add(v time.Duration)  { d.ns.Add(int64(v)) }
func (d *durationCounter) value() time.Duration { return time.Duration(d.ns.Load()) }
