package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda/axpy"
	"github.com/seed14ed4225/sluice/mem"
)

const (
	streamsInTurn = 4 // so that copies in both directions and a kernel find one each
	leastPieces   = 3 // the ramp, a piece, and the next
)

// A job is a run of the network:
//
//	read 0 ─┬▶ loaded ─▶ compute ─▶ computed ─▶ return ─▶ returned ─┬▶ write 0
//	read 1 ─┘                                                       └▶ write 1
//
// What travels is a buffer, with the work that is still queued on it: nobody but the last
// node waits for the device. The limits of memory hold the first node back.
type job struct {
	*settings
	in      io.ReaderAt
	out     io.WriterAt
	streams *device.StreamPool

	loaded, computed, returned *sluice.Channel
}

func newNetwork(j *job, r *mem.Resource) *sluice.Network {
	net := sluice.NewNetwork("stream", sluice.WithMemory(r))
	j.loaded = net.Channel("loaded", sluice.Of[*mem.Buffer]())
	j.computed = net.Channel("computed", sluice.Of[*mem.Buffer]())
	j.returned = net.Channel("returned", sluice.Of[*mem.Buffer]())
	net.Node("compute", j.compute, sluice.Reads(j.loaded), sluice.Writes(j.computed).Unordered())
	net.Node("return", j.takeBack, sluice.Reads(j.computed), sluice.Writes(j.returned).Unordered())
	for i := range j.files {
		net.Node(fmt.Sprint("read ", i), func(ctx context.Context) error { return j.read(ctx, i) }, sluice.Writes(j.loaded))
		net.Node(fmt.Sprint("write ", i), j.write, sluice.Reads(j.returned))
	}
	return net
}

// read fills pinned memory, from which the device copies at full speed, with every so manieth
// piece of the file.
func (j *job) read(ctx context.Context, first int) error {
	for i := int64(first); i*j.piece < j.size; i += int64(j.files) {
		if err := j.readPiece(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) readPiece(ctx context.Context, i int64) error {
	at := i * j.piece
	s, err := j.streams.Stream()
	if err != nil {
		return err
	}
	piece, err := newBuffer(ctx, mem.Pinned, min(j.piece, j.size-at), s)
	if err != nil {
		return err
	}
	m := sluice.NewMessage(sluice.SeqNum(i), piece)
	defer m.Release() // does nothing once sent
	bytes, err := piece.Exclusive()
	if err != nil {
		return err
	}
	if n, err := j.in.ReadAt(bytes, at); n < len(bytes) {
		if err == io.EOF {
			err = errors.New("the file has become shorter")
		}
		return fmt.Errorf("reading at %d: %w", at, err)
	}
	return j.loaded.Send(ctx, &m)
}

// compute queues, for each piece, the copy to the device and the kernel.
func (j *job) compute(ctx context.Context) error {
	x, err := j.ramp(ctx)
	if err != nil {
		return err
	}
	defer x.Release()
	for m, err := range j.loaded.All(ctx) {
		if err != nil {
			return err
		}
		if err := j.computePiece(ctx, &m, x); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) computePiece(ctx context.Context, m *sluice.Message, x *mem.Buffer) error {
	defer m.Release()
	if err := moved(ctx, m, mem.Device); err != nil {
		return err
	}
	y, err := sluice.Peek[*mem.Buffer](m)
	if err != nil {
		return err
	}
	if x, err = x.Slice(0, y.Size()); err != nil { // the last piece may be shorter
		return err
	}
	defer x.Release()
	err = y.Write(func(s device.Stream, dst device.Span) error {
		return x.Read(s, func(src device.Span) error { return axpy.Float32(s, float32(j.a), src, dst) })
	})
	if err != nil {
		return err
	}
	return j.computed.Send(ctx, m)
}

// ramp makes x: 0, 1, 2 and so on, on the device.
func (j *job) ramp(ctx context.Context) (*mem.Buffer, error) {
	s, err := j.streams.Stream()
	if err != nil {
		return nil, err
	}
	x, err := newBuffer(ctx, mem.Device, j.piece, s)
	if err != nil {
		return nil, err
	}
	floats := make([]byte, 0, j.piece)
	for i := range j.piece / bytesPerFloat {
		floats = binary.NativeEndian.AppendUint32(floats, math.Float32bits(float32(i)))
	}
	err = x.Write(func(s device.Stream, dst device.Span) error { return s.Copy(dst, device.Bytes(floats)) })
	if err != nil {
		x.Release()
		return nil, err
	}
	return x, nil
}

// takeBack queues the copy back.
func (j *job) takeBack(ctx context.Context) error {
	for m, err := range j.computed.All(ctx) {
		if err != nil {
			return err
		}
		if err := moved(ctx, &m, mem.Pinned); err != nil {
			m.Release()
			return err
		}
		if err := j.returned.Send(ctx, &m); err != nil {
			m.Release()
			return err
		}
	}
	return nil
}

// write waits for each piece, and writes it to where it came from.
func (j *job) write(ctx context.Context) error {
	for m, err := range j.returned.All(ctx) {
		if err != nil {
			return err
		}
		if err := j.writePiece(ctx, &m); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) writePiece(ctx context.Context, m *sluice.Message) error {
	defer m.Release()
	piece, err := sluice.Peek[*mem.Buffer](m)
	if err != nil {
		return err
	}
	if err := piece.Wait(ctx); err != nil {
		return err
	}
	bytes, err := piece.Bytes()
	if err != nil {
		return err
	}
	_, err = j.out.WriteAt(bytes, int64(m.Seq())*j.piece)
	return err
}

// moved puts another buffer into a message, into which its bytes will have been copied, on
// the stream of the first one. It waits for room, and for nothing else.
func moved(ctx context.Context, m *sluice.Message, to mem.Kind) error {
	from, err := sluice.Take[*mem.Buffer](m)
	if err != nil {
		return err
	}
	defer from.Release() // its memory goes when the copy is done
	made, err := newBuffer(ctx, to, from.Size(), from.Stream())
	if err != nil {
		return err
	}
	m.Replace(made)
	return made.Write(func(s device.Stream, dst device.Span) error {
		return from.Read(s, func(src device.Span) error { return s.Copy(dst, src) })
	})
}

// newBuffer waits for room, and allocates.
func newBuffer(ctx context.Context, k mem.Kind, n int64, on device.Stream) (*mem.Buffer, error) {
	res, err := mem.FromContext(ctx).Reserve(ctx, k, n)
	if err != nil {
		return nil, err
	}
	defer res.Release()
	return res.Alloc(k, n, on)
}
