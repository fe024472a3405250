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
