package shuffle

import (
	"context"

	"github.com/seed14ed4225/sluice/mem"
)

// A Partitioner splits payloads by key. It is safe for concurrent use.
type Partitioner interface {
	// At is the kind of memory in which Split reads payloads, and makes those that it returns.
	At() mem.Kind

	// Measure says what it takes to split a payload. The payload may be one that Split has
	// returned, and in slower memory since. An error refuses the payload.
	Measure(payload any) (Size, error)

	// Split returns a new payload with the rows of each partition, in order, those of
	// payloads[0] first; nil for a partition without any. There are parts.N of them. It
	// borrows payloads, which are in memory of the kind At. res has at least what Measure
	// asked for left; nil means unaccounted. On an error it returns nothing, and keeps
	// nothing.
	Split(ctx context.Context, payloads []any, parts Parts, res *mem.Reservation) ([]any, error)
}

// A Packer is a Partitioner that can spill several payloads as one. A [Shuffle] uses that for
// payloads of a partition that Split has returned, if At is host memory: to write and remember many
// small ones costs more.
type Packer interface {
	Partitioner

	// Pack moves the rows of the first payloads to disk, of which res has [mem.Need] of what
	// all of them own left, and returns a payload with all of these rows, in order, and
	// how many payloads that are: at least one, and fewer than all if together they
	// need more than is left. Those are released. What is returned can be restored with
	// a method Restore, and owns no more memory then than they did. Size as Measure gives
	// it is not more than that of all of them together either. On an error nothing has
	// changed. The label says in errors what they belong to.
	Pack(ctx context.Context, label string, payloads []any, res *mem.Reservation) (packed any, n int, err error)
}

// Parts says how to split.
type Parts struct {
	N int // partitions

	// Level chooses how keys are hashed. At another level, the keys of one partition are
	// spread over all partitions.
	Level int
}

// A Size is what it takes to split a payload, in bytes of the kind At, each of them at most.
type Size struct {
	Rows    int64
	Bytes   int64 // for the rows, and for what Split needs to find out where they go
	PerPart int64 // for each partition that gets any of them, however few
}
