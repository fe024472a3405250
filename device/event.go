package device

import (
	"context"
	"sync"

	"github.com/seed14ed4225/sluice/internal/wait"
)

// An Event is a mark in a stream, made by [Stream.Record]. It completes once, when
// everything queued before it is done, or has failed, or never will be done because
// the device has failed or was closed. Then it reports the same to everyone, for
// ever. Events need no closing, and all methods are safe for concurrent use.
//
// Any number of goroutines may wait for events: each parks on a Go channel, and none
// holds a thread of the operating system.
type Event struct {
	stream string
	source EventSource

	mu struct {
		sync.Mutex
		complete bool
		watched  bool
		err      error
		done     chan struct{} // made when somebody asks for it
		then     []func()      // to call when it completes
	}
}

// An EventSource is a device's side of an event that the device has to look at to
// see whether it has completed. It is for those who write a device.
type EventSource interface {
	// Poll calls [Event.Complete] if the event has completed.
	Poll(*Event)

	// Watch arranges that Complete is called soon after the event has completed,
	// or the device has failed. It is called when first somebody waits, so that
	// nobody looks at events that nobody waits for.
	Watch(*Event)
}

// NewEvent makes an event of a stream of that name. A nil source is for a device
// that calls [Event.Complete] without being asked. It is for those who write a device.
func NewEvent(stream string, source EventSource) *Event {
	return &Event{stream: stream, source: source}
}

// Complete makes the event complete with an error or nil; after the first call it does
// nothing. It is for those who write a device.
func (e *Event) Complete(err error) {
	e.mu.Lock()
	if e.mu.complete {
		e.mu.Unlock()
		return
	}
	e.mu.complete, e.mu.err = true, err
	if e.mu.done != nil {
		close(e.mu.done)
	}
	then := e.mu.then
	e.mu.then = nil
	e.mu.Unlock()
	for _, f := range then {
		f()
	}
}

// Source returns what the event was made with.
func (e *Event) Source() EventSource { return e.source }

// Name returns the name of the event's stream.
func (e *Event) Name() string { return e.stream }

// Query returns whether the event has completed, and if so with which error. It does
// not wait.
func (e *Event) Query() (done bool, err error) {
	if done, err = e.look(); !done && e.source != nil {
		e.source.Poll(e)
		done, err = e.look()
	}
	return done, err
}

func (e *Event) look() (done bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mu.complete, e.mu.err
}

// completed is the channel of events that complete before anybody asks.
var completed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Done returns a Go channel that is closed when the event has completed, for use in a
// select. Query then says how it went.
func (e *Event) Done() <-chan struct{} {
	e.mu.Lock()
	defer func() {
		e.mu.Unlock()
		e.watch()
	}()
	switch {
	case e.mu.complete && e.mu.done == nil:
		return completed
	case e.mu.done == nil:
		e.mu.done = make(chan struct{})
	}
	return e.mu.done
}

// watch tells the source, once, that somebody waits.
func (e *Event) watch() {
	if e.source == nil {
		return
	}
	e.mu.Lock()
	tell := !e.mu.complete && !e.mu.watched
	e.mu.watched = true
	e.mu.Unlock()
	if tell {
		e.source.Watch(e)
	}
}

// Wait parks the goroutine until the event has completed. It returns nil if all went
// well, the *[OpError] of the operation that failed before the event, on whichever
// stream that was, a *[FailedError] if the device has failed, or [ErrClosed].
//
// If ctx ends first, Wait returns ctx.Err(). Then the work goes on, and what it uses
// is still in use. An event that has completed does not look at ctx.
//
// Nobody waits for an operation in progress when the device fails or is closed, so after
// these two errors ordinary memory that was queued for a copy may still be written for a
// while: leave it to the garbage collector rather than use it again.
func (e *Event) Wait(ctx context.Context) error {
	if done, err := e.Query(); done {
		return err
	}
	done := e.Done()
	node := wait.FromContext(ctx)
	var record wait.Record
	node.Begin(&record, wait.Wait{On: e, Reason: wait.ForEvent})
	defer node.End(&record)
	select {
	case <-done:
	case <-ctx.Done():
		if done, _ := e.look(); !done {
			return ctx.Err()
		}
	}
	_, err := e.look()
	return err
}

// then calls f when the event completes, from whatever completes it, so f must be
// quick. It returns false, and does not call f, if the event has completed already.
func (e *Event) then(f func()) bool {
	e.mu.Lock()
	if e.mu.complete {
		e.mu.Unlock()
		return false
	}
	e.mu.then = append(e.mu.then, f)
	e.mu.Unlock()
	e.watch()
	return true
}
