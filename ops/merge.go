package ops

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/seed14ed4225/sluice"
)

// Merge sends on what comes from any of the inputs, as it comes. Order is kept
// within each input, and none of them is passed over for ever. Inputs may end at
// different times; the node ends with the last. Of no inputs the merge is empty.
//
// The numbers that leave are those that came, so they need not rise. Where order
// matters, use [OrderedMerge].
func Merge(name string, ins []*sluice.Channel, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	ins = slices.Clone(ins)
	run := func(ctx context.Context) error {
		for {
			_, m, err := sluice.RecvAny(ctx, ins...)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err == nil {
				err = pass(ctx, out, m)
			}
			if err != nil {
				return err
			}
		}
	}
	return name, run, sluice.Reads(ins...), sluice.Writes(out).Unordered()
}

// pass sends m, or releases it.
func pass(ctx context.Context, out *sluice.Channel, m sluice.Message) error {
	defer m.Release()
	return out.Send(ctx, &m)
}
