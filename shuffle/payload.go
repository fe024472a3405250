package shuffle

import (
	"context"
	"fmt"

	"github.com/seed14ed4225/sluice/mem"
)

// What a payload can do, each of it optional, as everywhere: see the package documentation of
// sluice.
type (
	releaser interface{ Release() }
	weighed  interface{ Content() mem.Content }
	spiller  interface {
		Spill(ctx context.Context, res *mem.Reservation) (freed int64, err error)
	}
	restorer interface {
		Restore(ctx context.Context, res *mem.Reservation) (restored int64, err error)
	}
)

func release(payload any) {
	if p, ok := payload.(releaser); ok {
		p.Release()
	}
}

func contentOf(payload any) mem.Content {
	if p, ok := payload.(weighed); ok {
		return p.Content()
	}
	return mem.Content{}
}

// away returns how many bytes are not where they are wanted. Pinned memory is host memory, and
// better.
func away(content mem.Content, home mem.Kind) int64 {
	n := content.Total() - content.In(home)
	if home == mem.Host {
		n -= content.In(mem.Pinned)
	}
	return n
}

// restore brings a payload home that is not there.
func restore(ctx context.Context, payload any, res *mem.Reservation) error {
	p, ok := payload.(restorer)
	if !ok {
		return fmt.Errorf("payload %T is in slower memory and has no method Restore", payload)
	}
	_, err := p.Restore(ctx, res)
	return err
}
