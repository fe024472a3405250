package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// An interruption is the cause of a context that a signal has ended.
type interruption struct {
	signal syscall.Signal
}

func (i interruption) Error() string { return fmt.Sprintf("interrupted (%v)", i.signal) }

// status is the exit status that a shell gives a process ended by the signal.
func (i interruption) status() int { return 128 + int(i.signal) }

// interruptible returns a context that ends at the first SIGINT or SIGTERM,
// with an interruption as its cause. After that these signals are no longer
// caught, so that a second one kills the process.
func interruptible(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(interruption{s.(syscall.Signal)})
		case <-ctx.Done():
			signal.Stop(signals)
		}
	}()
	return ctx, func() { cancel(nil) }
}

// await calls f and returns what it does, but not later than when ctx ends.
// Then f goes on by itself, until it returns or the process ends: it is for
// calls that cannot be interrupted and leave nothing behind, such as opening
// files on a disk that does not answer.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// A patientWriter writes for callers that must not be held up by it once a
// context has ended: a write to a pipe that nobody empties can last for ever,
// and a file descriptor has no way to cut it short.
type patientWriter struct {
	ctx     context.Context
	writes  chan []byte
	results chan error
	buffer  []byte
}

// newPatientWriter starts a goroutine that writes to w until close is called.
func newPatientWriter(ctx context.Context, w io.Writer) *patientWriter {
	p := &patientWriter{ctx: ctx, writes: make(chan []byte), results: make(chan error, 1)}
	go func() {
		for data := range p.writes {
			_, err := w.Write(data)
			p.results <- err
		}
	}()
	return p
}

// Write returns once data is written, or with the cause of the context's end.
// In the second case the write goes on, so it works on a copy of data, and
// every later Write fails, too.
func (p *patientWriter) Write(data []byte) (int, error) {
	if p.ctx.Err() != nil {
		return 0, context.Cause(p.ctx)
	}
	p.buffer = append(p.buffer[:0], data...)
	p.writes <- p.buffer
	select {
	case err := <-p.results:
		if err != nil {
			return 0, err
		}
		return len(data), nil
	case <-p.ctx.Done():
		return 0, context.Cause(p.ctx)
	}
}

// close ends the goroutine, after the write it is in, if any.
func (p *patientWriter) close() { close(p.writes) }
