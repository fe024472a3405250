package extent

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/zeebo/xxh3"
)

// Read fills parts, whose lengths must add up to Size and need not be those of the Write, with
// the extent's bytes, after it has checked them. Then the extent is consumed and its
// space is free. On an error it stays and can be read again; what parts hold then is not
// defined. Nobody touches parts after Read has returned.
//
// Read waits for the disk, and for its turn as Write does. The context is looked at before
// each block; when it has ended, Read waits for blocks it has begun and returns ctx.Err().
// Other errors are *[CorruptError], *[IOError], [ErrConsumed], [ErrBusy], [ErrClosed], and one
// that says how long parts should be.
func (e *Extent) Read(ctx context.Context, parts ...[]byte) error {
	var size int64
	for _, part := range parts {
		size += int64(len(part))
	}
	if size != e.size {
		return fmt.Errorf("extent: read %q: parts of %d bytes are given for %d bytes of data", e.label, size, e.size)
	}
	if err := e.claim(); err != nil {
		return fmt.Errorf("read %q: %w", e.label, err)
	}
	defer e.store.calls.Done()
	err := e.readBlocks(ctx, parts)
	e.settle(err == nil)
	return err
}

// claim makes this call the extent's only reader, and counts it in.
func (e *Extent) claim() error {
	s := e.store
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case e.gone || e.dropped:
		return ErrConsumed
	case s.mu.closed:
		return ErrClosed
	case e.reading:
		return ErrBusy
	}
	e.reading = true
	s.calls.Add(1)
	return nil
}

// settle ends what claim began. Space is released without mu.
func (e *Extent) settle(consumed bool) {
	s := e.store
	if consumed {
		s.read.Add(e.size)
		s.readStored.Add(e.Stored())
	}
	s.mu.Lock()
	e.reading = false
	consumed = consumed || e.dropped
	if consumed {
		s.forget(e)
	}
	s.mu.Unlock()
	if consumed {
		s.release(e.blocks)
		s.trim(true)
	}
}

func (e *Extent) readBlocks(ctx context.Context, parts [][]byte) error {
	if e.size == 0 {
		return ctx.Err()
	}
	file, err := e.store.openFile()
	if err != nil {
		return &IOError{Op: opNames[OpOpen], Label: e.label, Dir: e.store.options.Dir, Err: cause(err)}
	}
	return e.store.each(ctx, span{parts: parts, n: int(e.size)}, func(i int, piece span, t *slot) error {
		return e.readBlock(file, &e.blocks[i], piece, t)
	})
}

func (e *Extent) readBlock(file File, b *block, piece span, t *slot) error {
	stored := t.landing(b, piece)
	n, err := file.ReadAt(stored, b.off)
	switch {
	case n == len(stored): // then an io.EOF may come with it
		err = nil
	case err == nil, errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return e.ioError(OpRead, b, err)
	}
	if xxh3.Hash(stored) != b.sum {
		return e.corrupt(b, nil)
	}
	return t.decode(stored, b, piece, func(err error) error { return e.corrupt(b, err) })
}

func (e *Extent) corrupt(b *block, err error) error {
	return &CorruptError{Label: e.label, Dir: e.store.options.Dir, Offset: b.off, Size: int64(b.stored), Err: err}
}

// landing returns the memory that what is in the file for a piece of data is read into:
// where the data goes, if it can.
func (t *slot) landing(b *block, piece span) []byte {
	if b.packed > 0 {
		return t.packing()[:b.stored]
	}
	if data := piece.direct(); data != nil {
		return data
	}
	return t.staging()[:b.stored]
}

// decode puts the data that stored stands for where it goes.
func (t *slot) decode(stored []byte, b *block, piece span, corrupt func(error) error) error {
	data := piece.whole()
	switch {
	case b.packed > 0:
		if data == nil {
			data = t.staging()[:piece.n]
		}
		if err := t.codec.unpack(data, stored[:b.packed]); err != nil {
			return corrupt(err)
		}
		if piece.whole() == nil {
			piece.scatter(data)
		}
	case piece.direct() == nil:
		piece.scatter(stored)
	}
	return nil
}
