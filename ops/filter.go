package ops

import (
	"context"

	"github.com/seed14ed4225/sluice"
)

// Filter sends on the messages whose payload keep wants, and releases the others.
// Numbers stay as they are, so what comes out has gaps. Keep borrows the payload
// for the call. A payload of another type than T ends the node with a
// [*sluice.TypeError].
func Filter[T any](name string, in, out *sluice.Channel, keep func(T) bool) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	run := func(ctx context.Context) error {
		return each(ctx, in, func(m *sluice.Message) error {
			v, err := sluice.Peek[T](m)
			if err != nil {
				return at(in, m, err)
			}
			if !keep(v) {
				return nil
			}
			return out.Send(ctx, m)
		})
	}
	return name, run, sluice.Reads(in), sluice.Writes(out)
}
