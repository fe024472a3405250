package ops

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/seed14ed4225/sluice"
)

// SideChannel makes a [Broadcast] pass on what comes in the input's side channel
// ([sluice.Channel.Meta]) to the side channel of every output, and close those when
// it ends. Side channels are unbounded and this does not wait for the data: however
// a reader takes turns between the outputs, all that was sent to the side channel of
// the input is there to be read, and so is its end. Copies are made as of the data.
//
// Without this option the input's side channel is not read.
func SideChannel() BroadcastOption { return func(b *broadcast) { b.side = true } }

func (b *broadcast) forwardSide(ctx context.Context) error {
	for {
		m, err := b.in.Meta().Recv(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = b.giveSide(ctx, m)
		}
		if err != nil {
			return err
		}
	}
	for _, out := range b.outs {
		out.Meta().Close()
	}
	close(b.sideDone)
	return nil
}

// giveSide sends m to all side channels, the last one getting the original.
func (b *broadcast) giveSide(ctx context.Context, m sluice.Message) error {
	defer m.Release()
	last := len(b.outs) - 1
	for _, out := range b.outs[:last] {
		c, err := b.copy(ctx, &m)
		if err != nil {
			return fmt.Errorf("metadata %d of channel %q: %w", m.Seq(), b.in.Name(), err)
		}
		if err := sendSide(out, &c); err != nil {
			return err
		}
	}
	return sendSide(b.outs[last], &m)
}

// sendSide sends m, or releases it. Readers may want no more of a side channel, or
// close it themselves, and still want the data.
func sendSide(out *sluice.Channel, m *sluice.Message) error {
	defer m.Release()
	err := out.Meta().Send(m)
	if errors.Is(err, sluice.ErrStopped) || errors.Is(err, sluice.ErrClosed) {
		return nil
	}
	return err
}
