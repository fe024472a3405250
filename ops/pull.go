package ops

import (
	"context"

	"github.com/seed14ed4225/sluice"
)

// Pull is a sink: it appends the payloads of in to *into, in the order in which
// they come. They are the caller's then, also when the network fails later. Look at
// the slice after the network has run. A message's receipt is released when its
// payload is in the slice. A payload of another type than T ends the node with a
// [*sluice.TypeError].
func Pull[T any](name string, in *sluice.Channel, into *[]T) (string, func(context.Context) error, sluice.Port) {
	run := func(ctx context.Context) error {
		return each(ctx, in, func(m *sluice.Message) error {
			v, err := sluice.Take[T](m)
			if err != nil {
				return at(in, m, err)
			}
			*into = append(*into, v)
			return nil
		})
	}
	return name, run, sluice.Reads(in)
}
