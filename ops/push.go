package ops

import (
	"context"
	"io"
	"iter"

	"github.com/seed14ed4225/sluice"
)

// Push sends the values of a sequence, numbered as for [Produce]. It asks for the
// next value when the one before was sent, and under a throttle only with a ticket.
// A value is the node's once it was yielded; when the node ends early the sequence
// is told (its yield returns false) and keeps what it has not yielded.
func Push[T any](name string, out *sluice.Channel, values iter.Seq[T], opts ...SourceOption) (string, func(context.Context) error, sluice.Port) {
	run := func(ctx context.Context) error {
		next, stop := iter.Pull(values)
		defer stop()
		_, run, _ := Produce(name, out, func(context.Context, sluice.SeqNum) (T, error) {
			v, more := next()
			if !more {
				return v, io.EOF
			}
			return v, nil
		}, opts...)
		return run(ctx)
	}
	return name, run, sluice.Writes(out)
}

// PushSlice sends the values of a slice, numbered as for [Produce]. They are the
// node's from the start of its run: those that could not be sent are released when
// it ends, if they have a Release method. The slice itself is not changed.
func PushSlice[T any](name string, out *sluice.Channel, values []T, opts ...SourceOption) (string, func(context.Context) error, sluice.Port) {
	run := func(ctx context.Context) error {
		rest := values
		defer func() {
			for i, v := range rest {
				m := sluice.NewMessage(sluice.SeqNum(i), v)
				m.Release()
			}
		}()
		_, run, _ := Produce(name, out, func(context.Context, sluice.SeqNum) (v T, err error) {
			if len(rest) == 0 {
				return v, io.EOF
			}
			v, rest = rest[0], rest[1:]
			return v, nil
		}, opts...)
		return run(ctx)
	}
	return name, run, sluice.Writes(out)
}
