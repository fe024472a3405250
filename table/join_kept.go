package table

import (
	"context"
	"sync"

	"github.com/seed14ed4225/sluice/mem"
)

// A keptChunk is a chunk that waits until it is needed, and may be spilled meanwhile.
type keptChunk struct {
	chunk        *Chunk
	bytes        int64             // that it takes in memory
	registration *mem.Registration // nil while it is in use, or there is no resource
	matched      []uint64          // a bit for each row of which it was seen that it matches; nil before
}

// A keeper keeps chunks for a node.
type keeper struct {
	ctx  context.Context
	from *mem.Resource
	name string // of what is spilled, in reports
}

// keep takes a chunk over.
func (k *keeper) keep(chunk *Chunk) *keptChunk {
	c := &keptChunk{chunk: chunk, bytes: chunk.Content().Total()}
	k.offer(c)
	return c
}

// offer lets a chunk be spilled that is not in use any more.
func (k *keeper) offer(c *keptChunk) {
	c.registration = k.from.Register(k.ctx, k.name, c.chunk)
}

// take takes a chunk out of the spiller's reach, and brings it to host memory. It waits for that. On an
// error it can be spilled again.
func (k *keeper) take(ctx context.Context, c *keptChunk) error {
	c.hold()
	need := c.away()
	if need == 0 {
		return nil
	}
	res, err := k.from.Reserve(ctx, mem.Host, need)
	if err == nil {
		_, err = c.chunk.Restore(ctx, res)
		res.Release()
	}
	if err != nil {
		k.offer(c)
	}
	return err
}

// takeAll takes chunks together with more bytes, which are left in the reservation. Who has to wait for
// so much lets them be spilled meanwhile, since they may be the very thing that has to be. So what
// is reserved then is as if all of them had to be brought back.
func (k *keeper) takeAll(ctx context.Context, chunks []*keptChunk, more int64) (res *mem.Reservation, err error) {
	away := func() (n int64) {
		for _, c := range chunks {
			c.hold()
			n += c.away()
		}
		return n
	}
	defer func() {
		if err != nil {
			for _, c := range chunks {
				k.offer(c)
			}
			res.Release()
			res = nil
		}
	}()
	res, there := k.from.TryReserve(ctx, mem.Of(mem.Host, more+away()))
	if !there {
		all := more
		for _, c := range chunks {
			all += c.bytes
			k.offer(c)
		}
		if res, err = k.from.Reserve(ctx, mem.Host, all); err != nil {
			for _, c := range chunks {
				c.hold()
			}
			return nil, err
		}
		if spare := all - more - away(); spare > 0 {
			if err := res.GiveBack(mem.Host, spare); err != nil {
				return res, err
			}
		}
	}
	for _, c := range chunks {
		if c.away() == 0 {
			continue
		}
		if _, err := c.chunk.Restore(ctx, res); err != nil {
			return res, err
		}
	}
	return res, nil
}

// hold takes the chunk out of the spiller's reach.
func (c *keptChunk) hold() {
	c.registration.Remove()
	c.registration = nil
}

// away returns how many bytes have to be brought back.
func (c *keptChunk) away() int64 {
	content := c.chunk.Content()
	return content.Total() - content.In(mem.Host) - content.In(mem.Pinned)
}

func (c *keptChunk) release() {
	c.hold()
	c.chunk.Release()
}

// keptChunks are chunks in the order in which they came. Several goroutines may take them out.
type keptChunks struct {
	mu struct {
		sync.Mutex
		chunks []*keptChunk
		rows   int64
		bytes  int64
	}
}

func (s *keptChunks) add(c *keptChunk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.chunks = append(s.mu.chunks, c)
	s.mu.rows += int64(c.chunk.Rows())
	s.mu.bytes += c.bytes
}

// pop takes the first out; nil if there is none.
func (s *keptChunks) pop() *keptChunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.chunks) == 0 {
		return nil
	}
	c := s.mu.chunks[0]
	s.mu.chunks[0] = nil
	s.mu.chunks = s.mu.chunks[1:]
	s.mu.rows -= int64(c.chunk.Rows())
	s.mu.bytes -= c.bytes
	return c
}

// popAll takes all out.
func (s *keptChunks) popAll() (all []*keptChunk) {
	for c := s.pop(); c != nil; c = s.pop() {
		all = append(all, c)
	}
	return all
}

func (s *keptChunks) size() (rows, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.rows, s.mu.bytes
}

func (s *keptChunks) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.chunks)
}

func (s *keptChunks) release() {
	for c := s.pop(); c != nil; c = s.pop() {
		c.release()
	}
}

// peek returns the first, which stays; nil if there is none.
func (s *keptChunks) peek() *keptChunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.chunks) == 0 {
		return nil
	}
	return s.mu.chunks[0]
}

// unpop puts chunks before the others.
func (s *keptChunks) unpop(chunks []*keptChunk) {
	rest := s.popAll()
	for _, c := range append(chunks, rest...) {
		s.add(c)
	}
}
