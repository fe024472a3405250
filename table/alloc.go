package table

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

type allocatorKey struct{}

// withAllocator makes the nodes that run under the context take their memory
// from mem.
func withAllocator(ctx context.Context, mem memory.Allocator) context.Context {
	return context.WithValue(ctx, allocatorKey{}, mem)
}

// allocator is the one place where a node learns whose memory to use.
func allocator(ctx context.Context) memory.Allocator {
	if mem, ok := ctx.Value(allocatorKey{}).(memory.Allocator); ok {
		return mem
	}
	return memory.DefaultAllocator
}
