package sluice

import (
	"context"

	"github.com/seed14ed4225/sluice/mem"
)

// What a payload can do beside being carried. Each method is optional; a plain Go
// value has none. The method sets are spelled out in the package documentation.
type (
	releaser interface{ Release() }
	content  interface{ Content() mem.Content }
	copier   interface {
		Copy(ctx context.Context, res *mem.Reservation) (any, error)
	}
)

func releasePayload(payload any) {
	if p, ok := payload.(releaser); ok {
		p.Release()
	}
}

func contentOf(payload any) mem.Content {
	if p, ok := payload.(content); ok {
		return p.Content()
	}
	return mem.Content{}
}

// The methods of a payload that moves between kinds of memory.
type (
	spiller interface {
		Spill(ctx context.Context, res *mem.Reservation) (freed int64, err error)
	}
	restorer interface {
		Restore(ctx context.Context, res *mem.Reservation) (restored int64, err error)
	}

	// placed is a payload that says how much must be reserved to bring it to a kind of memory,
	// 0 if it is there, also when it shares all it has and its Content is zero.
	placed interface{ RestoreNeed(k mem.Kind) int64 }
)
