package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

var (
	// ErrOutOfOrder is returned by an [OrderedMerge] when a number comes that is not
	// higher than the one before it, in its own input or in all of them. The error
	// that wraps it names the number and the inputs.
	ErrOutOfOrder = errors.New("sequence numbers must rise strictly")

	// ErrMissing is returned by an [OrderedMerge] that was told [Dense] when no input
	// has the next number. The error that wraps it names the number.
	ErrMissing = errors.New("a sequence number is missing")
)

// OrderedMerge sends on what comes from all of the inputs in the order of sequence
// numbers. Along each input they must rise strictly, and no number may come from
// two inputs; both are [ErrOutOfOrder]. Gaps are fine unless [Dense] says otherwise.
//
// It holds at most one message per input, which can be spilled meanwhile, and sends the
// lowest when it has one of every input that has not ended. So it waits for an input that is silent, and the
// others wait with it: one that drops messages must go on reading and end at last,
// as nodes do. Inputs may end at different times; the node ends with the last. Of no
// inputs the merge is empty.
//
// This is the other end of [Distribute], and what elsewhere is called a lineariser.
// A message costs O(log n) with n inputs, or O(n) where [Dense] makes it wait for
// whichever input is next.
func OrderedMerge(name string, ins []*sluice.Channel, out *sluice.Channel, opts ...OrderedMergeOption) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	ins = slices.Clone(ins)
	var o orderedMergeOptions
	for _, opt := range opts {
		opt(&o)
	}
	run := func(ctx context.Context) error {
		m := newOrderedMerge(ins, out, o)
		defer m.release()
		return m.run(ctx)
	}
	return name, run, sluice.Reads(ins...), sluice.Writes(out)
}

// An OrderedMergeOption sets up an [OrderedMerge].
type OrderedMergeOption func(*orderedMergeOptions)

type orderedMergeOptions struct {
	dense bool
	first sluice.SeqNum
}

// Dense says that the numbers of all inputs together are first, first+1, first+2 and
// so on without a gap. The merge then sends a message as soon as it has it and all
// before it, without waiting for the other inputs. A gap is [ErrMissing].
func Dense(first sluice.SeqNum) OrderedMergeOption {
	return func(o *orderedMergeOptions) { o.dense, o.first = true, first }
}

// orderedMerge is a run of OrderedMerge. An input is in one of three states: a
// message of it is held, and its number is among the heads; it is awaited; or it has
// ended.
type orderedMerge struct {
	ins    []*sluice.Channel
	out    *sluice.Channel
	dense  bool
	next   sluice.SeqNum // if dense
	inputs []input
	heads  heads

	awaited      []*sluice.Channel
	awaitedIndex []int // of these among ins

	sent     bool
	lastSent head
}

type input struct {
	held     sluice.Message
	offered  *mem.Registration // of what is held, to be spilled
	received bool
	last     sluice.SeqNum // received
}

func newOrderedMerge(ins []*sluice.Channel, out *sluice.Channel, o orderedMergeOptions) *orderedMerge {
	s := &orderedMerge{
		ins:    ins,
		out:    out,
		dense:  o.dense,
		next:   o.first,
		inputs: make([]input, len(ins)),
		heads:  make(heads, 0, len(ins)),
	}
	for i := range ins {
		s.await(i)
	}
	return s
}

func (s *orderedMerge) run(ctx context.Context) error {
	for {
		var err error
		switch {
		case s.ready():
			err = s.send(ctx)
		case len(s.awaited) > 0:
			err = s.receive(ctx)
		case len(s.heads) > 0:
			lowest := s.heads[0]
			err = fmt.Errorf("number %d comes from no input, the next is %d of channel %q: %w", s.next, lowest.seq, s.name(lowest), ErrMissing)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// ready reports whether the lowest number held is the next to send.
func (s *orderedMerge) ready() bool {
	switch {
	case len(s.heads) == 0:
		return false
	case s.dense:
		return s.heads[0].seq <= s.next // send finds those that are too low
	}
	return len(s.awaited) == 0
}

// send sends the message with the lowest number.
func (s *orderedMerge) send(ctx context.Context) error {
	lowest := s.heads.pop()
	switch {
	case s.sent && lowest.seq == s.lastSent.seq:
		return fmt.Errorf("number %d comes from channel %q and from channel %q: %w", lowest.seq, s.name(s.lastSent), s.name(lowest), ErrOutOfOrder)
	case s.dense && lowest.seq < s.next:
		return fmt.Errorf("number %d comes from channel %q when the next is %d: %w", lowest.seq, s.name(lowest), s.next, ErrOutOfOrder)
	}
	in := &s.inputs[lowest.input]
	in.offered.Remove()
	in.offered = nil
	if err := s.out.Send(ctx, &in.held); err != nil {
		return err
	}
	s.sent, s.lastSent, s.next = true, lowest, lowest.seq+1
	s.await(lowest.input)
	return nil
}

func (s *orderedMerge) await(i int) {
	s.awaited = append(s.awaited, s.ins[i])
	s.awaitedIndex = append(s.awaitedIndex, i)
}

// receive takes a message of the first of the awaited inputs that has one.
func (s *orderedMerge) receive(ctx context.Context) error {
	k := 0
	var m sluice.Message
	var err error
	if len(s.awaited) == 1 { // nearly always
		m, err = s.awaited[0].Recv(ctx)
	} else {
		k, m, err = sluice.RecvAny(ctx, s.awaited...)
	}
	switch {
	case errors.Is(err, io.EOF): // all of them have ended
		s.awaited, s.awaitedIndex = s.awaited[:0], s.awaitedIndex[:0]
		return nil
	case err != nil:
		return err
	}

	i, last := s.awaitedIndex[k], len(s.awaited)-1
	s.awaited[k], s.awaitedIndex[k] = s.awaited[last], s.awaitedIndex[last]
	s.awaited, s.awaitedIndex = s.awaited[:last], s.awaitedIndex[:last]

	in := &s.inputs[i]
	in.held = m
	if in.received && m.Seq() <= in.last {
		return fmt.Errorf("number %d comes from channel %q after %d: %w", m.Seq(), s.ins[i].Name(), in.last, ErrOutOfOrder)
	}
	in.received, in.last = true, m.Seq()
	s.heads.push(head{m.Seq(), i})
	if r := mem.FromContext(ctx); r != nil && !s.ready() {
		in.offered = offer(ctx, r, s.ins[i], &in.held)
	}
	return nil
}

func (s *orderedMerge) name(h head) string { return s.ins[h.input].Name() }

// release frees what is held.
func (s *orderedMerge) release() {
	for i := range s.inputs {
		s.inputs[i].offered.Remove()
		s.inputs[i].held.Release()
	}
}
