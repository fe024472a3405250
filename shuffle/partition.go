package shuffle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// A Partition is all payloads with the rows of some keys. Those who take them may be
// several; each payload is given out once.
type Partition struct {
	from  *Shuffle
	index int

	// Guarded by the lock of the shuffle.
	pieces      []*item
	bytes, rows int64
}

func (p *Partition) add(piece *item) {
	p.pieces = append(p.pieces, piece)
	piece.listed = true
	p.count(piece, 1)
}

// Index returns which partition it is, from 0.
func (p *Partition) Index() int { return p.index }

// Level returns the level at which it was split.
func (p *Partition) Level() int { return p.from.opts.Level }

// Len returns how many payloads are left.
func (p *Partition) Len() int {
	p.from.mu.Lock()
	defer p.from.mu.Unlock()
	return len(p.pieces)
}

// Bytes returns how much memory the payloads that are left take once all of them are restored.
func (p *Partition) Bytes() int64 {
	p.from.mu.Lock()
	defer p.from.mu.Unlock()
	return p.bytes
}

// Rows returns how many rows are left.
func (p *Partition) Rows() int64 {
	p.from.mu.Lock()
	defer p.from.mu.Unlock()
	return p.rows
}

// Next returns the next payload, which is the caller's to release, in the kind of memory that the
// partitioner works in. If it was spilled, Next reserves what brings it back, and waits for
// that; so the caller must not have reserved memory. io.EOF comes after the last one, and after
// Release. On any other error the payload is still there: ctx.Err(), a [*mem.NoMemoryError],
// what the disk says, or the cause of [Shuffle.Abort].
func (p *Partition) Next(ctx context.Context) (any, error) {
	for {
		it, err := p.pop()
		if err != nil {
			return nil, err
		}
		payload, err := p.next(ctx, it)
		if payload != nil || err != nil {
			return payload, err
		}
	}
}

// next returns the payload of a piece, or nil if that went into a pack meanwhile.
func (p *Partition) next(ctx context.Context, it *item) (any, error) {
	fetched := false
	defer func() { // also when a method of the payload panics
		if !fetched {
			p.unpop(it)
		}
	}()
	if err := p.fetch(ctx, it); err != nil {
		return nil, err
	}
	fetched = true
	return it.payload, nil
}

// fetch takes a payload off the shelf and brings it home.
func (p *Partition) fetch(ctx context.Context, it *item) error {
	split := p.from.splitter
	if err := split.shelf.take(ctx, it); err != nil {
		return err
	}
	need := away(it.content, split.by.At())
	if need == 0 {
		return nil
	}
	res, err := split.memory.ReserveAll(ctx, split.home(need))
	if err == nil {
		err = restore(ctx, it.payload, res)
		res.Release()
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("shuffle %q: bringing back a payload of partition %d: %w", split.name, p.index, err)
	}
	return err
}

// pop takes the first piece, which stays on the shelf.
func (p *Partition) pop() (*item, error) {
	p.from.mu.Lock()
	defer p.from.mu.Unlock()
	switch {
	case p.from.mu.ended != nil:
		return nil, p.from.mu.ended
	case len(p.pieces) == 0:
		return nil, io.EOF
	}
	it := p.pieces[0]
	p.pieces[0] = nil
	p.pieces = p.pieces[1:]
	it.listed = false
	p.count(it, -1)
	return it, nil
}

// unpop puts a piece back in its place, off or on the shelf.
func (p *Partition) unpop(it *item) {
	shelf := p.from.splitter.shelf
	shelf.put(it)
	if !p.unshift(it) {
		shelf.discard(it)
	}
}

// unshift makes a piece the first again, unless the shuffle has ended.
func (p *Partition) unshift(it *item) bool {
	p.from.mu.Lock()
	defer p.from.mu.Unlock()
	if p.from.mu.ended != nil {
		return false
	}
	if !it.merged {
		p.pieces = slices.Insert(p.pieces, 0, it)
		it.listed = true
		p.count(it, 1)
	}
	return true
}

func (p *Partition) count(it *item, sign int64) {
	p.bytes += sign * it.bytes
	p.rows += sign * it.size.Rows
}

// Release releases the payloads that are left. Once is enough.
func (p *Partition) Release() {
	for {
		it, err := p.pop()
		if err != nil {
			return // there is none left, or the shuffle has released them
		}
		p.from.splitter.shelf.discard(it)
	}
}

// Split returns a shuffle of the payloads that are left, by other bits of their keys' hashes,
// into n partitions: for who finds a partition too large. It returns when all of them are
// given to it; it is finished, and the caller closes it. If all rows have one key, one of its
// partitions has all of them again. On an error, which is as of Insert, some are still
// here and the others are released.
func (p *Partition) Split(ctx context.Context, n int) (*Shuffle, error) {
	opts := p.from.opts
	opts.Name = fmt.Sprintf("%s/%d", opts.Name, p.index)
	opts.Parts, opts.Producers, opts.Credits = n, 1, 0
	opts.Level++
	s, err := New(ctx, opts)
	if err != nil {
		return nil, err
	}
	for {
		err := p.move(ctx, s)
		if errors.Is(err, io.EOF) {
			err = s.Finish(ctx)
			if err == nil {
				return s, nil
			}
		}
		if err != nil {
			s.Close()
			return nil, err
		}
	}
}

// move inserts the next payload wherever it is: what is split is brought back then, with all
// that is split with it.
func (p *Partition) move(ctx context.Context, to *Shuffle) error {
	it, err := p.pop()
	if err != nil {
		return err
	}
	moved := false
	defer func() {
		if !moved {
			p.unpop(it)
		}
	}()
	if err := p.from.splitter.shelf.take(ctx, it); err != nil {
		return err
	}
	if it.merged {
		moved = true
		return nil
	}
	if err := to.insert(ctx, it.payload, it.size); err != nil {
		return err
	}
	moved = true
	return nil
}
