package sluice_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
	"github.com/seed14ed4225/sluice/mem"
)

// uploads is a node that sends device buffers to which pinned memory is being copied.
func uploads(out *sluice.Channel, messages int) func(context.Context) error {
	return func(ctx context.Context) error {
		s, err := mem.FromContext(ctx).Device().NewStream(device.StreamOptions{Name: "up"})
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		for i := range messages {
			res, err := mem.FromContext(ctx).ReserveAll(ctx, mem.Of(mem.Pinned, piece).Plus(mem.Of(mem.Device, piece)))
			if err != nil {
				return err
			}
			b, err := upload(res, s, i)
			res.Release()
			if err != nil {
				return err
			}
			m := sluice.NewMessage(sluice.SeqNum(i), b)
			if err := out.Send(ctx, &m); err != nil {
				m.Release()
				return err
			}
		}
		return nil
	}
}

func upload(res *mem.Reservation, s device.Stream, number int) (*mem.Buffer, error) {
	from, err := res.Alloc(mem.Pinned, piece, s)
	if err != nil {
		return nil, err
	}
	defer from.Release() // goes when it has been copied
	data, err := from.Exclusive()
	if err != nil {
		return nil, err
	}
	copy(data, bytes.Repeat([]byte{byte(number)}, piece))
	to, err := res.Alloc(mem.Device, piece, s)
	if err != nil {
		return nil, err
	}
	return to, queueCopy(to, from)
}

// queueCopy queues a copy on the stream of the destination.
func queueCopy(to, from *mem.Buffer) error {
	return from.Read(to.Stream(), func(src device.Span) error {
		return to.Write(func(s device.Stream, dst device.Span) error { return s.Copy(dst, src) })
	})
}

// works is a node that queues work of its own stream on what it passes on.
func works(in, out *sluice.Channel) func(context.Context) error {
	return func(ctx context.Context) error {
		s, err := mem.FromContext(ctx).Device().NewStream(device.StreamOptions{Name: "work"})
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		for m, err := range in.All(ctx) {
			if err != nil {
				return err
			}
			b, err := sluice.Peek[*mem.Buffer](&m)
			if err == nil {
				err = b.Rebind(s)
			}
			if err == nil { // the upper half is the work's
				err = b.Write(func(s device.Stream, dst device.Span) error {
					return s.Fill(dst.Block().Span(piece/2, piece/2), 0xaa)
				})
			}
			if err == nil {
				err = out.Send(ctx, &m)
			}
			m.Release()
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// downloads is a node that sends pinned memory to which what came is being copied.
func downloads(in, out *sluice.Channel) func(context.Context) error {
	return func(ctx context.Context) error {
		s, err := mem.FromContext(ctx).Device().NewStream(device.StreamOptions{Name: "down"})
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		for m, err := range in.All(ctx) {
			if err != nil {
				return err
			}
			err := download(ctx, &m, s)
			if err == nil {
				err = out.Send(ctx, &m)
			}
			m.Release()
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func download(ctx context.Context, m *sluice.Message, s device.Stream) error {
	from, err := sluice.Take[*mem.Buffer](m)
	if err != nil {
		return err
	}
	defer from.Release()
	res, err := mem.FromContext(ctx).Reserve(ctx, mem.Pinned, piece)
	if err != nil {
		return err
	}
	defer res.Release()
	to, err := res.Alloc(mem.Pinned, piece, s)
	if err != nil {
		return err
	}
	m.Replace(to)
	return queueCopy(to, from)
}

// With all streams standing still, messages go through a whole network to its last node,
// with a copy to the device, work there, and a copy back queued on them, of which nothing
// has been done. When the streams go on, the bytes are right.
func TestAMessageTravelsWhileItsWorkIsQueued(t *testing.T) {
	const messages = 20
	sim := cudatest.New(cudatest.Options{})
	d, err := sim.Open(0, cuda.Options{})
	errIs(t, err, nil)
	t.Cleanup(func() {
		errIs(t, d.Close(), nil)
		checkSim(t, sim)
	})
	l := limits(0)
	l[mem.Device], l[mem.Pinned] = mem.Bytes(64*piece), mem.Bytes(64*piece)
	r := budgetWith(t, mem.Options{Device: d, Limits: l})
	t.Cleanup(func() { settled(r) })

	resume := sim.Stall()
	net := sluice.NewNetwork("travelling", sluice.WithMemory(r), sluice.WithStallAfter(0))
	up, worked, down := net.Channel("up"), net.Channel("worked"), net.Channel("down")
	net.Node("upload", uploads(up, messages), sluice.Writes(up))
	net.Node("work", works(up, worked), sluice.Reads(up), sluice.Writes(worked))
	net.Node("download", downloads(worked, down), sluice.Reads(worked), sluice.Writes(down))
	net.Node("last", func(ctx context.Context) error {
		var all []*mem.Buffer
		for m, err := range down.All(ctx) {
			if err != nil {
				return err
			}
			b, err := sluice.Take[*mem.Buffer](&m)
			if err != nil {
				return err
			}
			defer b.Release()
			all = append(all, b)
		}
		if len(all) != messages {
			t.Errorf("%d messages came", len(all))
		}
		for i, b := range all {
			if done, err := b.Written().Query(); done {
				t.Errorf("message %d: its work is done (%v) though nothing moves", i, err)
			}
		}
		resume()
		for i, b := range all {
			if err := b.Wait(ctx); err != nil {
				return err
			}
			data, err := b.Bytes()
			if err != nil {
				return err
			}
			want := append(bytes.Repeat([]byte{byte(i)}, piece/2), bytes.Repeat([]byte{0xaa}, piece/2)...)
			if !bytes.Equal(data, want) {
				t.Errorf("message %d holds %d and %d, want %d and 170", i, data[0], data[piece-1], i)
			}
		}
		return nil
	}, sluice.Reads(down))
	errIs(t, net.Run(t.Context()), nil)
}
