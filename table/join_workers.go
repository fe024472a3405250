package table

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/seed14ed4225/sluice"
)

// inParallel calls f n times at once, one of them in this goroutine, and returns when all have
// returned, with the first error. That ends the context of the others.
func inParallel(ctx context.Context, n int, f func(ctx context.Context, worker int) error) error {
	if n == 1 {
		return f(ctx, 0)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	var once sync.Once
	var first error
	do := func(worker int) {
		err := fmt.Errorf("worker %d was left by runtime.Goexit", worker)
		defer func() {
			// A panic here would end the program, where one in the node's goroutine
			// only ends the network.
			if value := recover(); value != nil {
				err = &sluice.PanicError{Value: value, Stack: debug.Stack()}
			}
			if err != nil {
				once.Do(func() { first = err })
				cancel()
			}
		}()
		err = f(ctx, worker)
	}
	for worker := 1; worker < n; worker++ {
		all.Go(func() { do(worker) })
	}
	do(0)
	all.Wait()
	return first
}
