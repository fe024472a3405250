package ops

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"

	"github.com/seed14ed4225/sluice"
)

// group is the goroutines of one node. They end together: the first to fail ends
// the context of the others, and the node returns when all of them are home, with
// that first failure.
//
// A panic in a goroutine of the node's own would end the program, where one in the
// node's goroutine only ends the network, so it is made a failure here. Panics come
// from the methods of payloads, which are called wherever messages are sent.
type group struct {
	ctx    context.Context
	cancel context.CancelFunc
	home   sync.WaitGroup
	first  sync.Once
	err    error
}

func newGroup(ctx context.Context) *group {
	g := &group{}
	g.ctx, g.cancel = context.WithCancel(ctx)
	return g
}

// start calls f in a goroutine of the group.
func (g *group) start(f func(context.Context) error) {
	g.home.Go(func() { g.do(f) })
}

// do calls f in this goroutine, as one of the group.
func (g *group) do(f func(context.Context) error) {
	var err error
	returned := false
	defer func() {
		if !returned {
			if value := recover(); value != nil {
				err = &sluice.PanicError{Value: value, Stack: debug.Stack()}
			} else {
				err = errors.New("left by runtime.Goexit instead of returning")
			}
		}
		if err != nil {
			g.first.Do(func() { g.err = err })
			g.cancel()
		}
	}()
	err = f(g.ctx)
	returned = true
}

// wait waits until all goroutines have returned, and returns the first failure.
func (g *group) wait() error {
	g.home.Wait()
	g.cancel()
	return g.err
}

// end is wait for a node that leaves early, by a panic or runtime.Goexit.
func (g *group) end() {
	g.cancel()
	g.home.Wait()
}
