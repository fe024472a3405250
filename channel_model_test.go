package sluice_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// The property test drives two channels and a throttle with random operations, and
// next to them a model of slices that does what the documentation says. It runs in a
// synctest bubble, where after every operation all calls have either returned or
// wait: so who waits, who was served with what, and what everybody was told can be
// compared after every step.

// What is left open by the documentation, the model leaves open: which of several
// ready channels RecvAny and SendAny take is looked up in what they did, after a
// check that it was one of those.

func TestAChannelBehavesLikeItsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := world{
			slots: rapid.IntRange(1, 3).Draw(rt, "slots"),
			bytes: int64(rapid.SampledFrom([]int{0, 0, 10}).Draw(rt, "bytes")),
			typed: rapid.Bool().Draw(rt, "typed"),
		}
		ops := rapid.SliceOfN(rapid.Custom(drawOp), 40, 80).Draw(rt, "ops")
		// Draws and failures are not for the goroutine of the bubble.
		synctest.Test(t, func(*testing.T) { w.run(ops) })
		if w.failure != "" {
			rt.Fatalf("%s\nafter:\n  %s", w.failure, strings.Join(w.log, "\n  "))
		}
	})
}

// An op is an operation with three numbers that say which channel, how many and so
// on, each taken modulo what there is.
type op struct {
	what    string
	a, b, c int
}

// The operations, each as often as is good for keeping queues busy on both sides. The
// first does nothing: failures shrink towards it.
var opNames = weighted("nothing", 1,
	"send", 12, "sendN", 7, "sendAny", 4,
	"recv", 12, "recvN", 7, "recvAny", 4,
	"cancel", 6, "cancel shared", 2,
	"acquire", 6, "send with ticket", 6, "release ticket", 3, "release receipt", 4, "release message", 4,
	"refused", 1, "close", 1, "drain", 1, "stop", 1, "abort", 1)

func weighted(of ...any) (names []string) {
	for i := 0; i < len(of); i += 2 {
		names = append(names, slices.Repeat([]string{of[i].(string)}, of[i+1].(int))...)
	}
	return names
}

func drawOp(rt *rapid.T) op {
	n := rapid.IntRange(0, 11)
	return op{rapid.SampledFrom(opNames).Draw(rt, "op"), n.Draw(rt, "a"), n.Draw(rt, "b"), n.Draw(rt, "c")}
}

// A modelItem is a message in the model.
type modelItem struct {
	n       int
	size    int64
	receipt *modelReceipt
}

type modelReceipt struct {
	released bool
	carried  *modelReceipt
}

type modelTicket struct {
	real          *sluice.Ticket
	state         string // "unused", "in send", "used"
	releasedSoFar bool   // while in send
}

// A modelChannel is a channel in the model.
type modelChannel struct {
	real      *sluice.Channel
	slots     int
	maxBytes  int64
	state     sluice.ChannelState
	buffer    []modelItem
	senders   []*modelCall
	receivers []*modelCall
	drainers  []*modelCall
	stats     sluice.ChannelStats // the counters of it
}

// A modelCall is a call that somebody made, in the model and really.
type modelCall struct {
	what    string
	at      []*modelChannel
	items   []modelItem // to send, those not sent yet
	sent    int
	want    int // to receive at most
	got     []modelItem
	ticket  *modelTicket // to send with, or acquired
	receipt *modelReceipt
	held    bool

	done  bool
	errs  []error // one of these
	index int     // of the channel, for RecvAny and SendAny

	shared bool
	cancel context.CancelFunc // nil if it cannot be
	real   *call[callResult]
	ms     []sluice.Message // really, to send or received
	seen   bool             // that it is done
}

type callResult struct {
	n, index int
	ticket   *sluice.Ticket
	receipt  *sluice.Receipt
}

// world is all of it.
type world struct {
	slots int
	bytes int64
	typed bool

	ledger    ledger
	channels  [2]*modelChannel
	throttle  *sluice.Throttle // of the first
	free      int
	acquirers []*modelCall
	tickets   []*modelTicket
	receipts  []struct {
		real  *sluice.Receipt
		model *modelReceipt
	}
	hands []struct { // messages received that carry a receipt
		real  sluice.Message
		model modelItem
	}
	calls        []*modelCall
	starting     *modelCall      // with a context that has ended
	shorter      []*modelChannel // that senders have left
	shared       context.Context
	cancelShared context.CancelFunc
	next         int // number of the next message

	log     []string
	failure string
}

func (w *world) fail(format string, args ...any) {
	if w.failure == "" {
		w.failure = fmt.Sprintf(format, args...)
	}
}

func (w *world) run(ops []op) {
	for i := range w.channels {
		opts := []sluice.ChannelOption{sluice.Slots(w.slots + i)}
		if w.bytes > 0 {
			opts = append(opts, sluice.Bytes(w.bytes))
		}
		if w.typed {
			opts = append(opts, sluice.Of[interface{ Release() }]())
		}
		w.channels[i] = &modelChannel{
			real:  sluice.NewChannel(fmt.Sprint("c", i), opts...),
			slots: w.slots + i, maxBytes: w.bytes, state: sluice.ChannelOpen,
		}
	}
	w.free = 2
	w.throttle, _ = sluice.NewThrottle(w.channels[0].real, w.free)
	w.shared, w.cancelShared = context.WithCancel(context.Background())
	for _, o := range ops {
		if w.failure != "" {
			break
		}
		if o.what != "nothing" {
			w.log = append(w.log, fmt.Sprint(o))
		}
		w.apply(o)
		w.compare()
	}
	w.finish()
}

// finish ends everything; nothing may be left then.
func (w *world) finish() {
	w.log = append(w.log, "end of the test")
	for _, c := range w.channels {
		w.end(c, sluice.ChannelAborted)
	}
	w.compare()
	w.cancelShared()
	for _, h := range w.hands {
		h.real.Release()
	}
	for _, c := range w.calls {
		if c.cancel != nil {
			c.cancel()
		}
	}
	synctest.Wait()
	if w.failure != "" {
		return
	}
	for _, problem := range w.ledger.problems() {
		w.fail("%s", problem)
	}
}

// apply does one operation, in the model and really.
func (w *world) apply(o op) {
	c := w.channels[o.a%2]
	switch o.what {
	case "send":
		size := int64(o.b)
		if w.bytes == 0 {
			size = 0
		}
		k := &modelCall{what: "send", at: []*modelChannel{c}}
		w.load(k, w.ledger.heavy(w.next, size), size)
		w.begin(k, o.c, func(ctx context.Context) (r callResult, err error) {
			return r, c.real.Send(ctx, &k.ms[0])
		})
		w.send(k)
	case "sendN":
		k := &modelCall{what: "sendN", at: []*modelChannel{c}}
		for range 1 + o.b%4 {
			w.load(k, w.ledger.weightless(w.next), 0)
		}
		w.begin(k, o.c, func(ctx context.Context) (r callResult, err error) {
			r.n, err = c.real.SendN(ctx, k.ms)
			return r, err
		})
		w.send(k)
	case "sendAny":
		size := int64(o.b)
		if w.bytes == 0 {
			size = 0
		}
		k := &modelCall{what: "sendAny", at: w.channels[:]}
		w.load(k, w.ledger.heavy(w.next, size), size)
		w.begin(k, o.c, func(ctx context.Context) (r callResult, err error) {
			r.index, err = sluice.SendAny(ctx, &k.ms[0], w.channels[0].real, w.channels[1].real)
			return r, err
		})
		w.sendAny(k)
	case "recv":
		k := &modelCall{what: "recv", at: []*modelChannel{c}, want: 1}
		w.begin(k, o.c, func(ctx context.Context) (r callResult, err error) {
			m, err := c.real.Recv(ctx)
			k.ms = []sluice.Message{m}
			return callResult{n: 1}, err
		})
		w.recv(k)
	case "recvN":
		k := &modelCall{what: "recvN", at: []*modelChannel{c}, want: 1 + o.b%4}
		w.begin(k, o.c, func(ctx context.Context) (r callResult, err error) {
			k.ms = make([]sluice.Message, k.want)
			r.n, err = c.real.RecvN(ctx, k.ms)
			return r, err
		})
		w.recv(k)
	case "recvAny":
		k := &modelCall{what: "recvAny", at: w.channels[:], want: 1}
		w.begin(k, o.c, func(ctx context.Context) (r callResult, err error) {
			var m sluice.Message
			r.index, m, err = sluice.RecvAny(ctx, w.channels[0].real, w.channels[1].real)
			k.ms = []sluice.Message{m}
			r.n = 1
			return r, err
		})
		w.recvAny(k)
	case "drain":
		k := &modelCall{what: "drain", at: []*modelChannel{c}}
		w.begin(k, o.c, func(ctx context.Context) (r callResult, err error) { return r, c.real.Drain(ctx) })
		w.modelEnd(c, sluice.ChannelClosed)
		switch {
		case c.state != sluice.ChannelClosed:
			k.finish(c.sendError())
		case len(c.buffer) == 0:
			k.finish(nil)
		default:
			c.drainers = append(c.drainers, k)
		}
	case "close":
		w.end(c, sluice.ChannelClosed)
	case "stop":
		w.end(c, sluice.ChannelStopped)
	case "abort":
		w.end(c, sluice.ChannelAborted)
	case "cancel":
		var waiting []*modelCall
		for _, k := range w.calls {
			if !k.done && k.cancel != nil && !k.shared {
				waiting = append(waiting, k)
			}
		}
		if len(waiting) > 0 {
			k := waiting[o.b%len(waiting)]
			k.cancel()
			w.give(k)
		}
	case "cancel shared":
		w.cancelShared()
		w.shared, w.cancelShared = context.WithCancel(context.Background())
		for _, k := range w.calls {
			if !k.done && k.shared {
				w.give(k)
			}
		}
	case "refused":
		w.refused(o)
	case "nothing":
	default:
		w.applyThrottle(o)
	}
	w.giveUpCancelled()
	w.letIn()
}

// refused sends what no channel takes.
func (w *world) refused(o op) {
	c := w.channels[o.a%2]
	var m sluice.Message
	want := sluice.ErrEmptyMessage
	if o.b%2 == 0 && w.typed {
		m, want = sluice.NewMessage(1, "text"), nil
	}
	err := c.real.Send(context.Background(), &m)
	if want != nil && err != want || want == nil && !errors.As(err, new(*sluice.TypeError)) {
		w.fail("a message to be refused: %v", err)
	}
}

// load adds a message to what a call sends.
func (w *world) load(k *modelCall, m sluice.Message, size int64) {
	k.ms = append(k.ms, m)
	k.items = append(k.items, modelItem{n: w.next, size: size})
	w.next++
}

// begin starts the real call.
func (w *world) begin(k *modelCall, sort int, f func(context.Context) (callResult, error)) {
	ctx := context.Background()
	switch sort % 6 {
	case 0:
	case 1, 2:
		// With a bound in bytes, it would matter who leaves first.
		if w.bytes == 0 && k.what != "acquire" && k.ticket == nil {
			ctx, k.cancel, k.shared = w.shared, w.cancelShared, true
			break
		}
		fallthrough
	default:
		ctx, k.cancel = context.WithCancel(ctx)
		if sort%6 == 3 {
			k.cancel()
			w.starting = k
		}
	}
	w.calls = append(w.calls, k)
	k.real = later(func() (callResult, error) { return f(ctx) })
	synctest.Wait()
}

// giveUpCancelled is for a call whose context had ended before it began, if it has to
// wait.
func (w *world) giveUpCancelled() {
	if k := w.starting; k != nil && !k.done {
		w.give(k)
	}
	w.starting = nil
}

// give is what the model does when the context of a waiting call ends.
func (w *world) give(k *modelCall) {
	k.finish(context.Canceled)
	k.index = -1
	w.leave(k)
}

func (k *modelCall) finish(errs ...error) {
	k.done, k.errs = true, errs
}

// letIn lets those in who were behind somebody that has left. It comes after the
// operation, because the one who left does that himself, once he is woken.
func (w *world) letIn() {
	for len(w.shorter) > 0 {
		c := w.shorter[0]
		w.shorter = w.shorter[1:]
		w.refill(c)
	}
}

// leave takes a call out of every list.
func (w *world) leave(k *modelCall) {
	isIt := func(other *modelCall) bool { return other == k }
	w.acquirers = slices.DeleteFunc(w.acquirers, isIt)
	for _, c := range k.at {
		before := len(c.senders)
		c.senders = slices.DeleteFunc(c.senders, isIt)
		c.receivers = slices.DeleteFunc(c.receivers, isIt)
		c.drainers = slices.DeleteFunc(c.drainers, isIt)
		if len(c.senders) < before {
			w.shorter = append(w.shorter, c)
		}
	}
	if t := k.ticket; t != nil && t.state == "in send" {
		t.state = "unused"
		switch {
		case k.errs[0] == nil:
			t.state = "used"
		case t.releasedSoFar:
			t.state = "used"
			w.giveBack()
		}
	}
}

func (c *modelChannel) fits(size int64) bool {
	var bytes int64
	for _, it := range c.buffer {
		bytes += it.size
	}
	return len(c.buffer) < c.slots && (c.maxBytes == 0 || len(c.buffer) == 0 || bytes+size <= c.maxBytes)
}

func (c *modelChannel) accepts(size int64) bool {
	return c.state == sluice.ChannelOpen && len(c.senders) == 0 && c.fits(size)
}

// put gives a message to the first receiver that waits, to the RecvN that was served
// by the same call, or to the buffer. It returns the RecvN that may take more.
func (w *world) put(c *modelChannel, it modelItem, greedy *modelCall) *modelCall {
	switch {
	case len(c.receivers) > 0:
		k := c.receivers[0]
		k.take(c, it)
		k.index = slices.Index(w.channels[:], c)
		k.finish(nil)
		w.leave(k)
		if k.what == "recvN" {
			return k
		}
	case greedy != nil && len(c.buffer) == 0 && len(greedy.got) < greedy.want:
		greedy.take(c, it)
	default:
		c.buffer = append(c.buffer, it)
	}
	return greedy
}

func (k *modelCall) take(c *modelChannel, it modelItem) {
	k.got = append(k.got, it)
	c.stats.Received++
	c.stats.BytesSent += it.size
}

// send is every call that sends to one channel.
func (w *world) send(k *modelCall) {
	c := k.at[0]
	var greedy *modelCall
	for len(k.items) > 0 && c.accepts(k.items[0].size) {
		greedy = w.put(c, k.items[0], greedy)
		k.items = k.items[1:]
		k.sent++
	}
	switch {
	case len(k.items) == 0:
		k.finish(nil)
		w.leave(k)
	case c.state != sluice.ChannelOpen:
		k.finish(c.sendError())
		w.leave(k)
	default:
		c.senders = append(c.senders, k)
	}
}

// refill lets waiting senders in.
func (w *world) refill(c *modelChannel) {
	for len(c.senders) > 0 && c.fits(c.senders[0].items[0].size) {
		k := c.senders[0]
		w.put(c, k.items[0], nil)
		k.items = k.items[1:]
		k.sent++
		if len(k.items) == 0 {
			k.index = slices.Index(w.channels[:], c)
			k.finish(nil)
			w.leave(k)
		}
	}
}

func (w *world) sendAny(k *modelCall) {
	it := k.items[0]
	var ready, waiting, ended []*modelChannel
	for _, c := range k.at {
		switch {
		case c.accepts(it.size) && len(c.receivers) > 0:
			waiting = append(waiting, c)
			ready = append(ready, c)
		case c.accepts(it.size):
			ready = append(ready, c)
		case c.state != sluice.ChannelOpen:
			ended = append(ended, c)
		}
	}
	if len(waiting) > 0 {
		ready = waiting
	}
	w.choose(k, ready, ended, func(c *modelChannel) {
		w.put(c, it, nil)
		k.items = nil
		k.sent = 1
	})
	if !k.done {
		for _, c := range k.at {
			if c.state == sluice.ChannelOpen {
				c.senders = append(c.senders, k)
			}
		}
	}
}

// choose settles a call that has the choice among several channels, as it was really
// settled, if it was and that was right.
func (w *world) choose(k *modelCall, ready, ended []*modelChannel, do func(*modelChannel)) {
	aborted := slices.DeleteFunc(slices.Clone(ended), func(c *modelChannel) bool { return c.state != sluice.ChannelAborted })
	switch {
	case len(ready) == 0 && len(aborted) == 0 && len(ended) < len(k.at):
		return // waits
	case len(ready) == 0 && len(aborted) == 0:
		k.index = -1
		if k.want > 0 {
			k.finish(io.EOF)
		} else {
			k.finish(ended[0].sendError(), ended[len(ended)-1].sendError())
		}
		return
	case !k.real.over():
		w.fail("%s waits, though it need not", k.what)
		k.finish(nil)
		return
	}
	chosen := k.real.value.index
	if chosen < 0 || chosen >= len(w.channels) {
		w.fail("%s chose channel %d", k.what, chosen)
		k.finish(nil)
		return
	}
	c := w.channels[chosen]
	k.index = chosen
	switch {
	case slices.Contains(aborted, c):
		k.finish(errBoom)
	case slices.Contains(ready, c):
		do(c)
		k.finish(nil)
	default:
		w.fail("%s chose channel %d, which is not ready", k.what, chosen)
		k.finish(nil)
	}
}

// recv is every call that receives from one channel.
func (w *world) recv(k *modelCall) {
	c := k.at[0]
	for len(k.got) < k.want && len(c.buffer) > 0 {
		w.pop(k, c)
	}
	switch {
	case len(k.got) > 0:
		k.finish(nil)
	case c.state != sluice.ChannelOpen:
		k.finish(c.recvError())
	default:
		c.receivers = append(c.receivers, k)
	}
}

func (w *world) pop(k *modelCall, c *modelChannel) {
	k.take(c, c.buffer[0])
	c.buffer = c.buffer[1:]
	w.refill(c)
	if c.state == sluice.ChannelClosed && len(c.buffer) == 0 {
		for _, d := range c.drainers {
			d.finish(nil)
		}
		c.drainers = nil
	}
}

func (w *world) recvAny(k *modelCall) {
	var ready, ended []*modelChannel
	for _, c := range k.at {
		switch {
		case len(c.buffer) > 0:
			ready = append(ready, c)
		case c.state != sluice.ChannelOpen:
			ended = append(ended, c)
		}
	}
	w.choose(k, ready, ended, func(c *modelChannel) { w.pop(k, c) })
	if !k.done {
		for _, c := range k.at {
			if c.state == sluice.ChannelOpen {
				c.receivers = append(c.receivers, k)
			}
		}
	}
}

func (c *modelChannel) sendError() error {
	switch c.state {
	case sluice.ChannelClosed:
		return sluice.ErrClosed
	case sluice.ChannelStopped:
		return sluice.ErrStopped
	case sluice.ChannelAborted:
		return errBoom
	}
	return nil
}

func (c *modelChannel) recvError() error {
	if c.state == sluice.ChannelAborted {
		return errBoom
	}
	return io.EOF
}

// end ends a channel, in the model and really.
func (w *world) end(c *modelChannel, how sluice.ChannelState) {
	switch how {
	case sluice.ChannelClosed:
		c.real.Close()
	case sluice.ChannelStopped:
		c.real.Stop()
	case sluice.ChannelAborted:
		c.real.Abort(errBoom)
	}
	synctest.Wait() // until those that waited here have left other channels, too
	w.modelEnd(c, how)
	w.letIn()
}

func (w *world) modelEnd(c *modelChannel, how sluice.ChannelState) {
	overrides := c.state == sluice.ChannelClosed && len(c.buffer) > 0 && how != sluice.ChannelClosed
	if c.state != sluice.ChannelOpen && !overrides {
		return
	}
	c.state = how
	var dropped []modelItem
	if how != sluice.ChannelClosed {
		dropped, c.buffer = c.buffer, nil
	}
	// A call that waits at both channels goes on waiting, unless this was an abort
	// or the last.
	over := func(k *modelCall, err error) {
		k.at = slices.Clone(k.at)
		if how == sluice.ChannelAborted && len(k.at) > 1 {
			k.index = slices.Index(w.channels[:], c)
		} else if len(k.at) > 1 {
			k.index = -1
			for _, other := range k.at {
				if other.state == sluice.ChannelOpen {
					return
				}
			}
		}
		errs := []error{err}
		if len(k.at) > 1 && how != sluice.ChannelAborted && k.want == 0 {
			errs = []error{k.at[0].sendError(), k.at[1].sendError()}
		}
		k.finish(errs...)
		w.leave(k)
	}
	if c == w.channels[0] {
		for _, k := range w.acquirers {
			k.finish(c.sendError())
		}
		w.acquirers = nil
	}
	senders, receivers, drainers := c.senders, c.receivers, c.drainers
	c.senders, c.receivers = nil, nil
	for _, k := range senders {
		over(k, c.sendError())
	}
	for _, k := range receivers {
		over(k, c.recvError())
	}
	if len(c.buffer) == 0 {
		for _, k := range drainers {
			k.finish(c.sendError())
		}
		c.drainers = nil
	}
	for _, it := range dropped {
		c.stats.Dropped++
		c.stats.BytesSent += it.size
		w.release(it.receipt)
	}
}

// giveBack returns a ticket, to the first who waits for one.
func (w *world) giveBack() {
	if len(w.acquirers) == 0 {
		w.free++
		return
	}
	k := w.acquirers[0]
	w.acquirers = w.acquirers[1:]
	k.finish(nil)
}

func (w *world) release(r *modelReceipt) {
	if r != nil && !r.released {
		r.released = true
		w.giveBack()
		w.release(r.carried)
	}
}

// applyThrottle does the operations on tickets and receipts.
func (w *world) applyThrottle(o op) {
	switch o.what {
	case "acquire":
		k := &modelCall{what: "acquire"}
		w.begin(k, o.c, func(ctx context.Context) (r callResult, err error) {
			r.ticket, err = w.throttle.Acquire(ctx)
			return r, err
		})
		switch c := w.channels[0]; {
		case c.state != sluice.ChannelOpen:
			k.finish(c.sendError())
		case w.free > 0:
			w.free--
			k.finish(nil)
		default:
			w.acquirers = append(w.acquirers, k)
		}
	case "send with ticket":
		if len(w.tickets) > 0 {
			w.sendWithTicket(w.tickets[o.a%len(w.tickets)], o)
		}
	case "release ticket":
		if len(w.tickets) == 0 {
			return
		}
		t := w.tickets[o.a%len(w.tickets)]
		t.real.Release()
		switch t.state {
		case "unused":
			t.state = "used"
			w.giveBack()
		case "in send":
			t.releasedSoFar = true
		}
	case "release receipt":
		if len(w.receipts) > 0 {
			r := w.receipts[o.a%len(w.receipts)]
			r.real.Release()
			w.release(r.model)
		}
	case "release message":
		if len(w.hands) > 0 {
			i := o.a % len(w.hands)
			w.hands[i].real.Release()
			w.release(w.hands[i].model.receipt)
			w.hands = slices.Delete(w.hands, i, i+1)
		}
	}
}

// sendWithTicket sends a new message, or passes on one that carries a receipt.
func (w *world) sendWithTicket(t *modelTicket, o op) {
	c := w.channels[0]
	k := &modelCall{what: "send with ticket", at: []*modelChannel{c}, ticket: t, held: o.b%2 == 0}
	if len(w.hands) > 0 && o.b%3 == 0 {
		i := o.b % len(w.hands)
		k.ms, k.items = []sluice.Message{w.hands[i].real}, []modelItem{w.hands[i].model}
		w.hands = slices.Delete(w.hands, i, i+1)
	} else {
		w.load(k, w.ledger.message(w.next), 0)
	}
	w.begin(k, o.c, func(ctx context.Context) (r callResult, err error) {
		if k.held {
			return r, t.real.SendHeld(ctx, &k.ms[0])
		}
		r.receipt, err = t.real.Send(ctx, &k.ms[0])
		return r, err
	})
	if t.state != "unused" {
		k.finish(sluice.ErrTicketUsed)
		return
	}
	t.state, t.releasedSoFar = "in send", false
	k.receipt = &modelReceipt{}
	if k.held {
		k.receipt.carried = k.items[0].receipt
		k.items[0].receipt = k.receipt
	}
	w.send(k)
}

// compare compares what has happened with the model.
func (w *world) compare() {
	synctest.Wait()
	for _, k := range w.calls {
		if k.real.over() != k.done {
			w.fail("%s: returned %v (%+v, %v); in the model %v (%v)", k.what, k.real.over(), k.real.value, k.real.err, k.done, k.errs)
			return
		}
		if k.done && !k.seen {
			k.seen = true
			w.compareResult(k)
		}
	}
	alive := len(w.hands)
	for i, c := range w.channels {
		var bytes int64
		for _, it := range c.buffer {
			bytes += it.size
		}
		want := c.stats
		want.State, want.Slots, want.Len, want.Bytes = c.state, c.slots, len(c.buffer), bytes
		want.Sent = want.Received + want.Dropped + uint64(len(c.buffer))
		want.BytesSent += bytes
		want.Memory = mem.Of(mem.Host, bytes)
		want.Senders, want.Receivers = len(c.senders), len(c.receivers)
		if got := c.real.Stats(); got != want {
			w.fail("channel %d is\n%+v, in the model\n%+v", i, got, want)
		}
		if c.real.Len() != len(c.buffer) {
			w.fail("channel %d has Len %d, in the model %d", i, c.real.Len(), len(c.buffer))
		}
		alive += len(c.buffer)
	}
	for _, k := range w.calls {
		if !k.done {
			alive += len(k.items)
		}
	}
	if got := w.ledger.live(); got != alive && w.failure == "" {
		w.fail("%d payloads are alive, in the model %d", got, alive)
	}
}

// compareResult compares what a call returned, and takes over what it gave.
func (w *world) compareResult(k *modelCall) {
	r, err := k.real.value, k.real.err
	if !slices.ContainsFunc(k.errs, func(want error) bool { return errors.Is(err, want) }) {
		w.fail("%s returned %v, in the model %v", k.what, err, k.errs)
		return
	}
	var abort *sluice.AbortError
	if errors.Is(err, errBoom) && (!errors.As(err, &abort) || abort.Cause != errBoom) {
		w.fail("%s returned %v, which is no AbortError with the cause", k.what, err)
	}
	if len(k.at) > 1 && r.index != k.index {
		w.fail("%s returned channel %d, in the model %d", k.what, r.index, k.index)
	}
	if k.what == "sendN" && r.n != k.sent {
		w.fail("sendN returned %d, in the model %d", r.n, k.sent)
	}
	if k.what == "recvN" && r.n != len(k.got) {
		w.fail("recvN returned %d, in the model %d", r.n, len(k.got))
		return
	}
	if k.want > 0 {
		for i, it := range k.got {
			w.received(k, k.ms[i], it)
		}
		return
	}
	for i := range k.ms {
		left := i >= k.sent
		if k.ms[i].Empty() == left {
			w.fail("%s returned %v, and message %d is with the caller: %v, in the model %v", k.what, err, i, !k.ms[i].Empty(), left)
			continue
		}
		if !left {
			continue
		}
		it := k.items[i-k.sent]
		if k.ms[i].Seq() != sluice.SeqNum(it.n) {
			w.fail("%s: message %d is number %d, in the model %d", k.what, i, k.ms[i].Seq(), it.n)
		}
		// What was not sent carries what it carried before.
		if it.receipt != nil && it.receipt == k.receipt {
			it.receipt = it.receipt.carried
		}
		w.received(k, k.ms[i], it)
	}
	switch {
	case err != nil:
		if r.ticket != nil || r.receipt != nil {
			w.fail("%s returned something with its error", k.what)
		}
	case k.what == "acquire":
		w.tickets = append(w.tickets, &modelTicket{real: r.ticket, state: "unused"})
	case k.ticket != nil && !k.held:
		w.receipts = append(w.receipts, struct {
			real  *sluice.Receipt
			model *modelReceipt
		}{r.receipt, k.receipt})
	}
}

// received keeps a message that carries a receipt, and releases any other.
func (w *world) received(k *modelCall, m sluice.Message, it modelItem) {
	if m.Seq() != sluice.SeqNum(it.n) || m.Empty() {
		w.fail("%s gave message %d (empty: %v), in the model %d", k.what, m.Seq(), m.Empty(), it.n)
	}
	if (m.Receipt() != nil) != (it.receipt != nil) {
		w.fail("%s gave message %d with a receipt: %v, in the model %v", k.what, m.Seq(), m.Receipt() != nil, it.receipt != nil)
	}
	if it.receipt == nil {
		m.Release()
		return
	}
	w.hands = append(w.hands, struct {
		real  sluice.Message
		model modelItem
	}{m, it})
}
