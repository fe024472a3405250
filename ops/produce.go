package ops

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/seed14ed4225/sluice"
)

// Produce is a source: it sends the values that produce makes, one after another,
// until produce returns io.EOF. The values are numbered 0, 1, 2 and so on, or as
// [Numbered] says, and produce is told the number of the one it is to make.
//
// Under a throttle ([Under], [Holding]) produce is called only with a ticket, so
// that a source takes memory when it is its turn and not to queue with it. The
// ticket comes back when produce fails or has no more.
//
// A value belongs to the node from produce's return on. With an error, produce
// keeps what it had made so far. Exactly io.EOF is the end: an error that wraps it
// is a failure like any other and ends the node, under the number it happened at.
func Produce[T any](
	name string,
	out *sluice.Channel,
	produce func(ctx context.Context, seq sluice.SeqNum) (T, error),
	opts ...SourceOption,
) (string, func(context.Context) error, sluice.Port) {
	s := source[T]{sourceOptions: sourceOptions{step: 1}, out: out, produce: produce}
	for _, opt := range opts {
		opt(&s.sourceOptions)
	}
	return name, s.run, sluice.Writes(out)
}

// A SourceOption sets up a source: [Push], [PushSlice] or [Produce].
type SourceOption func(*sourceOptions)

type sourceOptions struct {
	first, step sluice.SeqNum
	throttle    *sluice.Throttle
	hold        bool
	invalid     error
}

// Numbered makes the source number its values first, first+step, first+2*step and
// so on. The i-th of k sources with Numbered(i, k) has numbers that none of the
// others has, and [OrderedMerge] takes turns between them. A step of 0 is an error.
func Numbered(first, step sluice.SeqNum) SourceOption {
	return func(o *sourceOptions) {
		if step == 0 {
			o.invalid = errors.New("numbered in steps of 0: numbers must rise")
		}
		o.first, o.step = first, step
	}
}

// Under makes the source take a ticket of t before it makes a value, and give it
// back as soon as the value is sent: at most as many values as t has tickets are
// being made, or wait to be sent, at once. Sources may share t. It must be a
// throttle of the source's output.
func Under(t *sluice.Throttle) SourceOption { return throttled(t, false) }

// Holding is [Under] with the ticket kept out until the message is released by
// whoever holds it last: at most as many values as t has tickets are between being
// made and being released.
func Holding(t *sluice.Throttle) SourceOption { return throttled(t, true) }

func throttled(t *sluice.Throttle, hold bool) SourceOption {
	return func(o *sourceOptions) {
		if t == nil {
			o.invalid = errors.New("under a nil throttle: leave the option out to produce without one")
		}
		o.throttle, o.hold = t, hold
	}
}

// source is a run of Produce.
type source[T any] struct {
	sourceOptions
	out     *sluice.Channel
	produce func(context.Context, sluice.SeqNum) (T, error)
}

func (s *source[T]) run(ctx context.Context) error {
	if s.invalid != nil {
		return s.invalid
	}
	one := s.one
	if s.throttle != nil {
		if to := s.throttle.Channel(); to != s.out {
			return fmt.Errorf("the throttle is in front of channel %q, and the source writes %q", to.Name(), s.out.Name())
		}
		one = s.oneUnderTicket
	}
	for seq := s.first; ; seq += s.step {
		if more, err := one(ctx, seq); err != nil || !more {
			return err
		}
	}
}

// one makes and sends one value, if there is one more.
func (s *source[T]) one(ctx context.Context, seq sluice.SeqNum) (more bool, err error) {
	m, more, err := s.make(ctx, seq)
	defer m.Release()
	if more {
		err = to(s.out, &m, s.out.Send(ctx, &m))
	}
	return more, err
}

func (s *source[T]) oneUnderTicket(ctx context.Context, seq sluice.SeqNum) (more bool, err error) {
	ticket, err := s.throttle.Acquire(ctx)
	if err != nil {
		return false, err
	}
	defer ticket.Release()
	m, more, err := s.make(ctx, seq)
	defer m.Release()
	switch {
	case !more:
	case s.hold:
		err = ticket.SendHeld(ctx, &m)
	default:
		var receipt *sluice.Receipt
		receipt, err = ticket.Send(ctx, &m)
		receipt.Release()
	}
	return more, to(s.out, &m, err)
}

// make asks for the next value.
func (s *source[T]) make(ctx context.Context, seq sluice.SeqNum) (m sluice.Message, more bool, err error) {
	v, err := s.produce(ctx, seq)
	switch {
	case err == io.EOF: // a wrapped one comes from a truncated file
		return sluice.Message{}, false, nil
	case err != nil:
		return sluice.Message{}, false, fmt.Errorf("message %d: %w", seq, err)
	}
	return sluice.NewMessage(seq, v), true, nil
}
