package sluice_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"github.com/seed14ed4225/sluice"
)

func TestSideChannelNeverHoldsUpASender(t *testing.T) {
	const many = 10_000
	l := newLedger(t)
	c := sluice.NewChannel("c", sluice.Slots(1), sluice.Bytes(1))
	for i := range many {
		m := l.heavy(i, 100)
		errIs(t, c.Meta().Send(&m), nil) // with nothing that could end a wait
		if !m.Empty() {
			t.Fatal("the message was sent and is still there")
		}
	}
	for i := range many {
		m, err := c.Meta().Recv(cancelledContext())
		errIs(t, err, nil)
		if m.Seq() != sluice.SeqNum(i) {
			t.Fatalf("received %d, want %d", m.Seq(), i)
		}
		m.Release()
	}
}

func TestSideChannelIsBesideTheChannel(t *testing.T) {
	c := sluice.NewChannel("c", sluice.Of[string]())
	if first := c.Meta(); first != c.Meta() {
		t.Error("Meta gives another one each time")
	}
	m := sluice.NewMessage(1, 42) // of any type
	errIs(t, c.Meta().Send(&m), nil)
	if s := c.Stats(); c.Len() != 0 || s.Sent != 0 {
		t.Errorf("metadata counts as data: %+v", s)
	}
	mustSend(t, c, sluice.NewMessage(2, "data")) // the only slot is free
	if got := mustRecv(t, c); got != 2 {
		t.Errorf("received %d from the channel", got)
	}
	m, err := c.Meta().Recv(cancelledContext())
	if err != nil || m.Seq() != 1 {
		t.Errorf("received %d, %v from the side channel", m.Seq(), err)
	}
}

func TestSideChannelRefusesEmptyMessages(t *testing.T) {
	c := sluice.NewChannel("c")
	errIs(t, c.Meta().Send(&sluice.Message{}), sluice.ErrEmptyMessage)
}

func TestSideChannelClosesWithoutItsChannel(t *testing.T) {
	c := sluice.NewChannel("c")
	m := sluice.NewMessage(0, "meta")
	errIs(t, c.Meta().Send(&m), nil)
	c.Meta().Close()
	c.Meta().Close()
	m = sluice.NewMessage(1, "late")
	errIs(t, c.Meta().Send(&m), sluice.ErrClosed)
	if m.Empty() {
		t.Error("the refused message is gone")
	}
	_, err := c.Meta().Recv(t.Context())
	errIs(t, err, nil)
	_, err = c.Meta().Recv(t.Context())
	errIs(t, err, io.EOF)
	mustSend(t, c, m)
	if got := c.Stats().State; got != sluice.ChannelOpen {
		t.Errorf("the channel is %s", got)
	}
}

func TestSideChannelRecvWaitsAndCanBeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		c := sluice.NewChannel("c")
		ctx, cancel := context.WithCancel(t.Context())
		first := later(func() (sluice.Message, error) { return c.Meta().Recv(ctx) })
		first.waits(t)
		second := later(func() (sluice.Message, error) { return c.Meta().Recv(t.Context()) })
		second.waits(t)
		cancel()
		_, err := first.returns(t)
		errIs(t, err, context.Canceled)
		second.waits(t)
		m := l.message(3)
		errIs(t, c.Meta().Send(&m), nil)
		m, err = second.returns(t)
		if err != nil || m.Seq() != 3 {
			t.Errorf("received %d, %v", m.Seq(), err)
		}
		m.Release()
	})
}

func TestSideChannelMadeAfterTheEndHasEndedToo(t *testing.T) {
	for _, row := range endingRows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := sluice.NewChannel("c")
				row.apply(c)
				m := sluice.NewMessage(0, 0)
				if err := c.Meta().Send(&m); !errors.Is(err, row.toSender) || m.Empty() {
					t.Errorf("Send gives %v", err)
				}
				if _, err := c.Meta().Recv(t.Context()); !errors.Is(err, row.atEnd) {
					t.Errorf("Recv gives %v", err)
				}
			})
		})
	}
}

func TestStopReleasesMetadataOfAChannelThatWasDrained(t *testing.T) {
	l := newLedger(t)
	c := sluice.NewChannel("c")
	m := l.message(0)
	errIs(t, c.Meta().Send(&m), nil)
	errIs(t, c.Drain(t.Context()), nil)
	c.Stop()
	if l.live() != 0 {
		t.Error("unread metadata is alive")
	}
}
