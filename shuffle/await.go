package shuffle

import (
	"context"

	"github.com/seed14ed4225/sluice/internal/wait"
)

// await waits until a channel is closed, and has the network see for what. It looks at ctx
// only if it has to wait.
func await(ctx context.Context, done <-chan struct{}, what wait.Wait) error {
	select {
	case <-done:
		return nil
	default:
	}
	var record wait.Record
	node := wait.FromContext(ctx)
	node.Begin(&record, what)
	defer node.End(&record)
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
