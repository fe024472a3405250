package sluice

import (
	"errors"
	"fmt"
	"reflect"
)

var (
	// ErrClosed is returned by a send on a channel that its producers have closed.
	// The message is still the caller's.
	ErrClosed = errors.New("sluice: channel closed")

	// ErrStopped is returned by a send on a channel whose consumers want no more.
	// The message is still the caller's. A node passes it on: returning ErrStopped
	// is how a node says that it ended because nobody wanted its output.
	ErrStopped = errors.New("sluice: channel stopped by its consumer")

	// ErrAborted is the cause of an abort that was given none.
	ErrAborted = errors.New("sluice: aborted")

	// ErrEmptyMessage is returned for a message that carries no payload: by a send,
	// and by Peek and Take.
	ErrEmptyMessage = errors.New("sluice: empty message")

	// ErrTicketUsed is returned by the second send with one ticket, and by a send
	// with a ticket that was given back. Acquire another.
	ErrTicketUsed = errors.New("sluice: ticket already used")

	// ErrNotCopyable is returned by [Message.Copy] when the payload has no Copy
	// method. Give its type one, or do not send it to several places.
	ErrNotCopyable = errors.New("sluice: payload cannot be copied")
)

// A TypeError says that a payload was of another type than asked for: by [Peek]
// and [Take], whose message it leaves untouched, and by a send on a channel made
// with [Of].
type TypeError struct {
	Want, Got reflect.Type
}

func (e *TypeError) Error() string {
	return fmt.Sprintf("sluice: payload is %v, not %v", e.Got, e.Want)
}

// An AbortError is what both sides of an aborted channel get. It wraps the cause
// given to [Channel.Abort].
type AbortError struct {
	Channel string
	Cause   error

	run *Network // whose interruption this is, or nil
}

func (e *AbortError) Error() string {
	return fmt.Sprintf("sluice: channel %q aborted: %v", e.Channel, e.Cause)
}

func (e *AbortError) Unwrap() error { return e.Cause }

// A NodeError is what the node of that name returned, or how it ended instead.
type NodeError struct {
	Node string
	Err  error
}

func (e *NodeError) Error() string { return fmt.Sprintf("node %q: %v", e.Node, e.Err) }

func (e *NodeError) Unwrap() error { return e.Err }

// A PanicError is a panic in a node, caught by its network.
type PanicError struct {
	Value any    // what it panicked with
	Stack []byte // where, as debug.Stack prints it
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v\n\n%s", e.Value, e.Stack) }

// Unwrap returns the value if the node panicked with an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
