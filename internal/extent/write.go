package extent

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/zeebo/xxh3"
)

// Write puts the bytes of parts, one after the other, into the file, and returns when they
// are there. The label says in errors whose bytes they are. From then on the extent is the
// caller's to read or free; parts stay the caller's throughout, and must not change
// until Write returns, whatever it returns.
//
// Write waits for the disk, and for its turn when more blocks are under way than
// [Options.Writes]. The context is looked at before each block; when it has ended, Write
// waits for blocks it has begun and returns ctx.Err(). Other errors are *[IOError], where
// errors.Is may find [ErrDiskFull], and [ErrClosed]. On any error nothing is kept, and the
// space is free again.
func (s *Store) Write(ctx context.Context, label string, parts ...[]byte) (*Extent, error) {
	if !s.begin() {
		return nil, fmt.Errorf("write %q: %w", label, ErrClosed)
	}
	defer s.calls.Done()

	e := newExtent(s, label, parts)
	if err := s.writeBlocks(ctx, e, parts); err != nil {
		s.release(e.blocks)
		s.trim(!errors.Is(err, ErrDiskFull)) // a full disk is full for everybody
		return nil, err
	}
	s.keep(e)
	return e, nil
}

func (s *Store) writeBlocks(ctx context.Context, e *Extent, parts [][]byte) error {
	if e.size == 0 {
		return ctx.Err()
	}
	file, err := s.openFile()
	if err != nil {
		return &IOError{Op: opNames[OpOpen], Label: e.label, Dir: s.options.Dir, Err: cause(err)}
	}
	return s.each(ctx, span{parts: parts, n: int(e.size)}, func(i int, piece span, t *slot) error {
		return s.writeBlock(file, e, &e.blocks[i], piece, t)
	})
}

func (s *Store) writeBlock(file File, e *Extent, b *block, piece span, t *slot) error {
	stored, packed := t.encode(piece)
	b.packed = int32(packed)
	b.sum = xxh3.Hash(stored)
	b.off = s.space.take(int64(len(stored)))
	b.stored = int32(len(stored)) // from now on release gives the space back

	n, err := file.WriteAt(stored, b.off)
	if err == nil && n < len(stored) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return e.ioError(OpWrite, b, err)
	}
	return nil
}

// encode returns what is to be in the file for a piece of data, whole pages, and how many
// bytes of that are compressed data, 0 when the piece is stored as it is.
func (t *slot) encode(piece span) (stored []byte, packed int) {
	raw := pages(piece.n)
	data := piece.whole()
	if t.codec != nil && raw > pageSize { // one page cannot become less
		if data == nil {
			data = t.staging()[:piece.n]
			piece.gather(data)
		}
		if n := t.codec.pack(t.packing(), data, raw-pageSize); n > 0 {
			return padded(t.packed, n), n
		}
	}
	if data := piece.direct(); data != nil {
		return data, 0
	}
	piece.gather(t.staging())
	return padded(t.staged, piece.n), 0
}

// padded returns whole pages of memory, with zeros behind the first n bytes: the checksum
// covers all that is in the file, and what staging memory had before is nobody's business.
func padded(memory []byte, n int) []byte {
	memory = memory[:pages(n)]
	clear(memory[n:])
	return memory
}
