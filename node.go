package sluice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"runtime/debug"
	"time"

	"github.com/seed14ed4225/sluice/internal/wait"
)

// node is a node of a network and how its run stands.
type node struct {
	name  string
	run   func(context.Context) error
	ports []Port
	net   *Network
	waits wait.Node

	// Guarded by the lock of the network.
	state nodeState
	ended time.Duration
}

// Name is what resources call the node that something came from.
func (nd *node) Name() string { return nd.name }

type nodeState uint8

const (
	pending nodeState = iota
	started
	done
	failed
)

// each yields the channels of the node's ports of one direction.
func (nd *node) each(writes bool) iter.Seq[*Channel] {
	return func(yield func(*Channel) bool) {
		for _, p := range nd.ports {
			if p.writes != writes {
				continue
			}
			for _, c := range p.channels {
				if c != nil && !yield(c) { // check reports a nil one
					return
				}
			}
		}
	}
}

// main is the goroutine of a node. Its deferred call sees the three ways out: a
// return, a panic, and runtime.Goexit, which is neither.
func (nd *node) main(ctx context.Context) {
	defer nd.net.run.Done()
	var err error
	returned := false
	defer func() {
		if !returned {
			if value := recover(); value != nil {
				err = &PanicError{Value: value, Stack: debug.Stack()}
			} else {
				err = errors.New("left by runtime.Goexit instead of returning")
			}
		}
		nd.net.returned(nd, err)
	}()
	err = nd.run(ctx)
	returned = true
}

// verdict returns the error that counts against a node that returned err, or nil.
func (nd *node) verdict(err, cause error) error {
	if _, panicked := err.(*PanicError); panicked {
		return err
	}
	switch {
	case cause != nil && nd.net.echoes(err, cause):
		return nil
	case every(err, func(err error) bool { return err == ErrStopped }):
		if cause != nil {
			return nil // the other side may have left because of it
		}
		return nd.unwanted(err)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("returned %w; return nil at the end of input", err)
	}
	return err
}

// unwanted decides whether a node that gave up on a stopped output ended well: it
// did if all its outputs have ended, for if one is still read, the reader would
// take what it got for all there is.
func (nd *node) unwanted(err error) error {
	outputs := 0
	for c := range nd.each(true) {
		outputs++
		if c.readersLeft > 0 && c.ended() == open { // a reader that returned may be about to stop it
			return fmt.Errorf("ended (%w) while its output %q is still wanted; leave out the one that was stopped and go on with the other", err, c.name)
		}
	}
	if outputs == 0 {
		return err
	}
	return nil
}

// echoes reports whether err only passes on that the network was interrupted.
func (n *Network) echoes(err, cause error) bool {
	return every(err, func(err error) bool {
		if abort, ok := err.(*AbortError); ok {
			if abort.run == n {
				return true
			}
			err = abort.Cause
		}
		return same(err, cause) || same(err, n.ctx.Err()) || same(err, context.Cause(n.ctx)) || same(err, n.parent.Err())
	})
}

// every reports whether each branch of an error tree has an error that matches: a
// chain of wrapped errors is one branch, joined errors are several.
func every(err error, match func(error) bool) bool {
	if match(err) {
		return true
	}
	switch wrapped := err.(type) {
	case interface{ Unwrap() error }:
		inner := wrapped.Unwrap()
		return inner != nil && every(inner, match)
	case interface{ Unwrap() []error }:
		for _, inner := range wrapped.Unwrap() {
			if !every(inner, match) {
				return false
			}
		}
		return len(wrapped.Unwrap()) > 0
	}
	return false
}

// same is == for errors, or deep equality for those that cannot be compared.
func same(a, b error) bool {
	if a == nil || b == nil || reflect.TypeOf(a) != reflect.TypeOf(b) {
		return false
	}
	if reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() {
		return a == b
	}
	return reflect.DeepEqual(a, b)
}
