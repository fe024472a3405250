package table

import (
	"fmt"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/mem"
)

// A Chunk is some rows of a table: the payload of the messages between the nodes
// of this package. It holds one reference to an Arrow record batch, which it gives
// back on Release. Its rows never change; several goroutines may read it.
//
// A chunk whose memory is from an [Allocator] is counted by a resource and goes where that
// has room: while it waits in a channel, or is registered with [mem.Resource.Register], it may
// be spilled to disk, and a port made with [sluice.Port.At] brings it back for the next
// node. Rows, Schema and Content can be asked for wherever it is, the Batch only while it is in
// host memory. A chunk made with [NewChunk] always is.
type Chunk struct {
	schema *arrow.Schema
	rows   int
	own    *Allocator // of all the memory, if it can move; else nil
	shape  []*shape   // of the columns, if it can move and is not packed

	mu struct {
		sync.Mutex
		batch    arrow.RecordBatch // nil while the chunk is elsewhere
		buffers  []*mem.Buffer     // of a chunk that can move. Arrow has the references while there is a batch
		spilled  *mem.Spilled      // has them while it is spilled
		packed   *mem.Packed       // has the bytes of the columns while it is packed
		columns  []columnInPack    // then
		content  mem.Content
		moving   bool // Spill or Restore is at work, and has batch, buffers and spilled for itself
		shared   bool // somebody has kept arrays
		released bool
	}
}

// NewChunk returns a chunk that takes over the caller's reference to batch: the
// caller releases the chunk, or sends it, and no longer the batch. The chunk cannot be
// spilled, and its memory is not counted by any resource, wherever the batch has it from: for
// that make it with an [Allocator].
func NewChunk(batch arrow.RecordBatch) *Chunk {
	c := &Chunk{schema: batch.Schema(), rows: int(batch.NumRows())}
	c.mu.batch = batch
	c.mu.content.Bytes[mem.Host] = batchBytes(batch)
	return c
}

// newOwnChunk is NewChunk for a batch made with an allocator that counts.
func newOwnChunk(batch arrow.RecordBatch, own *Allocator) *Chunk {
	shape, buffers, all := takeApart(batch, own)
	c := &Chunk{schema: batch.Schema(), rows: int(batch.NumRows())}
	c.mu.batch = batch
	c.mu.content = mem.ContentOf(buffers...)
	if all {
		c.own, c.shape, c.mu.buffers = own, shape, buffers
	} else {
		c.mu.content.Spillable = false
	}
	return c
}

// Batch lends the record batch. It is good until the chunk is released or sent; whoever
// keeps it longer retains it, and keeps the chunk from being spilled by that. Batch
// panics with the error of [Chunk.Resident] if there is one, and after Release.
func (c *Chunk) Batch() arrow.RecordBatch {
	batch, err := c.resident()
	if err != nil {
		panic(err)
	}
	return batch
}

// Resident returns nil if the rows are in host memory, where Batch finds them; else a
// [*ResidencyError].
func (c *Chunk) Resident() error {
	_, err := c.resident()
	return err
}

func (c *Chunk) resident() (arrow.RecordBatch, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.mu.released:
		panic("table: Batch of a Chunk that was released")
	case c.mu.moving:
		return nil, &ResidencyError{Rows: c.rows, Moving: true}
	case c.mu.batch == nil:
		return nil, &ResidencyError{Rows: c.rows, Kind: slowest(c.mu.content)}
	}
	return c.mu.batch, nil
}

// slowest returns the slowest kind of memory in which there is something.
func slowest(content mem.Content) mem.Kind {
	for k := mem.Disk; k > mem.Device; k-- {
		if content.Bytes[k] > 0 {
			return k
		}
	}
	return mem.Device
}

// A ResidencyError says that rows were wanted of a chunk that is not in host memory.
type ResidencyError struct {
	Rows   int      // of the chunk
	Kind   mem.Kind // that it is in
	Moving bool     // it is being moved; Kind says nothing then
}

func (e *ResidencyError) Error() string {
	if e.Moving {
		return fmt.Sprintf("table: a chunk of %d rows is used while it is being moved: "+
			"whoever uses it must own it, take it out of the channel or remove its registration first", e.Rows)
	}
	return fmt.Sprintf("table: a chunk of %d rows is in %v memory, not in host memory: "+
		"have the port of the node bring it there with Reads(c).At(mem.Host), or call Restore", e.Rows, e.Kind)
}

// Rows returns the number of rows.
func (c *Chunk) Rows() int { return c.rows }

// Schema returns the names and types of the columns.
func (c *Chunk) Schema() *arrow.Schema { return c.schema }

// Release gives the memory back, wherever it is. Only the first call does; more are
// harmless.
func (c *Chunk) Release() {
	c.mu.Lock()
	again := c.mu.released
	c.mu.released = true
	moving := c.mu.moving
	c.mu.Unlock()
	if !again && !moving { // who moves it frees it in the end
		c.free()
	}
}

func (c *Chunk) free() {
	switch {
	case c.mu.batch != nil:
		c.mu.batch.Release()
	case c.mu.spilled != nil:
		c.mu.spilled.Release()
	case c.mu.packed != nil:
		c.mu.packed.Release()
	default:
		for _, b := range c.mu.buffers {
			b.Release()
		}
	}
	c.mu.buffers = nil
}

// Content returns how many bytes the chunk owns, and where. Those of a chunk that can be
// spilled are its buffers. Of others it is the host memory that they keep alive: each buffer
// once and whole, however many columns share it or how small a slice of it they
// use, dictionaries included; but if a chunk made with an [Allocator] also has arrays from
// elsewhere, those are not its own.
func (c *Chunk) Content() mem.Content {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.own != nil && c.mu.batch != nil && !c.mu.content.Spillable && !c.mu.moving && !c.mu.shared && !c.mu.released {
		c.mu.content = mem.ContentOf(c.mu.buffers...) // what was shared when it was made may be its alone by now
	}
	return c.mu.content
}
