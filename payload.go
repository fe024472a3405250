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

// sizeOf is contentOf for the send path: what a payload weighs against a limit in
// bytes.
func sizeOf(payload any) int64 {
	if p, ok := payload.(content); ok {
		return p.Content().Total()
	}
	return 0
}
