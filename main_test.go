package sluice_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/seed14ed4225/sluice"
)

// Every test of the package fails if a goroutine outlives it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A call is under way in a goroutine of its own. Inside a synctest bubble, after
// synctest.Wait, it either has returned or waits for something.
type call[T any] struct {
	done  chan struct{}
	value T
	err   error
	after time.Duration // that it took
}

func later[T any](f func() (T, error)) *call[T] {
	c := &call[T]{done: make(chan struct{})}
	begin := time.Now()
	go func() {
		c.value, c.err = f()
		c.after = time.Since(begin)
		close(c.done)
	}()
	return c
}

// try is later for what returns an error only.
func try(f func() error) *call[struct{}] {
	return later(func() (struct{}, error) { return struct{}{}, f() })
}

// over reports whether the call has returned.
func (c *call[T]) over() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// waits fails the test unless the call waits.
func (c *call[T]) waits(t testing.TB) {
	t.Helper()
	synctest.Wait()
	if c.over() {
		t.Fatalf("returned %v, %v; want it to wait", c.value, c.err)
	}
}

// returns fails the test unless the call has returned, and gives what it did.
func (c *call[T]) returns(t testing.TB) (T, error) {
	t.Helper()
	synctest.Wait()
	if !c.over() {
		t.Fatal("still waits")
	}
	return c.value, c.err
}

// errIs fails the test unless err is want, or wraps it; a nil want is no error.
func errIs(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

// mustSend sends a message that must go through without waiting.
func mustSend(t testing.TB, c *sluice.Channel, ms ...sluice.Message) {
	t.Helper()
	for i := range ms {
		errIs(t, c.Send(cancelledContext(), &ms[i]), nil)
	}
}

// mustRecv receives a message that must be there already, releases it and returns its
// number.
func mustRecv(t testing.TB, c *sluice.Channel) int {
	t.Helper()
	m, err := c.Recv(cancelledContext())
	errIs(t, err, nil)
	m.Release()
	return int(m.Seq())
}

// cancelledContext returns a context that ends a call as soon as it has to wait.
func cancelledContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
