package ops

import (
	"context"

	"github.com/seed14ed4225/sluice"
)

// Map sends f of each payload, under the number and with the receipt that the
// payload came with.
//
// A payload is f's from the call on, whether f fails or not: to return, to keep, or
// to release. What f returns is the node's. An error of f ends the node, under the
// number of its message; so does a payload of another type than A
// ([*sluice.TypeError]), and a nil interface from f ([sluice.ErrEmptyMessage]): to
// leave values out, use [Filter].
//
// F is called by one goroutine. To call it by several, put a [Distribute] before as
// many maps and an [OrderedMerge] behind them.
func Map[A, B any](name string, in, out *sluice.Channel, f func(context.Context, A) (B, error)) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	run := func(ctx context.Context) error {
		return each(ctx, in, func(m *sluice.Message) error {
			a, err := sluice.Take[A](m)
			if err != nil {
				return at(in, m, err)
			}
			b, err := f(ctx, a)
			if err != nil {
				return at(in, m, err)
			}
			m.Replace(b)
			return to(out, m, out.Send(ctx, m))
		})
	}
	return name, run, sluice.Reads(in), sluice.Writes(out)
}
