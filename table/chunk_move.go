package table

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed14ed4225/sluice/mem"
)

// How chunks move.
//
// To move, a chunk lets go of its batch. What Arrow frees then is the chunk's alone, and
// moves; the shapes of the arrays stay, to make the batch again where the memory comes back.
// But whoever has retained an array, against the rules or with them, keeps its memory:
// Arrow does not say how many references there are, but it does not free that either. So
// all buffers are retained before, and what turns out to be shared is put together again
// and stays.

// Spill moves the chunk to a slower kind of memory, of which res must have [mem.Need] left
// for the bytes of its Content, and returns how many bytes that freed. It waits for the disk. A
// chunk that cannot be spilled, or is spilled already, or whose arrays somebody else
// retains, stays where it is: 0 and no error. On an error it is where it was.
//
// Spill is for the resource, which sees to it that nobody else uses the chunk.
func (c *Chunk) Spill(ctx context.Context, res *mem.Reservation) (freed int64, err error) {
	if !c.begin() {
		return 0, nil
	}
	defer c.end()
	switch {
	case c.mu.spilled != nil:
		return c.mu.spilled.Spill(ctx, res)
	case c.mu.packed != nil:
		return 0, nil
	case !c.letGo():
		return 0, nil
	}
	buffers := c.mu.buffers
	before := mem.ContentOf(buffers...)
	spilled, err := mem.SpillBuffers(ctx, res, fmt.Sprintf("a chunk of %d rows", c.rows), buffers...)
	if err != nil {
		c.land(buffers)
		if errors.Is(err, mem.ErrShared) || errors.Is(err, mem.ErrPending) {
			return 0, nil
		}
		return 0, err
	}
	c.mu.buffers, c.mu.spilled = nil, spilled
	after := spilled.Content()
	for k := range before.Bytes {
		if mem.Kind(k) < slowest(after) {
			freed += before.Bytes[k] - after.Bytes[k]
		}
	}
	return freed, nil
}

// Restore moves the chunk to the fastest kind of memory of which res has enough left for its
// bytes, and returns how many it moved: 0 if it is there. Those are charged to who
// reserved res. It waits for the disk. On an error ([*mem.OverdrawnError], what the disk
// says, ctx, [mem.ErrShared] if somebody has retained arrays that would move) it is where it
// was and can be tried again.
//
// Restore is for the chunk's owner, and for the port that receives it.
func (c *Chunk) Restore(ctx context.Context, res *mem.Reservation) (restored int64, err error) {
	if !c.begin() {
		return 0, nil
	}
	defer c.end()
	var buffers []*mem.Buffer
	switch {
	case c.mu.packed != nil:
		return c.unpack(ctx, res)
	case c.mu.spilled != nil:
		before := c.mu.spilled.Content()
		buffers, err = c.mu.spilled.Restore(ctx, res)
		if err != nil {
			return 0, err
		}
		c.mu.spilled = nil
		restored = moved(before, mem.ContentOf(buffers...))
	case c.mu.batch != nil && res.Left(mem.Device)+res.Left(mem.Pinned) == 0:
		return 0, nil
	case !c.letGo():
		return 0, mem.ErrShared
	default:
		buffers = c.mu.buffers
		for _, b := range buffers {
			n, failed := b.Restore(ctx, res)
			restored += n
			err = errors.Join(err, failed)
		}
	}
	c.land(buffers)
	return restored, err
}

// moved returns how many bytes left the kind of memory that they were in.
func moved(before, after mem.Content) (n int64) {
	for k := range before.Bytes {
		n += max(0, before.Bytes[k]-after.Bytes[k])
	}
	return n
}

// begin makes the caller the only one who moves the chunk, if it can be moved.
func (c *Chunk) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.own == nil || c.mu.moving || c.mu.shared || c.mu.released {
		return false
	}
	c.mu.moving = true
	return true
}

func (c *Chunk) end() {
	var content mem.Content
	switch {
	case c.mu.spilled != nil:
		content = c.mu.spilled.Content()
	case c.mu.packed != nil:
		content = c.mu.packed.Content()
	default:
		content = mem.ContentOf(c.mu.buffers...)
	}
	if c.mu.shared {
		content.Spillable = false
	}
	c.mu.Lock()
	c.mu.content = content
	c.mu.moving = false
	released := c.mu.released
	c.mu.Unlock()
	if released {
		c.free()
	}
}

// letGo gives up the batch, if there is one, so that the chunk has the only references to
// its buffers. If it has not, the batch is there again.
func (c *Chunk) letGo() bool {
	if c.mu.batch == nil {
		return true
	}
	buffers := c.mu.buffers
	memories := make([][]byte, len(buffers))
	for i, b := range buffers {
		var err error
		if memories[i], err = b.Retain().Bytes(); err != nil {
			panic(fmt.Errorf("table: memory of a chunk in host memory: %w", err))
		}
	}
	c.mu.batch.Release()
	c.mu.batch = nil
	for _, bytes := range memories {
		c.mu.shared = c.mu.shared || c.own.owner(bytes) != nil
	}
	if c.mu.shared {
		c.land(buffers)
	}
	return !c.mu.shared
}

// land takes buffers with their references, and makes a batch of them if they are in host
// memory.
func (c *Chunk) land(buffers []*mem.Buffer) {
	c.mu.buffers = buffers
	memories := make([][]byte, len(buffers))
	for i, b := range buffers {
		var err error
		if memories[i], err = b.Bytes(); err != nil {
			return
		}
	}
	c.mu.batch = putTogether(c.schema, c.rows, c.shape, buffers, memories, c.own)
}
