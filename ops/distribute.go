package ops

import (
	"context"
	"errors"
	"slices"

	"github.com/seed14ed4225/sluice"
)

// Distribute sends each message to one of the outputs, by demand: to one whose
// reader waits, else to one that has room, else to the first that gets room. So a
// worker that is slow gets less, and none waits while there is work. Along each
// output the numbers rise as they do in in; [OrderedMerge] brings the results back
// into one order.
//
// An output that was stopped gets nothing more, and the others go on; what it had
// been sent and not received is lost with it. When all were stopped the node
// returns [sluice.ErrStopped]. No output at all is an error of the node.
func Distribute(name string, in *sluice.Channel, outs []*sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	outs = slices.Clone(outs)
	run := func(ctx context.Context) error {
		if len(outs) == 0 {
			return errors.New("nothing to distribute to: it needs at least one output")
		}
		return each(ctx, in, func(m *sluice.Message) error {
			_, err := sluice.SendAny(ctx, m, outs...)
			return err
		})
	}
	return name, run, sluice.Reads(in), sluice.Writes(outs...)
}
