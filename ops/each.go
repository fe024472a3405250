package ops

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/seed14ed4225/sluice"
)

// each calls do for every message of in until its end. Do sends the message on,
// takes what is in it, or leaves it; what it leaves is released, also when it fails
// or panics. There is one message for all calls, so that none is allocated.
func each(ctx context.Context, in *sluice.Channel, do func(m *sluice.Message) error) error {
	var m sluice.Message
	defer func() { m.Release() }()
	for {
		var err error
		m, err = in.Recv(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = do(&m)
		}
		if err != nil {
			return err
		}
		m.Release()
	}
}

// at says which message of which channel err is about.
func at(in *sluice.Channel, m *sluice.Message, err error) error {
	return fmt.Errorf("message %d of channel %q: %w", m.Seq(), in.Name(), err)
}

// to is for errors of sending a payload that was made here: it says which message of
// which channel err is about if the payload is at fault. Other errors are about the
// channel, and go on as they are.
func to(out *sluice.Channel, m *sluice.Message, err error) error {
	var wrong *sluice.TypeError
	if errors.As(err, &wrong) || errors.Is(err, sluice.ErrEmptyMessage) {
		return fmt.Errorf("message %d to channel %q: %w", m.Seq(), out.Name(), err)
	}
	return err
}
